//! The far end of one worker's pipes, for whoever speaks with a worker by hand: the doctor and the conformance kit.
//!
//! It knows pipes and processes; the wire itself is [`Conversation`]. Stdout is read only when it is asked for, so that who asks can be
//! a slow reader; stderr is always read, so that a worker never waits for it. The executor has ends of its own, which
//! wait for nothing.

use std::io;
use std::time::Duration;

use muster_core::process::ExitStatus;
use muster_protocol::codec::Decoded;
use muster_protocol::wire::{Conversation, Incoming, Spelling, WireError};
use muster_protocol::{ToSupervisor, ToWorker};
use muster_system::process::{ExitWatch, ProcessGroup, ProcessTree, SpawnedChild, WorkerBelongings, abandon};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::unix::pipe;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout, timeout_at};

/// One read takes so much at most.
const READ_MAX_BYTES: usize = 64 * 1024;
/// Stderr beyond this is read and forgotten.
const STDERR_KEPT_MAX_BYTES: usize = 4 * 1024 * 1024;

/// What stdout held next.
#[derive(Debug)]
pub enum HeardFrame {
    /// A message.
    Message(ToSupervisor),
    /// A message of a later version.
    Later,
    /// A line before the first message that is none.
    Preamble(String),
    /// The end of stdout.
    End,
}

