//! What is shown of one worker.

use muster_core::pool::{WorkerBinding, WorkerSnapshot};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::pool::seconds;

/// One worker as it is right now.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = Worker)]
pub struct WorkerView {
    /// The worker's name, such as `worker-3`.
    pub worker: String,
    /// Its process, once there is one.
    pub pid: Option<u32>,
    /// One word: starting, idle, running, ...
    pub state: String,
    /// How long it has been in that state, in seconds.
    pub state_seconds: f64,
    /// How long ago it was spawned, in seconds.
    pub age_seconds: f64,
    /// Which build and settings it is of.
    pub generation: u64,
    /// How many executions it has run.
    pub executions: u64,
    /// Its resident set when last looked at; `None` before.
    pub rss_bytes: Option<u64>,
    /// The execution it runs; `None` when it has none.
    pub execution_id: Option<Uuid>,
    /// The number of the attempt it runs; `None` when it has none.
    pub attempt: Option<u32>,
    /// The organization that alone it may serve, where workers are bound to one: its id, or `none` for executions
    /// without one.
    #[serde(default)]
    pub organization: Option<String>,
    /// Why it is to be replaced, if it is.
    pub due: Option<String>,
}

impl WorkerView {
    pub(super) fn of(worker: &WorkerSnapshot) -> Self {
        Self {
            worker: worker.worker.to_string(),
            pid: worker.pid,
            state: worker.state.to_owned(),
            state_seconds: seconds(worker.since_ms),
            age_seconds: seconds(worker.age_ms),
            generation: worker.generation,
            executions: worker.executions_done,
            rss_bytes: Some(worker.rss_bytes).filter(|bytes| *bytes > 0),
            execution_id: worker.execution_id,
            attempt: worker.attempt,
            organization: worker.binding.and_then(organization),
            due: worker.due.map(ToOwned::to_owned),
        }
    }
}

/// Whom a worker is bound to, as a person reads it.
fn organization(binding: WorkerBinding) -> Option<String> {
    match binding {
        WorkerBinding::Anyone => None,
        WorkerBinding::Only(None) => Some("none".to_owned()),
        WorkerBinding::Only(Some(id)) => Some(id.to_string()),
    }
}
