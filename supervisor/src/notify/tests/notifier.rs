//! What is told of committed outcomes, and what never is.

use std::time::Duration;

use muster_bus::Channel;
use muster_core::execution::{RunEnding, Status};
use muster_protocol::{ErrorInfo, JsonBytes};
use serde_json::json;

use crate::dispatch::IntakeClosed;
use crate::dispatch::tests::{TestLine, eventually, heard};
use crate::finalize::FinalizedSink as _;

#[tokio::test]
async fn an_outcome_is_told_after_its_commit_and_then_marked() {
    let mut line = TestLine::start().await;
    for sync in [false, true] {
        let attempt = line.accept(&json!({ "sync": sync })).await;
        let spec = line.executor.submitted().await;
        let mut watching = line.bus.watch(&[Channel::Executions]).await;
        line.executor.finish(spec, RunEnding::Failed { error: ErrorInfo::new("ValueError", "no") });
        let told = heard(&mut watching).await;
        assert_eq!(told["status"], "FAILED", "{told}");
        assert_eq!((&told["error_type"], &told["error_message"]), (&json!("ValueError"), &json!("no")));
        assert_eq!((&told["workflow"], &told["attempt"]), (&json!("w"), &json!(1)));
        assert_eq!(line.row(attempt.execution_id).await.status, Status::Failed, "it is in its row by then");
        line.notifier.finished().await;
        assert!(line.row(attempt.execution_id).await.notified_at.is_some());
    }
}

#[tokio::test]
async fn what_goes_back_is_told_as_pending_and_is_not_marked() {
    let mut line = TestLine::start().await;
    let attempt = line.accept(&json!({})).await;
    let spec = line.executor.submitted().await;
    let mut watching = line.bus.watch(&[Channel::Executions]).await;
    line.executor.finish(spec, RunEnding::Released { reason: "a drain".to_owned(), charged: false });
    let told = heard(&mut watching).await;
    assert_eq!((&told["status"], &told["workflow"]), (&json!("PENDING"), &json!("w")));
    line.notifier.finished().await;
    assert_eq!(line.row(attempt.execution_id).await.notified_at, None);
}

#[tokio::test]
async fn an_outcome_that_came_too_late_is_not_told() {
    let mut line = TestLine::start().await;
    let late = line.accept(&json!({})).await;
    let of_late = line.executor.submitted().await;
    line.sql("UPDATE executions SET lease_owner = '00000000-0000-0000-0000-000000000002'").await;
    let ours = line.accept(&json!({})).await;
    let of_ours = line.executor.submitted().await;
    let mut watching = line.bus.watch(&[Channel::Executions]).await;
    for spec in [of_late, of_ours] {
        line.executor.finish(spec, RunEnding::Succeeded { result: JsonBytes::of(&json!(1)) });
    }
    assert_eq!(heard(&mut watching).await["execution_id"], json!(ours.execution_id));
    eventually("nothing is held", async || line.in_flight.is_empty()).await;
    assert_eq!(line.row(late.execution_id).await.status, Status::Running);
}

#[tokio::test]
async fn the_intake_is_closed_while_the_store_is_away_and_while_too_much_waits() {
    let line = TestLine::start().await;
    line.slots.close(IntakeClosed::Backlog);
    line.notifier.store_unreachable(true).await;
    assert_eq!(line.slots.closed(), [IntakeClosed::StoreUnreachable, IntakeClosed::Backlog]);
    line.notifier.store_unreachable(false).await;
    line.notifier.finalized(Vec::new(), Duration::ZERO).await;
    assert_eq!(line.slots.closed(), []);
}
