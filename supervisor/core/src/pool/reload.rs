//! A rolling reload: one canary of the new generation must become Ready before the old one is touched.

use super::effect::PoolEffect;
use super::event::WorkerId;
use super::machine::Pool;
use super::time::PoolTime;
use super::worker::{PoolWorker, RecycleReason};

/// How far the last reload has come.
#[derive(Clone, Debug)]
pub(super) enum ReloadState {
    /// None is under way.
    Settled,
    /// The canary waits until no more than one replacement is there beside the pool.
    Wanted { generation: u64 },
    /// The first worker of the new generation starts. The old one serves as if nothing were.
    Canary { worker: WorkerId, generation: u64 },
    /// The canary is Ready: the others are replaced one by one.
    Rolling,
    /// The canary could not start.
    Failed { generation: u64, message: String },
}

impl Pool {
    /// Begins a reload. One that is under way is overtaken.
    pub(super) fn begin_reload(&mut self, now: PoolTime, effects: &mut Vec<PoolEffect>) {
        if self.draining.is_some() {
            return;
        }
        if let Some(canary) = self.canary() {
            self.reload = ReloadState::Settled;
            self.retire(now, canary, "a newer reload has begun", effects);
        }
        self.last_generation += 1;
        self.reload = ReloadState::Wanted { generation: self.last_generation };
    }

    /// Starts the canary as soon as it fits: a backoff of the old generation does not hold it back, nor does
    /// a full pool, but reloads in quick succession do not pile up workers.
    pub(super) fn spawn_canary(&mut self, now: PoolTime, effects: &mut Vec<PoolEffect>) {
        let ReloadState::Wanted { generation } = self.reload else { return };
        if self.counts.serving() <= self.config.max_workers.max(self.queue.running()) + 1
            && self.workers.len() < self.config.max_processes()
        {
            let worker = self.spawn(now, generation, effects);
            self.reload = ReloadState::Canary { worker, generation };
        }
    }

    /// The worker that tries out a new generation, if one does.
    pub(super) fn canary(&self) -> Option<WorkerId> {
        match &self.reload {
            ReloadState::Canary { worker, .. } => Some(*worker),
            ReloadState::Settled
            | ReloadState::Wanted { .. }
            | ReloadState::Rolling
            | ReloadState::Failed { .. } => None,
        }
    }

    /// If `id` is the canary, its generation serves from now on, and all who served before are due. Those of
    /// the old generation that still start become due when they are Ready. True if it was the canary.
    pub(super) fn canary_is_ready(&mut self, id: WorkerId) -> bool {
        let ReloadState::Canary { worker, generation } = self.reload else { return false };
        if worker != id {
            return false;
        }
        self.reload = ReloadState::Rolling;
        self.generation = generation;
        let is_old = |worker: &&PoolWorker| worker.generation < generation;
        let old: Vec<WorkerId> = self.workers.values().filter(is_old).map(|worker| worker.id).collect();
        for id in old {
            self.becomes_due(id, RecycleReason::Generation);
        }
        true
    }

    /// If `id` is the canary, the reload has failed and the old generation keeps serving. True if it was.
    pub(super) fn canary_failed(
        &mut self,
        id: WorkerId,
        message: &str,
        effects: &mut Vec<PoolEffect>,
    ) -> bool {
        let ReloadState::Canary { worker, generation } = self.reload else { return false };
        if worker != id {
            return false;
        }
        let message = message.to_owned();
        self.reload = ReloadState::Failed { generation, message: message.clone() };
        effects.push(PoolEffect::ReloadFailed { worker, generation, message });
        true
    }
}
