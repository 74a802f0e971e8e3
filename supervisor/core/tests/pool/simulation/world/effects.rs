//! What the pool wants done: done in this world, if the pool may want it.

use std::time::Duration;

use muster_core::execution::{Attempt, RunEnding};
use muster_core::pool::config::FORKS_AT_ONCE;
use muster_core::pool::{PoolEffect, PoolInvariant, ReloadSnapshot, WorkerEvent, WorkerId};
use muster_core::process::ExitStatus;
use muster_protocol::CancelReason;

use super::super::model::{Model, ModelRun, Plan, Start, Template, exited};
use super::{Climate, Happening, World};
use crate::simulator::{ms, require};

impl World {
    /// Does what the pool wants, and checks that it may want it.
    pub(super) fn obey(&mut self, effect: PoolEffect) {
        match effect {
            PoolEffect::Spawn { worker, generation, offers_template } => {
                self.spawn(worker, generation, offers_template);
            }
            PoolEffect::Fork { worker, template, .. } => self.fork(worker, template),
            PoolEffect::TemplateStands { worker, .. } => {
                let is_one = self.live(worker).template.is_some();
                require(is_one, PoolInvariant::OneTemplate, || format!("{worker} is no template"));
            }
            PoolEffect::TemplateFailed { retry_in, .. } => {
                require(self.climate == Climate::Rough, PoolInvariant::OneTemplate, || {
                    "a template failed in a fair world".into()
                });
                require(retry_in <= Duration::from_secs(375), PoolInvariant::Backoff, || {
                    format!("a template comes again after {retry_in:?}")
                });
            }
            PoolEffect::Welcome { worker, features, .. } => {
                let model = self.live(worker);
                // One that is not taken at its word is an ordinary worker.
                model.template = model.template.filter(|_| features.template);
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
            PoolEffect::WorkerDied(_) | PoolEffect::ReloadFailed { .. } | PoolEffect::Reloaded { .. } => {}
        }
    }

    pub(super) fn live(&mut self, worker: WorkerId) -> &mut Model {
        match self.workers.get_mut(&worker) {
            Some(model) => model,
            None => panic!("an effect names {worker}, which is gone"),
        }
    }

    fn spawn(&mut self, worker: WorkerId, generation: u64, offers_template: bool) {
        require(!self.is_draining, PoolInvariant::DrainEnds, || "a spawn while draining".into());
        let snapshot = self.pool.snapshot(self.now);
        let is_early = self.not_before.is_some_and(|not_before| self.now < not_before);
        let is_template =
            snapshot.workers.iter().any(|one| one.worker == worker && one.state == "template_starting");
        require(!is_early || is_template || generation > snapshot.generation, PoolInvariant::Backoff, || {
            "a spawn before the backoff is over".into()
        });
        let canary = usize::from(matches!(snapshot.reload, ReloadSnapshot::Canary { .. }));
        let serving = self.serving(&snapshot);
        let ceiling = self.config.max_workers.max(snapshot.running) + 1 + canary;
        require(is_template || serving <= ceiling, PoolInvariant::CeilingOfWorkers, || {
            format!("{serving} workers serve")
        });
        let mut model = Model::draw(&mut self.rng, self.climate, self.is_bad_build, self.now);
        if offers_template && self.has_templates {
            model.draw_template(&mut self.rng, self.climate);
        }
        for (after, event) in model.start_script(&mut self.rng) {
            self.schedule(after, Happening::Worker(worker, event));
        }
        assert!(self.workers.insert(worker, model).is_none(), "{worker} was spawned twice");
        let processes = self.workers.len();
        require(processes <= self.config.max_processes(), PoolInvariant::CeilingOfWorkers, || {
            format!("{processes} processes")
        });
    }

    /// A template is asked for a worker.
    fn fork(&mut self, worker: WorkerId, template: WorkerId) {
        require(!self.is_draining, PoolInvariant::DrainEnds, || "a fork while draining".into());
        let model = self.live(template);
        let stands = model.was_ready && !model.was_retired && !model.was_terminated && !model.was_killed;
        let how = model.template.filter(|_| stands);
        let under_way =
            self.workers.values().filter(|model| model.forked_by == Some(template) && !model.is_spawned);
        require(how.is_some() && under_way.count() < FORKS_AT_ONCE, PoolInvariant::ForkOfStanding, || {
            format!("a Fork of {worker} at {template}, which does not stand, or has too many")
        });
        let mut model = Model::draw(&mut self.rng, self.climate, self.is_bad_build, self.now);
        model.forked_by = Some(template);
        if matches!(model.start, Start::SpawnFails) {
            model.start = Start::Good;
        }
        let script = match how {
            Some(Template::Makes | Template::MakesAndIsStale | Template::DiesLater) => {
                model.start_script(&mut self.rng)
            }
            Some(Template::Refuses) => {
                let message = "2 threads".to_owned();
                vec![(ms(&mut self.rng, 0, 3), WorkerEvent::ForkFailed { message })]
            }
            Some(Template::Hangs | Template::Dies) | None => Vec::new(),
        };
        for (after, event) in script {
            self.schedule(after, Happening::Worker(worker, event));
        }
        match how {
            Some(Template::MakesAndIsStale) => {
                let after = ms(&mut self.rng, 0, 5);
                self.schedule(after, Happening::Worker(template, WorkerEvent::TemplateStale));
            }
            Some(Template::Dies) => self.dies(template, 5),
            Some(Template::DiesLater) => self.dies(template, 3_000),
            Some(Template::Makes | Template::Refuses | Template::Hangs) | None => {}
        }
        assert!(self.workers.insert(worker, model).is_none(), "{worker} was made twice");
    }

    fn dies(&mut self, template: WorkerId, within_ms: u64) {
        let after = ms(&mut self.rng, 0, within_ms);
        let event = exited(&mut self.rng, ExitStatus::Signal(9));
        self.schedule(after, Happening::Worker(template, event));
    }

    /// A template is gone: who was asked of it and is not there will not come.
    pub(super) fn end_forks_of(&mut self, template: WorkerId) {
        let is_lost = |model: &Model| model.forked_by == Some(template) && !model.is_spawned;
        let lost: Vec<_> =
            self.workers.iter().filter(|(_, model)| is_lost(model)).map(|(id, _)| *id).collect();
        for id in lost {
            let message = "the template has ended".to_owned();
            self.worker_says(id, WorkerEvent::ForkFailed { message });
        }
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
