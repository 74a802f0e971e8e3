//! Starts that fail: charged to the pool, never to an execution.

use std::time::Duration;

use uuid::Uuid;

use super::config::{BACKOFF_BASE, BACKOFF_MAX, hash};
use super::effect::PoolEffect;
use super::event::WorkerId;
use super::isolation::Isolation;
use super::machine::Pool;
use super::outcome;
use super::time::PoolTime;
use super::worker::CapacityClass;

/// The record of failed starts since the last worker that became Ready.
#[derive(Debug, Default)]
pub(super) struct FailedStarts {
    pub(super) consecutive: u32,
    /// Outlives the trouble, so that a screen can still tell what it was.
    pub(super) last_message: Option<String>,
    pub(super) next_try: Option<PoolTime>,
    pub(super) gave_up: bool,
}

impl FailedStarts {
    /// Counts a failure, and returns the time until the next try: exponential, jittered upward by up to a
    /// quarter so that many pools with the same trouble do not try in step.
    pub(super) fn failed(&mut self, now: PoolTime, seed: u64, worker: WorkerId, message: &str) -> Duration {
        self.consecutive = self.consecutive.saturating_add(1);
        self.last_message = Some(message.to_owned());
        let doublings = (self.consecutive - 1).min(16);
        let plain = BACKOFF_BASE.saturating_mul(1 << doublings).min(BACKOFF_MAX);
        let hundredths = u32::try_from(hash(seed, worker.0) % 26).unwrap_or(0);
        let wait = plain + plain * hundredths / 100;
        let next_try = (now + wait).max(self.next_try.unwrap_or(PoolTime::START));
        self.next_try = Some(next_try);
        next_try.since(now)
    }

    /// A worker is Ready. True if that ends a trouble.
    pub(super) fn recovered(&mut self) -> bool {
        let was_failing = self.consecutive > 0;
        self.consecutive = 0;
        self.next_try = None;
        self.gave_up = false;
        was_failing
    }

    /// While starts fail only one worker at a time is tried, and not before its time.
    pub(super) fn allow(&self, now: PoolTime, starting: usize) -> bool {
        if self.gave_up {
            return false;
        }
        match self.next_try {
            None => true,
            Some(next_try) => starting == 0 && next_try <= now,
        }
    }
}

impl Pool {
    /// No worker can be started. A batch gives up in the end; a service gives its claims back, uncharged, so
    /// that another supervisor may run them. What a worker that is Ready will serve goes on waiting for it.
    pub(super) fn release_hopeless(&mut self, now: PoolTime, effects: &mut Vec<PoolEffect>) {
        let consecutive = self.starts.consecutive;
        if consecutive == 0 {
            return;
        }
        let gives_up = self.config.give_up_after_start_failures.map(|limit| consecutive >= limit);
        self.starts.gave_up |= gives_up == Some(true) && self.counts.idle + self.counts.busy == 0;
        let mut next = self.queue.first();
        while let Some((number, waiting)) = self.queue.waiting_from(next) {
            next = number + 1;
            let is_late = gives_up.unwrap_or(waiting.queued_at + self.config.worker_start <= now);
            if !is_late || self.will_be_served(waiting.assignment.organization_id) {
                continue;
            }
            let Some(waiting) = self.queue.take(number) else { return };
            let last_message = self.starts.last_message.as_deref();
            let ending = match gives_up {
                Some(_) => outcome::gave_up(consecutive, last_message),
                None => outcome::no_worker(last_message),
            };
            self.starts.gave_up |= gives_up.is_some();
            self.finish_unrun(waiting.assignment, ending, effects);
        }
    }

    /// A Ready worker will be free for the organization, sooner or later.
    fn will_be_served(&self, organization_id: Option<Uuid>) -> bool {
        match self.config.isolation {
            Isolation::None | Isolation::Execution => self.counts.idle + self.counts.busy > 0,
            Isolation::Organization => self.workers.values().any(|worker| match worker.capacity_class() {
                CapacityClass::Idle(_) | CapacityClass::Busy(_) => {
                    let binding = self.config.isolation.binding(worker.served);
                    binding.is_some_and(|binding| binding.admits(organization_id))
                }
                CapacityClass::Starting
                | CapacityClass::LastRun
                | CapacityClass::Template
                | CapacityClass::Terminating => false,
            }),
        }
    }
}
