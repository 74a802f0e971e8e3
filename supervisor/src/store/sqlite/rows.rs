//! What goes into the statements: each takes its rows as one JSON array, so a statement is prepared once
//! whatever the number of rows. And what comes out of them.

use std::borrow::Cow;

use serde::Serialize;
use sqlx::sqlite::SqliteRow;
use uuid::Uuid;

use crate::store::decide::{Budget, Found};
use crate::store::text::storable;
use crate::store::{Failure, NewExecution, Result, StoreError};

pub(super) mod record {
    //! Rows as records.
    crate::store::columns::record_readers!(SqliteRow);

    use super::SqliteRow;
}

/// The parameter that holds several rows.
pub(super) fn array<T: Serialize>(rows: &[T]) -> Result<String> {
    serde_json::to_string(rows).map_err(|error| StoreError::Failed {
        backend: super::BACKEND,
        message: format!("rows could not be written as JSON: {error}"),
    })
}

/// A duration as the database counts it.
pub(super) fn micros(duration: std::time::Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX / 4).min(i64::MAX / 4)
}

/// A new execution.
#[derive(Serialize)]
pub(super) struct NewRow<'a> {
    id: Uuid,
    workflow_id: Option<Uuid>,
    workflow_name: Option<&'a str>,
    organization_id: Option<Uuid>,
    caller: Option<&'a str>,
    request: &'a str,
    max_attempts: u32,
    timeout_seconds: Option<f64>,
    priority: u8,
    retry_of: Option<Uuid>,
    delay_us: i64,
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
            max_attempts: execution.max_attempts.max(1),
            timeout_seconds: execution.timeout_seconds,
            priority: execution.priority.min(9),
            retry_of: execution.retry_of,
            delay_us: micros(execution.delay),
        }
    }
}

/// An attempt and the one it belongs to.
#[derive(Serialize)]
pub(super) struct Fence {
    pub(super) id: Uuid,
    pub(super) attempt: u32,
    pub(super) owner: Uuid,
}

/// A row that a poll ends.
#[derive(Serialize)]
pub(super) struct EndedRow<'a> {
    pub(super) id: Uuid,
    pub(super) status: &'static str,
    pub(super) error_type: Option<&'a str>,
    pub(super) error_message: Option<&'a str>,
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
    pub(super) started_at: Option<i64>,
    pub(super) completed_at: i64,
}

/// The three columns of a failure.
#[derive(Default, Serialize)]
pub(super) struct FailureColumns<'a> {
    error_type: Option<Cow<'a, str>>,
    error_message: Option<Cow<'a, str>>,
    error_stack: Option<Cow<'a, str>>,
}

impl<'a> FailureColumns<'a> {
    pub(super) fn of(failure: Option<&'a Failure>) -> Self {
        failure.map_or_else(Self::default, |failure| Self {
            error_type: Some(storable(&failure.error_type)),
            error_message: Some(storable(&failure.message)),
            error_stack: failure.stack.as_deref().map(storable),
        })
    }
}

/// A row that goes back.
#[derive(Serialize)]
pub(super) struct BackRow {
    #[serde(flatten)]
    pub(super) fence: Fence,
    pub(super) refund: u8,
    pub(super) delay_us: i64,
}

/// A line of a log.
#[derive(Serialize)]
pub(super) struct LogParameter<'a> {
    pub(super) id: Uuid,
    pub(super) attempt: u32,
    pub(super) sequence: u64,
    pub(super) at: i64,
    pub(super) level: &'a str,
    pub(super) stream: &'static str,
    pub(super) logger: Cow<'a, str>,
    pub(super) message: Cow<'a, str>,
    pub(super) fields: Option<Cow<'a, str>>,
}

/// An event.
#[derive(Serialize)]
pub(super) struct EventParameter<'a> {
    pub(super) id: Uuid,
    pub(super) at: i64,
    pub(super) event: &'a str,
    pub(super) attempt: u32,
    pub(super) supervisor: Option<Uuid>,
    pub(super) detail: Option<Cow<'a, str>>,
}

/// A write to state.
#[derive(Serialize)]
pub(super) struct StateParameter<'a> {
    pub(super) organization_id: Option<Uuid>,
    pub(super) key: &'a str,
    pub(super) value: Option<&'a str>,
    pub(super) updated_by: Uuid,
}

/// A row that may be claimed or go back.
pub(super) fn budget(row: &SqliteRow) -> sqlx::Result<Budget> {
    use sqlx::Row;
    Ok(Budget {
        attempt: record::attempt(row)?.number,
        attempts_charged: row.try_get::<i32, _>("attempts_charged").map(crate::store::columns::unsigned)?,
        max_attempts: row.try_get::<i32, _>("max_attempts").map(crate::store::columns::unsigned)?,
        cancel_requested: row.try_get("cancel_requested")?,
    })
}

/// A row that a fenced write passed by.
pub(super) fn found(row: &SqliteRow) -> sqlx::Result<Found> {
    use sqlx::Row;
    Ok(Found {
        attempt: record::attempt(row)?,
        owner: record::id(row, "lease_owner")?,
        status: record::status(row)?,
        error_type: row.try_get("error_type")?,
    })
}
