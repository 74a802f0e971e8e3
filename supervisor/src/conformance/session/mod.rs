//! One worker process and the kit in the supervisor's place.
//!
//! This file is the process and its pipes; [`talk`] says and hears messages, [`runs`] plays whole runs. Stdout
//! is read only when a check asks for it, so that a check can be a slow reader; stderr is always read.

mod offer;
mod runs;
mod talk;

pub(super) use offer::WorkerOffer;
pub(super) use runs::{Ended, GRACE_MS, brief};
pub(super) use talk::{shown, welcome, welcome_in};

use std::io;
use std::time::Duration;

use bytes::BytesMut;
use muster_core::process::ExitStatus;
use muster_protocol::ToSupervisor;
use muster_protocol::codec::Decoded;
use muster_protocol::wire::{Incoming, Spelling, WireDecoder};
use muster_system::process::{ExitWatch, ProcessGroup, SpawnedChild, abandon};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::unix::pipe;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout, timeout_at};

use super::failure::CheckFailure;

/// How long a worker may take for anything it owes. SPEC.md grants 10 s for most; a worker that is slower
/// than this on an idle machine is a worker to look at.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);
/// How often a condition is looked at that nothing announces.
const LOOK_EVERY: Duration = Duration::from_millis(1);
/// One read takes so much at most.
const READ_MAX_BYTES: usize = 64 * 1024;
/// How much of stderr a finding quotes.
const STDERR_QUOTE_LINES: usize = 4;
/// Stderr beyond this is read and forgotten.
const STDERR_KEPT_MAX_BYTES: usize = 4 * 1024 * 1024;

/// What stdout held next.
#[derive(Debug)]
pub(super) enum NextFrame {
    Message(ToSupervisor),
    /// A message of a later version.
    Later,
    End,
}

/// A running worker. Dropping it kills its process group.
#[derive(Debug)]
pub(super) struct WorkerSession {
    pub(super) group: ProcessGroup,
    watch: Option<ExitWatch>,
    status: Option<ExitStatus>,
    stdin: Option<pipe::Sender>,
    stdout: pipe::Receiver,
    stderr: mpsc::UnboundedReceiver<Vec<u8>>,
    stderr_seen: Vec<u8>,
    decoder: WireDecoder,
    pending: BytesMut,
    chunk: Vec<u8>,
    spelling: Spelling,
    last_run: u32,
    introduced: Option<u32>,
}

impl WorkerSession {
    /// Takes over a process just started. Must be called inside a runtime.
    pub(super) fn new(child: SpawnedChild) -> io::Result<Self> {
        let group = child.group;
        let opened = (|| {
            let watch = ExitWatch::new(group, child.pidfd)?;
            let stdin = pipe::Sender::from_owned_fd(child.stdin)?;
            let stdout = pipe::Receiver::from_owned_fd(child.stdout)?;
            Ok::<_, io::Error>((watch, stdin, stdout, read_always(child.stderr)?))
        })();
        let (watch, stdin, stdout, stderr) = opened.inspect_err(|_| abandon(group))?;
        Ok(Self {
            group,
            watch: Some(watch),
            status: None,
            stdin: Some(stdin),
            stdout,
            stderr,
            stderr_seen: Vec::new(),
            decoder: WireDecoder::new(),
            pending: BytesMut::new(),
            chunk: vec![0; READ_MAX_BYTES],
            spelling: Spelling::Binary,
            last_run: 0,
            introduced: None,
        })
    }

    /// What the worker says next, or what was seen instead.
    pub(super) async fn next(&mut self, within: Duration) -> Result<NextFrame, String> {
        let deadline = Instant::now() + within;
        loop {
            match self.decoder.next::<ToSupervisor>(&mut self.pending).map_err(|error| error.to_string())? {
                Some(Incoming::Message(decoded)) => {
                    self.spelling = self.decoder.spelling().unwrap_or(self.spelling);
                    return Ok(match decoded {
                        Decoded::Message(message) => NextFrame::Message(message),
                        Decoded::Unknown { .. } => NextFrame::Later,
                    });
                }
                Some(Incoming::Preamble(_)) => continue,
                None => {}
            }
            let got = timeout_at(deadline, self.stdout.read(&mut self.chunk)).await;
            match got.map_err(|_| format!("no message for {within:?}"))? {
                Ok(0) => {
                    self.decoder.end(&self.pending).map_err(|error| error.to_string())?;
                    return Ok(NextFrame::End);
                }
                Ok(count) => self.pending.extend_from_slice(&self.chunk[..count]),
                Err(error) => return Err(format!("stdout cannot be read: {error}")),
            }
        }
    }

