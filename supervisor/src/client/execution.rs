//! The fields of a row that the command line shows.

use jiff::Timestamp;
use muster_core::execution::Status;
use serde::Deserialize;
use serde_json::value::RawValue;
use uuid::Uuid;

/// A row, as far as it is shown. Values of users stay JSON text.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub struct Execution {
    /// Which.
    pub execution_id: Uuid,
    /// What ran.
    pub workflow: Option<String>,
    /// Whose it is.
    pub organization_id: Option<Uuid>,
    /// Where it is.
    pub status: Status,
    /// The input.
    #[cfg_attr(test, schema(value_type = Value, required = false))]
    pub parameters: Option<Box<RawValue>>,
    /// What the function returned.
    #[cfg_attr(test, schema(value_type = Value, required = false))]
    pub result: Option<Box<RawValue>>,
    /// What kind of failure.
    pub error_type: Option<String>,
    /// What a person should read.
    pub error_message: Option<String>,
    /// Where it happened.
    pub error_stack: Option<String>,
    /// Started read to Finished read.
    pub duration_ms: Option<i64>,
    /// The number of the last attempt.
    pub attempt: u32,
    /// How many may be charged.
    pub max_attempts: u32,
    /// The execution it repeats.
    pub retry_of: Option<Uuid>,
    /// When somebody asked for a cancel.
    pub cancel_requested_at: Option<Timestamp>,
    /// When the row was made.
    pub created_at: Timestamp,
    /// When user code was entered.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub completed_at: Option<Timestamp>,
}

/// A page of rows.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub struct Executions {
    /// Newest first.
    pub executions: Vec<Execution>,
    /// Where the next page begins.
    pub next_cursor: Option<String>,
}

/// A step in the life of an execution.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub struct ExecutionEvent {
    /// When.
    pub at: Timestamp,
    /// What.
    pub event: String,
    /// In which attempt.
    pub attempt: u32,
    /// What matters about it.
    #[cfg_attr(test, schema(value_type = Option<Object>))]
    pub detail: Option<Box<RawValue>>,
}

/// All steps in the life of an execution.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub struct ExecutionEvents {
    /// Oldest first.
    pub events: Vec<ExecutionEvent>,
}
