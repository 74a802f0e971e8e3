//! What happens when a worker does not get from its spawn to Ready: the start is charged, to whoever tried it.

use muster_protocol::ErrorInfo;

use super::effect::{KillCause, PoolEffect};
use super::event::{ProcessExit, WorkerId};
use super::machine::Pool;
use super::outcome::stderr_quote;
use super::time::PoolTime;
use super::worker::{StartStage, WorkerState};

impl Pool {
    pub(super) fn spawn_failed(
        &mut self,
        now: PoolTime,
        id: WorkerId,
        message: &str,
        effects: &mut Vec<PoolEffect>,
    ) {
        let Some(worker) = self.workers.get(&id) else { return };
        match &worker.state {
            WorkerState::Starting(_) => {
                self.start_failed(now, id, format!("the process could not be started: {message}"), effects);
            }
            WorkerState::Template(_) => {
                let message = format!("the process could not be started: {message}");
                self.template_failed(now, id, message, effects);
            }
            // It had been given up before.
            WorkerState::Leaving(_) => {}
            // A process that served cannot fail to spawn; its Exited will tell.
            WorkerState::Idle { .. } | WorkerState::Busy(_) => return,
        }
        self.remove(id);
    }

    pub(super) fn init_failed(
        &mut self,
        now: PoolTime,
        id: WorkerId,
        error: &ErrorInfo,
        effects: &mut Vec<PoolEffect>,
    ) {
        let Some(worker) = self.workers.get(&id) else { return };
        match &worker.state {
            WorkerState::Starting(_) | WorkerState::Template(_) => {
                let kind = if error.kind.is_empty() { "" } else { ": " };
                let message = format!("it could not load: {}{kind}{}", error.kind, error.message);
                if matches!(worker.state, WorkerState::Template(_)) {
                    self.template_failed(now, id, message, effects);
                    return self.retire(now, id, "it could not load", effects);
                }
                self.retire(now, id, "it could not load", effects);
                self.start_failed(now, id, message, effects);
            }
            WorkerState::Idle { .. } | WorkerState::Busy(_) => {
                self.broken(now, id, "InitFailed after Ready".to_owned(), effects);
            }
            WorkerState::Leaving(_) => {}
        }
    }

    pub(super) fn start_timed_out(
        &mut self,
        now: PoolTime,
        id: WorkerId,
        stage: StartStage,
        effects: &mut Vec<PoolEffect>,
    ) {
        let Some(worker) = self.workers.get(&id) else { return };
        let waited = now.since(worker.spawned_at).as_secs_f64();
        let message = match stage {
            // These are the template's deadlines.
            StartStage::Awaiting | StartStage::Forking { .. } => return,
            StartStage::Spawning => format!("no process after {waited:.1} s"),
            StartStage::Connecting => format!(
                "no Hello within {waited:.1} s: is worker_command a worker? `supervisor check-worker` tells"
            ),
            StartStage::Loading => format!(
                "not Ready within {waited:.1} s: it loads for too long, or worker_start_seconds is too short"
            ),
        };
        self.kill_outright(now, id, KillCause::StartTimeout, effects);
        self.start_failed(now, id, message, effects);
    }

    /// A worker that was starting is gone.
    pub(super) fn exited_starting(
        &mut self,
        now: PoolTime,
        id: WorkerId,
        stage: StartStage,
        exit: &ProcessExit,
        effects: &mut Vec<PoolEffect>,
    ) {
        let Some(worker) = self.workers.get(&id) else { return };
        let awaited = match stage {
            StartStage::Awaiting
            | StartStage::Forking { .. }
            | StartStage::Spawning
            | StartStage::Connecting => "Hello",
            StartStage::Loading => "Ready",
        };
        let message = format!(
            "it ended with {} before it said {awaited}, {:.3} s after its start{}",
            exit.status,
            now.since(worker.spawned_at).as_secs_f64(),
            stderr_quote(&exit.stderr_tail),
        );
        self.start_failed(now, id, message, effects);
    }

    /// Charges a failed start: to the reload whose canary it was, else to the pool. The worker is still in
    /// the table, in whatever state. One of a generation that is being replaced says nothing of the new one.
    pub(super) fn start_failed(
        &mut self,
        now: PoolTime,
        id: WorkerId,
        message: String,
        effects: &mut Vec<PoolEffect>,
    ) {
        if self.draining.is_some() || self.canary_failed(id, &message, effects) {
            return;
        }
        if self.workers.get(&id).is_some_and(|worker| worker.generation < self.generation) {
            return;
        }
        let retry_in = self.starts.failed(now, self.config.jitter_seed, id, &message);
        let consecutive = self.starts.consecutive;
        effects.push(PoolEffect::StartFailed { worker: id, consecutive, message, retry_in });
    }
}
