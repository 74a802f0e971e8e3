//! What a trace of an execution is made of: its row without its payloads, and all that happened to it. It is read when it
//! is over, so what a supervisor that died had done of it is there too.

use std::fmt::Debug;

use async_trait::async_trait;
use jiff::Timestamp;
use muster_core::execution::Status;
use serde::Deserialize;
use serde_json::value::RawValue;
use uuid::Uuid;

use crate::finalized_event::unfolded;
use crate::{EventRow, Result};

/// An execution as a trace shows it.
#[derive(Clone, Debug)]
pub struct TracedExecution {
    /// Its id, the same in every attempt.
    pub id: Uuid,
    /// The workflow's name; `None` when only its id is known.
    pub workflow_name: Option<String>,
    /// The organization it runs for; `None` is the global scope.
    pub organization_id: Option<Uuid>,
    /// The queue it waited in.
    pub queue: Option<String>,
    /// What it has come to.
    pub status: Status,
    /// The type of its failure; `None` when it did not fail.
    pub error_type: Option<String>,
    /// What a person should read about the failure.
    pub error_message: Option<String>,
    /// The execution that this one repeats.
    pub retry_of: Option<Uuid>,
    /// The W3C trace context that whoever submitted it gave.
    pub traceparent: Option<String>,
    /// When the row was made.
    pub created_at: Timestamp,
    /// When the message that brought it was published; `None` where no message did, or one without a timestamp.
    pub published_at: Option<Timestamp>,
    /// When it came to its outcome; `None` before that.
    pub completed_at: Option<Timestamp>,
    /// All that happened to it, in order.
    pub events: Vec<EventRow>,
}

/// Reads executions for traces.
#[async_trait]
pub trait TraceStore: Debug + Send + Sync + 'static {
    /// These executions, in no order; those that are not there are left out.
    async fn traced(&self, ids: &[Uuid]) -> Result<Vec<TracedExecution>>;
}

/// An event as the statements put it into one column with the others of its execution.
#[derive(Deserialize)]
struct EventInColumn {
    at_us: i64,
    event: String,
    attempt: u32,
    supervisor: Option<Uuid>,
    detail: Option<Box<RawValue>>,
}

/// The events of one execution, from the column that holds all of them; `None` when it is not what the statements make.
pub(crate) fn events_of_column(text: Option<&str>) -> Option<Vec<EventRow>> {
    let Some(text) = text else { return Some(Vec::new()) };
    let events: Vec<EventInColumn> = serde_json::from_str(text).ok()?;
    let event = |event: EventInColumn| {
        Some(EventRow {
            at: Timestamp::from_microsecond(event.at_us).ok()?,
            event: event.event,
            attempt: event.attempt,
            supervisor: event.supervisor,
            detail: event.detail,
        })
    };
    events.into_iter().map(event).collect::<Option<_>>().map(unfolded)
}
