//! What goes into the statements, the same for both databases: SQLite takes several rows as one JSON array,
//! PostgreSQL as one array per column. So a statement is prepared once, whatever the number of rows.

use std::borrow::Cow;
use std::time::Duration;

use jiff::Timestamp;
use muster_core::execution::{Attempt, LogLine};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;
use uuid::Uuid;

use super::flow::PendingRow;
use super::limits::limits_column;
use super::text::{storable, storable_json};
use super::{ExecutionFailure, Expiry, Finalization, NewExecution};

/// A duration as the databases count it, short enough to be added to any time.
pub(crate) fn micros(duration: Duration) -> i64 {
    const CENTURY_US: i64 = 100 * 366 * 86_400 * 1_000_000;
    i64::try_from(duration.as_micros()).unwrap_or(CENTURY_US).min(CENTURY_US)
}

/// A new execution.
#[derive(Serialize)]
pub(crate) struct NewRow<'a> {
    pub(crate) id: Uuid,
    pub(crate) workflow_id: Option<Uuid>,
    pub(crate) workflow_name: Option<&'a str>,
    pub(crate) organization_id: Option<Uuid>,
    pub(crate) caller: Option<&'a str>,
    pub(crate) request: &'a str,
    /// Whom the request names to be told of its end.
    pub(crate) webhook: Option<&'a str>,
    pub(crate) max_attempts: u32,
    pub(crate) timeout_seconds: Option<f64>,
    pub(crate) priority: u8,
    pub(crate) retry_of: Option<Uuid>,
    pub(crate) queue: Option<&'a str>,
    pub(crate) delay_us: i64,
    /// In microseconds since the epoch, as the other one.
    pub(crate) run_at_us: Option<i64>,
    pub(crate) expires_at_us: Option<i64>,
    pub(crate) expires_us: Option<i64>,
    pub(crate) published_at_us: Option<i64>,
    pub(crate) limits: Option<String>,
    pub(crate) waits_for: Option<String>,
}

impl<'a> NewRow<'a> {
    pub(crate) fn of(execution: &'a NewExecution) -> Self {
        let (expires_at_us, expires_us) = match execution.expiry {
            None => (None, None),
            Some(Expiry::At(end)) => (Some(end.as_microsecond()), None),
            Some(Expiry::After(time)) => (None, Some(micros(time))),
        };
        Self {
            id: execution.id,
            workflow_id: execution.workflow_id,
            workflow_name: execution.workflow_name.as_deref(),
            organization_id: execution.organization_id,
            caller: execution.caller.as_ref().map(|caller| caller.get()),
            request: execution.request.get(),
            webhook: parts(&execution.request).and_then(|parts| parts.webhook).map(RawValue::get),
            max_attempts: execution.max_attempts.max(1),
            timeout_seconds: execution.timeout_seconds,
            priority: execution.priority.min(9),
            retry_of: execution.retry_of,
            queue: execution.queue.as_deref(),
            delay_us: micros(execution.delay),
            run_at_us: execution.run_at.map(Timestamp::as_microsecond),
            expires_at_us,
            expires_us,
            published_at_us: execution.published_at.map(Timestamp::as_microsecond),
            limits: None,
            waits_for: None,
        }
    }

    pub(crate) fn waiting(row: &'a PendingRow<'a>) -> Self {
        Self {
            limits: limits_column(&row.limits),
            waits_for: row.waits_for.as_ref().map(ToString::to_string),
            queue: row.queue.as_deref(),
            ..Self::of(row.execution)
        }
    }
}

/// A list as the text of a column.
pub(crate) fn json_column(names: &Vec<String>) -> String {
    // Text in a list has no way to fail.
    serde_json::to_string(names).unwrap_or_default()
}

/// An idempotency key that an execution wants to have.
#[derive(Clone, Copy, Serialize)]
pub(crate) struct KeyRow<'a> {
    /// The organization; the zero id for none.
    pub(crate) scope: Uuid,
    pub(crate) key: &'a str,
    pub(crate) execution_id: Uuid,
    pub(crate) fingerprint: &'a str,
    pub(crate) lifetime_us: i64,
}

/// What of a request is also in columns of its own, as it was written.
#[derive(Deserialize)]
pub(crate) struct RequestParts<'a> {
    #[serde(borrow, default, deserialize_with = "present")]
    pub(crate) parameters: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(crate) caller: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(crate) webhook: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(crate) idempotency_key: Option<Cow<'a, str>>,
}

/// Parameters may be `null` on purpose, so their `null` is a value.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}

/// The parts of a request; `None` for a text that is none, as a row may hold that somebody wrote by hand.
pub(crate) fn parts(request: &RawValue) -> Option<RequestParts<'_>> {
    serde_json::from_str(request.get()).ok()
}

/// An attempt and who claimed it: what a fenced write must match.
#[derive(Clone, Copy, Serialize)]
pub(crate) struct Fence {
    pub(crate) id: Uuid,
    pub(crate) attempt: u32,
    pub(crate) owner: Uuid,
}

impl Fence {
    pub(crate) fn of(finalization: &Finalization) -> Self {
        let Attempt { execution_id, number } = finalization.attempt;
        Self { id: execution_id, attempt: number, owner: finalization.owner }
    }
}

