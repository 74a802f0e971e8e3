//! How a generation comes by its template, loses it and gets another.

use super::config::FORK_TIMEOUT;
use super::effect::{KillCause, PoolEffect};
use super::event::{WorkerFeatures, WorkerId};
use super::machine::Pool;
use super::reload::ReloadState;
use super::templates::TemplateState;
use super::time::PoolTime;
use super::worker::{StartStage, TemplatePhase, WorkerState};

impl Pool {
    /// A Hello from a process that was offered to be the template. True if it is: it is no worker from then on.
    pub(super) fn becomes_template(
        &mut self,
        now: PoolTime,
        id: WorkerId,
        features: WorkerFeatures,
        effects: &mut Vec<PoolEffect>,
    ) -> bool {
        let Some(worker) = self.workers.get(&id).filter(|worker| worker.is_offered_template) else {
            return false;
        };
        let (generation, is_one) = (worker.generation, matches!(worker.state, WorkerState::Template(_)));
        if !features.template {
            if is_one {
                self.retire(now, id, "it is a worker, and no template as the one before it", effects);
            }
            self.has_no_template(generation);
            return is_one;
        }
        let ready_by = self.config.worker_start;
        self.alter(id, |worker, timers| {
            worker.features = features;
            worker.since = now;
            worker.state = WorkerState::Template(TemplatePhase::Loading);
            worker.set_deadline(timers, Some(worker.spawned_at + ready_by));
        });
        if !is_one {
            if let Some(template) = self.templates.get_mut(&generation) {
                template.state = TemplateState::Loading(id);
            }
            if let ReloadState::Canary { worker, generation } = self.reload
                && worker == id
            {
                self.reload = ReloadState::Wanted { generation };
            }
        }
        true
    }

    fn has_no_template(&mut self, generation: u64) {
        if let Some(template) = self.templates.get_mut(&generation) {
            template.state = TemplateState::Absent;
            self.give_up_awaiting(generation);
        }
    }

    /// Nobody waits for it any longer.
    fn give_up_awaiting(&mut self, generation: u64) {
        let Some(template) = self.templates.get_mut(&generation) else { return };
        for id in std::mem::take(&mut template.awaiting) {
            let is_awaiting = self.workers.get(&id).is_some_and(|worker| match &worker.state {
                WorkerState::Starting(stage) => *stage == StartStage::Awaiting,
                WorkerState::Idle { .. }
                | WorkerState::Busy(_)
                | WorkerState::Template(_)
                | WorkerState::Leaving(_) => false,
            });
            if is_awaiting {
                self.give_up_unborn(id);
            }
        }
    }

    /// A template has loaded all there is.
    pub(super) fn template_stands(&mut self, now: PoolTime, id: WorkerId, effects: &mut Vec<PoolEffect>) {
        let Some(generation) = self.workers.get(&id).map(|worker| worker.generation) else { return };
        self.alter(id, |worker, timers| {
            worker.ready_at = Some(now);
            worker.since = now;
            worker.state = WorkerState::Template(TemplatePhase::Standing);
            worker.set_deadline(timers, None);
        });
        let Some(template) = self.templates.get_mut(&generation) else { return };
        let before = match template.state {
            TemplateState::Standing(before) => Some(before),
            TemplateState::Untried
            | TemplateState::Offered(_)
            | TemplateState::Loading(_)
            | TemplateState::Absent
            | TemplateState::Broken { .. } => None,
        };
        template.state = TemplateState::Standing(id);
        template.has_made_workers = false;
        template.coming = template.coming.filter(|coming| *coming != id);
        if let Some(before) = before.filter(|before| *before != id) {
            self.retire(now, before, "a newer template stands", effects);
        }
        effects.push(PoolEffect::TemplateStands { worker: id, generation });
        self.fork_awaiting(now, generation, effects);
    }

    /// What it has loaded is not what is there by now: another one is started, and takes its place when it stands.
    pub(super) fn template_is_stale(&mut self, now: PoolTime, id: WorkerId, effects: &mut Vec<PoolEffect>) {
        let Some(generation) = self.workers.get(&id).map(|worker| worker.generation) else { return };
        let Some(template) = self.templates.get(&generation) else { return };
        let stands = template.state == TemplateState::Standing(id) && self.is_template(id);
        if stands && template.coming.is_none() && self.draining.is_none() && self.has_room_for_process() {
            let coming = self.start_template(now, generation, effects);
            if let Some(template) = self.templates.get_mut(&generation) {
                template.coming = Some(coming);
            }
        }
    }

    /// A template could not load, cannot make workers, or is gone. The worker is still in the table.
    pub(super) fn template_failed(
        &mut self,
        now: PoolTime,
        id: WorkerId,
        message: String,
        effects: &mut Vec<PoolEffect>,
    ) {
        let Some(generation) = self.workers.get(&id).map(|worker| worker.generation) else { return };
        let seed = self.config.jitter_seed;
        let Some(template) = self.templates.get_mut(&generation) else { return };
        if !template.processes().any(|one| one == id) || self.draining.is_some() {
            return;
        }
        let retry_in = if template.coming == Some(id) {
            // The one that stands goes on, and asks again.
            template.coming = None;
            std::time::Duration::ZERO
        } else if let Some(coming) = template.coming.take() {
            template.last_message = Some(message.clone());
            template.state = TemplateState::Loading(coming);
            std::time::Duration::ZERO
        } else {
            template.failed(now, seed, id, &message)
        };
        effects.push(PoolEffect::TemplateFailed { worker: id, message, retry_in });
        if !retry_in.is_zero() {
            self.give_up_awaiting(generation);
        }
    }

