//! What is told of a worker that died: on its run, in the log, to the metrics. All of it is the pool's one value.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use muster_core::pool::{DeathNotice, WorkerDeath};
use muster_system::process::oom_kills;
use serde_json::json;

use super::events::ExecutorEvent;
use super::executor_loop::{ExecutorLoop, ExecutorState};

/// How often it is noted how many the kernel has ended for want of memory.
const OOM_KILLS_EVERY: Duration = Duration::from_secs(1);

impl ExecutorLoop {
    /// Tells it.
    pub(super) fn worker_died(&self, state: &mut ExecutorState, death: WorkerDeath) {
        let WorkerDeath { worker, attempt, cause, notice } = death;
        if let Some(run) = attempt.and_then(|attempt| state.run_mut(attempt)) {
            run.note("worker_died", json!({ "worker": worker.to_string(), "end_cause": cause }));
        }
        match notice {
            DeathNotice::Planned => return,
            // The start that failed is told as such.
            DeathNotice::FailedStart => {}
            DeathNotice::Unplanned => {
                let execution_id = attempt.map(|attempt| tracing::field::display(attempt.execution_id));
                let number = attempt.map(|attempt| attempt.number);
                tracing::warn!(%worker, execution_id, attempt = number, cause = cause.kind.word(), descendants_left = cause.descendants_left, reason = cause.summary, "worker died");
            }
        }
        self.events.tell(ExecutorEvent::WorkerDied { kind: cause.kind });
    }

    /// Notes how many the kernel has ended, for ever.
    pub(super) async fn watch_oom_kills(self: Rc<Self>) {
        loop {
            self.oom_kills.note();
            tokio::time::sleep(OOM_KILLS_EVERY).await;
        }
    }
}

/// How many processes of the machine the kernel had ended for want of memory a moment ago.
#[derive(Debug, Default)]
pub(super) struct OomKillCount {
    last: Cell<Option<u64>>,
    /// The one before, so that a death is never compared with a count that was taken after it.
    before: Cell<Option<u64>>,
}

impl OomKillCount {
    fn note(&self) {
        self.before.set(self.last.replace(oom_kills()));
    }

    /// True when it is more by now.
    pub(super) fn has_risen(&self) -> bool {
        let before = self.before.get().or(self.last.get());
        matches!((before, oom_kills()), (Some(before), Some(now)) if now > before)
    }
}
