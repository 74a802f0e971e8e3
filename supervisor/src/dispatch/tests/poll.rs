//! The poll: rows that wait, rows that are over before they run, a store that fails, and the end of it.

use std::sync::Arc;

use muster_bus::Channel;
use muster_core::execution::{Attempt, Status};
use muster_store::{ClaimStore as _, Claimant, QueueStore as _};
use serde_json::json;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{TestLine, eventually, heard, request};
use crate::dispatch::{IntakeClosed, PeerWatch, StorePoll};
use crate::liveness::Liveness;

fn polling(line: &TestLine) -> (JoinHandle<()>, CancellationToken) {
    let stop = CancellationToken::new();
    let poll = StorePoll {
        dispatcher: Arc::clone(&line.dispatcher),
        store: line.store.clone(),
        bus: line.bus.clone(),
        slots: Arc::clone(&line.slots),
        claimant: line.claimant.clone(),
        peers: PeerWatch::None,
        stop: stop.clone(),
        liveness: Arc::new(Liveness::new(line.claimant.lease)),
    };
    (tokio::spawn(poll.run()), stop)
}

#[tokio::test]
async fn what_waits_is_claimed_as_slots_allow_until_it_is_told_to_stop() {
    let mut line = TestLine::start().await;
    line.slots.set_workers(1);
    let (polling, stop) = polling(&line);
    let first = line.submit(&json!({})).await;
    let spec = line.executor.submitted().await;
    assert_eq!(spec.attempt, Attempt::new(first, 1));
    let second = line.submit(&json!({})).await;
    line.dispatcher.cancel(spec.attempt, muster_protocol::CancelReason::User, "its slot is wanted");
    line.executor.cancelled().await;
    assert!(line.executor.is_idle(), "there is no slot");
    assert!(line.slots.reserve_for_free_worker().is_none(), "somebody waits for the next one");
    let ending = muster_core::execution::RunEnding::Cancelled { message: "it is".to_owned() };
    line.executor.finish(spec, ending);
    assert_eq!(line.executor.submitted().await.attempt, Attempt::new(second, 1));
    stop.cancel();
    polling.await.unwrap();
    assert_eq!(line.slots.free(), 0, "the second has its slot, and the poll keeps none");
}

#[tokio::test]
async fn who_comes_after_a_poll_that_found_nothing_has_a_free_worker() {
    let line = TestLine::start().await;
    assert!(line.slots.reserve_for_free_worker().is_none());
    let (_polling, _stop) = polling(&line);
    eventually("one is offered", async || line.slots.reserve_for_free_worker().is_some()).await;
}

#[tokio::test]
async fn a_row_of_a_lost_supervisor_that_is_to_be_cancelled_ends_and_is_told() {
    let line = TestLine::start().await;
    let execution = request(&json!({}));
    let gone = Claimant { owner: Uuid::now_v7(), ..line.claimant.clone() };
    line.store.claim(&gone, &[Arc::clone(&execution)]).await.unwrap();
    line.store.request_cancel(execution.id).await.unwrap();
    let mut watching = line.bus.watch(&[Channel::Executions]).await;
    let (_polling, _stop) = polling(&line);
    let told = heard(&mut watching).await;
    assert_eq!((&told["execution_id"], &told["status"]), (&json!(execution.id), &json!("CANCELLED")));
    line.row_becomes(execution.id, Status::Cancelled).await;
    eventually("it is marked", async || line.row(execution.id).await.notified_at.is_some()).await;
}

#[tokio::test]
async fn a_store_that_fails_is_asked_again_and_no_slot_is_lost() {
    let mut line = TestLine::start().await;
    line.sql("ALTER TABLE executions RENAME TO elsewhere").await;
    let (_polling, _stop) = polling(&line);
    // SQLite is called in place: once the poll has had its turn, its claim has failed, and it waits to ask again.
    tokio::task::yield_now().await;
    assert_eq!(line.slots.free(), 4, "a claim that failed keeps no slot");
    line.sql("ALTER TABLE elsewhere RENAME TO executions").await;
    let id = line.submit(&json!({})).await;
    assert_eq!(line.executor.submitted().await.attempt.execution_id, id);
}

#[tokio::test]
async fn nothing_is_claimed_while_the_intake_is_closed() {
    let mut line = TestLine::start().await;
    line.slots.close(IntakeClosed::Draining);
    let (polling, stop) = polling(&line);
    let id = line.submit(&json!({})).await;
    tokio::task::yield_now().await;
    stop.cancel();
    polling.await.unwrap();
    assert!(line.executor.is_idle());
    assert_eq!(line.row(id).await.status, Status::Pending);
}
