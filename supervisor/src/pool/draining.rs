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

/// The pool takes no more work.
#[derive(Clone, Copy, Debug)]
pub(super) struct Draining {
    /// When what still runs is cancelled; `None` once that is done.
    cancel_at: Option<Time>,
}

impl Pool {
    /// Begins to leave, or shortens the grace of a drain that has begun.
    pub(super) fn drain(&mut self, now: Time, grace: Duration, effects: &mut Vec<Effect>) {
        let cancel_at = now + grace;
        match &mut self.draining {
            Some(draining) => {
                draining.cancel_at = draining.cancel_at.map(|earlier| earlier.min(cancel_at));
            }
            None => {
                self.draining = Some(Draining { cancel_at: Some(cancel_at) });
                self.reload = Reload::Settled;
                self.surplus = Surplus::default();
                self.release_waiting(effects);
                self.retire_unneeded(now, effects);
            }
        }
        self.end_drain_grace(now, effects);
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
        let Some(Draining { cancel_at: Some(cancel_at) }) = self.draining else { return };
        if now < cancel_at {
            return;
        }
        self.draining = Some(Draining { cancel_at: None });
        for id in self.ids_where(|state| matches!(state, State::Busy(_))) {
            let message = "the supervisor is shutting down".to_owned();
            self.cancel_run(now, id, CancelReason::Shutdown, message, effects);
        }
    }

    /// While draining the pool's own deadline is the end of the grace.
    pub(super) fn arm_drain(&mut self, now: Time) {
        let cancel_at = self.draining.and_then(|draining| draining.cancel_at).filter(|at| *at > now);
        self.timers.set(&mut self.alarm, Timer::Pool, cancel_at);
    }

    fn ids_where(&self, wanted: impl Fn(&State) -> bool) -> Vec<WorkerId> {
        self.workers.values().filter(|worker| wanted(&worker.state)).map(|worker| worker.id).collect()
    }
}
