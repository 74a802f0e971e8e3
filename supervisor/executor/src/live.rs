//! What only live views need, and the room that it takes until it is shown.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use muster_core::execution::{Attempt, Change, LogLine, Secrets};

/// So much for live views waits at most.
const LIVE_WAITING_MAX_BYTES: usize = 16 * 1024 * 1024;
/// And so much of one run: it is passed on within a moment.
const LIVE_OF_A_RUN_MAX_BYTES: usize = 1024 * 1024;

/// News of a run that only live views need.
#[derive(Debug)]
pub enum LiveEvent {
    /// New lines of its log; the whole log comes with the outcome.
    Logged(Attempt, Vec<LogLine>),
    /// A run told how far it is.
    Progressed(Attempt, RunProgress),
    /// It asked for a change, which may hold these secrets; all its changes come with the outcome.
    Changed(Attempt, Arc<Change>, Arc<Secrets>),
}

impl LiveEvent {
    /// Whose news they are.
    pub fn attempt(&self) -> Attempt {
        match self {
            Self::Logged(attempt, _) | Self::Progressed(attempt, _) | Self::Changed(attempt, _, _) => {
                *attempt
            }
        }
    }

    /// What it takes in memory.
    pub(super) fn size_bytes(&self) -> usize {
        size_of::<Self>()
            + match self {
                Self::Logged(_, lines) => lines.iter().map(LogLine::size_bytes).sum(),
                Self::Progressed(_, progress) => progress.message.len(),
                Self::Changed(_, change, _) => change.size_bytes(),
            }
    }
}

/// How far a run says it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RunProgress {
    /// How many steps are done.
    pub current: u64,
    /// How many steps there are; 0 means unknown.
    pub total: u64,
    /// What the run is doing, for people; may be empty.
    pub message: String,
}

/// News for live views, and the room they take for as long as this is kept.
#[derive(Debug)]
pub struct WaitingLive {
    event: LiveEvent,
    bytes: usize,
    room: LiveRoom,
}

impl WaitingLive {
    /// What is to be shown.
    pub fn event(&self) -> &LiveEvent {
        &self.event
    }
}

impl Drop for WaitingLive {
    fn drop(&mut self) {
        self.room.lock().passed_on(self.event.attempt(), self.bytes);
    }
}

/// The room for what waits. Clones are the same room.
#[derive(Clone, Debug, Default)]
pub(super) struct LiveRoom(Arc<Mutex<LiveWaiting>>);

impl LiveRoom {
    /// Takes it in, if there is room for it.
    pub(super) fn admit(&self, event: LiveEvent) -> Option<WaitingLive> {
        let bytes = event.size_bytes();
        let is_admitted = self.lock().admit(event.attempt(), bytes);
        is_admitted.then(|| WaitingLive { event, bytes, room: self.clone() })
    }

    /// True while something of this attempt waits.
    pub(super) fn holds(&self, attempt: Attempt) -> bool {
        self.lock().by_attempt.contains_key(&attempt)
    }

    fn lock(&self) -> MutexGuard<'_, LiveWaiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What waits to be shown in live views, in bytes.
#[derive(Debug, Default)]
struct LiveWaiting {
    all: usize,
    by_attempt: HashMap<Attempt, usize>,
}

impl LiveWaiting {
    /// Takes so much more of this run, if there is room for any.
    fn admit(&mut self, attempt: Attempt, bytes: usize) -> bool {
        let of_the_run = self.by_attempt.get(&attempt).copied().unwrap_or_default();
        if self.all > LIVE_WAITING_MAX_BYTES || of_the_run > LIVE_OF_A_RUN_MAX_BYTES {
            return false;
        }
        self.all += bytes;
        self.by_attempt.insert(attempt, of_the_run + bytes);
        true
    }

    fn passed_on(&mut self, attempt: Attempt, bytes: usize) {
        self.all = self.all.saturating_sub(bytes);
        if let Some(of_the_run) = self.by_attempt.get_mut(&attempt) {
            *of_the_run = of_the_run.saturating_sub(bytes);
            if *of_the_run == 0 {
                self.by_attempt.remove(&attempt);
            }
        }
    }
}
