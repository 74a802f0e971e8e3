//! The decisions of the store, without a database: what becomes of a row that would go back, and whose a row
//! is that did not match the fence.

use std::borrow::{Borrow, Cow};
use std::collections::BTreeMap;
use std::time::Duration;

use muster_core::execution::{Attempt, Status};
use muster_protocol::error_type;
use uuid::Uuid;

use super::finalization::{
    Disposition, ExecutionFailure, ExecutionOutcome, Finalization, FinalizeResult, StateWrite,
};
use super::finalized_event::finalized_detail;
use super::session::Candidate;
use super::text::storable;
use super::{UNCHARGED_RELEASES_MAX, UNKNOWN_RELEASES_MAX, claim::NewExecution};

/// What must be known of a locked row to decide whether it goes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct AttemptBudget {
    /// The attempt that ends.
    pub(crate) attempt: u32,
    /// How many count, this one included.
    pub(crate) attempts_charged: u32,
    /// How many may.
    pub(crate) max_attempts: u32,
    /// Somebody wants the execution to end.
    pub(crate) cancel_requested: bool,
}

/// What becomes of the row.
#[derive(Clone, Debug)]
pub(crate) enum SettledRow<'a> {
    /// It is over.
    Terminal(Cow<'a, ExecutionOutcome>),
    /// It waits again.
    Requeue {
        /// For how long at least.
        delay: Duration,
        /// The attempt that ends does not count.
        refund: bool,
        /// How many attempts the row allows from now on at least.
        max_attempts: u32,
        /// Another supervisor should have it next.
        elsewhere: bool,
        /// `retried` or `released`.
        event: &'static str,
        /// Why.
        reason: String,
    },
}

impl SettledRow<'_> {
    /// What the caller is told when it was written.
    pub(crate) fn verdict(&self) -> FinalizeResult {
        match self {
            Self::Terminal(outcome) => FinalizeResult::Finished {
                status: outcome.status(),
                error_type: outcome.failure().map(|failure| failure.error_type.clone()),
            },
            Self::Requeue { .. } => FinalizeResult::Requeued,
        }
    }

    /// True when a poll may find the row right now.
    pub(crate) fn waits_at_once(&self) -> bool {
        match self {
            Self::Terminal(_) => false,
            Self::Requeue { delay, .. } => delay.is_zero(),
        }
    }
}

/// Decides what becomes of the row. An outcome stands whatever the row says; what would go back needs the
/// budget of its locked row, and is `None` without one: the fence did not hold.
pub(crate) fn decide_row<'a>(
    disposition: &'a Disposition,
    budget: Option<&AttemptBudget>,
) -> Option<SettledRow<'a>> {
    let (failure, delay, charged, wanted, reason, event) = match disposition {
        Disposition::Terminal(outcome) => return Some(SettledRow::Terminal(Cow::Borrowed(outcome))),
        Disposition::Retry { failure, delay, max_attempts } => {
            let reason = format!("{}: {}", failure.error_type, failure.message);
            (Some(failure), *delay, true, *max_attempts, reason, "retried")
        }
        Disposition::Release { reason, delay, charged } => {
            (None, *delay, *charged, 0, reason.clone(), "released")
        }
        Disposition::UnknownHere { failure, delay } => {
            let reason = format!("{}: {}", failure.error_type, failure.message);
            (Some(failure), *delay, false, 0, reason, "released")
        }
    };
    let elsewhere = matches!(disposition, Disposition::UnknownHere { .. });
    let uncharged_max = if elsewhere { UNKNOWN_RELEASES_MAX } else { UNCHARGED_RELEASES_MAX };
    let budget = budget?;
    let max_attempts = budget.max_attempts.max(wanted);
    let uncharged_before = budget.attempt.saturating_sub(budget.attempts_charged);
    let refund = !charged && uncharged_before < uncharged_max;
    let outcome = if budget.cancel_requested {
        ExecutionOutcome::Cancelled(cancelled())
    } else if refund || (!elsewhere && budget.attempts_charged < max_attempts) {
        return Some(SettledRow::Requeue { delay, refund, max_attempts, elsewhere, event, reason });
    } else {
        ExecutionOutcome::Failed(failure.cloned().unwrap_or_else(|| exhausted_failure(max_attempts, &reason)))
    };
    Some(SettledRow::Terminal(Cow::Owned(outcome)))
}