/// Stdout holds nothing that a peer can hear.
#[derive(Debug, thiserror::Error)]
pub enum UnheardFrame {
    /// The worker broke the wire.
    #[error(transparent)]
    Wire(#[from] WireError),
    /// The pipe cannot be read.
    #[error("stdout cannot be read: {0}")]
    Read(#[from] io::Error),
}

/// A running worker and our ends of its pipes. Dropping it kills its process group.
#[derive(Debug)]
pub struct WorkerPeer {
    /// All that the process started and did not leave.
    pub group: ProcessGroup,
    /// All that it started, wherever it went.
    family: ProcessTree,
    /// What it has of its own, until it is dropped.
    pub belongings: WorkerBelongings,
    watch: Option<ExitWatch>,
    status: Option<ExitStatus>,
    stdin: Option<pipe::Sender>,
    stdout: pipe::Receiver,
    stderr: mpsc::UnboundedReceiver<Vec<u8>>,
    stderr_seen: Vec<u8>,
    conversation: Conversation,
    chunk: Vec<u8>,
}

impl WorkerPeer {
    /// Takes over a process just started. Must be called inside a runtime.
    pub fn new(child: SpawnedChild) -> io::Result<Self> {
        let (group, family, belongings) = (child.group, child.family, child.belongings);
        let opened = (|| {
            let watch = ExitWatch::new(group, child.pidfd)?;
            let stdin = pipe::Sender::from_owned_fd(child.stdin)?;
            let stdout = pipe::Receiver::from_owned_fd(child.stdout)?;
            Ok::<_, io::Error>((watch, stdin, stdout, read_always(child.stderr)?))
        })();
        let (watch, stdin, stdout, stderr) = opened.inspect_err(|_| abandon(group))?;
        Ok(Self {
            group,
            family,
            belongings,
            watch: Some(watch),
            status: None,
            stdin: Some(stdin),
            stdout,
            stderr,
            stderr_seen: Vec::new(),
            conversation: Conversation::default(),
            chunk: vec![0; READ_MAX_BYTES],
        })
    }

    /// True for the number of the process that was started, or of one behind it.
    pub fn is_family(&self, number: u32) -> bool {
        number == self.group.id() || self.family.program(number).is_some()
    }

    /// How this worker spells its messages, once it has said one.
    pub fn spelling(&self) -> Spelling {
        self.conversation.spelling()
    }

    /// What the worker says next. Safe to cancel.
    pub async fn hear(&mut self) -> Result<HeardFrame, UnheardFrame> {
        loop {
            match self.conversation.hear()? {
                Some(Incoming::Message(Decoded::Message(message))) => {
                    return Ok(HeardFrame::Message(message));
                }
                Some(Incoming::Message(Decoded::Unknown { .. })) => return Ok(HeardFrame::Later),
                Some(Incoming::Preamble(text)) => return Ok(HeardFrame::Preamble(text)),
                None => {}
            }
            let count = self.stdout.read(&mut self.chunk).await?;
            if count == 0 {
                self.conversation.end()?;
                return Ok(HeardFrame::End);
            }
            self.conversation.read(&self.chunk[..count]);
        }
    }

    /// Reads stdout to its end, whatever it holds. False if it does not end.
    pub async fn stdout_ends(&mut self, within: Duration) -> bool {
        let deadline = Instant::now() + within;
        while let Ok(got) = timeout_at(deadline, self.stdout.read(&mut self.chunk)).await {
            if !matches!(got, Ok(1..)) {
                return true;
            }
        }
        false
    }

    /// Reads stdout in pieces of this size from here on.
    pub fn read_slowly(&mut self, bytes: usize) {
        self.chunk.truncate(bytes);
    }

    /// How much lies in the worker's stdout pipe, unread by us.
    pub fn unheard_bytes(&self) -> Option<u64> {
        rustix::io::ioctl_fionread(&self.stdout).ok()
    }

    /// How much lies in the worker's stdin pipe, unread by it.
    pub fn unread_bytes(&self) -> Option<u64> {
        rustix::io::ioctl_fionread(self.stdin.as_ref()?).ok()
    }

    /// Writes bytes, whatever they are. A worker that is gone shows in what it says next, not here.
    pub async fn write(&mut self, bytes: &[u8]) {
        if let Some(stdin) = &mut self.stdin {
            let _ = stdin.write_all(bytes).await;
        }
    }

    /// Says something in the worker's spelling.
    pub async fn say(&mut self, message: &ToWorker) -> io::Result<()> {
        let mut bytes = Vec::new();
        self.conversation.say(message, &mut bytes).map_err(io::Error::other)?;
        self.write(&bytes).await;
        Ok(())
    }

    /// Ends the worker's stdin.
    pub fn hang_up(&mut self) {
        self.stdin = None;
    }

    /// True when its stdin is ended.
    pub fn has_hung_up(&self) -> bool {
        self.stdin.is_none()
    }

    /// Waits for the end of the process. What is left of its group is then killed.
    pub async fn exit(&mut self, within: Duration) -> Option<ExitStatus> {
        if let Some(watch) = &self.watch {
            timeout(within, watch.ended()).await.ok()?;
        }
        self.reap();
        self.status
    }

    /// Ends the process, unless it ends by itself within this: then its own status says more than our signal.
    pub async fn kill(&mut self, within: Duration) -> ExitStatus {
        self.hang_up();
        if self.exit(within).await.is_none() {
            self.reap();
        }
        self.status.unwrap_or(ExitStatus::Unknown)
    }

    /// Kills the group and waits for its first process. SIGKILL leaves it no choice.
    fn reap(&mut self) {
        if let Some(watch) = self.watch.take() {
            self.group.kill();
            self.status = Some(watch.reap());
        }
    }

    /// Waits until stderr has held the text.
    pub async fn stderr_holds(&mut self, text: &str, within: Duration) -> bool {
        let deadline = Instant::now() + within;
        while !String::from_utf8_lossy(&self.stderr_seen).contains(text) {
            match timeout_at(deadline, self.stderr.recv()).await {
                Ok(Some(chunk)) => self.keep_stderr(&chunk),
                Ok(None) | Err(_) => return false,
            }
        }
        true
    }

    /// The last lines of stderr up to now that are not blank, joined. Waits a while for its end, if it is to come.
    pub async fn last_words(&mut self, lines: usize, within: Duration) -> String {
        let deadline = Instant::now() + within;
        while let Ok(Some(chunk)) = timeout_at(deadline, self.stderr.recv()).await {
            self.keep_stderr(&chunk);
        }
        let text = String::from_utf8_lossy(&self.stderr_seen);
        let said: Vec<&str> = text.lines().map(str::trim_end).filter(|line| !line.is_empty()).collect();
        said[said.len().saturating_sub(lines)..].join(" | ")
    }

    fn keep_stderr(&mut self, chunk: &[u8]) {
        if self.stderr_seen.len() < STDERR_KEPT_MAX_BYTES {
            self.stderr_seen.extend_from_slice(chunk);
        }
    }
}

impl Drop for WorkerPeer {
    fn drop(&mut self) {
        self.reap();
    }
}

/// Reads stderr until its end, so that a worker never waits for it.
fn read_always(stderr: std::os::fd::OwnedFd) -> io::Result<mpsc::UnboundedReceiver<Vec<u8>>> {
    let mut stderr = pipe::Receiver::from_owned_fd(stderr)?;
    let (chunks, received) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        let mut chunk = vec![0; READ_MAX_BYTES];
        while let Ok(count @ 1..) = stderr.read(&mut chunk).await {
            if chunks.send(chunk[..count].to_vec()).is_err() {
                return;
            }
        }
    });
    Ok(received)
}
