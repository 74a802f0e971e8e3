//! The fields of a row that the command line shows.

use jiff::Timestamp;
use muster_core::execution::Status;
use muster_store::SupervisorRecord;
use serde::Deserialize;
use serde_json::value::RawValue;
use uuid::Uuid;

/// A row, as far as it is shown. Values of users stay JSON text.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub struct Execution {
    /// The id of the execution.
    pub execution_id: Uuid,
    /// The name of the workflow; `None` when only its id is known.
    pub workflow: Option<String>,
    /// The organization it runs for; `None` is the global scope.
    pub organization_id: Option<Uuid>,
    /// The state of the execution.
    pub status: Status,
    /// The parameters, JSON text.
    #[cfg_attr(test, schema(value_type = Value, required = false))]
    pub parameters: Option<Box<RawValue>>,
    /// What the function returned, JSON text; `None` without a success.
    #[cfg_attr(test, schema(value_type = Value, required = false))]
    pub result: Option<Box<RawValue>>,
    /// The type of the failure; `None` when it did not fail.
    pub error_type: Option<String>,
    /// What a person should read about the failure; `None` when it did not fail.
    pub error_message: Option<String>,
    /// Where the failure happened; `None` when the worker told no stack.
    pub error_stack: Option<String>,
    /// What the worker of the last attempt died of, if it died with the run in hand.
    #[cfg_attr(test, schema(value_type = Option<muster_core::execution::EndCauseFields>))]
    pub end_cause: Option<Box<RawValue>>,
    /// The time from Started to Finished; `None` before its end and without Started.
    pub duration_ms: Option<i64>,
    /// The number of the last attempt.
    pub attempt: u32,
    /// How many attempts may be charged.
    pub max_attempts: u32,
    /// The execution that this one repeats; `None` when it repeats none.
    pub retry_of: Option<Uuid>,
    /// The queue it waits in; `None` of what an earlier version wrote.
    #[serde(default)]
    pub queue: Option<String>,
    /// The moment before which it may not be claimed.
    pub run_after: Timestamp,
    /// From when on it is cancelled if no attempt was made.
    #[serde(default)]
    pub expires_at: Option<Timestamp>,
    /// When somebody asked for a cancel.
    pub cancel_requested_at: Option<Timestamp>,
    /// When the execution was asked for.
    pub created_at: Timestamp,
    /// When user code was entered; `None` before that.
    pub started_at: Option<Timestamp>,
    /// When the execution came to its outcome; `None` before that.
    pub completed_at: Option<Timestamp>,
}

/// A page of a list of executions.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub struct Executions {
    /// The executions of the page, the newest first.
    pub executions: Vec<Execution>,
    /// The cursor of the next page; `None` on the last one.
    pub next_cursor: Option<String>,
}

/// A step in the life of an execution.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub struct ExecutionEvent {
    /// When the step happened.
    pub at: Timestamp,
    /// The name of the event, such as `claimed` or `finalized`.
    pub event: String,
    /// The number of the attempt it belongs to; 0 before the first.
    pub attempt: u32,
    /// The boot of a supervisor that did it.
    pub supervisor: Option<Uuid>,
    /// Further facts, a JSON object; `None` when there are none.
    #[cfg_attr(test, schema(value_type = Option<Object>))]
    pub detail: Option<Box<RawValue>>,
}

/// All steps in the life of an execution.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub struct ExecutionEvents {
    /// The events, the oldest first.
    pub events: Vec<ExecutionEvent>,
    /// The supervisors that the events name, as far as they are known.
    #[serde(default)]
    pub supervisors: Vec<SupervisorRecord>,
}
