//! The fields of a row that the command line shows.

use std::time::Duration;

use jiff::Timestamp;
use muster_core::execution::Status;
use muster_core::fleet::SupervisorRecord;
use serde::Deserialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;
use uuid::Uuid;

/// Below this a run's time is what its worker measured.
const MEASURED_BELOW: Duration = Duration::from_millis(10);

/// A row, as far as it is shown. Values of users stay JSON text.
#[derive(Clone, Debug, Deserialize, ToSchema)]
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
    #[schema(value_type = Value, required = false)]
    pub parameters: Option<Box<RawValue>>,
    /// What the function returned, JSON text; `None` without a success.
    #[schema(value_type = Value, required = false)]
    pub result: Option<Box<RawValue>>,
    /// The type of the failure; `None` when it did not fail.
    pub error_type: Option<String>,
    /// What a person should read about the failure; `None` when it did not fail.
    pub error_message: Option<String>,
    /// Where the failure happened; `None` when the worker told no stack.
    #[schema(nullable = false)]
    pub error_stack: Option<String>,
    /// What the worker of the last attempt died of, if it died with the run in hand.
    #[schema(value_type = Option<muster_core::execution::EndCauseFields>)]
    pub end_cause: Option<Box<RawValue>>,
    /// The time from Started to Finished; `None` before its end and without Started.
    pub duration_ms: Option<i64>,
    /// What the worker measured; `None` when nothing was measured.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    pub metrics: Option<MeasuredRun>,
    /// The number of the last attempt.
    pub attempt: u32,
    /// How many attempts may be charged.
    pub max_attempts: u32,
    /// The execution that this one repeats; `None` when it repeats none.
    pub retry_of: Option<Uuid>,
    /// The queue it waits in; `None` of what an earlier version wrote.
    #[serde(default)]
    pub queue: Option<String>,
    /// What keeps it out of the claim: a limit, or a pause.
    #[serde(default)]
    pub waits_for: Option<String>,
    /// The moment before which it may not be claimed.
    pub run_after: Timestamp,
    /// From when on it is cancelled if no attempt was made.
    #[serde(default)]
    pub expires_at: Option<Timestamp>,
    /// When somebody asked for a cancel.
    pub cancel_requested_at: Option<Timestamp>,
    /// When the message that brought it was published, where that says so.
    #[serde(default)]
    pub published_at: Option<Timestamp>,
    /// When the execution was asked for.
    pub created_at: Timestamp,
    /// When user code was entered; `None` before that.
    pub started_at: Option<Timestamp>,
    /// When the execution came to its outcome; `None` before that.
    pub completed_at: Option<Timestamp>,
}

/// What a worker measured of a run.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct MeasuredRun {
    /// The time it took, in microseconds.
    #[serde(default)]
    pub wall_us: Option<u64>,
}

impl Execution {
    /// How long it took: by the worker's clock, where whole milliseconds would say little.
    pub fn took(&self) -> Option<Duration> {
        let seen = Duration::from_millis(u64::try_from(self.duration_ms?).ok()?);
        let measured = self.metrics.and_then(|metrics| metrics.wall_us).map(Duration::from_micros);
        Some(measured.filter(|measured| seen.max(*measured) < MEASURED_BELOW).unwrap_or(seen))
    }
}

/// A page of a list of executions.
#[derive(Clone, Debug, Deserialize, ToSchema)]
pub struct Executions {
    /// The executions of the page, the newest first.
    pub executions: Vec<Execution>,
    /// The cursor of the next page; `None` on the last one.
    pub next_cursor: Option<String>,
}

/// A step in the life of an execution.
#[derive(Clone, Debug, Deserialize, ToSchema)]
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
    #[schema(value_type = Option<Object>)]
    pub detail: Option<Box<RawValue>>,
}

/// All steps in the life of an execution.
#[derive(Clone, Debug, Deserialize, ToSchema)]
pub struct ExecutionEvents {
    /// The events, the oldest first.
    pub events: Vec<ExecutionEvent>,
    /// The supervisors that the events name, as far as they are known.
    #[serde(default)]
    pub supervisors: Vec<SupervisorRecord>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_run_took_what_its_worker_measured() {
        let row = |duration_ms: &str, wall_us: &str| {
            let moment = "2026-01-01T00:00:00Z";
            let text = format!(
                r#"{{"execution_id": "{}", "status": "SUCCESS", "duration_ms": {duration_ms}, "metrics": {{"wall_us": {wall_us}, "cpu_user_us": 1}},
                    "attempt": 1, "max_attempts": 1, "run_after": "{moment}", "created_at": "{moment}"}}"#,
                Uuid::nil()
            );
            serde_json::from_str::<Execution>(&text).unwrap().took()
        };
        assert_eq!(row("0", "391"), Some(Duration::from_micros(391)));
        assert_eq!(row("9", "null"), Some(Duration::from_millis(9)));
        assert_eq!(row("1250", "9"), Some(Duration::from_millis(1250)), "a worker may say what it likes");
        assert_eq!(row("3", "999999999"), Some(Duration::from_millis(3)), "a worker may say what it likes");
        assert_eq!(row("null", "9"), None);
    }
}
