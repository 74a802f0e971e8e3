//! A rolling reload: one canary of the new generation must become Ready before the old one is touched.

use super::effect::Effect;
use super::event::WorkerId;
use super::machine::Pool;
use super::time::Time;
use super::worker::{Due, State};

/// How far the last reload has come.
#[derive(Clone, Debug)]
pub(super) enum Reload {
    /// None is under way.
    Settled,
    /// The first worker of the new generation starts. The old one serves as if nothing were.
    Canary { worker: WorkerId, generation: u64 },
    /// The canary is Ready: the others are replaced one by one.
    Rolling,
    /// The canary could not start.
    Failed { generation: u64, message: String },
}

impl Pool {
    /// Starts a canary, at once: neither a backoff of the old generation nor a full pool holds it back.
    pub(super) fn begin_reload(&mut self, now: Time, effects: &mut Vec<Effect>) {
        if self.draining.is_some() {
            return;
        }
        if let Some(canary) = self.canary() {
            self.reload = Reload::Settled;
            self.retire(now, canary, "a newer reload has begun", effects);
        }
        self.last_generation += 1;
        let generation = self.last_generation;
        let worker = self.spawn(now, generation, effects);
        self.reload = Reload::Canary { worker, generation };
    }

    /// The worker that tries out a new generation, if one does.
    pub(super) fn canary(&self) -> Option<WorkerId> {
        match &self.reload {
            Reload::Canary { worker, .. } => Some(*worker),
            Reload::Settled | Reload::Rolling | Reload::Failed { .. } => None,
        }
    }

    /// If `id` is the canary, its generation serves from now on and all others are due. True if it was.
    pub(super) fn canary_is_ready(&mut self, now: Time, id: WorkerId, effects: &mut Vec<Effect>) -> bool {
        let Reload::Canary { worker, generation } = self.reload else { return false };
        if worker != id {
            return false;
        }
        self.reload = Reload::Rolling;
        self.generation = generation;
        let old: Vec<WorkerId> = self
            .workers
            .values()
            .filter(|worker| worker.generation < generation)
            .map(|worker| worker.id)
            .collect();
        for id in old {
            let Some(worker) = self.workers.get(&id) else { continue };
            match &worker.state {
                State::Starting(_) => self.retire(now, id, Due::Generation.reason(), effects),
                State::Idle { .. } | State::Busy(_) => self.becomes_due(id, Due::Generation),
                State::Leaving(_) => {}
            }
        }
        true
    }

    /// If `id` is the canary, the reload has failed and the old generation keeps serving. True if it was.
    pub(super) fn canary_failed(&mut self, id: WorkerId, message: &str, effects: &mut Vec<Effect>) -> bool {
        let Reload::Canary { worker, generation } = self.reload else { return false };
        if worker != id {
            return false;
        }
        let message = message.to_owned();
        self.reload = Reload::Failed { generation, message: message.clone() };
        effects.push(Effect::ReloadFailed { worker, generation, message });
        true
    }
}
