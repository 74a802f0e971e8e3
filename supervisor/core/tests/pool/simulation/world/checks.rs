//! What must hold: after every step, and when the pool has come to rest.

use std::collections::BTreeSet;
use std::time::Duration;

use muster_core::execution::Attempt;
use muster_core::pool::config::{FORK_TIMEOUT, FORKS_AT_ONCE};
use muster_core::pool::{Isolation, PoolInvariant, PoolSnapshot, TemplateSnapshot, WorkerId, WorkerSnapshot};

use super::{Climate, World};
use crate::simulator::require;

impl World {
    /// What must hold after every step.
    pub(super) fn check(&self) {
        let snapshot = self.pool.snapshot(self.now);
        if let Some(deadline) = self.pool.next_deadline() {
            require(deadline > self.now, PoolInvariant::NeverSpins, || {
                "the next deadline is not in the future".into()
            });
        }
        let count = |names: &[&str]| snapshot.workers.iter().filter(|one| names.contains(&one.state)).count();
        let unborn = count(&["awaiting_template"]);
        require(snapshot.workers.len() == self.workers.len() + unborn, PoolInvariant::CountsAgree, || {
            "the pool's workers are not the world's".into()
        });
        require(
            snapshot.starting == count(&["starting", "awaiting_template"]),
            PoolInvariant::CountsAgree,
            || "the counts drifts".into(),
        );
        require(snapshot.idle == count(&["idle"]), PoolInvariant::CountsAgree, || "the counts drifts".into());
        require(
            snapshot.busy == count(&["sent", "running", "finished", "cancelling"]),
            PoolInvariant::CountsAgree,
            || "the counts drifts".into(),
        );
        let open = self.in_flight.open().len();
        require(snapshot.running + snapshot.waiting == open, PoolInvariant::OneFinish, || {
            "an attempt is lost or invented".into()
        });
        self.check_templates(&snapshot);
        self.check_states_end(&snapshot.workers);
        if !self.is_draining {
            self.check_size(&snapshot);
        }
    }

    /// A generation has one template that stands, one that starts, and none when it is over.
    fn check_templates(&self, snapshot: &PoolSnapshot) {
        let of = |state, generation| {
            let is_one = |one: &&WorkerSnapshot| one.state == state && one.generation == generation;
            snapshot.workers.iter().filter(is_one).count()
        };
        for one in snapshot.workers.iter().filter(|one| one.state.starts_with("template")) {
            let (stands, starts) = (of("template", one.generation), of("template_starting", one.generation));
            require(stands <= 1 && starts <= 1, PoolInvariant::OneTemplate, || {
                format!("{stands} templates of generation {} stand and {starts} start", one.generation)
            });
            require(
                one.generation >= snapshot.generation && self.config.template,
                PoolInvariant::OneTemplate,
                || format!("{} is a template of a generation that is over", one.worker),
            );
        }
    }

    /// Every state but idle, and running without a timeout, ends in bounded time.
    fn check_states_end(&self, workers: &[WorkerSnapshot]) {
        let limit = |state, is_unlimited: bool| {
            let slack = Duration::from_millis(10);
            let limit = match state {
                "starting" | "template_starting" => {
                    self.config.worker_start.max(Duration::from_secs(10)) + FORK_TIMEOUT
                }
                "awaiting_template" => {
                    self.config.worker_start.max(Duration::from_secs(10)) + 3 * FORK_TIMEOUT
                }
                "sent" | "finished" => Duration::from_secs(10),
                "running" if self.climate == Climate::Rough && !is_unlimited => Duration::from_secs(3),
                "cancelling" => Duration::from_secs(1),
                "departing" | "terminating" | "leaving" => self.config.graceful_shutdown,
                "killed" => Duration::from_millis(20),
                _ => return None,
            };
            Some(limit + slack)
        };
        // One behind the other, at a template that does not answer.
        let forks = FORK_TIMEOUT * FORKS_AT_ONCE as u32;
        for worker in workers {
            let attempt =
                worker.execution_id.zip(worker.attempt).map(|(id, number)| Attempt::new(id, number));
            let is_unlimited = attempt.is_some_and(|attempt| self.in_flight.is_unlimited(attempt));
            if let Some(limit) = limit(worker.state, is_unlimited) {
                let is_unborn = self.config.template && worker.pid.is_none();
                let limit = limit + if is_unborn { forks } else { Duration::ZERO };
                let since = Duration::from_millis(worker.since_ms);
                require(since <= limit, PoolInvariant::StatesEnd, || {
                    format!("{} has been {} for {since:?}", worker.worker, worker.state)
                });
            }
        }
    }

