//! Renewals: what they find out about attempts that are held, and about rows that nobody holds.

use std::sync::Arc;

use muster_core::execution::{Attempt, Status};
use muster_core::pool::WorkerId;
use muster_protocol::CancelReason;
use muster_store::{CancelResult, ClaimStore as _, QueueStore as _};
use serde_json::json;
use tokio_util::task::AbortOnDropHandle;

use super::{TestLine, eventually, request};
use crate::dispatch::leases::{record_starts_for_ever, renew_for_ever};
use crate::executor::{ExecutorEvent, unix_us};
use crate::liveness::Liveness;

fn renewing(line: &TestLine) -> AbortOnDropHandle<()> {
    let liveness = Arc::new(Liveness::new(line.claimant.lease));
    let renewing =
        renew_for_ever(Arc::clone(&line.dispatcher), line.store.clone(), line.claimant.clone(), liveness);
    AbortOnDropHandle::new(tokio::spawn(renewing))
}

#[tokio::test]
async fn a_lease_is_renewed_for_as_long_as_its_attempt_is_held() {
    let line = TestLine::start().await;
    let id = line.accept(&json!({})).await.execution_id;
    let claimed_until = line.row(id).await.lease_expires_at;
    let _renewing = renewing(&line);
    eventually("its lease is longer", async || line.row(id).await.lease_expires_at > claimed_until).await;
}

#[tokio::test]
async fn a_cancel_in_the_row_reaches_the_executor() {
    let mut line = TestLine::start().await;
    let attempt = line.accept(&json!({})).await;
    line.executor.submitted().await;
    let asked = line.store.request_cancel(attempt.execution_id).await.unwrap();
    assert_eq!(asked, CancelResult::Requested { attempt, owner: line.claimant.owner });
    let _renewing = renewing(&line);
    assert_eq!(line.executor.cancelled().await, (attempt, CancelReason::User));
}

#[tokio::test]
async fn an_attempt_that_somebody_took_over_is_ended_here() {
    let mut line = TestLine::start().await;
    let attempt = line.accept(&json!({})).await;
    line.executor.submitted().await;
    line.sql("UPDATE executions SET lease_owner = '00000000-0000-0000-0000-000000000002'").await;
    let _renewing = renewing(&line);
    assert_eq!(line.executor.cancelled().await, (attempt, CancelReason::LeaseLost));
}

#[tokio::test]
async fn a_claim_that_nobody_holds_goes_back_and_is_not_charged() {
    let line = TestLine::start().await;
    let execution = request(&json!({}));
    line.store.claim(&line.claimant, &[Arc::clone(&execution)]).await.unwrap();
    let _renewing = renewing(&line);
    let row = line.row_becomes(execution.id, Status::Pending).await;
    assert_eq!((row.attempt, row.attempts_charged), (1, 0));
}

#[tokio::test]
async fn only_of_a_run_that_lasts_the_start_is_recorded_while_it_runs() {
    let mut line = TestLine::start().await;
    let (short, lasting) = (line.accept(&json!({})).await, line.accept(&json!({})).await);
    for _ in 0..2 {
        line.executor.submitted().await;
    }
    let started = |attempt: Attempt, at_us| {
        line.executor.tell(ExecutorEvent::Started { attempt, worker: WorkerId(1), at_us });
    };
    let an_hour_ago_us = unix_us() - 3_600_000_000;
    started(short, unix_us() + 3_600_000_000);
    started(lasting, an_hour_ago_us);
    let recording =
        record_starts_for_ever(Arc::clone(&line.dispatcher), line.store.clone(), line.claimant.owner);
    let _recording = AbortOnDropHandle::new(tokio::spawn(recording));
    eventually("it is recorded", async || line.row(lasting.execution_id).await.started_at.is_some()).await;
    let row = line.row(lasting.execution_id).await;
    assert_eq!(row.started_at.map(jiff::Timestamp::as_microsecond), Some(an_hour_ago_us));
    assert_eq!(line.row(short.execution_id).await.started_at, None);
}
