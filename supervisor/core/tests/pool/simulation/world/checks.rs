//! What must hold: after every step, and when the pool has come to rest.

use std::time::Duration;

use muster_core::execution::Attempt;
use muster_core::pool::{PoolSnapshot, WorkerSnapshot};

use super::{Climate, World};

impl World {
    /// What must hold after every step.
    pub(super) fn check(&self) {
        let snapshot = self.pool.snapshot(self.now);
        if let Some(deadline) = self.pool.next_deadline() {
            assert!(deadline > self.now, "the next deadline is not in the future");
        }
        assert_eq!(snapshot.workers.len(), self.workers.len(), "the pool's workers are not the world's");
        let count = |names: &[&str]| snapshot.workers.iter().filter(|one| names.contains(&one.state)).count();
        assert_eq!(snapshot.starting, count(&["starting"]), "the counts drifts");
        assert_eq!(snapshot.idle, count(&["idle"]), "the counts drifts");
        assert_eq!(snapshot.busy, count(&["sent", "running", "finished", "cancelling"]), "the counts drifts");
        let open = self.in_flight.open().len();
        assert_eq!(snapshot.running + snapshot.waiting, open, "an attempt is lost or invented");
        self.check_states_end(&snapshot.workers);
        if !self.is_draining {
            self.check_size(&snapshot);
        }
    }

    /// Every state but idle, and running without a timeout, ends in bounded time.
    fn check_states_end(&self, workers: &[WorkerSnapshot]) {
        let limit = |state, is_unlimited: bool| {
            let slack = Duration::from_millis(10);
            let limit = match state {
                "starting" => self.config.worker_start.max(Duration::from_secs(10)),
                "sent" | "finished" => Duration::from_secs(10),
                "running" if self.climate == Climate::Rough && !is_unlimited => Duration::from_secs(3),
                "cancelling" => Duration::from_secs(1),
                "departing" | "terminating" | "leaving" => self.config.graceful_shutdown,
                "killed" => Duration::from_millis(20),
                _ => return None,
            };
            Some(limit + slack)
        };
        for worker in workers {
            let attempt =
                worker.execution_id.zip(worker.attempt).map(|(id, number)| Attempt::new(id, number));
            let is_unlimited = attempt.is_some_and(|attempt| self.in_flight.is_unlimited(attempt));
            if let Some(limit) = limit(worker.state, is_unlimited) {
                let since = Duration::from_millis(worker.since_ms);
                assert!(since <= limit, "{} has been {} for {since:?}", worker.worker, worker.state);
            }
        }
    }

    /// The warm minimum, no idle worker beside waiting work, no waiting without a start under way.
    fn check_size(&self, snapshot: &PoolSnapshot) {
        let is_failing = snapshot.starts.consecutive_failures > 0 || snapshot.starts.gave_up;
        let is_full = self.workers.len() >= self.config.max_processes();
        let may_run = self.config.max_workers.saturating_sub(snapshot.running);
        if snapshot.waiting > 0 && may_run > 0 {
            assert_eq!(snapshot.idle, 0, "an idle worker beside waiting work");
            let has_waited = Duration::from_millis(snapshot.oldest_wait_ms)
                > self.config.scale_up_wait + Duration::from_millis(5);
            if has_waited && !is_failing && !is_full {
                let is_at_ceiling = snapshot.starting + snapshot.busy >= self.config.max_workers;
                assert!(snapshot.starting > 0 || is_at_ceiling, "work waits and nothing starts");
            }
        }
        if !is_failing && !is_full {
            let serving = snapshot.starting + snapshot.idle + snapshot.busy;
            assert!(serving >= self.config.min_workers, "{serving} workers are fewer than the minimum");
        }
        if self.climate == Climate::Fair {
            let was_ready_once = self.now.since_start() > Duration::from_millis(400);
            let ready = snapshot.idle + snapshot.busy;
            assert!(!was_ready_once || ready >= self.config.min_workers, "a dip to {ready} Ready workers");
        }
    }

    /// Nothing to do for a while: the pool is whole and as small as it should be.
    pub(super) fn check_quiet(&self) {
        let snapshot = self.pool.snapshot(self.now);
        if self.is_draining {
            return;
        }
        assert!(self.in_flight.is_at_rest(), "lost: {:?}", self.in_flight.open());
        assert!(!snapshot.starts.gave_up || snapshot.starts.consecutive_failures >= 5);
        if snapshot.starts.gave_up {
            return;
        }
        // A start that failed is tried again when a worker is needed, and then it succeeds.
        let is_whole = snapshot.idle + snapshot.busy >= self.config.min_workers;
        assert!(snapshot.starts.consecutive_failures == 0 || is_whole, "the pool has not recovered");
        // A run that takes for ever may keep its worker, its replacement and the end of a reload waiting.
        let is_replacing = !self.config.recycle_after.is_zero();
        if !is_replacing && self.in_flight.open().is_empty() {
            assert_eq!(snapshot.busy, 0);
            assert_eq!(
                snapshot.idle, self.config.min_workers,
                "a quiet pool is of its smallest size: {snapshot:#?}"
            );
            assert_eq!(snapshot.starting, 0);
            assert!(
                snapshot.workers.iter().all(|one| one.generation == snapshot.generation),
                "an old generation stays"
            );
        }
    }
}
