//! Leaving: what waits is released, what rests retires, what runs gets a grace, then a Cancel.

use std::time::Duration;

use muster_protocol::CancelReason;

use super::effect::PoolEffect;
use super::event::WorkerId;
use super::machine::Pool;
use super::reload::ReloadState;
use super::sizing::Replacements;
use super::time::PoolTime;
use super::timers::TimerOwner;
use super::worker::WorkerState;
use crate::execution::RunEnding;

/// The pool takes no more work; how long what runs may still take.
#[derive(Clone, Copy, Debug)]
pub(super) enum Draining {
    /// What runs may take as long as it likes.
    NoDeadline,
    /// What runs has until this time, and is cancelled then.
    Until(PoolTime),
    /// What runs has been cancelled.
    Cancelling,
}

impl Pool {
    /// Begins to leave, or shortens the grace of a drain that has begun.
    pub(super) fn drain(&mut self, now: PoolTime, grace: Duration, effects: &mut Vec<PoolEffect>) {
        self.halt(now, effects);
        let cancel_at = now + grace;
        self.draining = Some(match self.draining {
            Some(Draining::Until(earlier)) => Draining::Until(earlier.min(cancel_at)),
            Some(Draining::Cancelling) => Draining::Cancelling,
            Some(Draining::NoDeadline) | None => Draining::Until(cancel_at),
        });
        self.end_drain_grace(now, effects);
    }

    /// Takes no more work and starts nothing that waits; what runs goes on without a limit.
    pub(super) fn halt(&mut self, now: PoolTime, effects: &mut Vec<PoolEffect>) {
        if self.draining.is_some() {
            return;
        }
        self.draining = Some(Draining::NoDeadline);
        self.reload = ReloadState::Settled;
        self.replacements = Replacements::default();
        self.release_waiting(effects);
        self.retire_unneeded(now, effects);
    }

    fn release_waiting(&mut self, effects: &mut Vec<PoolEffect>) {
        while let Some(waiting) = self.queue.pop() {
            let reason = "the supervisor is shutting down".to_owned();
            self.finish_unrun(waiting.assignment, RunEnding::Released { reason, charged: false }, effects);
        }
    }

    fn retire_unneeded(&mut self, now: PoolTime, effects: &mut Vec<PoolEffect>) {
        let is_unneeded = |state: &WorkerState| {
            matches!(state, WorkerState::Starting(_) | WorkerState::Idle { .. } | WorkerState::Template(_))
        };
        for id in self.ids_where(is_unneeded) {
            self.retire(now, id, "the supervisor is shutting down", effects);
        }
    }

    /// Cancels what still runs if the grace is over.
    pub(super) fn end_drain_grace(&mut self, now: PoolTime, effects: &mut Vec<PoolEffect>) {
        let Some(Draining::Until(cancel_at)) = self.draining else { return };
        if now < cancel_at {
            return;
        }
        self.draining = Some(Draining::Cancelling);
        for id in self.ids_where(|state| matches!(state, WorkerState::Busy(_))) {
            let message = "the supervisor is shutting down".to_owned();
            self.cancel_run(now, id, CancelReason::Shutdown, message, effects);
        }
    }

    /// While draining the pool's own deadline is the end of the grace.
    pub(super) fn arm_drain(&mut self, now: PoolTime) {
        let cancel_at = match self.draining {
            Some(Draining::Until(at)) if at > now => Some(at),
            Some(Draining::Until(_) | Draining::NoDeadline | Draining::Cancelling) | None => None,
        };
        self.timers.set(&mut self.alarm, TimerOwner::Pool, cancel_at);
    }

    fn ids_where(&self, wanted: impl Fn(&WorkerState) -> bool) -> Vec<WorkerId> {
        self.workers.values().filter(|worker| wanted(&worker.state)).map(|worker| worker.id).collect()
    }
}
