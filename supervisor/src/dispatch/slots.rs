//! How much may be claimed: a slot is reserved before a claim, and given back when its run is over.
//!
//! There are as many slots as workers may live, and a few more when executions are short: what would start
//! within [`AHEAD`] at today's rate may be claimed ahead, so that a worker never waits for the database
//! between two short executions, and long ones are left to supervisors that have a worker for them.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use muster_core::execution::{CompletedRun, RunEnding};
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use crate::finalize::Admission;

/// How far ahead of their workers short executions may be claimed.
const AHEAD: Duration = Duration::from_millis(50);
/// And how many at most.
const AHEAD_MAX: usize = 256;
/// A run that was over of itself within this is a short one. The end of any other says nothing about the next moments,
/// however many end, or are ended, at once.
const SHORT: Duration = Duration::from_millis(500);
/// While every worker has work, slots ahead are given out this far apart: a claim of many rows costs the database
/// little more than a claim of one.
const GATHER: Duration = Duration::from_millis(10);

/// Why nothing may be claimed right now. Readiness names each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum IntakeClosed {
    /// The supervisor is draining, to leave.
    Draining,
    /// The store cannot be written to.
    StoreUnreachable,
    /// No worker can be started.
    WorkersFail,
    /// Too many outcomes wait to be written.
    Backlog,
    /// What executions need to know cannot be fetched.
    PrewarmFails,
    /// Their outcomes could not be kept while the store is out of reach.
    NoRoom,
    /// Their configuration holds a secret that this supervisor has no key for.
    SecretKeyMissing,
}

impl IntakeClosed {
    /// Says it in a sentence for people.
    pub fn explain(self) -> &'static str {
        match self {
            Self::Draining => "the supervisor is draining",
            Self::StoreUnreachable => "the store is out of reach; outcomes are kept until it returns",
            Self::WorkersFail => "no worker can be started; see the last start failure",
            Self::Backlog => "too many outcomes wait to be written",
            Self::PrewarmFails => "workflows and configuration cannot be fetched; see the log for why",
            Self::SecretKeyMissing => {
                "a secret is encrypted with a key that secret_key does not have; `supervisor doctor` names it, add the key behind \
                 the current one"
            }
            Self::NoRoom => "the disk cannot hold what running executions may leave; free space in data_dir",
        }
    }
}

/// Whether it counts for the rate at which executions are claimed ahead.
pub(crate) fn was_short(run: &CompletedRun) -> bool {
    match run.ending {
        RunEnding::Succeeded { .. } | RunEnding::Failed { .. } => {
            run.duration.is_some_and(|lasted| lasted <= SHORT)
        }
        RunEnding::TimedOut { .. }
        | RunEnding::Cancelled { .. }
        | RunEnding::Released { .. }
        | RunEnding::Superseded => false,
    }
}

/// The slots of one supervisor: what may be claimed, and why nothing may.
#[derive(Debug)]
pub struct Slots {
    state: Mutex<SlotState>,
    changed: Notify,
    /// The bound of the pool, for whoever follows it.
    workers: watch::Sender<usize>,
}

#[derive(Debug, Default)]
struct SlotState {
    workers: usize,
    ahead: usize,
    taken: usize,
    /// No slots ahead are given out before this.
    ahead_from: Option<Instant>,
    /// Nothing that is due waits in the store, as far as is known here.
    nothing_waits: bool,
    closed: BTreeSet<IntakeClosed>,
}

/// The answer to whoever wants slots.
#[derive(Debug, PartialEq, Eq)]
enum SlotOffer {
    /// So many are taken.
    Taken(usize),
    /// There will be some at this moment, or sooner if a worker is free sooner.
    At(Instant),
    /// There are none.
    Nothing,
}

impl SlotState {
    fn free(&self) -> usize {
        if self.closed.is_empty() { (self.workers + self.ahead).saturating_sub(self.taken) } else { 0 }
    }

    /// True when slots may be given out: a worker has nothing to do, or it is time for a few more ahead.
    fn is_time(&self, now: Instant) -> bool {
        self.taken < self.workers || self.ahead_from.is_none_or(|at| at <= now)
    }

    /// The slot of a worker that has nothing to do, for what comes while nothing waits.
    fn reserve_for_free_worker(&mut self) -> bool {
        let is_free = self.closed.is_empty() && self.nothing_waits && self.taken < self.workers;
        self.taken += usize::from(is_free);
        is_free
    }

    fn reserve(&mut self, most: usize, now: Instant) -> SlotOffer {
        let count = self.free().min(most);
        match self.ahead_from {
            _ if count == 0 => SlotOffer::Nothing,
            Some(at) if !self.is_time(now) => SlotOffer::At(at),
            Some(_) | None => {
                self.taken += count;
                if self.taken > self.workers {
                    self.ahead_from = Some(now + GATHER);
                }
                SlotOffer::Taken(count)
            }
        }
    }
}

