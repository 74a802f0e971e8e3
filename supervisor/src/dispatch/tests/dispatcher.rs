//! From a claimed row to the executor, or to an outcome that no worker saw.

use std::sync::Arc;

use muster_core::execution::Status;
use muster_protocol::CancelReason;
use muster_store::{ClaimStore as _, ExecutionFailure, TakeOver};
use serde_json::json;

use super::line::PrepareRefused;
use super::{LineOptions, TestLine, eventually};
use crate::dispatch::{AfterFailure, IntakeClosed, PrepareError};

fn refusing(error: PrepareError, after_failure: AfterFailure) -> LineOptions {
    LineOptions { preparer: Some(Arc::new(PrepareRefused(error))), after_failure, ..LineOptions::default() }
}

fn refusal() -> PrepareError {
    PrepareError::Refused(ExecutionFailure::new("WorkflowNotFound", "there is none"))
}

#[tokio::test]
async fn what_can_never_run_fails_in_its_row_and_ends_a_batch_that_stops_at_failures() {
    let mut line = TestLine::with(refusing(refusal(), AfterFailure::GoOn)).await;
    let attempt = line.accept(&json!({})).await;
    let row = line.row_becomes(attempt.execution_id, Status::Failed).await;
    assert_eq!(row.error_type.as_deref(), Some("WorkflowNotFound"));
    eventually("its slot is free", async || line.slots.free() == 4 && line.in_flight.is_empty()).await;
    assert!(line.executor.is_idle());

    let mut line = TestLine::with(refusing(refusal(), AfterFailure::Halt)).await;
    line.accept(&json!({})).await;
    line.executor.halted().await;
}

#[tokio::test]
async fn what_cannot_be_prepared_now_goes_back_and_is_not_charged() {
    let error = PrepareError::Unavailable("away".to_owned());
    let line = TestLine::with(refusing(error, AfterFailure::GoOn)).await;
    let attempt = line.accept(&json!({})).await;
    let row = line.row_becomes(attempt.execution_id, Status::Pending).await;
    assert_eq!((row.attempt, row.attempts_charged), (1, 0));
    eventually("it is held no more", async || line.in_flight.is_empty()).await;
    assert_eq!(line.slots.closed(), [], "one failure is no outage");
}

#[tokio::test]
async fn the_intake_closes_while_nothing_can_be_prepared() {
    let error = PrepareError::Unavailable("away".to_owned());
    let line = TestLine::with(refusing(error, AfterFailure::GoOn)).await;
    for _ in 0..3 {
        line.accept(&json!({ "priority": 9 })).await;
    }
    eventually("it closes", async || line.slots.closed() == [IntakeClosed::PrewarmFails]).await;
}

#[tokio::test]
async fn a_cancel_reaches_an_attempt_before_and_after_it_is_handed_over() {
    let mut line = TestLine::start().await;
    let attempt = line.accept(&json!({})).await;
    line.dispatcher.cancel(attempt, CancelReason::User, "not any more");
    assert!(line.in_flight.is_preparing(), "the cancel comes before it is prepared");
    line.row_becomes(attempt.execution_id, Status::Cancelled).await;
    assert!(line.executor.is_idle());

    let attempt = line.accept(&json!({})).await;
    assert_eq!(line.executor.submitted().await.attempt, attempt);
    line.dispatcher.cancel(attempt, CancelReason::Timeout, "too late");
    assert_eq!(line.executor.cancelled().await, (attempt, CancelReason::Timeout));
}

#[tokio::test]
async fn more_claims_than_slots_are_left_to_their_lease() {
    let mut line = TestLine::start().await;
    for _ in 0..2 {
        line.submit(&json!({})).await;
    }
    let reservation = line.slots.reserve(1).await;
    let due = line.store.claim_due(&line.claimant, 2, TakeOver::Nothing).await.unwrap();
    assert_eq!(due.claimed.len(), 2);
    line.dispatcher.accept(due.claimed, reservation);
    line.executor.submitted().await;
    assert_eq!((line.in_flight.len(), line.slots.free()), (1, 3));
    assert!(line.executor.is_idle());
}
