//! What is told, and recorded, of a line that a batch gives up. Pure: it says what happened to the line so far, and why
//! nothing more does.

use muster_protocol::error_type;
use muster_store::{Disposition, ExecutionFailure, ExecutionOutcome, Finalization, NewExecution};

use super::outcome::ResultLine;

/// Why a batch starts nothing more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Abandoned {
    /// A line failed, and the batch does not go on after that.
    Failure,
    /// A signal ended it.
    Interrupted,
}

impl Abandoned {
    /// Why what had not begun was not run.
    fn before_it_ran(self) -> &'static str {
        match self {
            Self::Failure => "an execution before it failed",
            Self::Interrupted => "the batch was interrupted",
        }
    }

    /// Why what had begun was not tried again.
    fn after_it_ran(self) -> &'static str {
        match self {
            Self::Failure => "another execution failed",
            Self::Interrupted => "the batch was interrupted",
        }
    }
}

/// How far a line has come that has not ended.
#[derive(Debug)]
pub(super) enum LineState {
    /// The store was not asked for it, so there is no row of it.
    Unclaimed,
    /// It has a row, and its code was never entered.
    Claimed,
    /// The last attempt that ran failed, and another one is to follow.
    Failed(LastAttempt, ExecutionFailure),
    /// The last attempt that ran was stopped before it was over.
    Stopped(LastAttempt),
}

/// The last attempt at a line that came to something.
#[derive(Clone, Copy, Debug)]
pub(super) struct LastAttempt {
    number: u32,
    duration_ms: Option<u64>,
}

impl LineState {
    /// After an attempt that has not ended the line: its row waits for the next one.
    pub(super) fn after(self, finalization: &Finalization) -> Self {
        let last = LastAttempt { number: finalization.attempt.number, duration_ms: finalization.duration_ms };
        match &finalization.disposition {
            Disposition::Retry { failure, .. } | Disposition::UnknownHere { failure, .. } => {
                Self::Failed(last, failure.clone())
            }
            Disposition::Release { .. } if finalization.started_at.is_some() => Self::Stopped(last),
            // An attempt that never started changes nothing of what is known.
            Disposition::Release { .. } | Disposition::Terminal(_) => self.claimed(),
        }
    }

    /// After the store was asked for it.
    pub(super) fn claimed(self) -> Self {
        match self {
            Self::Unclaimed => Self::Claimed,
            Self::Claimed | Self::Failed(..) | Self::Stopped(_) => self,
        }
    }

    /// What becomes of the line when it is given up.
    pub(super) fn give_up(self, why: Abandoned) -> GivenUp {
        let cancelled =
            |message| ExecutionOutcome::Cancelled(ExecutionFailure::new(error_type::CANCELLED, message));
        let has_row = !matches!(self, Self::Unclaimed);
        let (last, outcome) = match self {
            Self::Unclaimed | Self::Claimed => (None, cancelled(format!("not run: {}", why.before_it_ran()))),
            Self::Failed(last, failure) => {
                let message = format!("{} (not tried again: {})", failure.message, why.after_it_ran());
                (Some(last), ExecutionOutcome::Failed(ExecutionFailure { message, ..failure }))
            }
            Self::Stopped(last) => {
                let message = format!("stopped in attempt {}: {}", last.number, why.after_it_ran());
                (Some(last), cancelled(message))
            }
        };
        GivenUp { last, outcome, has_row }
    }
}

/// What becomes of a line that is given up.
#[derive(Debug)]
pub(super) struct GivenUp {
    last: Option<LastAttempt>,
    /// The end of its row.
    pub(super) outcome: ExecutionOutcome,
    /// True when there is a row of it, which is to end with it.
    pub(super) has_row: bool,
}

impl GivenUp {
    /// What is told of it.
    pub(super) fn line(&self, execution: &NewExecution) -> ResultLine {
        let failure = self.outcome.failure().cloned().unwrap_or_default();
        let workflow = execution.workflow_name.clone().unwrap_or_default();
        let line = ResultLine::never_ran(execution.id, workflow, self.outcome.status(), failure);
        ResultLine {
            attempt: self.last.map_or(0, |last| last.number),
            duration_ms: self.last.and_then(|last| last.duration_ms),
            ..line
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use jiff::Timestamp;
    use muster_core::execution::Attempt;
    use serde_json::json;
    use uuid::Uuid;

    use super::*;

    fn ended(number: u32, started: bool, disposition: Disposition) -> Finalization {
        let bare = Finalization::bare(Attempt::new(Uuid::nil(), number), Uuid::nil(), disposition);
        Finalization {
            started_at: started.then_some(Timestamp::UNIX_EPOCH),
            duration_ms: started.then_some(7),
            ..bare
        }
    }

    fn failed(number: u32) -> Finalization {
        let failure = ExecutionFailure::new("RangeError", "out of it");
        ended(number, true, Disposition::Retry { failure, delay: Duration::ZERO, max_attempts: 3 })
    }

    fn released(number: u32, started: bool) -> Finalization {
        let reason = "the supervisor is shutting down".to_owned();
        ended(number, started, Disposition::Release { reason, delay: Duration::ZERO, charged: false })
    }

    /// Status, type, message, attempt, duration, and whether its row is to end.
    fn told(state: LineState, why: Abandoned) -> String {
        let execution: NewExecution = serde_json::from_value(json!({
            "id": Uuid::nil(), "request": { "workflow": "a" }, "max_attempts": 3, "priority": 5,
        }))
        .unwrap();
        let given_up = state.give_up(why);
        let line = given_up.line(&execution);
        let (kind, message) = (line.error_type.unwrap(), line.error_message.unwrap());
        let (attempt, duration, row) = (line.attempt, line.duration_ms, given_up.has_row);
        format!("{} {kind}: {message}; attempt {attempt}, {duration:?}, row {row}", line.status)
    }

    #[test]
    fn what_never_started_was_not_run_and_has_a_row_once_it_was_claimed() {
        assert_eq!(
            told(LineState::Unclaimed, Abandoned::Failure),
            "CANCELLED CancelledError: not run: an execution before it failed; attempt 0, None, row false"
        );
        let released = LineState::Unclaimed.claimed().after(&released(1, false));
        assert_eq!(
            told(released, Abandoned::Interrupted),
            "CANCELLED CancelledError: not run: the batch was interrupted; attempt 0, None, row true"
        );
    }

    #[test]
    fn what_ran_says_in_which_attempt_it_was_stopped() {
        let stopped = LineState::Claimed.after(&failed(1)).after(&released(2, true));
        assert_eq!(
            told(stopped, Abandoned::Interrupted),
            "CANCELLED CancelledError: stopped in attempt 2: the batch was interrupted; attempt 2, Some(7), row true"
        );
    }

    #[test]
    fn what_failed_and_waits_for_its_next_attempt_has_its_own_failure() {
        let expected = "FAILED RangeError: out of it (not tried again: another execution failed); attempt 1, Some(7), row true";
        assert_eq!(told(LineState::Claimed.after(&failed(1)), Abandoned::Failure), expected);
        // Its second attempt was claimed, and came back before it began.
        let waited = LineState::Claimed.after(&failed(1)).claimed().after(&released(2, false));
        assert_eq!(told(waited, Abandoned::Failure), expected);
    }
}