    /// Starts a process that is to be a template and nothing else.
    fn start_template(&mut self, now: PoolTime, generation: u64, effects: &mut Vec<PoolEffect>) -> WorkerId {
        let state = WorkerState::Template(TemplatePhase::Spawning);
        let id = self.add_worker(now, generation, state);
        self.start_process(now, id, true, effects);
        id
    }

    /// The templates after every step: another one where one is missing, none of a generation that is over, and nobody
    /// waits for one that will not come.
    pub(super) fn adjust_templates(&mut self, now: PoolTime, effects: &mut Vec<PoolEffect>) {
        let mut next = self.templates.keys().next().copied();
        while let Some(generation) = next {
            next = self.templates.range(generation + 1..).next().map(|(later, _)| *later);
            self.adjust_template(now, generation, effects);
        }
    }

    fn adjust_template(&mut self, now: PoolTime, generation: u64, effects: &mut Vec<PoolEffect>) {
        if !self.config.template || !self.is_of_use(generation) {
            return self.drop_template(now, generation, effects);
        }
        let has_room = self.has_room_for_process();
        let Some(template) = self.templates.get_mut(&generation) else { return };
        match template.state {
            TemplateState::Offered(id) => {
                let is_starting = self.workers.get(&id).is_some_and(|worker| match &worker.state {
                    WorkerState::Starting(_) => true,
                    WorkerState::Idle { .. }
                    | WorkerState::Busy(_)
                    | WorkerState::Template(_)
                    | WorkerState::Leaving(_) => false,
                });
                if !is_starting {
                    // It was given up before it said what it is: the next one is asked.
                    template.state = TemplateState::Untried;
                    self.give_up_awaiting(generation);
                }
            }
            TemplateState::Broken { retry_at } if retry_at <= now && has_room => {
                let id = self.start_template(now, generation, effects);
                if let Some(template) = self.templates.get_mut(&generation) {
                    template.state = TemplateState::Loading(id);
                }
            }
            TemplateState::Untried
            | TemplateState::Loading(_)
            | TemplateState::Standing(_)
            | TemplateState::Absent
            | TemplateState::Broken { .. } => {}
        }
    }

    /// One that is full of processes that leave gets its template when some of them have gone.
    fn has_room_for_process(&self) -> bool {
        self.workers.len() < self.config.max_processes()
    }

    /// True for the generation that serves, and the one that is tried out.
    fn is_of_use(&self, generation: u64) -> bool {
        let tried = match &self.reload {
            ReloadState::Canary { generation, .. } | ReloadState::Wanted { generation } => Some(*generation),
            ReloadState::Settled | ReloadState::Rolling | ReloadState::Failed { .. } => None,
        };
        generation == self.generation || Some(generation) == tried
    }

    /// Its templates leave, and nobody waits for one.
    fn drop_template(&mut self, now: PoolTime, generation: u64, effects: &mut Vec<PoolEffect>) {
        self.give_up_awaiting(generation);
        let Some(template) = self.templates.remove(&generation) else { return };
        for id in template.processes() {
            self.retire(now, id, "no worker is made of it any more", effects);
        }
    }

    /// The deadline of a template has passed: it starts for too long, or does not answer.
    pub(super) fn template_timed_out(
        &mut self,
        now: PoolTime,
        id: WorkerId,
        phase: TemplatePhase,
        effects: &mut Vec<PoolEffect>,
    ) {
        let Some(worker) = self.workers.get(&id) else { return };
        let waited = now.since(worker.spawned_at).as_secs_f64();
        let message = match phase {
            TemplatePhase::Spawning => format!("no process after {waited:.1} s"),
            TemplatePhase::Connecting => format!("no Hello within {waited:.1} s"),
            TemplatePhase::Loading => format!(
                "not Ready within {waited:.1} s: it loads for too long, or worker_start_seconds is too short"
            ),
            // When it is gone the fork has failed, and that is heard.
            TemplatePhase::Standing => format!("it made no worker within {} s", FORK_TIMEOUT.as_secs()),
        };
        self.template_failed(now, id, message, effects);
        self.kill_outright(now, id, KillCause::StartTimeout, effects);
    }

    /// True while it is one and has not been given up.
    pub(super) fn is_template(&self, id: WorkerId) -> bool {
        self.workers.get(&id).is_some_and(|worker| matches!(worker.state, WorkerState::Template(_)))
    }

    /// The time at which another template is started, if that is to come.
    pub(super) fn next_template(&self) -> Option<PoolTime> {
        let retry_at = |template: &super::templates::GenerationTemplate| match template.state {
            TemplateState::Broken { retry_at } => Some(retry_at),
            TemplateState::Untried
            | TemplateState::Offered(_)
            | TemplateState::Loading(_)
            | TemplateState::Standing(_)
            | TemplateState::Absent => None,
        };
        self.templates.values().filter_map(retry_at).min()
    }
}
