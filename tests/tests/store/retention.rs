//! What ended long ago goes with all that hangs on it, and nothing else does.

use jiff::{SignedDuration, Timestamp};
use muster_core::execution::Status;
use muster_store::{PruneRange, PrunedRows};
use uuid::Uuid;

use crate::fixture::{Fixture, claimant, line, new_execution, sqlite, success};

fn ended(status: Status, before: Timestamp) -> PruneRange {
    PruneRange { status, before }
}

/// An execution that succeeded, with two lines of log, so many days ago.
async fn succeeded(fixture: &Fixture, days: i64) -> Uuid {
    let claimant = claimant();
    let claimed = fixture.claim(&claimant, new_execution()).await;
    let mut finalization = success(&claimant, claimed.attempt);
    finalization.logs = vec![line(1, "one"), line(2, "two")];
    fixture.finalize(finalization).await;
    let id = claimed.attempt.execution_id;
    for column in ["created_at", "completed_at"] {
        fixture.age(column, id, days * 86_400).await;
    }
    fixture.store.mark_notified(&[id]).await.unwrap();
    id
}

pub(crate) async fn what_is_not_published_yet_stays(fixture: Fixture) {
    let (published, id) = (succeeded(&fixture, 40).await, succeeded(&fixture, 41).await);
    fixture.sql(&format!("UPDATE executions SET notified_at = NULL WHERE id = '{id}'")).await;
    let range = ended(Status::Success, Timestamp::now() - SignedDuration::from_hours(24));
    assert_eq!(fixture.store.prunable(range).await.unwrap().executions, 1);
    assert_eq!(fixture.store.prune(range, 10).await.unwrap().executions, 1);
    assert!(fixture.store.execution(published).await.unwrap().is_none());
    // The sweep finds it, publishes it and says so; from then on it may go.
    let left = fixture.store.unnotified(std::time::Duration::ZERO, 10).await.unwrap();
    assert_eq!(left.iter().map(|row| row.id).collect::<Vec<_>>(), [id]);
    fixture.store.mark_notified(&[id]).await.unwrap();
    assert_eq!(fixture.store.prune(range, 10).await.unwrap().executions, 1);
}

pub(crate) async fn what_ended_before_a_moment_goes_as_it_was_told(fixture: Fixture) {
    let mut old = Vec::new();
    for days in [40, 35, 31] {
        old.push(succeeded(&fixture, days).await);
    }
    let young = succeeded(&fixture, 3).await;
    let waiting = fixture.submitted().await;
    fixture.age("created_at", waiting, 40 * 86_400).await;
    let running = fixture.claimed(&claimant()).await.attempt.execution_id;
    let cancelled = Uuid::now_v7();
    fixture.store.request_cancel(cancelled).await.unwrap();
    for column in ["created_at", "completed_at"] {
        fixture.age(column, cancelled, 40 * 86_400).await;
    }
    fixture.store.mark_notified(&[cancelled]).await.unwrap();
    let before = Timestamp::now() - SignedDuration::from_hours(30 * 24);
    let range = ended(Status::Success, before);
    let told = fixture.store.prunable(range).await.unwrap();
    assert_eq!((told.executions, told.logs), (3, 6));
    // The oldest first, so many at a time; and what it comes to is what was told.
    let first = fixture.store.prune(range, 2).await.unwrap();
    assert_eq!((first.executions, first.logs), (2, 4));
    assert!(fixture.store.execution(old[2]).await.unwrap().is_some());
    let rest = fixture.store.prune(range, 2).await.unwrap();
    assert_eq!(first.and(rest), told);
    assert_eq!(fixture.store.prune(range, 2).await.unwrap(), PrunedRows::default());
    for id in &old {
        assert!(fixture.store.execution(*id).await.unwrap().is_none());
        assert!(fixture.store.events(*id).await.unwrap().is_empty());
    }
    for id in [young, waiting, running, cancelled] {
        assert!(fixture.store.execution(id).await.unwrap().is_some());
    }
    assert_eq!(fixture.store.prune(ended(Status::Cancelled, before), 10).await.unwrap().executions, 1);
}

pub(crate) async fn what_somebody_is_still_to_be_told_of_stays(fixture: Fixture) {
    fixture
        .sql("INSERT INTO webhooks (id, name, url) VALUES ('00000000-0000-0000-0000-000000000007', 'ops', 'https://example.com')")
        .await;
    let id = succeeded(&fixture, 40).await;
    let range = ended(Status::Success, Timestamp::now() - SignedDuration::from_hours(24));
    assert_eq!(fixture.store.prune(range, 10).await.unwrap().executions, 0);
    fixture.sql("UPDATE webhook_deliveries SET due_at = NULL").await;
    assert_eq!(fixture.store.prunable(range).await.unwrap().executions, 1);
    assert_eq!(fixture.store.prune(range, 10).await.unwrap().executions, 1);
    assert!(fixture.store.execution(id).await.unwrap().is_none());
    assert!(fixture.store.deliveries(None, None, 10).await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_goes_gives_its_space_back_to_the_disk() {
    let fixture = sqlite().await;
    let text = "x".repeat(100_000);
    let claimant = claimant();
    for _ in 0..60 {
        let claimed = fixture.claim(&claimant, new_execution()).await;
        let mut finalization = success(&claimant, claimed.attempt);
        finalization.logs = vec![line(1, &text)];
        fixture.finalize(finalization).await;
        fixture.store.mark_notified(&[claimed.attempt.execution_id]).await.unwrap();
    }
    let pages = async || -> u64 {
        let found = fixture.texts("SELECT CAST(page_count AS TEXT) FROM pragma_page_count").await;
        found[0].parse().unwrap()
    };
    let before = pages().await;
    let range = ended(Status::Success, Timestamp::now() + SignedDuration::from_hours(1));
    let told = fixture.store.prunable(range).await.unwrap();
    assert_eq!((told.executions, told.logs), (60, 60));
    // So many at a time that a step frees fewer pages than are given back after it.
    let mut gone = PrunedRows::default();
    while gone.executions < 60 {
        gone = gone.and(fixture.store.prune(range, 20).await.unwrap());
    }
    let after = pages().await;
    assert_eq!(gone, told);
    assert!(before > 1_500 && after < 150, "{before} pages and then {after}");
}
