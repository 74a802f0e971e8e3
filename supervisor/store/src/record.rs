//! Rows as they are read back. They serialize with the names of their columns.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use muster_core::execution::{LogLine, Status};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;
use utoipa::openapi::schema::{Object, ObjectBuilder, Type};
use uuid::Uuid;

/// A row of `executions`.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Execution)]
pub struct ExecutionRecord {
    /// Its id, the same in every attempt.
    #[serde(rename = "execution_id")]
    pub id: Uuid,
    /// The row of `workflows` it names.
    pub workflow_id: Option<Uuid>,
    /// The name people see.
    #[serde(rename = "workflow")]
    pub workflow_name: Option<String>,
    /// Who it runs for.
    pub organization_id: Option<Uuid>,
    /// Who asked.
    #[schema(value_type = Option<Object>)]
    pub caller: Option<Box<RawValue>>,
    /// The input. Not part of lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Value, required = false)]
    pub parameters: Option<Box<RawValue>>,
    /// The rest of the request. Not part of lists, never serialized: it is ours.
    #[serde(skip)]
    pub request: Option<Box<RawValue>>,
    /// Where it is.
    pub status: Status,
    /// Always `process`.
    #[schema(schema_with = execution_models)]
    pub execution_model: String,
    /// What the function returned. Not part of lists.
    #[schema(value_type = Value)]
    pub result: Option<Box<RawValue>>,
    /// What kind of failure.
    pub error_type: Option<String>,
    /// What a person should read.
    pub error_message: Option<String>,
    /// Where it happened. Not part of lists.
    pub error_stack: Option<String>,
    /// Started read to Finished read.
    pub duration_ms: Option<i64>,
    /// What it cost.
    #[schema(value_type = Option<Object>)]
    pub metrics: Option<Box<RawValue>>,
    /// The number of the last attempt; 0 before the first.
    pub attempt: u32,
    /// How many of them count.
    pub attempts_charged: u32,
    /// How many may.
    pub max_attempts: u32,
    /// Its own time limit.
    pub timeout_seconds: Option<f64>,
    /// 0 to 9.
    pub priority: u8,
    /// The execution it repeats.
    pub retry_of: Option<Uuid>,
    /// The boot of a supervisor that claimed it last.
    pub lease_owner: Option<Uuid>,
    /// Until when it is protected.
    pub lease_expires_at: Option<Timestamp>,
    /// When its end was published.
    pub notified_at: Option<Timestamp>,
    /// When somebody asked for a cancel.
    pub cancel_requested_at: Option<Timestamp>,
    /// Not claimed before this.
    pub run_after: Timestamp,
    /// When the row was made.
    pub created_at: Timestamp,
    /// When user code was entered.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub completed_at: Option<Timestamp>,
}

/// There is but one way to run an execution.
fn execution_models() -> Object {
    ObjectBuilder::new().schema_type(Type::String).enum_values(Some(["process"])).build()
}

/// Which executions to list, newest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExecutionFilter {
    /// Only in this state.
    pub status: Option<Status>,
    /// Only of the workflow with this name.
    pub workflow: Option<String>,
    /// Only of this organization.
    pub organization_id: Option<Uuid>,
    /// Where the last page ended.
    pub cursor: Option<Cursor>,
    /// At most so many.
    pub limit: usize,
}

/// One page of a list.
#[derive(Clone, Debug)]
pub struct ExecutionRecords {
    /// Newest first.
    pub executions: Vec<ExecutionRecord>,
    /// Where the next page begins; `None` after the last.
    pub next: Option<Cursor>,
}

/// A place in a list, as text `MICROSECONDS.ID` that callers pass back unread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// The creation time of the last row shown.
    pub created_at: Timestamp,
    /// And its id.
    pub id: Uuid,
}

impl Cursor {
    /// Where the page after this full one begins; `None` after a page that is not full.
    pub(crate) fn after(page: &[ExecutionRecord], limit: usize) -> Option<Self> {
        let last = page.last().filter(|_| page.len() >= limit)?;
        Some(Self { created_at: last.created_at, id: last.id })
    }
}

