//! How a worker comes into being: of a template where there is one, else as a process of its own.

use super::config::{FORK_TIMEOUT, FORKS_AT_ONCE, HELLO_TIMEOUT};
use super::effect::PoolEffect;
use super::event::WorkerId;
use super::invariant::PoolInvariant;
use super::machine::Pool;
use super::reload::ReloadState;
use super::templates::TemplateState;
use super::time::PoolTime;
use super::worker::{StartStage, TemplatePhase, WorkerState};
use crate::check_invariant;

impl Pool {
    /// Starts the process of a new worker.
    pub(super) fn begin_start(&mut self, now: PoolTime, id: WorkerId, effects: &mut Vec<PoolEffect>) {
        let Some(generation) = self.workers.get(&id).map(|worker| worker.generation) else { return };
        if !self.config.template {
            return self.start_process(now, id, false, effects);
        }
        let template = self.templates.entry(generation).or_default();
        match template.state {
            TemplateState::Untried => {
                template.state = TemplateState::Offered(id);
                self.start_process(now, id, true, effects);
            }
            TemplateState::Offered(_) | TemplateState::Loading(_) | TemplateState::Standing(_) => {
                template.awaiting.push_back(id);
                self.alter(id, |worker, timers| {
                    worker.state = WorkerState::Starting(StartStage::Awaiting);
                    worker.set_deadline(timers, None);
                });
                self.fork_awaiting(now, generation, effects);
            }
            TemplateState::Absent | TemplateState::Broken { .. } => {
                self.start_process(now, id, false, effects);
            }
        }
    }

    /// Starts a process without a template.
    pub(super) fn start_process(
        &mut self,
        now: PoolTime,
        id: WorkerId,
        is_offered: bool,
        effects: &mut Vec<PoolEffect>,
    ) {
        let hello_within = HELLO_TIMEOUT.min(self.config.worker_start);
        let generation = self.alter(id, |worker, timers| {
            worker.spawned_at = now;
            worker.is_offered_template = is_offered;
            if let WorkerState::Starting(stage) = &mut worker.state {
                *stage = StartStage::Spawning;
            }
            worker.set_deadline(timers, Some(now + hello_within));
            worker.generation
        });
        if let Some(generation) = generation {
            effects.push(PoolEffect::Spawn { worker: id, generation, offers_template: is_offered });
        }
    }

    /// Asks the template that stands for those who wait, a few at once: it makes one after the other.
    pub(super) fn fork_awaiting(&mut self, now: PoolTime, generation: u64, effects: &mut Vec<PoolEffect>) {
        loop {
            let Some(template) = self.templates.get_mut(&generation) else { return };
            let TemplateState::Standing(parent) = template.state else { return };
            if template.forking.len() >= FORKS_AT_ONCE {
                return;
            }
            let is_first = template.forking.is_empty();
            let Some(id) = template.awaiting.pop_front() else { return };
            let is_awaiting = self.alter(id, |worker, timers| {
                let awaits = matches!(worker.state, WorkerState::Starting(StartStage::Awaiting));
                if awaits {
                    worker.state = WorkerState::Starting(StartStage::Forking { template: parent });
                    worker.spawned_at = now;
                    worker.since = now;
                    worker.set_deadline(timers, None);
                }
                awaits
            });
            if is_awaiting != Some(true) {
                continue;
            }
            if let Some(template) = self.templates.get_mut(&generation) {
                template.forking.insert(id);
            }
            if is_first {
                self.await_fork(parent, Some(now + FORK_TIMEOUT));
            }
            let stands = self
                .workers
                .get(&parent)
                .is_some_and(|worker| matches!(worker.state, WorkerState::Template(TemplatePhase::Standing)));
            check_invariant!(stands, PoolInvariant::ForkOfStanding, "a Fork of {id} at {parent}");
            effects.push(PoolEffect::Fork { worker: id, template: parent, generation });
        }
    }

    /// A worker is there, or will not be. `was_made` tells which.
    pub(super) fn fork_is_over(
        &mut self,
        now: PoolTime,
        id: WorkerId,
        was_made: bool,
        effects: &mut Vec<PoolEffect>,
    ) {
        let Some(generation) = self.workers.get(&id).map(|worker| worker.generation) else { return };
        let Some(template) = self.templates.get_mut(&generation) else { return };
        if !template.forking.remove(&id) {
            return;
        }
        if was_made {
            template.failures = 0;
            template.has_made_workers = true;
        }
        let next = (!template.forking.is_empty()).then_some(now + FORK_TIMEOUT);
        if let TemplateState::Standing(parent) = template.state {
            self.await_fork(parent, next);
        }
        self.fork_awaiting(now, generation, effects);
    }

    /// When a template must have made its next worker.
    fn await_fork(&mut self, template: WorkerId, deadline: Option<PoolTime>) {
        self.alter(template, |worker, timers| {
            if matches!(worker.state, WorkerState::Template(TemplatePhase::Standing)) {
                worker.set_deadline(timers, deadline);
            }
        });
    }

    /// The template made no worker. Until another template stands, workers start without.
    pub(super) fn fork_failed(
        &mut self,
        now: PoolTime,
        id: WorkerId,
        message: String,
        effects: &mut Vec<PoolEffect>,
    ) {
        let Some(worker) = self.workers.get(&id) else { return };
        match &worker.state {
            WorkerState::Starting(StartStage::Forking { template }) => {
                let template = *template;
                if self.is_template(template) {
                    self.template_failed(now, template, message, effects);
                    self.retire(now, template, "it could not make a worker", effects);
                }
                self.fork_is_over(now, id, false, effects);
                self.give_up_unborn(id);
            }
            WorkerState::Leaving(_) => {
                self.fork_is_over(now, id, false, effects);
                self.remove(id);
            }
            WorkerState::Starting(
                StartStage::Awaiting | StartStage::Spawning | StartStage::Connecting | StartStage::Loading,
            )
            | WorkerState::Idle { .. }
            | WorkerState::Busy(_)
            | WorkerState::Template(_) => {}
        }
    }

    /// A worker that never had a process is none, and nobody's fault: the size of the pool is looked at again, and
    /// whoever is started in its place starts as workers are started by then.
    pub(super) fn give_up_unborn(&mut self, id: WorkerId) {
        if let ReloadState::Canary { worker, generation } = self.reload
            && worker == id
        {
            self.reload = ReloadState::Wanted { generation };
        }
        self.remove(id);
    }
}
