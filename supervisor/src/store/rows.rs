//! What goes into the statements, the same for both databases: SQLite takes several rows as one JSON array,
//! PostgreSQL as one array per column. So a statement is prepared once, whatever the number of rows.

use std::borrow::Cow;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;
use uuid::Uuid;

use super::text::{storable, storable_json};
use super::{ExecutionFailure, Finalization, NewExecution};
use crate::execution::{Attempt, LogLine};

/// A duration as the databases count it, short enough to be added to any time.
pub(super) fn micros(duration: Duration) -> i64 {
    const CENTURY_US: i64 = 100 * 366 * 86_400 * 1_000_000;
    i64::try_from(duration.as_micros()).unwrap_or(CENTURY_US).min(CENTURY_US)
}

/// A new execution.
#[derive(Serialize)]
pub(super) struct NewRow<'a> {
    pub(super) id: Uuid,
    pub(super) workflow_id: Option<Uuid>,
    pub(super) workflow_name: Option<&'a str>,
    pub(super) organization_id: Option<Uuid>,
    pub(super) caller: Option<&'a str>,
    pub(super) request: &'a str,
    /// For a database that does not take them out of the request itself.
    pub(super) parameters: Cow<'a, str>,
    pub(super) max_attempts: u32,
    pub(super) timeout_seconds: Option<f64>,
    pub(super) priority: u8,
    pub(super) retry_of: Option<Uuid>,
    pub(super) delay_us: i64,
}

impl<'a> NewRow<'a> {
    pub(super) fn of(execution: &'a NewExecution) -> Self {
        Self {
            id: execution.id,
            workflow_id: execution.workflow_id,
            workflow_name: execution.workflow_name.as_deref(),
            organization_id: execution.organization_id,
            caller: execution.caller.as_ref().map(|caller| caller.get()),
            request: execution.request.get(),
            parameters: parts(&execution.request)
                .and_then(|parts| parts.parameters)
                .map_or(Cow::Borrowed("{}"), |parameters| parameters.get().into()),
            max_attempts: execution.max_attempts.max(1),
            timeout_seconds: execution.timeout_seconds,
            priority: execution.priority.min(9),
            retry_of: execution.retry_of,
            delay_us: micros(execution.delay),
        }
    }
}

/// What of a request is also in columns of its own, as it was written.
#[derive(Deserialize)]
pub(super) struct RequestParts<'a> {
    #[serde(borrow, default, deserialize_with = "present")]
    pub(super) parameters: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) caller: Option<&'a RawValue>,
}

/// Parameters may be `null` on purpose, so their `null` is a value.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}

/// The parts of a request; `None` for a text that is none, as a row may hold that somebody wrote by hand.
pub(super) fn parts(request: &RawValue) -> Option<RequestParts<'_>> {
    serde_json::from_str(request.get()).ok()
}

/// An attempt and who claimed it: what a fenced write must match.
#[derive(Clone, Copy, Serialize)]
pub(super) struct Fence {
    pub(super) id: Uuid,
    pub(super) attempt: u32,
    pub(super) owner: Uuid,
}

impl Fence {
    pub(super) fn of(finalization: &Finalization) -> Self {
        let Attempt { execution_id, number } = finalization.attempt;
        Self { id: execution_id, attempt: number, owner: finalization.owner }
    }
}

/// The three columns of a failure.
#[derive(Default, Serialize)]
pub(super) struct FailureColumns<'a> {
    pub(super) error_type: Option<Cow<'a, str>>,
    pub(super) error_message: Option<Cow<'a, str>>,
    pub(super) error_stack: Option<Cow<'a, str>>,
}

impl<'a> FailureColumns<'a> {
    pub(super) fn of(failure: Option<&'a ExecutionFailure>) -> Self {
        failure.map_or_else(Self::default, |failure| Self {
            error_type: Some(storable(&failure.error_type)),
            error_message: Some(storable(&failure.message)),
            error_stack: failure.stack.as_deref().map(storable),
        })
    }
}

/// A row that a poll found and ends instead of claiming it.
#[derive(Serialize)]
pub(super) struct EndedRow<'a> {
    pub(super) id: Uuid,
    pub(super) status: &'static str,
    #[serde(flatten)]
    pub(super) failure: FailureColumns<'a>,
}

/// The end of an attempt.
#[derive(Serialize)]
pub(super) struct EndingRow<'a> {
    #[serde(flatten)]
    pub(super) fence: Fence,
    pub(super) status: &'static str,
    pub(super) result: Option<&'a str>,
    #[serde(flatten)]
    pub(super) failure: FailureColumns<'a>,
    pub(super) duration_ms: Option<u64>,
    pub(super) metrics: Option<&'a str>,
    #[serde(serialize_with = "optional_micros")]
    pub(super) started_at: Option<Timestamp>,
    #[serde(serialize_with = "required_micros")]
    pub(super) completed_at: Timestamp,
}

/// A row that goes back.
#[derive(Serialize)]
pub(super) struct BackRow {
    #[serde(flatten)]
    pub(super) fence: Fence,
    pub(super) refund: u8,
    pub(super) max_attempts: u32,
    pub(super) delay_us: i64,
}

/// A line of a log.
#[derive(Serialize)]
pub(super) struct LogRowIn<'a> {
    pub(super) id: Uuid,
    pub(super) attempt: u32,
    pub(super) sequence: u64,
    #[serde(serialize_with = "required_micros")]
    pub(super) at: Timestamp,
    pub(super) level: &'a str,
    pub(super) stream: &'static str,
    pub(super) logger: Cow<'a, str>,
    pub(super) message: Cow<'a, str>,
    pub(super) fields: Option<Cow<'a, str>>,
}

impl<'a> LogRowIn<'a> {
    /// Whose it is.
    pub(super) fn fenced(&self) -> Attempt {
        Attempt::new(self.id, self.attempt)
    }

    pub(super) fn of(attempt: Attempt, line: &'a LogLine) -> Self {
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
pub(super) struct EventRowIn<'a> {
    pub(super) id: Uuid,
    #[serde(serialize_with = "optional_micros")]
    pub(super) at: Option<Timestamp>,
    pub(super) event: &'a str,
    pub(super) attempt: u32,
    pub(super) supervisor: Option<Uuid>,
    pub(super) detail: Option<Cow<'a, str>>,
}

impl<'a> EventRowIn<'a> {
    /// Whose it is.
    pub(super) fn fenced(&self) -> Attempt {
        Attempt::new(self.id, self.attempt)
    }

    pub(super) fn of(attempt: Attempt, supervisor: Option<Uuid>, event: &'a str) -> Self {
        Self { id: attempt.execution_id, at: None, event, attempt: attempt.number, supervisor, detail: None }
    }

    pub(super) fn at(self, at: Timestamp) -> Self {
        Self { at: Some(at), ..self }
    }

    pub(super) fn with(self, detail: Option<&'a RawValue>) -> Self {
        Self { detail: detail.map(storable_json), ..self }
    }
}

/// A write to state.
#[derive(Serialize)]
pub(super) struct StateRow<'a> {
    pub(super) organization_id: Option<Uuid>,
    pub(super) key: &'a str,
    pub(super) value: Option<&'a str>,
    pub(super) updated_by: Uuid,
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
