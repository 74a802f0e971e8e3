//! The JSON of the API that is not a row of a table. The server writes these types and the client reads
//! them, so the two cannot drift apart.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use uuid::Uuid;

use crate::execution::{LogLine, LogStream, Status};

/// The answer to a submitted execution, and to one that was not waited for to its end.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Accepted {
    /// Its id.
    pub execution_id: Uuid,
    /// Where it is, when that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<Status>,
    /// The execution it repeats.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_of: Option<Uuid>,
}

/// The answer to a cancel.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Cancelled {
    /// Which execution.
    pub execution_id: Uuid,
    /// What the cancel did.
    pub outcome: CancelOutcome,
    /// Where the execution is now.
    pub status: Status,
}

/// What a cancel did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CancelOutcome {
    /// It waited and will never run.
    Cancelled,
    /// It runs, and its worker is asked to end it.
    Requested,
    /// It was over before.
    AlreadyFinished,
    /// Nobody knows this id; should its message come, nothing will run.
    Unknown,
}

/// A line of an execution's log.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LogView {
    /// Which attempt wrote it.
    pub attempt: u32,
    /// Its place in the attempt's log, from 1.
    pub sequence: u64,
    /// When.
    pub at: Timestamp,
    /// trace, debug, info, warn or error.
    pub level: String,
    /// Where it came from.
    pub stream: LogStream,
    /// Who wrote it; may be empty.
    #[serde(default)]
    pub logger: String,
    /// The text.
    pub message: String,
    /// Further values.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fields: Option<Box<RawValue>>,
}

impl LogView {
    /// A line of this attempt.
    pub fn new(attempt: u32, line: LogLine) -> Self {
        Self {
            attempt,
            sequence: line.sequence,
            at: Timestamp::from_microsecond(line.at_us).unwrap_or(Timestamp::UNIX_EPOCH),
            level: line.level,
            stream: line.stream,
            logger: line.logger,
            message: line.message,
            fields: line.fields,
        }
    }
}

/// A page of a log.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LogPage {
    /// In the order of attempt and sequence.
    pub logs: Vec<LogView>,
    /// Where the next page begins; `None` after the last line there is so far.
    pub next_cursor: Option<String>,
}

/// What the pool and its workers are doing.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PoolView {
    /// The boot of the supervisor.
    pub supervisor: Uuid,
    /// Its version.
    pub version: String,
    /// When it started.
    pub started_at: Timestamp,
    /// True once it takes no more work.
    pub draining: bool,
    /// Workers kept warm.
    pub min_workers: usize,
    /// The most there may be.
    pub max_workers: usize,
    /// Claimed executions that wait for a worker.
    pub waiting: usize,
    /// Executions a worker holds.
    pub running: usize,
    /// Rows that wait to be claimed; `None` while the store is out of reach.
    pub pending: Option<u64>,
    /// Why no worker can be started, if so.
    pub problem: Option<String>,
    /// Every worker there is.
    pub workers: Vec<WorkerView>,
}

/// One worker.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct WorkerView {
    /// Its name.
    pub worker: String,
    /// Its process, once there is one.
    pub pid: Option<u32>,
    /// One word: starting, idle, running, ...
    pub state: String,
    /// Since when, in seconds.
    pub state_seconds: f64,
    /// Since its spawn, in seconds.
    pub age_seconds: f64,
    /// Which build and settings it is of.
    pub generation: u64,
    /// How many executions it has run.
    pub executions: u64,
    /// Its resident set, when last looked at.
    pub rss_bytes: Option<u64>,
    /// What it runs.
    pub execution_id: Option<Uuid>,
    /// Which attempt.
    pub attempt: Option<u32>,
}

/// Whether the supervisor can take work, part by part.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Readiness {
    /// True when every part is.
    pub ready: bool,
    /// Each part.
    pub parts: Vec<Part>,
}

/// One thing the supervisor needs.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Part {
    /// store, queue, bus, workers, outbox, intake ...
    pub part: String,
    /// Whether it does its work.
    pub ready: bool,
    /// In words: what it is, or what is wrong and what to do.
    pub detail: String,
}

impl Readiness {
    /// Ready when all parts are.
    pub fn of(parts: Vec<Part>) -> Self {
        Self { ready: parts.iter().all(|part| part.ready), parts }
    }
}

/// New bounds of the pool.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Resize {
    /// Workers kept warm.
    pub min_workers: usize,
    /// The most there may be.
    pub max_workers: usize,
}

/// Which workers to replace.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recycle {
    /// This one: `worker-3`, or `3`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub worker: Option<String>,
    /// All of them, one after another.
    #[serde(default)]
    pub all: bool,
}

/// An error, as `application/problem+json` (RFC 9457).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Problem {
    /// Which kind, as a relative address: `/problems/not-found`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The kind in words.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What happened here, and what to do.
    pub detail: String,
}
