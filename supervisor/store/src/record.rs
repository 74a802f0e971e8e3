//! Rows as they are read back. They serialize with the names of their columns.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use muster_core::execution::{EndCauseFields, LogLine, RetryOptions, Status};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;
use utoipa::openapi::schema::{Object, ObjectBuilder, Type};
use uuid::Uuid;

use crate::{HeldLimit, RetentionTerms, WorkflowTerms};

/// The row of one execution, with all its columns.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Execution)]
pub struct ExecutionRecord {
    /// Its id, the same in every attempt.
    #[serde(rename = "execution_id")]
    pub id: Uuid,
    /// The row of `workflows` that the execution names; `None` when it names its code.
    pub workflow_id: Option<Uuid>,
    /// The workflow's name, for people; `None` when only its id is known.
    #[serde(rename = "workflow")]
    pub workflow_name: Option<String>,
    /// The organization it runs for; `None` is the global scope.
    pub organization_id: Option<Uuid>,
    /// Who asked for it, a JSON object; `None` when the request does not say.
    #[schema(value_type = Option<Object>)]
    pub caller: Option<Box<RawValue>>,
    /// The parameters, byte for byte as they were given. Not part of lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Value, required = false)]
    pub parameters: Option<Box<RawValue>>,
    /// The rest of the request. Not part of lists, never serialized: it is ours.
    #[serde(skip)]
    pub request: Option<Box<RawValue>>,
    /// The state of the execution.
    pub status: Status,
    /// How it is run, which is always `process`.
    #[schema(schema_with = execution_models)]
    pub execution_model: String,
    /// What the function returned; only where it returned. Not part of lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Value, required = false)]
    pub result: Option<Box<RawValue>>,
    /// The type of the failure; `None` when it did not fail.
    pub error_type: Option<String>,
    /// What a person should read about the failure; `None` when it did not fail.
    pub error_message: Option<String>,
    /// Where it happened; only where that is known. Not part of lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub error_stack: Option<String>,
    /// The time from Started read to Finished read; `None` before its end and without Started.
    pub duration_ms: Option<i64>,
    /// The time and memory the run took, a JSON object; `None` when nothing was measured.
    #[schema(value_type = Option<Object>)]
    pub metrics: Option<Box<RawValue>>,
    /// What the worker of the last attempt died of, if it died with the run in hand.
    #[schema(value_type = Option<EndCauseFields>)]
    pub end_cause: Option<Box<RawValue>>,
    /// The number of the last attempt; 0 before the first.
    pub attempt: u32,
    /// How many attempts count against `max_attempts`.
    pub attempts_charged: u32,
    /// How many attempts may count.
    pub max_attempts: u32,
    /// The time limit that the request asks for, in seconds; `None` when it asks for none.
    pub timeout_seconds: Option<f64>,
    /// The priority from 0 to 9; larger goes first among the rows that wait.
    pub priority: u8,
    /// The execution that this one repeats; `None` when it repeats none.
    pub retry_of: Option<Uuid>,
    /// The queue it waits in: the supervisors that serve it may run it. `None` of what an earlier version wrote.
    pub queue: Option<String>,
    /// The limits it must have room in, each with its key.
    pub limits: Vec<HeldLimit>,
    /// What it waits for beside its moment and a worker: `limit:NAME`, `limit:NAME:KEY`, `pause:…`.
    pub waits_for: Option<String>,
    /// From when on it is cancelled as `Expired` if no attempt was made; `None` is never.
    pub expires_at: Option<Timestamp>,
    /// The boot of a supervisor that claimed it last.
    pub lease_owner: Option<Uuid>,
    /// Until when nobody else may take it over; `None` when it is not claimed.
    pub lease_expires_at: Option<Timestamp>,
    /// When its outcome was committed, to be published at once; `None` until it is published. Of what ended without an attempt, and
    /// in SQLite: when it was published.
    pub notified_at: Option<Timestamp>,
    /// When somebody asked for it to end; `None` when nobody did.
    pub cancel_requested_at: Option<Timestamp>,
    /// The moment before which it may not be claimed.
    pub run_after: Timestamp,
    /// When the message that brought it was published, by its timestamp: the wait counts from then. `None` where no message
    /// brought it, or one without a timestamp.
    pub published_at: Option<Timestamp>,
    /// When the row was made.
    pub created_at: Timestamp,
    /// When user code was entered in the last attempt; `None` before that.
    pub started_at: Option<Timestamp>,
    /// When the execution came to its outcome; `None` before that.
    pub completed_at: Option<Timestamp>,
    /// By what a second submit of it is known. Not part of lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub idempotency_key: Option<String>,
    /// True in the answer to a submit whose idempotency key was known: this is the execution that was submitted first.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    #[schema(required = false)]
    pub existing: bool,
}

/// There is but one way to run an execution.
fn execution_models() -> Object {
    ObjectBuilder::new().schema_type(Type::String).enum_values(Some(["process"])).build()
}

/// Which executions to list, newest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExecutionFilter {
    /// Lists only executions in one of these states; all when there are none.
    pub statuses: Vec<Status>,
    /// Lists only executions of the workflow with this name.
    pub workflow: Option<String>,
    /// Lists only executions of this organization.
    pub organization_id: Option<Uuid>,
    /// Lists only executions that ended with an error of this type.
    pub error_type: Option<String>,
    /// Lists only executions that were created at this moment or later.
    pub since: Option<Timestamp>,
    /// Lists only executions that were created before this moment.
    pub until: Option<Timestamp>,
    /// Goes on after this place; `None` begins with the newest.
    pub cursor: Option<Cursor>,
    /// How many executions a page holds at most.
    pub limit: usize,
}

