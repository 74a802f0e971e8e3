//! How much may be claimed: a slot is reserved before a claim, and given back when its run is over.
//!
//! There are as many slots as workers may live, and a few more when executions are short: what would start
//! within [`AHEAD`] at today's rate may be claimed ahead, so that a worker never waits for the database
//! between two short executions, and long ones are left to supervisors that have a worker for them.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

/// How far ahead of their workers short executions may be claimed.
const AHEAD: Duration = Duration::from_millis(50);
/// And how many at most.
const AHEAD_MAX: usize = 256;

/// Why nothing may be claimed right now. Readiness names each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Closed {
    /// The supervisor leaves.
    Draining,
    /// The store cannot be written.
    StoreUnreachable,
    /// No worker can be started.
    WorkersFail,
    /// Too many ends wait to be written.
    Backlog,
    /// What executions need to know cannot be fetched.
    PrewarmFails,
}

impl Closed {
    /// What a person should read.
    pub fn explain(self) -> &'static str {
        match self {
            Self::Draining => "the supervisor is draining",
            Self::StoreUnreachable => "the store is out of reach; outcomes are kept until it returns",
            Self::WorkersFail => "no worker can be started; see the last start failure",
            Self::Backlog => "too many outcomes wait to be written",
            Self::PrewarmFails => "workflows and configuration cannot be fetched; see the log for why",
        }
    }
}

/// The slots of one supervisor.
#[derive(Debug)]
pub struct Slots {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Debug)]
struct State {
    workers: usize,
    ahead: usize,
    taken: usize,
    closed: BTreeSet<Closed>,
}

impl State {
    fn free(&self) -> usize {
        if self.closed.is_empty() { (self.workers + self.ahead).saturating_sub(self.taken) } else { 0 }
    }
}

impl Slots {
    /// As many slots as workers may live.
    pub fn new(workers: usize) -> Arc<Self> {
        let state = State { workers, ahead: 0, taken: 0, closed: BTreeSet::new() };
        Arc::new(Self { state: Mutex::new(state), changed: Notify::new() })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for at least one free slot and takes up to `most`. Callers are served in turn.
    pub async fn reserve(self: &Arc<Self>, most: usize) -> Reservation {
        loop {
            let changed = self.changed.notified();
            {
                let mut state = self.state();
                let count = state.free().min(most);
                if count > 0 {
                    state.taken += count;
                    if state.free() > 0 {
                        self.changed.notify_one();
                    }
                    return Reservation { slots: Arc::clone(self), count };
                }
            }
            changed.await;
        }
    }

    /// New bounds of the pool.
    pub fn set_workers(&self, workers: usize) {
        self.state().workers = workers;
        self.changed.notify_one();
    }

    /// So many executions ended within the last period.
    pub fn set_rate(&self, ended: usize, period: Duration) {
        let per_second = ended as f64 / period.as_secs_f64().max(0.001);
        let ahead = (per_second * AHEAD.as_secs_f64()) as usize;
        self.state().ahead = ahead.min(AHEAD_MAX);
        self.changed.notify_one();
    }

    /// Nothing is claimed from here on, until [`Slots::open`] with the same reason.
    pub fn close(&self, reason: Closed) {
        self.state().closed.insert(reason);
    }

    /// The reason is gone.
    pub fn open(&self, reason: Closed) {
        self.state().closed.remove(&reason);
        self.changed.notify_one();
    }

    /// Why nothing may be claimed; empty when something may.
    pub fn closed(&self) -> Vec<Closed> {
        self.state().closed.iter().copied().collect()
    }

    /// How many could be taken now.
    pub fn free(&self) -> usize {
        self.state().free()
    }

    fn release(&self, count: usize) {
        self.state().taken -= count;
        self.changed.notify_one();
    }
}

/// Slots taken and not yet used. What is not used goes back when it is dropped.
#[derive(Debug)]
#[must_use]
pub struct Reservation {
    slots: Arc<Slots>,
    count: usize,
}

impl Reservation {
    /// How many are left in it.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Takes one out, if one is left.
    pub fn take(&mut self) -> Option<Slot> {
        self.count = self.count.checked_sub(1)?;
        Some(Slot { slots: Arc::clone(&self.slots) })
    }
}

impl Drop for Reservation {
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
        slots.close(Closed::WorkersFail);
        slots.close(Closed::StoreUnreachable);
        let mut waiting = Box::pin(slots.reserve(1));
        slots.open(Closed::WorkersFail);
        assert!(waiting.as_mut().now_or_never().is_none());
        assert_eq!(slots.closed(), [Closed::StoreUnreachable]);
        slots.open(Closed::StoreUnreachable);
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
}