impl std::fmt::Display for Cursor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.created_at.as_microsecond(), self.id.simple())
    }
}

/// A text that is no cursor.
#[derive(Debug, thiserror::Error)]
#[error("{0:?} is no cursor: pass on the `next_cursor` of the page before, unchanged")]
pub struct InvalidCursor(String);

impl std::str::FromStr for Cursor {
    type Err = InvalidCursor;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parse = || {
            let (at, id) = text.split_once('.')?;
            let created_at = Timestamp::from_microsecond(at.parse().ok()?).ok()?;
            Some(Self { created_at, id: id.parse().ok()? })
        };
        parse().ok_or_else(|| InvalidCursor(text.to_owned()))
    }
}

/// A row of `execution_logs`.
#[derive(Clone, Debug, Serialize)]
pub struct LogRow {
    /// Which attempt wrote it.
    pub attempt: u32,
    /// The line.
    #[serde(flatten)]
    pub line: LogLine,
}

/// A row of `execution_events`.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Event)]
pub struct EventRow {
    /// When.
    pub at: Timestamp,
    /// What.
    pub event: String,
    /// In which attempt; 0 before the first.
    pub attempt: u32,
    /// The boot of a supervisor that did it.
    pub supervisor: Option<Uuid>,
    /// What matters about it.
    #[schema(value_type = Option<Object>)]
    pub detail: Option<Box<RawValue>>,
}

/// A row of `workflows`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WorkflowRecord {
    /// Which.
    pub id: Uuid,
    /// What messages call it.
    pub name: String,
    /// Its file below the workflows folder.
    pub path: Option<String>,
    /// The function in it; empty is the default export.
    pub function_name: Option<String>,
    /// `None` is the worker's own.
    pub language: Option<String>,
    /// Whose it is; `None` is global.
    pub organization_id: Option<Uuid>,
    /// Its time limit.
    pub timeout_seconds: Option<f64>,
    /// How often user failures are retried.
    pub max_attempts: Option<u32>,
    /// False: as if it were not there.
    pub is_active: bool,
}

/// A row of `organizations`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrganizationRecord {
    /// Which.
    pub id: Uuid,
    /// What people call it.
    pub name: String,
    /// False: it may not run anything.
    pub is_active: bool,
}

/// One entry of a configuration, after the organization's entries replaced the global ones.
#[derive(Clone, Debug)]
pub struct ConfigEntry {
    /// Which.
    pub key: String,
    /// Its value.
    pub value: Box<RawValue>,
    /// Never in Redis, masked in logs.
    pub is_secret: bool,
}

/// How much waits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct QueueDepth {
    /// PENDING rows.
    pub pending: u64,
    /// How long the oldest one that is due has waited.
    pub oldest_wait: Option<Duration>,
}

/// What the database says of itself: for doctor, readiness and logs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DatabaseFacts {
    /// `sqlite` or `postgresql`.
    pub backend: &'static str,
    /// The server's own version.
    pub version: String,
    /// Which of our migrations was applied last; 0 before the first.
    pub schema_version: u32,
    /// The migration a schema that is up to date has last.
    pub schema_newest: u32,
    /// Whether this user may bring the schema up to date.
    pub may_migrate: bool,
    /// How far the database's clock is ahead of ours.
    pub clock_ahead: SignedDuration,
    /// Whether the death of a supervisor's process shows before its lease ends. `None`: not needed here.
    pub notices_death: Option<bool>,
    /// How many connections one supervisor may need, and how many the server lets our user open. `None`: there are none.
    pub connections: Option<ConnectionBudget>,
}

/// How many connections a supervisor needs, and how many it may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnectionBudget {
    /// What one supervisor under load opens.
    pub needed: u32,
    /// What the server's `max_connections`, the database's limit and the user's limit leave.
    pub allowed: u32,
}
