//! Leaving: what waits is released, what rests retires, what runs gets a grace, then a Cancel.

use std::time::Duration;

use muster_protocol::CancelReason;

use super::effect::{Effect, Ending};
use super::event::WorkerId;
use super::machine::Pool;
use super::reload::Reload;
use super::sizing::Surplus;
use super::time::Time;
use super::timers::Timer;
use super::worker::State;

/// The pool takes no more work. What runs goes on:
#[derive(Clone, Copy, Debug)]
pub(super) enum Draining {
    /// for as long as it likes,
    Unhurried,
    /// until this time, when it is cancelled,
    Until(Time),
    /// no longer: it has been cancelled.
    Hurried,
}

impl Pool {
    /// Begins to leave, or shortens the grace of a drain that has begun.
    pub(super) fn drain(&mut self, now: Time, grace: Duration, effects: &mut Vec<Effect>) {
        self.halt(now, effects);
        let cancel_at = now + grace;
        self.draining = Some(match self.draining {
            Some(Draining::Until(earlier)) => Draining::Until(earlier.min(cancel_at)),
            Some(Draining::Hurried) => Draining::Hurried,
            Some(Draining::Unhurried) | None => Draining::Until(cancel_at),
        });
        self.end_drain_grace(now, effects);
    }

    /// Takes no more work and starts nothing that waits; what runs goes on without a limit.
    pub(super) fn halt(&mut self, now: Time, effects: &mut Vec<Effect>) {
        if self.draining.is_some() {
            return;
        }
        self.draining = Some(Draining::Unhurried);
        self.reload = Reload::Settled;
        self.surplus = Surplus::default();
        self.release_waiting(effects);
        self.retire_unneeded(now, effects);
    }

    fn release_waiting(&mut self, effects: &mut Vec<Effect>) {
        while let Some(waiting) = self.queue.pop() {
            let reason = "the supervisor is shutting down".to_owned();
            self.finish_unrun(waiting.assignment, Ending::Released { reason, charged: false }, effects);
        }
    }

    fn retire_unneeded(&mut self, now: Time, effects: &mut Vec<Effect>) {
        for id in self.ids_where(|state| matches!(state, State::Starting(_) | State::Idle { .. })) {
            self.retire(now, id, "the supervisor is shutting down", effects);
        }
    }

    /// Cancels what still runs if the grace is over.
    pub(super) fn end_drain_grace(&mut self, now: Time, effects: &mut Vec<Effect>) {
        let Some(Draining::Until(cancel_at)) = self.draining else { return };
        if now < cancel_at {
            return;
        }
        self.draining = Some(Draining::Hurried);
        for id in self.ids_where(|state| matches!(state, State::Busy(_))) {
            let message = "the supervisor is shutting down".to_owned();
            self.cancel_run(now, id, CancelReason::Shutdown, message, effects);
        }
    }

    /// While draining the pool's own deadline is the end of the grace.
    pub(super) fn arm_drain(&mut self, now: Time) {
        let cancel_at = match self.draining {
            Some(Draining::Until(at)) if at > now => Some(at),
            Some(Draining::Until(_) | Draining::Unhurried | Draining::Hurried) | None => None,
        };
        self.timers.set(&mut self.alarm, Timer::Pool, cancel_at);
    }

    fn ids_where(&self, wanted: impl Fn(&State) -> bool) -> Vec<WorkerId> {
        self.workers.values().filter(|worker| wanted(&worker.state)).map(|worker| worker.id).collect()
    }
}
