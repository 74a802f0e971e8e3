//! What a crash left unpublished.

use std::time::Duration;

use jiff::Timestamp;
use muster_bus::Channel;
use muster_core::execution::Attempt;
use muster_store::{
    Disposition, ExecutionOutcome, Finalization, FinalizeResult, NotificationStore as _, OutcomeStore as _,
};
use serde_json::{Value, json, value::RawValue};
use tokio_util::task::AbortOnDropHandle;

use crate::dispatch::tests::{TestLine, eventually, heard};
use crate::notify::sweep::{from_rows, notify_rows, sweep_for_ever};

/// Ends an attempt so long ago, and tells nobody.
async fn left(line: &mut TestLine, ago: Duration, more: &Value) -> Attempt {
    let attempt = line.accept(more).await;
    line.executor.submitted().await;
    let result = RawValue::from_string("[7]".to_owned()).unwrap();
    let mut finalization = Finalization::of_stray(attempt, line.claimant.owner);
    finalization.disposition = Disposition::Terminal(ExecutionOutcome::Success { result });
    finalization.completed_at = Timestamp::now() - ago;
    let results = line.store.finalize(&[finalization]).await.unwrap();
    assert!(matches!(results[..], [FinalizeResult::Finished { .. }]), "{results:?}");
    attempt
}

#[tokio::test]
async fn what_was_left_is_told_and_marked_and_what_just_ended_is_left_to_the_notifier() {
    let mut line = TestLine::start().await;
    let new = left(&mut line, Duration::ZERO, &json!({})).await;
    let old = left(&mut line, Duration::from_secs(60), &json!({})).await;
    let mut watching = line.bus.watch(&[Channel::Executions]).await;
    let _sweeping =
        AbortOnDropHandle::new(tokio::spawn(sweep_for_ever(line.store.clone(), line.bus.clone())));
    let told = heard(&mut watching).await;
    assert_eq!((&told["execution_id"], &told["status"]), (&json!(old.execution_id), &json!("SUCCESS")));
    eventually("it is marked", async || line.row(old.execution_id).await.notified_at.is_some()).await;
    assert_eq!(line.row(new.execution_id).await.notified_at, None);
}

#[tokio::test]
async fn whoever_waits_is_answered_with_the_row() {
    let mut line = TestLine::start().await;
    let waits = left(&mut line, Duration::ZERO, &json!({ "sync": true })).await;
    let runs = line.accept(&json!({})).await;
    let told = from_rows(&*line.store, &[waits.execution_id, runs.execution_id]).await.unwrap();
    assert_eq!(told.len(), 1, "of what is not over there is nothing to say");
    let reply: Value = serde_json::from_slice(told[0].reply.as_ref().unwrap()).unwrap();
    assert_eq!((&reply["status"], &reply["result"]), (&json!("SUCCESS"), &json!([7])));
}

#[tokio::test]
async fn rows_that_ended_where_nothing_ran_are_told_in_the_background() {
    let mut line = TestLine::start().await;
    let ended = left(&mut line, Duration::ZERO, &json!({})).await.execution_id;
    notify_rows(line.store.clone(), &line.bus, vec![ended]);
    eventually("it is marked", async || line.row(ended).await.notified_at.is_some()).await;
    assert!(line.store.unnotified(Duration::ZERO, 10).await.unwrap().is_empty());
}