/// One page of a list of executions.
#[derive(Clone, Debug)]
pub struct ExecutionRecords {
    /// The executions of the page, the newest first.
    pub executions: Vec<ExecutionRecord>,
    /// Where the next page begins; `None` after the last.
    pub next: Option<Cursor>,
}

/// A place in a list, as text `MICROSECONDS.ID` that callers pass back unread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// The creation time of the last row shown.
    pub created_at: Timestamp,
    /// The id of the last row of the page before.
    pub id: Uuid,
}

impl Cursor {
    /// Before every row: in the year 1, which every database can hold.
    pub(crate) fn first() -> Self {
        const YEAR_1: i64 = -62_135_596_800_000_000;
        let created_at = Timestamp::from_microsecond(YEAR_1).unwrap_or(Timestamp::UNIX_EPOCH);
        Self { created_at, id: Uuid::nil() }
    }

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

/// A line of a log, as it is stored.
#[derive(Clone, Debug, Serialize)]
pub struct LogRow {
    /// The number of the attempt that wrote it, counted from 1.
    pub attempt: u32,
    /// The line with its number, level and text.
    #[serde(flatten)]
    pub line: LogLine,
}

/// A step in the life of an execution, as it is stored.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Event)]
pub struct EventRow {
    /// When the step happened.
    pub at: Timestamp,
    /// The name of the event, such as `claimed` or `finalized`.
    pub event: String,
    /// In which attempt; 0 before the first.
    pub attempt: u32,
    /// The boot of a supervisor that did it.
    pub supervisor: Option<Uuid>,
    /// Further facts, a JSON object; `None` when there are none.
    #[schema(value_type = Option<Object>)]
    pub detail: Option<Box<RawValue>>,
}

/// What the database knows of a workflow.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WorkflowRecord {
    /// The id of the workflow.
    pub id: Uuid,
    /// The name by which messages may ask for the workflow.
    pub name: String,
    /// Its file below the workflows folder.
    pub path: Option<String>,
    /// The function in it; empty is the default export.
    pub function_name: Option<String>,
    /// The language of the code; `None` is the worker's own.
    pub language: Option<String>,
    /// Whose it is; `None` is global.
    pub organization_id: Option<Uuid>,
    /// The time limit of a run, in seconds; `None` when the row sets none.
    pub timeout_seconds: Option<f64>,
    /// How often user failures are retried.
    pub max_attempts: Option<u32>,
    /// False: as if it were not there.
    pub is_active: bool,
    /// What it says of limits and queues.
    #[serde(default)]
    pub admission: WorkflowTerms,
    /// What it says of further attempts, besides how many there may be.
    #[serde(default)]
    pub retry: RetryOptions,
    /// The name of the webhook that is told what its executions came to, besides those that are told of all of them.
    #[serde(default)]
    pub webhook: Option<String>,
    /// What it says of how long its executions are kept.
    #[serde(default)]
    pub retention: RetentionTerms,
}

impl WorkflowRecord {
    /// All that it says of further attempts.
    pub fn retry_options(&self) -> RetryOptions {
        RetryOptions { max_attempts: self.max_attempts, ..RetryOptions::default() }.or(self.retry.clone())
    }

    /// What it says of further attempts, as the text of a column: nothing where it says nothing.
    pub(crate) fn said_of_retries(&self) -> Option<String> {
        // Numbers and text have no way to fail.
        (!self.retry.is_empty()).then(|| serde_json::to_string(&self.retry).unwrap_or_default())
    }
}

/// What the database knows of an organization.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OrganizationRecord {
    /// The id of the organization.
    pub id: Uuid,
    /// The word that commands and files know it by; `None` of a row that was written by hand.
    #[serde(default)]
    pub key: Option<String>,
    /// The name of the organization, for people.
    pub name: String,
    /// Its part of the workers' time beside the others'; `None` is 1.
    #[serde(default)]
    pub weight: Option<f64>,
    /// False: it may not run anything.
    pub is_active: bool,
}

/// One entry of a configuration, after the organization's entries replaced the global ones.
#[derive(Clone, Debug)]
pub struct ConfigEntry {
    /// Whose it is; `None` is global.
    pub organization_id: Option<Uuid>,
    /// The key of the entry.
    pub key: String,
    /// The value of the entry, JSON text.
    pub value: Box<RawValue>,
    /// Never in Redis, masked in logs.
    pub is_secret: bool,
    /// The id of the key that its value is encrypted with; `None` when it is in clear.
    pub key_id: Option<String>,
}

/// How many rows wait, and for how long.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct QueueDepth {
    /// The number of rows that are PENDING.
    pub pending: u64,
    /// How long the oldest one that is due has waited.
    pub oldest_wait: Option<Duration>,
}

/// What waits in a queue.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct QueueUse {
    /// The name of the queue; the empty text for the rows without one, which an earlier version wrote.
    pub queue: String,
    /// The number of rows that are PENDING; a hundred thousand in all queues may be more.
    pub waiting: u64,
    /// How long the next of those that wait for nothing but a worker has waited since its moment, or since
    /// its message was published where it was to start at once.
    pub oldest_wait: Option<Duration>,
}

/// What the database says of itself: for doctor, readiness and logs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DatabaseFacts {
    /// The kind of the database: `sqlite` or `postgresql`.
    pub backend: &'static str,
    /// The version that the server says it has.
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
    /// Whether the server says that our connection is encrypted. `None`: there is none.
    pub encrypted: Option<bool>,
}

/// How many connections a supervisor needs, and how many it may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnectionBudget {
    /// What one supervisor under load opens.
    pub needed: u32,
    /// What the server's `max_connections`, the database's limit and the user's limit leave.
    pub allowed: u32,
}
