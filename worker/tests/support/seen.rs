//! What a run said, as tests look at it.

use std::time::Duration;

use muster_protocol::{ErrorInfo, LogRecord, RunOutcome};
use serde_json::Value;

/// Everything a run said.
#[derive(Debug)]
pub struct Seen {
    pub outcome: RunOutcome,
    pub logs: Vec<LogRecord>,
    pub log_frames: usize,
    pub progress: Vec<(u64, u64, String)>,
    pub claimed_log_records: u64,
    pub started: bool,
    pub recycle: bool,
    pub took: Duration,
}

impl Seen {
    /// The result as it was written.
    pub fn text(&self) -> &str {
        match &self.outcome {
            RunOutcome::Succeeded { result } => std::str::from_utf8(&result.0).unwrap(),
            other => panic!("not a success: {other:?}\n{:?}", self.logs),
        }
    }

    pub fn result(&self) -> Value {
        match &self.outcome {
            RunOutcome::Succeeded { result } => serde_json::from_slice(&result.0).unwrap(),
            other => panic!("not a success: {other:?}\n{:?}", self.logs),
        }
    }

    pub fn error(&self) -> &ErrorInfo {
        match &self.outcome {
            RunOutcome::Failed { error } => error,
            other => panic!("not a failure: {other:?}"),
        }
    }

    pub fn rejected(&self) -> &str {
        match &self.outcome {
            RunOutcome::Rejected { reason } => reason,
            other => panic!("not rejected: {other:?}"),
        }
    }

    pub fn cancelled(&self) -> &str {
        match &self.outcome {
            RunOutcome::Cancelled { message } => message,
            other => panic!("not cancelled: {other:?}"),
        }
    }

    pub fn messages(&self) -> Vec<&str> {
        self.logs.iter().map(|record| record.message.as_str()).collect()
    }
}
