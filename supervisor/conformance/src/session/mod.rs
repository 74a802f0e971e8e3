//! One worker process and the kit in the supervisor's place.
//!
//! This file is the worker as a check sees it; [`talk`] says and hears messages, [`runs`] plays whole runs. What is
//! not as it should be becomes a finding here, with the end of the worker's stderr.

mod offer;
mod runs;
mod talk;

pub(super) use offer::WorkerOffer;
pub(super) use runs::{Ended, GRACE_MS, brief};
pub(super) use talk::{shown, welcome, welcome_in};

use std::io;
use std::time::Duration;

use muster_core::process::ExitStatus;
use muster_protocol::ToSupervisor;
use muster_system::process::{ProcessGroup, SpawnedChild};
use tokio::time::{Instant, timeout, timeout_at};

use super::failure::CheckFailure;
use crate::peer::{HeardFrame, WorkerPeer};

/// How long a worker may take for anything it owes. SPEC.md grants 10 s for most; a worker that is slower
/// than this on an idle machine is a worker to look at.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);
/// How often a condition is looked at that nothing announces.
const LOOK_EVERY: Duration = Duration::from_millis(1);
/// How much of stderr a finding quotes.
const STDERR_QUOTE_LINES: usize = 4;

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
    peer: WorkerPeer,
    last_run: u32,
    introduced: Option<u32>,
    /// What it described, as it came.
    pub(super) descriptions: Vec<ToSupervisor>,
}

impl WorkerSession {
    /// Takes over a process just started. Must be called inside a runtime.
    pub(super) fn new(child: SpawnedChild) -> io::Result<Self> {
        Ok(Self { peer: WorkerPeer::new(child)?, last_run: 0, introduced: None, descriptions: Vec::new() })
    }

    /// The worker's process group.
    pub(super) fn group(&self) -> ProcessGroup {
        self.peer.group
    }

    /// What the worker says next, or what was seen instead. Text before its first message is passed over.
    pub(super) async fn next(&mut self, within: Duration) -> Result<NextFrame, String> {
        let deadline = Instant::now() + within;
        loop {
            let heard = timeout_at(deadline, self.peer.hear()).await;
            match heard.map_err(|_| format!("no message for {within:?}"))? {
                Ok(HeardFrame::Preamble(_)) => {}
                // May come at any time: whoever asks for it looks there.
                Ok(HeardFrame::Message(message @ ToSupervisor::Describe { .. })) => {
                    self.descriptions.push(message)
                }
                Ok(HeardFrame::Message(message)) => return Ok(NextFrame::Message(message)),
                Ok(HeardFrame::Later) => return Ok(NextFrame::Later),
                Ok(HeardFrame::End) => return Ok(NextFrame::End),
                Err(unheard) => return Err(unheard.to_string()),
            }
        }
    }

    /// Reads stdout to its end, whatever it holds. False if it does not end.
    pub(super) async fn stdout_ends(&mut self, within: Duration) -> bool {
        self.peer.stdout_ends(within).await
    }

    /// Reads stdout in pieces of this size from here on.
    pub(super) fn read_slowly(&mut self, bytes: usize) {
        self.peer.read_slowly(bytes);
    }

    /// Waits until so much lies in the worker's stdout pipe, unread.
    pub(super) async fn unread(&self, bytes: u64) -> bool {
        holds(|| self.peer.unheard_bytes().is_some_and(|waiting| waiting >= bytes)).await
    }

    /// Writes bytes, whatever they are. A worker that is gone shows in what it says next, not here.
    pub(super) async fn write(&mut self, bytes: &[u8]) -> Result<(), CheckFailure> {
        match timeout(PATIENCE, self.peer.write(bytes)).await {
            Ok(()) => Ok(()),
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
            if self.peer.has_hung_up() {
                return Ok(());
            }
            if !holds(|| self.peer.unread_bytes() == Some(0)).await {
                return Err(self.fault("the worker reads what it is sent", "it does not read").await);
            }
        }
        Ok(())
    }

    /// Ends the worker's stdin.
    pub(super) fn hang_up(&mut self) {
        self.peer.hang_up();
    }

    /// Waits for the end of the process. What is left of its group is then killed.
    pub(super) async fn exit(&mut self, within: Duration) -> Option<ExitStatus> {
        self.peer.exit(within).await
    }

    /// Waits until stderr has held the text.
    pub(super) async fn stderr_holds(&mut self, text: &str, within: Duration) -> bool {
        self.peer.stderr_holds(text, within).await
    }

    /// A failure of this worker, with the end of its stderr.
    pub(super) async fn fault(
        &mut self,
        expected: impl Into<String>,
        seen: impl Into<String>,
    ) -> CheckFailure {
        let (expected, mut seen) = (expected.into(), seen.into());
        let said = self.peer.last_words(STDERR_QUOTE_LINES, Duration::ZERO).await;
        if !said.is_empty() {
            seen = format!("{seen}; its last lines on stderr: {said}");
        }
        CheckFailure::failed(expected, seen)
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