impl Slots {
    /// As many slots as workers may live.
    pub fn new(workers: usize) -> Arc<Self> {
        let state = SlotState { workers, ..SlotState::default() };
        Arc::new(Self {
            state: Mutex::new(state),
            changed: Notify::new(),
            workers: watch::Sender::new(workers),
        })
    }

    fn state(&self) -> MutexGuard<'_, SlotState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for at least one free slot and takes up to `most`. Callers are served in turn.
    pub async fn reserve(self: &Arc<Self>, most: usize) -> SlotReservation {
        loop {
            let changed = self.changed.notified();
            let offer = self.state().reserve(most, Instant::now());
            match offer {
                SlotOffer::Taken(count) => {
                    if self.free() > 0 {
                        self.changed.notify_one();
                    }
                    return SlotReservation { slots: Arc::clone(self), count };
                }
                // Whichever comes first, the state decides again.
                SlotOffer::At(at) => drop(tokio::time::timeout_at(at, changed).await),
                SlotOffer::Nothing => changed.await,
            }
        }
    }

    /// Takes one slot for what comes now, if a worker is free and nothing waits that has more right to it.
    pub fn reserve_for_free_worker(self: &Arc<Self>) -> Option<SlotReservation> {
        let is_free = self.state().reserve_for_free_worker();
        is_free.then(|| SlotReservation { slots: Arc::clone(self), count: 1 })
    }

    /// Notes whether something that is due may wait in the store: whoever takes it from there knows, and whoever writes it.
    pub fn note_waiting(&self, something_waits: bool) {
        self.state().nothing_waits = !something_waits;
    }

    /// Follows the pool to a new number of workers.
    pub fn set_workers(&self, workers: usize) {
        self.state().workers = workers;
        self.workers.send_replace(workers);
        self.changed.notify_one();
    }

    /// How many workers may live.
    pub fn workers(&self) -> usize {
        self.state().workers
    }

    /// So many short executions ended within the last period.
    pub fn set_rate(&self, short_ended: usize, period: Duration) {
        let per_second = short_ended as f64 / period.as_secs_f64().max(0.001);
        let ahead = (per_second * AHEAD.as_secs_f64()) as usize;
        self.state().ahead = ahead.min(AHEAD_MAX);
        self.changed.notify_one();
    }

    /// Nothing is claimed from here on, until [`Slots::open`] with the same reason.
    pub fn close(&self, reason: IntakeClosed) {
        self.state().closed.insert(reason);
    }

    /// Takes back one reason for which nothing could be claimed.
    pub fn open(&self, reason: IntakeClosed) {
        self.state().closed.remove(&reason);
        self.changed.notify_one();
    }

    /// Why nothing may be claimed; empty when something may.
    pub fn closed(&self) -> Vec<IntakeClosed> {
        self.state().closed.iter().copied().collect()
    }

    /// How many could be taken now.
    pub fn free(&self) -> usize {
        self.state().free()
    }

    fn release(&self, count: usize) {
        let mut state = self.state();
        let none_were_free = state.free() == 0;
        state.taken -= count;
        // Waking somebody for each end of a short execution would cost more than the execution: who knows that
        // there will be slots waits by the clock.
        if none_were_free || state.is_time(Instant::now()) {
            self.changed.notify_one();
        }
    }
}

impl Admission for Slots {
    /// Those claimed ahead are short and leave little: they are not counted.
    fn slots(&self) -> watch::Receiver<usize> {
        self.workers.subscribe()
    }

    fn inside(&self) -> usize {
        self.state().taken
    }

    fn no_room(&self, no_room: bool) {
        if no_room {
            self.close(IntakeClosed::NoRoom);
        } else {
            self.open(IntakeClosed::NoRoom);
        }
    }
}

/// Slots taken and not yet used. What is not used goes back when it is dropped.
#[derive(Debug)]
#[must_use]
pub struct SlotReservation {
    slots: Arc<Slots>,
    count: usize,
}

impl SlotReservation {
    /// How many are left in it.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Gives back all but so many.
    pub fn keep(&mut self, most: usize) {
        let rest = self.count.saturating_sub(most);
        self.count -= rest;
        if rest > 0 {
            self.slots.release(rest);
        }
    }

    /// Takes one out, if one is left.
    pub fn take(&mut self) -> Option<Slot> {
        self.count = self.count.checked_sub(1)?;
        Some(Slot { slots: Arc::clone(&self.slots) })
    }
}

impl Drop for SlotReservation {
    fn drop(&mut self) {
        if self.count > 0 {
            self.slots.release(self.count);
        }
    }
}

