//! One result line, and who takes it.

use muster_core::execution::Status;
use muster_core::json;
use muster_protocol::error_type;
use muster_store::{
    Disposition, ExecutionFailure, ExecutionOutcome, ExecutionRecord, Finalization, NewExecution,
};
use serde::Serialize;
use serde_json::value::RawValue;
use uuid::Uuid;

use super::input::BadLine;

/// What became of one line of the input. Fields that do not apply are null, so every line has all of them.
#[derive(Clone, Debug, Serialize)]
pub struct ResultLine {
    /// Null when the line gave none and could not be run.
    pub execution_id: Option<Uuid>,
    /// The workflow that was to run; `None` when the line names none.
    pub workflow: Option<String>,
    /// The terminal state that the execution came to.
    pub status: Status,
    /// What the function returned, JSON text; `None` without a success.
    pub result: Option<Box<RawValue>>,
    /// The type of the failure; `None` after a success.
    pub error_type: Option<String>,
    /// What a person should read about the failure; `None` after a success.
    pub error_message: Option<String>,
    /// Started read to the end; null without Started.
    pub duration_ms: Option<u64>,
    /// The number of the last attempt; 0 when it never ran.
    pub attempt: u32,
}

impl ResultLine {
    /// A line that could not be run.
    pub fn bad(line: BadLine) -> Self {
        let failure = ExecutionFailure::new(error_type::INVALID_REQUEST, line.message);
        Self {
            execution_id: line.execution_id,
            workflow: line.workflow,
            ..Self::unrun(Status::Failed, failure)
        }
    }

    /// A line that was not run any more.
    pub fn never_ran(
        execution_id: Uuid,
        workflow: String,
        status: Status,
        failure: ExecutionFailure,
    ) -> Self {
        Self { execution_id: Some(execution_id), workflow: Some(workflow), ..Self::unrun(status, failure) }
    }

    /// Makes the result of a line that ran.
    pub fn finished(
        finalization: Finalization,
        status: Status,
        error_type: Option<String>,
        execution: &NewExecution,
    ) -> Self {
        let (result, message) = match finalization.disposition {
            Disposition::Terminal(ExecutionOutcome::Success { result }) if status == Status::Success => {
                (Some(result), None)
            }
            Disposition::Terminal(outcome) => {
                (None, outcome.failure().map(|failure| failure.message.clone()))
            }
            Disposition::Retry { failure, .. } | Disposition::UnknownHere { failure, .. } => {
                (None, Some(failure.message))
            }
            Disposition::Release { reason, .. } => (None, Some(reason)),
        };
        Self {
            execution_id: Some(execution.id),
            workflow: execution.workflow_name.clone(),
            status,
            result,
            error_message: message.or_else(|| error_type.clone()),
            error_type,
            duration_ms: finalization.duration_ms,
            attempt: finalization.attempt.number,
        }
    }

    /// About so much memory it takes.
    pub fn bytes(&self) -> usize {
        let text = |text: &Option<String>| text.as_ref().map_or(0, String::len);
        let result = self.result.as_ref().map_or(0, |result| result.get().len());
        size_of::<Self>() + result + text(&self.workflow) + text(&self.error_type) + text(&self.error_message)
    }

    fn unrun(status: Status, failure: ExecutionFailure) -> Self {
        Self {
            execution_id: None,
            workflow: None,
            status,
            result: None,
            error_type: Some(failure.error_type),
            error_message: Some(failure.message),
            duration_ms: None,
            attempt: 0,
        }
    }

    /// The line as JSON, with its line end.
    ///
    /// # Errors
    /// Never for the values there are; the caller need not believe that.
    pub fn to_json_line(&self) -> serde_json::Result<String> {
        // A worker may send its result on several lines.
        serde_json::to_string(self).map(|line| json::one_line(&line).into_owned() + "\n")
    }
}

impl From<ExecutionRecord> for ResultLine {
    fn from(record: ExecutionRecord) -> Self {
        Self {
            execution_id: Some(record.id),
            workflow: record.workflow_name,
            status: record.status,
            result: record.result,
            error_type: record.error_type,
            error_message: record.error_message,
            duration_ms: record.duration_ms.and_then(|ms| u64::try_from(ms).ok()),
            attempt: record.attempt,
        }
    }
}

/// Takes the results of a batch, one by one.
pub trait ReportResults {
    /// Called once for each line, with its place in the input, in the order of the outcomes.
    fn take(&mut self, place: usize, result: ResultLine);

    /// Called when the run of a line has submitted so many executions. A batch runs none of them.
    fn submitted(&mut self, executions: usize);

    /// True while so much waits for a line that has not ended that no more lines should be taken.
    fn is_full(&self) -> bool;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_result_of_several_lines_is_one_line() {
        let pretty = "{\r\n  \"a b\" : [ 1.50,\n -0.0 ]\n}";
        let mut line = ResultLine::unrun(Status::Success, ExecutionFailure::default());
        line.result = Some(RawValue::from_string(pretty.to_owned()).unwrap());
        let text = line.to_json_line().unwrap();
        assert!(text.contains(r#""result":{"a b":[1.50,-0.0]},"#), "{text}");
        assert_eq!(text.lines().count(), 1);
        assert!(!text.contains('\r'));
    }

    #[test]
    fn a_line_has_every_field_in_the_order_of_the_contract() {
        let bad = BadLine {
            number: 3,
            execution_id: None,
            workflow: Some("report".into()),
            message: "line 3: invalid request: priority: must be a whole number from 0 to 9, not 12".into(),
        };
        insta::assert_snapshot!(ResultLine::bad(bad).to_json_line().unwrap(), @r#"{"execution_id":null,"workflow":"report","status":"FAILED","result":null,"error_type":"InvalidRequest","error_message":"line 3: invalid request: priority: must be a whole number from 0 to 9, not 12","duration_ms":null,"attempt":0}"#);
        let cancelled = ExecutionFailure::new(error_type::CANCELLED, "an execution before it failed");
        let line = ResultLine::never_ran(Uuid::nil(), "report".into(), Status::Cancelled, cancelled);
        insta::assert_snapshot!(line.to_json_line().unwrap(), @r#"{"execution_id":"00000000-0000-0000-0000-000000000000","workflow":"report","status":"CANCELLED","result":null,"error_type":"CancelledError","error_message":"an execution before it failed","duration_ms":null,"attempt":0}"#);
    }
}
