//! What a worker's process says.

use muster_core::pool::{PoolEvent, WorkerEvent, WorkerId};

use super::World;

impl World {
    /// A worker's process says something: noted in the world's own books first, then told to the pool.
    pub(super) fn worker_says(&mut self, id: WorkerId, event: WorkerEvent) {
        let Some(model) = self.workers.get_mut(&id) else { return };
        let mut is_gone = false;
        match &event {
            WorkerEvent::Spawned { .. } => model.is_spawned = true,
            WorkerEvent::SpawnFailed { .. } | WorkerEvent::ForkFailed { .. } => is_gone = true,
            WorkerEvent::Ready => {
                model.is_idle =
                    model.template.is_none() && !model.was_ready && !model.was_retired && !model.was_killed;
                model.was_ready = true;
                model.ready_at = self.now;
            }
            WorkerEvent::Started { run } => {
                if let Some(held) = model.run.as_ref().filter(|held| held.number == *run) {
                    let entry = self.in_flight.entry(held.attempt);
                    entry.was_started |= !entry.is_over && entry.outcome.is_none();
                }
            }
            WorkerEvent::Finished { run, outcome, .. } => {
                if let Some(held) = model.run.as_ref().filter(|held| held.number == *run) {
                    let entry = self.in_flight.entry(held.attempt);
                    if !entry.is_over && entry.outcome.is_none() {
                        entry.outcome = Some(outcome.clone());
                    }
                }
            }
            WorkerEvent::Idle { run, .. } => {
                let ends = model.run.as_ref().is_some_and(|held| held.number == *run);
                if ends
                    && let Some(held) = &model.run
                    && self.in_flight.entry(held.attempt).outcome.is_some()
                {
                    model.run = None;
                    model.is_idle = !model.was_terminated && !model.was_killed && !model.was_retired;
                }
            }
            WorkerEvent::Exited(_) => is_gone = true,
            WorkerEvent::Hello { .. }
            | WorkerEvent::TemplateStale
            | WorkerEvent::InitFailed { .. }
            | WorkerEvent::Goodbye { .. }
            | WorkerEvent::Violation(_)
            | WorkerEvent::MemorySample { .. } => {}
        }
        if is_gone && let Some(held) = self.workers.remove(&id).and_then(|model| model.run) {
            let entry = self.in_flight.entry(held.attempt);
            if entry.worker == Some(id) {
                entry.worker = None;
            }
        }
        let has_exited = matches!(event, WorkerEvent::Exited(_));
        self.step(PoolEvent::Worker { worker: id, event });
        if has_exited {
            self.end_forks_of(id);
        }
    }
}