    /// Reads stdout to its end, whatever it holds. False if it does not end.
    pub(super) async fn stdout_ends(&mut self, within: Duration) -> bool {
        let deadline = Instant::now() + within;
        while let Ok(got) = timeout_at(deadline, self.stdout.read(&mut self.chunk)).await {
            if !matches!(got, Ok(1..)) {
                return true;
            }
        }
        false
    }

    /// Reads stdout in pieces of this size from here on.
    pub(super) fn read_slowly(&mut self, bytes: usize) {
        self.chunk.truncate(bytes);
    }

    /// Waits until so much lies in the worker's stdout pipe, unread.
    pub(super) async fn unread(&self, bytes: u64) -> bool {
        holds(|| rustix::io::ioctl_fionread(&self.stdout).is_ok_and(|waiting| waiting >= bytes)).await
    }

    /// Writes bytes, whatever they are. A worker that is gone shows in what it says next, not here.
    pub(super) async fn write(&mut self, bytes: &[u8]) -> Result<(), CheckFailure> {
        let Some(stdin) = &mut self.stdin else { return Ok(()) };
        match timeout(PATIENCE, stdin.write_all(bytes)).await {
            Ok(_) => Ok(()),
            Err(_) => Err(self.fault("the worker reads its stdin at all times", "it does not read").await),
        }
    }

    /// Writes the pieces, each when the worker has read the one before it.
    pub(super) async fn write_in_pieces<'a>(
        &mut self,
        pieces: impl Iterator<Item = &'a [u8]> + Send,
    ) -> Result<(), CheckFailure> {
        for piece in pieces {
            self.write(piece).await?;
            let Some(stdin) = &self.stdin else { return Ok(()) };
            if !holds(|| rustix::io::ioctl_fionread(stdin).is_ok_and(|unread| unread == 0)).await {
                return Err(self.fault("the worker reads what it is sent", "it does not read").await);
            }
        }
        Ok(())
    }

    /// Ends the worker's stdin.
    pub(super) fn hang_up(&mut self) {
        self.stdin = None;
    }

    /// Waits for the end of the process. What is left of its group is then killed.
    pub(super) async fn exit(&mut self, within: Duration) -> Option<ExitStatus> {
        if let Some(watch) = &self.watch {
            timeout(within, watch.ended()).await.ok()?;
        }
        if let Some(watch) = self.watch.take() {
            self.group.kill();
            self.status = Some(watch.reap());
        }
        self.status
    }

    /// Waits until stderr has held the text.
    pub(super) async fn stderr_holds(&mut self, text: &str, within: Duration) -> bool {
        let deadline = Instant::now() + within;
        while !String::from_utf8_lossy(&self.stderr_seen).contains(text) {
            match timeout_at(deadline, self.stderr.recv()).await {
                Ok(Some(chunk)) => self.keep_stderr(&chunk),
                Ok(None) | Err(_) => return false,
            }
        }
        true
    }

    /// A failure of this worker, with the end of its stderr.
    pub(super) async fn fault(
        &mut self,
        expected: impl Into<String>,
        seen: impl Into<String>,
    ) -> CheckFailure {
        let mut seen = seen.into();
        while let Ok(chunk) = self.stderr.try_recv() {
            self.keep_stderr(&chunk);
        }
        let text = String::from_utf8_lossy(&self.stderr_seen);
        let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
        if let Some(last) = lines.get(lines.len().saturating_sub(STDERR_QUOTE_LINES)..)
            && !last.is_empty()
        {
            seen = format!("{seen}; its last lines on stderr: {}", last.join(" | "));
        }
        CheckFailure::failed(expected, seen)
    }

    fn keep_stderr(&mut self, chunk: &[u8]) {
        if self.stderr_seen.len() < STDERR_KEPT_MAX_BYTES {
            self.stderr_seen.extend_from_slice(chunk);
        }
    }
}

impl Drop for WorkerSession {
    fn drop(&mut self) {
        if let Some(watch) = self.watch.take() {
            self.group.kill();
            watch.reap();
        }
    }
}

/// True as soon as the condition holds, false when it does not for too long.
async fn holds(condition: impl Fn() -> bool) -> bool {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        if Instant::now() > deadline {
            return false;
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    true
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
