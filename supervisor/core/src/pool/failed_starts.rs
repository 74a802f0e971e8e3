//! Starts that fail: charged to the pool, never to an execution.

use std::time::Duration;

use super::config::{BACKOFF_BASE, BACKOFF_MAX, hash};
use super::event::WorkerId;
use super::time::PoolTime;

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
