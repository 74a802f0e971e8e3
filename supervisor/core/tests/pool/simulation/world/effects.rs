//! What the pool wants done: done in this world, if the pool may want it.

use std::time::Duration;

use muster_core::execution::{Attempt, RunEnding};
use muster_core::pool::{PoolEffect, PoolInvariant, ReloadSnapshot, WorkerEvent, WorkerId};
use muster_protocol::CancelReason;

use super::super::model::{Model, ModelRun, Plan};
use super::{Climate, Happening, World};
use crate::simulator::require;

impl World {
    /// Does what the pool wants, and checks that it may want it.
    pub(super) fn obey(&mut self, effect: PoolEffect) {
        match effect {
            PoolEffect::Spawn { worker, generation } => self.spawn(worker, generation),
            PoolEffect::Welcome { worker, .. } => {
                self.live(worker);
            }
            PoolEffect::Execute { worker, run, attempt, .. } => self.execute(worker, run, attempt),
            PoolEffect::Started { attempt, worker } => {
                require(
                    self.in_flight.entry(attempt).was_started && self.live(worker).run.is_some(),
                    PoolInvariant::AddressesLive,
                    || "a Started of nothing".into(),
                );
            }
            PoolEffect::Cancel { worker, run, attempt, reason, .. } => {
                self.told(attempt, reason);
                self.react_to_cancel(worker, run);
            }
            PoolEffect::Dump { worker, run } => {
                let model = self.live(worker);
                require(model.features.dump, PoolInvariant::AddressesLive, || {
                    "a Dump to a worker that takes none".into()
                });
                require(
                    model.run.as_ref().is_some_and(|held| held.number == run),
                    PoolInvariant::AddressesLive,
                    || "a Dump for no run".into(),
                );
            }
            PoolEffect::Retire { worker, .. } => self.react_to_retire(worker),
            PoolEffect::Terminate { worker, cause } => self.react_to_sigterm(worker, cause),
            PoolEffect::Kill { worker, cause } => self.react_to_sigkill(worker, cause),
            PoolEffect::Finish(finish) => {
                let are_starts_failing = self.pool.snapshot(self.now).starts.consecutive_failures > 0;
                self.in_flight.finish(&finish, self.is_draining, are_starts_failing);
                self.is_draining |= self.is_batch && finish.worker.is_some() && ends_badly(&finish.ending);
            }
            PoolEffect::StartFailed { retry_in, .. } => {
                self.not_before = Some(self.now + retry_in);
                require(self.climate == Climate::Rough, PoolInvariant::Backoff, || {
                    "a start failed in a fair world".into()
                });
                require(retry_in <= Duration::from_secs(13), PoolInvariant::Backoff, || {
                    format!("a backoff of {retry_in:?}")
                });
            }
            PoolEffect::StartsRecovered => self.not_before = None,
            PoolEffect::ReloadFailed { .. } | PoolEffect::Reloaded { .. } => {}
        }
    }

    pub(super) fn live(&mut self, worker: WorkerId) -> &mut Model {
        match self.workers.get_mut(&worker) {
            Some(model) => model,
            None => panic!("an effect names {worker}, which is gone"),
        }
    }

    fn spawn(&mut self, worker: WorkerId, generation: u64) {
        require(!self.is_draining, PoolInvariant::DrainEnds, || "a spawn while draining".into());
        let snapshot = self.pool.snapshot(self.now);
        let is_early = self.not_before.is_some_and(|not_before| self.now < not_before);
        require(!is_early || generation > snapshot.generation, PoolInvariant::Backoff, || {
            "a spawn before the backoff is over".into()
        });
        let canary = usize::from(matches!(snapshot.reload, ReloadSnapshot::Canary { .. }));
        let serving = self.serving(&snapshot);
        let ceiling = self.config.max_workers.max(snapshot.running) + 1 + canary;
        require(serving <= ceiling, PoolInvariant::CeilingOfWorkers, || format!("{serving} workers serve"));
        let model = Model::draw(&mut self.rng, self.climate, self.is_bad_build, self.now);
        for (after, event) in model.start_script(&mut self.rng) {
            self.schedule(after, Happening::Worker(worker, event));
        }
        assert!(self.workers.insert(worker, model).is_none(), "{worker} was spawned twice");
        let processes = self.workers.len();
        require(processes <= self.config.max_processes(), PoolInvariant::CeilingOfWorkers, || {
            format!("{processes} processes")
        });
    }

    fn execute(&mut self, worker: WorkerId, run: u32, attempt: Attempt) {
        self.check_isolation(worker, attempt);
        self.in_flight.executes(attempt, worker);
        let running = self.in_flight.held_by_workers();
        require(running <= self.config.max_workers || self.is_draining, PoolInvariant::CeilingOfRuns, || {
            format!("{running} executions at once")
        });
        let organization_id = self.in_flight.entry(attempt).organization_id;
        let plan = Plan::draw(&mut self.rng, self.climate);
        let limit_bytes = self.config.memory_limit_bytes;
        let script = plan.script(&mut self.rng, run, limit_bytes);
        let isolation = self.config.isolation;
        let model = self.live(worker);
        require(model.is_idle && model.run.is_none(), PoolInvariant::OneRun, || {
            format!("an Execute to {worker}, which is not idle")
        });
        require(run > model.runs, PoolInvariant::OneRun, || "run numbers count up".into());
        model.is_idle = false;
        model.runs = run;
        model.served.insert(organization_id);
        model.look_for_last_run(isolation);
        model.run = Some(ModelRun { number: run, attempt });
        self.note(|| format!("           .. {worker} will be {plan:?}"));
        for (after, event) in script {
            // A death or stray output happens whether or not the run is still there.
            let happening = if matches!(event, WorkerEvent::Exited(_) | WorkerEvent::Violation(_)) {
                Happening::Worker(worker, event)
            } else {
                Happening::InRun(worker, run, event)
            };
            self.schedule(after, happening);
        }
    }

    pub(super) fn told(&mut self, attempt: Attempt, reason: CancelReason) {
        let entry = self.in_flight.entry(attempt);
        require(!entry.is_over, PoolInvariant::OneFinish, || format!("a cancel of {attempt}, which is over"));
        require(entry.outcome.is_none(), PoolInvariant::AddressesLive, || {
            format!("a cancel of {attempt} after its Finished was read")
        });
        entry.told.get_or_insert(reason);
    }
}

/// Nothing follows it in a batch.
fn ends_badly(ending: &RunEnding) -> bool {
    matches!(ending, RunEnding::Failed { .. } | RunEnding::TimedOut { .. } | RunEnding::Cancelled { .. })
}
