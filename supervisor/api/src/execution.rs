//! What is answered about an execution beside its row: that it was taken, cancelled, and its log.

use jiff::Timestamp;
use muster_core::execution::{LogLine, LogStream, Status};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::{PartialSchema, ToSchema};
use uuid::Uuid;

use super::schema::log_levels;
use super::{PauseView, ProblemView};

/// The answer to a submitted execution, and to one that was not waited for to its end.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = Accepted)]
pub struct AcceptedView {
    /// The id of the execution, to ask for it with.
    pub execution_id: Uuid,
    /// Where it is, when that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub status: Option<Status>,
    /// The execution that this one repeats; absent when it repeats none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub retry_of: Option<Uuid>,
    /// True when its idempotency key was known: this is the execution that was submitted first.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    #[schema(required = false)]
    pub existing: bool,
    /// The pauses that keep it from starting; absent when nothing of it is paused.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    pub paused_by: Vec<PauseView>,
}

/// What became of one of many submits: the execution that stands for it, or why there is none.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = BatchItem)]
pub struct BatchItemView {
    /// The id of the execution; absent when nothing was submitted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub execution_id: Option<Uuid>,
    /// Where it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub status: Option<Status>,
    /// True when its idempotency key was known: this is the execution that was submitted first.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    #[schema(required = false)]
    pub existing: bool,
    /// The pauses that keep it from starting; absent when nothing of it is paused.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    pub paused_by: Vec<PauseView>,
    /// Why nothing was submitted; absent when something was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub problem: Option<ProblemView>,
}

/// What became of many submits.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = BatchAnswer)]
pub struct BatchView {
    /// One for each item, in the order of the items.
    pub executions: Vec<BatchItemView>,
}

/// What a submit led to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubmitAnswer {
    /// The execution that stands for it.
    pub execution_id: Uuid,
    /// PENDING for one that is new, though it may have begun meanwhile. Another state is that of the row that had this id
    /// already; then nothing changed.
    pub status: Status,
    /// Another submit with its idempotency key made it.
    pub existing: bool,
    /// The pauses that keep it from starting, of one that waits.
    pub paused_by: Vec<PauseView>,
}

/// A request to run an execution again.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Retry)]
pub struct RetryRequest {
    /// The id of the new execution, made here if it is left out. The same id twice is one execution.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub execution_id: Option<Uuid>,
}

/// What a request to end an execution is answered with.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = Cancelled)]
pub struct CancelView {
    /// The execution that was to end.
    pub execution_id: Uuid,
    /// What the request led to.
    #[schema(schema_with = CancelOutcome::schema)]
    pub outcome: CancelOutcome,
    /// The state of the execution right after the request.
    pub status: Status,
}

/// What a request to end an execution led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CancelOutcome {
    /// It waited and will never run.
    Cancelled,
    /// It runs, and its worker is asked to end it.
    Requested,
    /// The execution was over before the request.
    AlreadyFinished,
    /// Nobody knows this id; should its message come, nothing will run.
    Unknown,
}

/// A line of an execution's log.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = LogLine)]
pub struct LogView {
    /// The number of the attempt that wrote the line, counted from 1.
    pub attempt: u32,
    /// Its place in the attempt's log, from 1.
    pub sequence: u64,
    /// When the line was written.
    pub at: Timestamp,
    /// trace, debug, info, warn or error.
    #[schema(schema_with = log_levels)]
    pub level: String,
    /// The way by which the line came.
    #[schema(schema_with = LogStream::schema)]
    pub stream: LogStream,
    /// Who wrote it; may be empty.
    #[serde(default)]
    pub logger: String,
    /// The text of the line.
    pub message: String,
    /// Further values, a JSON object; absent when there are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Object, required = false)]
    pub fields: Option<Box<RawValue>>,
}

impl LogView {
    /// Shows a line of this attempt.
    pub fn new(attempt: u32, line: LogLine) -> Self {
        Self {
            attempt,
            sequence: line.sequence,
            at: Timestamp::from_microsecond(line.at_us).unwrap_or(Timestamp::UNIX_EPOCH),
            level: line.level.into_owned(),
            stream: line.stream,
            logger: line.logger,
            message: line.message,
            fields: line.fields,
        }
    }
}

/// A page of the log of one execution.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct LogPage {
    /// In the order of attempt and sequence.
    pub logs: Vec<LogView>,
    /// Where the next page begins; `None` after the last line there is so far.
    pub next_cursor: Option<String>,
}
