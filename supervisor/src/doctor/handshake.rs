//! Starts one worker as the pool would, up to its Ready, and tells it to leave again.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use muster_core::pool::HELLO_TIMEOUT;
use muster_core::process::ExitStatus;
use muster_protocol::codec::Decoded;
use muster_protocol::limits::{CRASH_STDERR_LINES, FRAME_MAX_BYTES};
use muster_protocol::wire::{Incoming, Spelling, WireDecoder, WireError};
use muster_protocol::{ErrorInfo, PROTOCOL_VERSION, ToSupervisor, ToWorker, feature};
use muster_system::process::{ExitWatch, ProcessGroup, Spawner};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::unix::pipe;
use tokio::task::JoinHandle;

use crate::executor::WorkerSpec;

/// After the end of its stdin a worker leaves by itself within this.
const LEAVES_WITHIN: Duration = Duration::from_secs(3);
/// What a process that ended wrote to stderr is there within this.
const STDERR_WITHIN: Duration = Duration::from_millis(200);

/// A worker that became Ready.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ReadyWorker {
    /// The name of the SDK or the worker.
    pub(super) implementation: String,
    pub(super) implementation_version: String,
    pub(super) language: String,
    pub(super) features: Vec<String>,
    /// Names it can run; empty means it decides per execution.
    pub(super) workflows: Vec<String>,
    pub(super) spelling: Spelling,
    /// Spawn to Ready.
    pub(super) ready_after: Duration,
    /// Text on stdout before Hello, if any.
    pub(super) preamble: Option<String>,
    /// Whether it left by itself when told to.
    pub(super) left: bool,
}