/// What becomes of a row that nobody runs any more and a poll could claim: `None` means claim it.
pub(crate) fn end_instead_of_claim(candidate: &Candidate) -> Option<ExecutionOutcome> {
    let budget = candidate.budget;
    if budget.cancel_requested {
        return Some(ExecutionOutcome::Cancelled(cancelled()));
    }
    if candidate.is_expired {
        let message = "it had not started by the moment it was to start by";
        return Some(ExecutionOutcome::Cancelled(ExecutionFailure::new(error_type::EXPIRED, message)));
    }
    (budget.attempts_charged >= budget.max_attempts).then(|| {
        ExecutionOutcome::Failed(exhausted_failure(budget.max_attempts, "its supervisor died or was cut off"))
    })
}

/// The failure of everything that was cancelled where no worker said more.
pub(crate) fn cancelled() -> ExecutionFailure {
    ExecutionFailure::new("CancelledError", "cancelled on request")
}

fn exhausted_failure(max_attempts: u32, reason: &str) -> ExecutionFailure {
    let attempts = if max_attempts == 1 { "the only attempt" } else { "the last attempt allowed" };
    ExecutionFailure::new("SupervisorLost", format!("{attempts} was lost: {reason}"))
}

/// A row as it was found after a fenced write passed it by.
#[derive(Clone, Debug)]
pub(crate) struct FoundRow {
    /// The last attempt at it.
    pub(crate) attempt: Attempt,
    /// Who claimed that.
    pub(crate) owner: Option<Uuid>,
    /// Where it is.
    pub(crate) status: Status,
    /// How it failed.
    pub(crate) error_type: Option<String>,
}

/// Whose a row is that a fenced write did not match: an earlier write of ours may have ended the attempt.
/// `None` means it is still running, and ours.
pub(crate) fn current_state(
    attempt: Attempt,
    owner: Uuid,
    found: Option<&FoundRow>,
) -> Option<FinalizeResult> {
    let Some(found) = found.filter(|found| found.attempt == attempt) else {
        return Some(FinalizeResult::Superseded);
    };
    let ours = found.owner == Some(owner);
    match found.status {
        Status::Running if ours => None,
        // Only its owner can have sent an attempt back.
        Status::Pending => Some(FinalizeResult::Requeued),
        Status::Success | Status::Failed | Status::Timeout | Status::Cancelled if ours => {
            Some(FinalizeResult::Finished { status: found.status, error_type: found.error_type.clone() })
        }
        Status::Running | Status::Success | Status::Failed | Status::Timeout | Status::Cancelled => {
            Some(FinalizeResult::Superseded)
        }
    }
}

/// The event that closes an attempt, with its detail.
pub(crate) fn closing_event(settled: &SettledRow<'_>) -> (&'static str, Cow<'static, str>) {
    match settled {
        SettledRow::Terminal(outcome) => ("finalized", finalized_detail(outcome)),
        SettledRow::Requeue { delay, refund, event, reason, max_attempts: _, elsewhere: _ } => {
            let delay_ms = u64::try_from(delay.as_millis()).unwrap_or(u64::MAX);
            let reason = storable(reason);
            let detail = serde_json::json!({ "reason": reason, "delay_ms": delay_ms, "charged": !refund });
            (event, detail.to_string().into())
        }
    }
}

/// What remains of the writes to state of several executions: the last one to each key, with who made it.
/// In the order of the keys, so that transactions lock rows in one order.
pub(crate) fn last_writes<'a>(
    ended: &[&'a Finalization],
) -> BTreeMap<(Option<Uuid>, &'a str), (&'a StateWrite, Uuid)> {
    let writes = ended.iter().flat_map(|finalization| {
        finalization.changes.iter().map(|change| {
            let key = (change.organization_id, change.key.as_str());
            (key, (&change.write, finalization.attempt.execution_id))
        })
    });
    writes.collect()
}