/// The three columns of a failure.
#[derive(Default, Serialize)]
pub(crate) struct FailureColumns<'a> {
    pub(crate) error_type: Option<Cow<'a, str>>,
    pub(crate) error_message: Option<Cow<'a, str>>,
    pub(crate) error_stack: Option<Cow<'a, str>>,
}

impl<'a> FailureColumns<'a> {
    pub(crate) fn of(failure: Option<&'a ExecutionFailure>) -> Self {
        failure.map_or_else(Self::default, |failure| Self {
            error_type: Some(storable(&failure.error_type)),
            error_message: Some(storable(&failure.message)),
            error_stack: failure.stack.as_deref().map(storable),
        })
    }
}

/// A row that a poll found and ends instead of claiming it.
#[derive(Serialize)]
pub(crate) struct EndedRow<'a> {
    pub(crate) id: Uuid,
    pub(crate) status: &'static str,
    #[serde(flatten)]
    pub(crate) failure: FailureColumns<'a>,
}

/// The outcome of an attempt.
#[derive(Serialize)]
pub(crate) struct EndingRow<'a> {
    #[serde(flatten)]
    pub(crate) fence: Fence,
    pub(crate) status: &'static str,
    pub(crate) result: Option<&'a str>,
    #[serde(flatten)]
    pub(crate) failure: FailureColumns<'a>,
    pub(crate) duration_ms: Option<u64>,
    pub(crate) metrics: Option<&'a str>,
    pub(crate) end_cause: Option<&'a str>,
    #[serde(serialize_with = "optional_micros")]
    pub(crate) started_at: Option<Timestamp>,
    #[serde(serialize_with = "required_micros")]
    pub(crate) completed_at: Timestamp,
    /// Nothing is left to be published once it is written.
    pub(crate) is_published: bool,
}

/// A row that goes back.
#[derive(Serialize)]
pub(crate) struct BackRow {
    #[serde(flatten)]
    pub(crate) fence: Fence,
    pub(crate) refund: u8,
    pub(crate) max_attempts: u32,
    pub(crate) delay_us: i64,
    /// For a database that several supervisors share: its owner of now is remembered, and lets others go first.
    pub(crate) elsewhere: bool,
}

/// A line of a log.
#[derive(Serialize)]
pub(crate) struct LogRowIn<'a> {
    pub(crate) id: Uuid,
    pub(crate) attempt: u32,
    pub(crate) sequence: u64,
    #[serde(serialize_with = "required_micros")]
    pub(crate) at: Timestamp,
    pub(crate) level: &'a str,
    pub(crate) stream: &'static str,
    pub(crate) logger: Cow<'a, str>,
    pub(crate) message: Cow<'a, str>,
    pub(crate) fields: Option<Cow<'a, str>>,
}

impl<'a> LogRowIn<'a> {
    /// Whose it is.
    pub(crate) fn fenced(&self) -> Attempt {
        Attempt::new(self.id, self.attempt)
    }

    pub(crate) fn of(attempt: Attempt, line: &'a LogLine) -> Self {
        Self {
            id: attempt.execution_id,
            attempt: attempt.number,
            sequence: line.sequence,
            at: Timestamp::from_microsecond(line.at_us).unwrap_or_default(),
            level: &line.level,
            stream: line.stream.as_str(),
            logger: storable(&line.logger),
            message: storable(&line.message),
            fields: line.fields.as_deref().map(storable_json),
        }
    }
}

/// An event; one without a time happens now, by the database's clock.
#[derive(Clone, Serialize)]
pub(crate) struct EventRowIn<'a> {
    pub(crate) id: Uuid,
    #[serde(serialize_with = "optional_micros")]
    pub(crate) at: Option<Timestamp>,
    pub(crate) event: &'a str,
    pub(crate) attempt: u32,
    pub(crate) supervisor: Option<Uuid>,
    pub(crate) detail: Option<Cow<'a, str>>,
}

impl<'a> EventRowIn<'a> {
    /// Whose it is.
    pub(crate) fn fenced(&self) -> Attempt {
        Attempt::new(self.id, self.attempt)
    }

    pub(crate) fn of(attempt: Attempt, supervisor: Option<Uuid>, event: &'a str) -> Self {
        Self { id: attempt.execution_id, at: None, event, attempt: attempt.number, supervisor, detail: None }
    }

    pub(crate) fn at(self, at: Timestamp) -> Self {
        Self { at: Some(at), ..self }
    }

    pub(crate) fn with(self, detail: Option<&'a RawValue>) -> Self {
        Self { detail: detail.map(storable_json), ..self }
    }
}

/// A write to state.
#[derive(Serialize)]
pub(crate) struct StateRow<'a> {
    pub(crate) organization_id: Option<Uuid>,
    pub(crate) key: &'a str,
    pub(crate) value: Option<&'a str>,
    pub(crate) updated_by: Uuid,
}

fn required_micros<S: Serializer>(at: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_i64(at.as_microsecond())
}

fn optional_micros<S: Serializer>(at: &Option<Timestamp>, serializer: S) -> Result<S::Ok, S::Error> {
    match at {
        Some(at) => required_micros(at, serializer),
        None => serializer.serialize_none(),
    }
}