/// Why a worker did not become Ready.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotReady {
    #[error("the process cannot be started: {0}")]
    Spawn(#[from] io::Error),
    #[error("no Hello within {} s{}", HELLO_TIMEOUT.as_secs(), said(stderr))]
    NoHello { stderr: String },
    #[error("Hello, and no Ready within {} s{}", limit.as_secs_f64(), said(stderr))]
    NoReady { limit: Duration, stderr: String },
    #[error("it speaks protocol versions {min} to {max}, and this supervisor speaks {PROTOCOL_VERSION}")]
    Version { min: u16, max: u16 },
    #[error("its user code cannot be loaded: {}: {}", .0.kind, .0.message)]
    InitFailed(ErrorInfo),
    #[error(transparent)]
    Broken(#[from] WireError),
    #[error("it said {0} where Hello or Ready belongs")]
    Unexpected(&'static str),
    #[error("it ended ({status}) before Ready{}", said(stderr))]
    Ended { status: ExitStatus, stderr: String },
}

fn said(stderr: &str) -> String {
    if stderr.is_empty() { String::new() } else { format!("; on stderr: {stderr}") }
}

/// Kills the group however the handshake ends, also when it is given up in the middle.
struct KillOnDrop(Option<ProcessGroup>);

impl Drop for KillOnDrop {
    fn drop(&mut self) {
        if let Some(group) = self.0 {
            group.kill();
        }
    }
}

/// One worker and our ends of its pipes.
struct TriedWorker {
    stdin: Option<pipe::Sender>,
    stdout: pipe::Receiver,
    stderr: JoinHandle<String>,
    decoder: WireDecoder,
    input: BytesMut,
    preamble: Vec<String>,
    exit: ExitWatch,
    guard: KillOnDrop,
    /// A worker may ask to die with the thread that started it.
    _spawner: Spawner,
}

/// Starts a worker, waits for its Ready for at most `limit`, and makes it leave.
pub(super) async fn greet(spec: &WorkerSpec, limit: Duration) -> Result<ReadyWorker, NotReady> {
    let started = Instant::now();
    let mut worker = TriedWorker::start(spec).await?;
    let hello = match tokio::time::timeout(HELLO_TIMEOUT.min(limit), worker.hello()).await {
        Ok(hello) => hello,
        Err(_) => return Err(NotReady::NoHello { stderr: worker.kill().await.1 }),
    };
    let left = limit.saturating_sub(started.elapsed());
    let ready = async {
        let mut greeting = hello?;
        worker.welcome(spec, &greeting.features).await?;
        greeting.workflows = worker.ready().await?;
        Ok(greeting)
    };
    match tokio::time::timeout(left, ready).await {
        Ok(Ok(greeting)) => {
            let ready_after = started.elapsed();
            let preamble = worker.preamble.first().cloned();
            Ok(ReadyWorker { ready_after, preamble, left: worker.leave().await, ..greeting })
        }
        Ok(Err(Some(problem))) => Err(problem),
        Ok(Err(None)) => {
            let (status, stderr) = worker.kill().await;
            Err(NotReady::Ended { status, stderr })
        }
        Err(_) => Err(NotReady::NoReady { limit, stderr: worker.kill().await.1 }),
    }
}

/// `None` is the end of its stdout: the process tells why.
type NextMessage<T> = Result<T, Option<NotReady>>;

impl TriedWorker {
    async fn start(spec: &WorkerSpec) -> Result<Self, NotReady> {
        let spawner = Spawner::start()?;
        let child = spawner.spawn(Arc::clone(&spec.launch)).await?;
        let guard = KillOnDrop(Some(child.group));
        let stderr = pipe::Receiver::from_owned_fd(child.stderr)?;
        Ok(Self {
            stdin: Some(pipe::Sender::from_owned_fd(child.stdin)?),
            stdout: pipe::Receiver::from_owned_fd(child.stdout)?,
            stderr: tokio::spawn(last_lines(stderr)),
            decoder: WireDecoder::new(),
            input: BytesMut::new(),
            preamble: Vec::new(),
            exit: ExitWatch::new(child.group, child.pidfd)?,
            guard,
            _spawner: spawner,
        })
    }

    async fn hello(&mut self) -> NextMessage<ReadyWorker> {
        let message = self.next().await?;
        let ToSupervisor::Hello {
            protocol_min,
            protocol_max,
            implementation,
            implementation_version,
            language,
            features,
            pid: _,
        } = message
        else {
            return Err(Some(NotReady::Unexpected(message.name())));
        };
        if !(protocol_min..=protocol_max).contains(&PROTOCOL_VERSION) {
            return Err(Some(NotReady::Version { min: protocol_min, max: protocol_max }));
        }
        Ok(ReadyWorker {
            implementation,
            implementation_version,
            language,
            features,
            workflows: Vec::new(),
            spelling: self.spelling(),
            ready_after: Duration::ZERO,
            preamble: None,
            left: false,
        })
    }

    fn spelling(&self) -> Spelling {
        self.decoder.spelling().unwrap_or(Spelling::Binary)
    }

    async fn welcome(&mut self, spec: &WorkerSpec, offered: &[String]) -> NextMessage<()> {
        let has = |name: &&str| offered.iter().any(|offered| offered == name);
        let welcome = ToWorker::Welcome {
            protocol: PROTOCOL_VERSION,
            worker_id: "doctor".to_owned(),
            features: feature::ALL.iter().filter(|name| has(name)).map(|&name| name.to_owned()).collect(),
            max_frame_bytes: u32::try_from(FRAME_MAX_BYTES).unwrap_or(u32::MAX),
            log_level: spec.log_level,
            config: spec.welcome_config.clone(),
        };
        let mut bytes = Vec::new();
        let appended = self.spelling().append(&welcome, &mut bytes);
        appended.map_err(|error| Some(NotReady::Spawn(io::Error::other(error))))?;
        match &mut self.stdin {
            // A worker that does not read any more has ended, and its stdout says so.
            Some(stdin) => stdin.write_all(&bytes).await.map_err(|_| None),
            None => Err(None),
        }
    }

    async fn ready(&mut self) -> NextMessage<Vec<String>> {
        loop {
            let message = self.next().await?;
            if let ToSupervisor::Ready { workflows } = message {
                return Ok(workflows);
            }
            if let ToSupervisor::InitFailed { error } = message {
                return Err(Some(NotReady::InitFailed(error)));
            }
            if !matches!(message, ToSupervisor::Describe { .. }) {
                return Err(Some(NotReady::Unexpected(message.name())));
            }
        }
    }

    async fn next(&mut self) -> NextMessage<ToSupervisor> {
        loop {
            match self.decoder.next::<ToSupervisor>(&mut self.input).map_err(|error| Some(error.into()))? {
                Some(Incoming::Message(Decoded::Message(message))) => return Ok(message),
                Some(Incoming::Message(Decoded::Unknown { .. })) => {}
                Some(Incoming::Preamble(text)) => self.preamble.push(text),
                None => {
                    if self.stdout.read_buf(&mut self.input).await.unwrap_or(0) == 0 {
                        return Err(None);
                    }
                }
            }
        }
    }

    /// Ends its stdin, which is how every worker is told to leave. False when it had to be killed.
    async fn leave(mut self) -> bool {
        self.stdin = None;
        let left = tokio::time::timeout(LEAVES_WITHIN, self.exit.ended()).await.is_ok();
        self.kill().await;
        left
    }

    /// Ends the process and gives how it ended, and the end of its stderr.
    async fn kill(mut self) -> (ExitStatus, String) {
        self.stdin = None;
        // One that ended its stdout is ending: its own status says more than our signal.
        let _ = tokio::time::timeout(STDERR_WITHIN, self.exit.ended()).await;
        if let Some(group) = self.guard.0.take() {
            group.kill();
        }
        self.exit.ended().await;
        let status = self.exit.reap();
        let stderr = tokio::time::timeout(STDERR_WITHIN, self.stderr).await;
        (status, stderr.ok().and_then(Result::ok).unwrap_or_default())
    }
}

/// The last lines of a stream, joined, when it ends.
async fn last_lines(stream: pipe::Receiver) -> String {
    let mut lines = BufReader::new(stream).split(b'\n');
    let mut last = VecDeque::new();
    while let Ok(Some(line)) = lines.next_segment().await {
        if last.len() == CRASH_STDERR_LINES {
            last.pop_front();
        }
        last.push_back(String::from_utf8_lossy(&line).trim_end().to_owned());
    }
    Vec::from(last).join(" | ")
}