    /// The warm minimum, no idle worker beside waiting work, no waiting without a start under way.
    fn check_size(&self, snapshot: &PoolSnapshot) {
        let is_failing = snapshot.starts.consecutive_failures > 0 || snapshot.starts.gave_up;
        let is_full = snapshot.workers.len() >= self.config.max_processes();
        let may_run = self.config.max_workers.saturating_sub(snapshot.running);
        if snapshot.waiting > 0 && may_run > 0 {
            let waiting =
                if snapshot.idle > 0 { self.in_flight.waiting_organizations() } else { BTreeSet::new() };
            let is_useful = |worker: &WorkerSnapshot| {
                let may_serve = |id| self.workers[&worker.worker].may_serve(self.config.isolation, id);
                worker.state == "idle" && waiting.iter().any(|id| may_serve(*id))
            };
            require(!snapshot.workers.iter().any(is_useful), PoolInvariant::NoIdleBesideWork, || {
                "an idle worker beside waiting work that it may do".into()
            });
            let has_waited = Duration::from_millis(snapshot.oldest_wait_ms)
                > self.config.scale_up_wait + Duration::from_millis(5);
            if has_waited && !is_failing && !is_full {
                let is_at_ceiling = snapshot.starting + snapshot.busy >= self.config.max_workers;
                require(snapshot.starting > 0 || is_at_ceiling, PoolInvariant::WaitStartsWorker, || {
                    "work waits and nothing starts".into()
                });
            }
        }
        if !is_failing && !is_full {
            let serving = self.serving(snapshot);
            require(serving >= self.config.min_workers, PoolInvariant::WarmMinimum, || {
                format!("{serving} workers are fewer than the minimum")
            });
        }
        if self.climate == Climate::Fair {
            // Two starts, one after the other, and the fork between them.
            let within = Duration::from_millis(if self.config.template { 800 } else { 400 });
            let was_ready_once = self.now.since_start() > within;
            let ready = snapshot.idle + snapshot.busy;
            // Where workers are not for everyone, some leave before others are there.
            let dips = self.config.isolation != Isolation::None;
            require(
                dips || !was_ready_once || ready >= self.config.min_workers,
                PoolInvariant::WarmMinimum,
                || format!("a dip to {ready} Ready workers"),
            );
        }
    }

    /// Workers that serve or will, without those that have the last run that their isolation allows them.
    pub(super) fn serving(&self, snapshot: &PoolSnapshot) -> usize {
        let has_last_run = |worker: &&WorkerSnapshot| {
            let is_busy = ["sent", "running", "finished", "cancelling"].contains(&worker.state);
            is_busy && self.workers[&worker.worker].has_last_run
        };
        let last_runs = snapshot.workers.iter().filter(has_last_run).count();
        snapshot.starting + snapshot.idle + snapshot.busy - last_runs
    }