/// One slot in use. It goes back when it is dropped.
#[derive(Debug)]
pub struct Slot {
    slots: Arc<Slots>,
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.slots.release(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;
    use muster_core::execution::Attempt;
    use muster_protocol::ErrorInfo;
    use uuid::Uuid;

    #[tokio::test]
    async fn no_more_than_the_workers_are_taken_and_all_come_back() {
        let slots = Slots::new(3);
        let mut first = slots.reserve(10).await;
        assert_eq!(first.count(), 3);
        let mut waiting = Box::pin(slots.reserve(1));
        assert!(waiting.as_mut().now_or_never().is_none());
        let used = first.take();
        drop(first);
        assert_eq!(waiting.await.count(), 1);
        assert_eq!(slots.free(), 2);
        drop(used);
        assert_eq!(slots.free(), 3);
    }

    #[tokio::test]
    async fn every_reason_to_close_must_go_before_it_opens() {
        let slots = Slots::new(1);
        slots.close(IntakeClosed::WorkersFail);
        slots.close(IntakeClosed::StoreUnreachable);
        let mut waiting = Box::pin(slots.reserve(1));
        slots.open(IntakeClosed::WorkersFail);
        assert!(waiting.as_mut().now_or_never().is_none());
        assert_eq!(slots.closed(), [IntakeClosed::StoreUnreachable]);
        slots.open(IntakeClosed::StoreUnreachable);
        assert_eq!(waiting.await.count(), 1);
    }

    #[tokio::test]
    async fn short_executions_are_claimed_ahead_and_long_ones_are_not() {
        let slots = Slots::new(2);
        slots.set_rate(1000, Duration::from_secs(1));
        assert_eq!(slots.free(), 2 + 50);
        slots.set_rate(1, Duration::from_secs(1));
        assert_eq!(slots.free(), 2);
        slots.set_rate(1_000_000, Duration::from_secs(1));
        assert_eq!(slots.free(), 2 + AHEAD_MAX);
    }

    #[test]
    fn only_what_was_over_of_itself_within_moments_counts_as_short() {
        let lasted = |ending, duration| {
            let unstarted =
                CompletedRun::unstarted(Attempt { execution_id: Uuid::nil(), number: 1 }, ending, 0);
            was_short(&CompletedRun { duration, ..unstarted })
        };
        let failed = || RunEnding::Failed { error: ErrorInfo::new("ValueError", "no") };
        let cancelled = RunEnding::Cancelled { message: "asked for".to_owned() };
        assert!(lasted(failed(), Some(SHORT)));
        assert!(!lasted(failed(), Some(SHORT * 2)));
        assert!(!lasted(failed(), None), "it never started");
        assert!(!lasted(cancelled, Some(Duration::from_millis(1))), "the next may last for hours");
    }

    #[test]
    fn slots_ahead_are_given_out_by_the_clock_and_a_free_worker_never_waits() {
        let start = Instant::now();
        let mut state = SlotState { workers: 2, ahead: 50, ..SlotState::default() };
        assert_eq!(state.reserve(10, start), SlotOffer::Taken(10));
        assert_eq!(state.reserve(10, start), SlotOffer::At(start + GATHER), "every worker has work");
        assert_eq!(state.reserve(10, start + GATHER), SlotOffer::Taken(10));
        state.taken = 1;
        assert_eq!(state.reserve(1, start + GATHER), SlotOffer::Taken(1), "a worker is free");
        assert_eq!(state.reserve(99, start + GATHER * 2), SlotOffer::Taken(50));
        assert_eq!(state.reserve(1, start + GATHER * 3), SlotOffer::Nothing);
    }

    #[tokio::test]
    async fn who_comes_takes_a_free_worker_only_while_nothing_waits() {
        let slots = Slots::new(2);
        slots.set_rate(1000, Duration::from_secs(1));
        assert!(slots.reserve_for_free_worker().is_none(), "what waits is not known yet");
        slots.note_waiting(false);
        let first = slots.reserve_for_free_worker().unwrap();
        slots.note_waiting(true);
        assert!(slots.reserve_for_free_worker().is_none(), "somebody waits for it");
        slots.note_waiting(false);
        let second = slots.reserve_for_free_worker().unwrap();
        assert!(slots.reserve_for_free_worker().is_none(), "slots ahead are none of a free worker");
        drop((first, second));
        slots.close(IntakeClosed::Draining);
        assert!(slots.reserve_for_free_worker().is_none(), "nothing is claimed any more");
        assert_eq!(slots.state().taken, 0);
    }

    #[tokio::test]
    async fn what_is_not_kept_of_a_reservation_goes_back() {
        let slots = Slots::new(5);
        let mut reservation = slots.reserve(4).await;
        reservation.keep(1);
        assert_eq!((reservation.count(), slots.free()), (1, 4));
        reservation.keep(3);
        assert_eq!((reservation.count(), slots.free()), (1, 4));
    }
}
