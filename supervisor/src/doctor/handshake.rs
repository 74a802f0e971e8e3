//! Starts one worker as the pool would, up to its Ready, and tells it to leave again.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use muster_conformance::{HeardFrame, UnheardFrame, WorkerPeer};
use muster_core::pool::HELLO_TIMEOUT;
use muster_core::process::ExitStatus;
use muster_protocol::limits::{CRASH_STDERR_LINES, FRAME_MAX_BYTES};
use muster_protocol::wire::{Spelling, WireError};
use muster_protocol::{ErrorInfo, PROTOCOL_VERSION, TEMPLATE_FD_ENV, ToSupervisor, ToWorker, feature};
use muster_system::process::{ForkChannel, RunningProgram, Spawner};

use crate::executor::WorkerSpec;

/// After the end of its stdin a worker leaves by itself within this.
const LEAVES_WITHIN: Duration = Duration::from_secs(3);
/// A template makes a worker within this.
const FORKS_WITHIN: Duration = Duration::from_secs(5);
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
    /// Fork to Ready of a worker that was made of it, or why none could be; `None` if it is no template.
    pub(super) forked: Option<Result<Duration, String>>,
    /// Whether it left by itself when told to.
    pub(super) left: bool,
    /// The program that said Hello.
    pub(super) program: Option<RunningProgram>,
    /// Whether what was started is another process, which stays.
    pub(super) is_behind: bool,
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

/// One worker, and what it printed before Hello.
struct TriedWorker {
    peer: WorkerPeer,
    preamble: Vec<String>,
    /// Its own end of what it was offered, if it was.
    channel: Option<ForkChannel>,
    /// A worker may ask to die with the thread that started it.
    _spawner: Spawner,
}

/// Starts a worker, waits for its Ready for at most `limit`, and makes it leave.
/// One that may be a template is asked for a worker, too.
pub(super) async fn greet(
    spec: &WorkerSpec,
    limit: Duration,
    offers_template: bool,
) -> Result<ReadyWorker, NotReady> {
    let started = Instant::now();
    let mut worker = TriedWorker::start(spec, offers_template).await?;
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
            let forked = worker.try_fork(spec, &greeting.features).await;
            Ok(ReadyWorker { ready_after, preamble, forked, left: worker.leave().await, ..greeting })
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
    async fn start(spec: &WorkerSpec, offers_template: bool) -> Result<Self, NotReady> {
        let spawner = Spawner::start()?;
        let launch = Arc::clone(&spec.launch);
        let (child, channel) = if offers_template {
            let (child, channel) = spawner.spawn_with_channel(launch, TEMPLATE_FD_ENV).await?;
            (child, Some(channel))
        } else {
            (spawner.spawn(launch).await?, None)
        };
        Ok(Self { peer: WorkerPeer::new(child)?, preamble: Vec::new(), channel, _spawner: spawner })
    }

    /// Asks a template for a worker: how long that took to be Ready, or why there is none.
    async fn try_fork(&mut self, spec: &WorkerSpec, features: &[String]) -> Option<Result<Duration, String>> {
        let is_template = features.iter().any(|offered| offered == feature::TEMPLATE);
        let channel = self.channel.take().filter(|_| is_template)?;
        let began = Instant::now();
        let forked = tokio::time::timeout(FORKS_WITHIN, self.fork(spec, &channel)).await;
        Some(match forked {
            Ok(Ok(())) => Ok(began.elapsed()),
            Ok(Err(message)) => Err(message),
            Err(_) => Err(format!("it made no worker within {} s", FORKS_WITHIN.as_secs())),
        })
    }

    async fn fork(&mut self, spec: &WorkerSpec, channel: &ForkChannel) -> Result<(), String> {
        let request = channel.request(&self.peer.belongings).map_err(|error| error.to_string())?;
        let worker_id = request.worker_id().to_owned();
        self.peer.say(&ToWorker::Fork { worker_id }).await.map_err(|error| error.to_string())?;
        let ended = |problem: Option<NotReady>| {
            problem.map_or_else(|| "it ended".to_owned(), |problem| problem.to_string())
        };
        let child = loop {
            match self.next().await.map_err(ended)? {
                ToSupervisor::Forked { .. } => break channel.accept(request, self.peer.group),
                ToSupervisor::ForkFailed { message, .. } => return Err(message),
                ToSupervisor::Hello { .. }
                | ToSupervisor::Ready { .. }
                | ToSupervisor::InitFailed { .. }
                | ToSupervisor::Started { .. }
                | ToSupervisor::Log { .. }
                | ToSupervisor::Progress { .. }
                | ToSupervisor::Call { .. }
                | ToSupervisor::Finished { .. }
                | ToSupervisor::Idle { .. }
                | ToSupervisor::Pong { .. }
                | ToSupervisor::Goodbye { .. }
                | ToSupervisor::Stacks { .. }
                | ToSupervisor::Describe { .. }
                | ToSupervisor::Exited { .. } => {}
            }
        };
        let peer = child.and_then(WorkerPeer::new).map_err(|error| error.to_string())?;
        let spawner = Spawner::start().map_err(|error| error.to_string())?;
        let mut child = Self { peer, preamble: Vec::new(), channel: None, _spawner: spawner };
        let greeting = child.hello().await.map_err(ended)?;
        child.welcome(spec, &greeting.features).await.map_err(ended)?;
        child.ready().await.map_err(ended)?;
        child.leave().await;
        Ok(())
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
            pid,
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
            spelling: self.peer.spelling(),
            ready_after: Duration::ZERO,
            preamble: None,
            forked: None,
            left: false,
            // A number of another namespace is somebody else's here.
            program: RunningProgram::read(pid).filter(|_| self.peer.is_family(pid)),
            is_behind: pid != self.peer.group.id(),
        })
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
        self.peer.say(&welcome).await.map_err(|error| Some(NotReady::Spawn(error)))
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
            match self.peer.hear().await {
                Ok(HeardFrame::Message(message)) => return Ok(message),
                Ok(HeardFrame::Later) => {}
                Ok(HeardFrame::Preamble(text)) => self.preamble.push(text),
                Ok(HeardFrame::End) | Err(UnheardFrame::Read(_)) => return Err(None),
                Err(UnheardFrame::Wire(error)) => return Err(Some(error.into())),
            }
        }
    }

    /// Ends its stdin, which is how every worker is told to leave. False when it had to be killed.
    async fn leave(mut self) -> bool {
        self.peer.hang_up();
        self.peer.exit(LEAVES_WITHIN).await.is_some()
    }

    /// Ends the process and gives how it ended, and the end of its stderr.
    async fn kill(mut self) -> (ExitStatus, String) {
        let status = self.peer.kill(STDERR_WITHIN).await;
        (status, self.peer.last_words(CRASH_STDERR_LINES, STDERR_WITHIN).await)
    }
}