    /// An attempt is about to be given to a worker: one that may run it, and not for ever before its elders.
    pub(super) fn check_isolation(&mut self, worker: WorkerId, attempt: Attempt) {
        let snapshot = self.pool.snapshot(self.now);
        let isolation = self.config.isolation;
        let entry = self.in_flight.entry(attempt);
        let (organization_id, submitted_at) = (entry.organization_id, entry.submitted_at);
        // One that had a worker before is first in the queue whatever its age.
        let is_first = entry.executes > 0;
        let model = self.live(worker);
        let invariant = match isolation {
            Isolation::None => return,
            Isolation::Organization => PoolInvariant::OneOrganization,
            Isolation::Execution => PoolInvariant::OneExecution,
        };
        require(model.may_serve(isolation, organization_id), invariant, || {
            format!("{worker} has served {:?} and is given a run of {organization_id:?}", model.served)
        });
        let start = model.ready_at.since(model.spawned_at);
        let is_worth_its_start = self.now.since(self.live(worker).ready_at) > 5 * start;
        let is_failing = snapshot.starts.consecutive_failures > 0;
        let is_full = self.serving(&snapshot) < self.config.max_workers
            || snapshot.workers.len() >= self.config.max_processes();
        let oldest_wait = Duration::from_millis(snapshot.oldest_wait_ms);
        let has_waited = !is_first
            && oldest_wait > self.config.scale_up_wait + Duration::from_millis(5)
            && self.now.since(submitted_at) + Duration::from_millis(1) < oldest_wait;
        let is_held_up = has_waited && is_worth_its_start && !is_failing && !is_full && !self.is_draining;
        require(!is_held_up || snapshot.starting > 0, PoolInvariant::WaitStartsWorker, || {
            format!("{worker} passes over an attempt that has waited {oldest_wait:?}, and nothing starts")
        });
    }

    /// Nothing to do for a while: the pool is whole and as small as it should be.
    pub(super) fn check_quiet(&self) {
        let snapshot = self.pool.snapshot(self.now);
        if self.is_draining {
            return;
        }
        require(self.in_flight.is_at_rest(), PoolInvariant::OneFinish, || {
            format!("lost: {:?}", self.in_flight.open())
        });
        require(
            !snapshot.starts.gave_up || snapshot.starts.consecutive_failures >= 5,
            PoolInvariant::Backoff,
            || "it gave up too early".into(),
        );
        if snapshot.starts.gave_up {
            return;
        }
        // A run without a limit may end only now, and then a worker is started, which may take long to fail.
        if self.not_before.is_some_and(|not_before| self.now < not_before + Duration::from_secs(10)) {
            return;
        }
        // A start that failed is tried again when a worker is needed, and then it succeeds.
        let is_whole = snapshot.idle + snapshot.busy >= self.config.min_workers;
        require(snapshot.starts.consecutive_failures == 0 || is_whole, PoolInvariant::ComesToRest, || {
            "the pool has not recovered".into()
        });
        // A run that takes for ever may keep its worker, its replacement and the end of a reload waiting.
        let is_replacing = !self.config.recycle_after.is_zero();
        if !is_replacing && self.in_flight.open().is_empty() {
            require(snapshot.busy == 0, PoolInvariant::ComesToRest, || {
                "a worker is busy with nothing".into()
            });
            require(snapshot.idle == self.config.min_workers, PoolInvariant::ComesToRest, || {
                format!("a quiet pool is of its smallest size: {snapshot:#?}")
            });
            let is_settled = matches!(
                snapshot.template,
                TemplateSnapshot::None
                    | TemplateSnapshot::Absent
                    | TemplateSnapshot::Standing { .. }
                    | TemplateSnapshot::Broken { .. }
            );
            require(is_settled, PoolInvariant::ComesToRest, || {
                format!("a template neither stands nor is given up: {:?}", snapshot.template)
            });
            require(snapshot.starting == 0, PoolInvariant::ComesToRest, || {
                "a worker starts for nothing".into()
            });
            require(
                snapshot.workers.iter().all(|one| one.generation == snapshot.generation),
                PoolInvariant::ComesToRest,
                || "an old generation stays".into(),
            );
        }
    }
}