/// Sorted by id and without repetitions, so that statements lock rows in one order.
pub(crate) fn distinct<T: Borrow<NewExecution>>(executions: &[T]) -> Vec<&T> {
    let id = |execution: &&T| <T as Borrow<NewExecution>>::borrow(execution).id;
    let mut sorted: Vec<&T> = executions.iter().collect();
    sorted.sort_by_key(id);
    sorted.dedup_by_key(|execution| id(execution));
    sorted
}

#[cfg(test)]
mod tests {
    use super::*;

    fn budget(attempt: u32, attempts_charged: u32, max_attempts: u32) -> AttemptBudget {
        AttemptBudget { attempt, attempts_charged, max_attempts, cancel_requested: false }
    }

    fn release(charged: bool) -> Disposition {
        Disposition::Release { reason: "drained".to_owned(), delay: Duration::ZERO, charged }
    }

    fn refunds(disposition: &Disposition, budget: AttemptBudget) -> Option<bool> {
        match decide_row(disposition, Some(&budget)).unwrap() {
            SettledRow::Requeue { refund, .. } => Some(refund),
            SettledRow::Terminal(_) => None,
        }
    }

    #[test]
    fn ten_releases_are_not_charged_and_the_eleventh_is() {
        let mut charged = 1;
        for attempt in 1..=10 {
            assert_eq!(
                refunds(&release(false), budget(attempt, charged, 3)),
                Some(true),
                "release {attempt}"
            );
            charged = charged - 1 + 1; // The refund, then the next claim.
        }
        assert_eq!(refunds(&release(false), budget(11, charged, 3)), Some(false));
    }

    #[test]
    fn what_nobody_knows_goes_back_five_times_and_is_then_the_verdict() {
        let failure = ExecutionFailure::new(error_type::WORKFLOW_NOT_FOUND, "no such workflow");
        let unknown = Disposition::UnknownHere { failure, delay: Duration::from_secs(1) };
        for attempt in 1..=5 {
            let settled = decide_row(&unknown, Some(&budget(attempt, 1, 1))).unwrap();
            assert!(
                matches!(
                    settled,
                    SettledRow::Requeue { refund: true, elsewhere: true, event: "released", .. }
                ),
                "attempt {attempt}: {settled:?}"
            );
        }
        // Attempts that are left are for what can be run.
        let settled = decide_row(&unknown, Some(&budget(6, 1, 3))).unwrap();
        let SettledRow::Terminal(outcome) = &settled else { panic!("{settled:?}") };
        assert_eq!(outcome.failure().unwrap().error_type, error_type::WORKFLOW_NOT_FOUND);
        let asked = AttemptBudget { cancel_requested: true, ..budget(1, 1, 3) };
        let settled = decide_row(&unknown, Some(&asked)).unwrap();
        assert!(matches!(&settled, SettledRow::Terminal(outcome) if outcome.status() == Status::Cancelled));
    }

    #[test]
    fn a_charged_release_of_the_last_attempt_is_lost() {
        assert_eq!(refunds(&release(true), budget(2, 2, 3)), Some(false));
        assert_eq!(refunds(&release(true), budget(3, 3, 3)), None);
        assert_eq!(refunds(&release(false), budget(3, 3, 3)), Some(true), "an uncharged one goes back");
    }

    #[test]
    fn a_cancel_request_wins_over_going_back_and_not_over_an_outcome() {
        let asked = AttemptBudget { cancel_requested: true, ..budget(1, 1, 3) };
        let release = release(false);
        let settled = decide_row(&release, Some(&asked)).unwrap();
        assert!(
            matches!(&settled, SettledRow::Terminal(outcome) if outcome.status() == Status::Cancelled),
            "{settled:?}"
        );
        let success = Disposition::Terminal(ExecutionOutcome::Success {
            result: serde_json::value::RawValue::NULL.to_owned(),
        });
        let settled = decide_row(&success, Some(&asked)).unwrap();
        assert!(
            matches!(&settled, SettledRow::Terminal(outcome) if outcome.status() == Status::Success),
            "{settled:?}"
        );
    }
}
