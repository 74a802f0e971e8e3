//! What ended long ago goes with all that hangs on it, and nothing else does.

use jiff::{SignedDuration, Timestamp};
use muster_core::execution::Status;
use muster_store::{Cursor, NewExecution, PruneRange, PruneRule, PruneScope, PruneStep, PrunedRows};
use uuid::Uuid;

use crate::fixture::{Fixture, claimant, line, new_execution, sqlite, success};

fn ended(status: Status, before: Timestamp) -> PruneRange {
    PruneRange { status, before, scope: PruneScope::Everything }
}

impl Fixture {
    /// What went in a step of its own from the oldest on.
    async fn pruned(&self, range: &PruneRange, limit: usize) -> PrunedRows {
        rows(self.store.prune(range, None, limit, &|_| true).await.unwrap()).0
    }

    /// What would go, told in steps of two.
    async fn prunable(&self, range: &PruneRange, rule: PruneRule<'_>) -> PrunedRows {
        let (mut all, mut behind) = (PrunedRows::default(), None);
        loop {
            let step = self.store.prunable(range, behind, 2, rule).await.unwrap();
            let (some, last, is_end) = rows(step);
            all = all.and(some);
            if is_end {
                return all;
            }
            behind = last;
        }
    }
}

fn rows(step: PruneStep) -> (PrunedRows, Option<Cursor>, bool) {
    let PruneStep::Looked { rows, last, is_end } = step else { panic!("it is nobody else's turn") };
    (rows, last, is_end)
}

/// An execution that succeeded, with two lines of log, so many days ago.
async fn succeeded(fixture: &Fixture, days: i64) -> Uuid {
    succeeded_of(fixture, new_execution(), days).await
}

async fn succeeded_of(fixture: &Fixture, execution: NewExecution, days: i64) -> Uuid {
    let claimant = claimant();
    let claimed = fixture.claim(&claimant, execution).await;
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
    assert_eq!(fixture.prunable(&range, &|_| true).await.executions, 1);
    assert_eq!(fixture.pruned(&range, 10).await.executions, 1);
    assert!(fixture.store.execution(published).await.unwrap().is_none());
    // The sweep finds it, publishes it and says so; from then on it may go.
    let left = fixture.store.unnotified(std::time::Duration::ZERO, 10).await.unwrap();
    assert_eq!(left.iter().map(|row| row.id).collect::<Vec<_>>(), [id]);
    fixture.store.mark_notified(&[id]).await.unwrap();
    assert_eq!(fixture.pruned(&range, 10).await.executions, 1);
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
    let told = fixture.prunable(&range, &|_| true).await;
    assert_eq!((told.executions, told.logs), (3, 6));
    // The oldest first, so many at a time; and what it comes to is what was told.
    let first = fixture.pruned(&range, 2).await;
    assert_eq!((first.executions, first.logs), (2, 4));
    assert!(fixture.store.execution(old[2]).await.unwrap().is_some());
    let rest = fixture.pruned(&range, 2).await;
    assert_eq!(first.and(rest), told);
    assert_eq!(fixture.pruned(&range, 2).await, PrunedRows::default());
    for id in &old {
        assert!(fixture.store.execution(*id).await.unwrap().is_none());
        assert!(fixture.store.events(*id).await.unwrap().is_empty());
    }
    for id in [young, waiting, running, cancelled] {
        assert!(fixture.store.execution(id).await.unwrap().is_some());
    }
    assert_eq!(fixture.pruned(&ended(Status::Cancelled, before), 10).await.executions, 1);
}

pub(crate) async fn what_somebody_is_still_to_be_told_of_stays(fixture: Fixture) {
    fixture
        .sql("INSERT INTO webhooks (id, name, url) VALUES ('00000000-0000-0000-0000-000000000007', 'ops', 'https://example.com')")
        .await;
    let id = succeeded(&fixture, 40).await;
    let range = ended(Status::Success, Timestamp::now() - SignedDuration::from_hours(24));
    assert_eq!(fixture.pruned(&range, 10).await.executions, 0);
    fixture.sql("UPDATE webhook_deliveries SET due_at = NULL").await;
    assert_eq!(fixture.prunable(&range, &|_| true).await.executions, 1);
    assert_eq!(fixture.pruned(&range, 10).await.executions, 1);
    assert!(fixture.store.execution(id).await.unwrap().is_none());
    assert!(fixture.store.deliveries(None, None, 10).await.unwrap().is_empty());
}

/// Walks over a range in steps of one; gives who was looked at, and removes what the rule lets go.
async fn walked(fixture: &Fixture, range: &PruneRange, rule: PruneRule<'_>) -> Vec<Uuid> {
    let (mut seen, mut behind) = (Vec::new(), None);
    loop {
        let (_, last, is_end) = rows(fixture.store.prune(range, behind, 1, rule).await.unwrap());
        if is_end {
            return seen;
        }
        seen.extend(last.map(|last| last.id));
        behind = last;
    }
}

pub(crate) async fn a_walk_goes_on_behind_what_stays(fixture: Fixture) {
    let mut old = Vec::new();
    for days in [44, 43, 42, 41] {
        old.push(succeeded(&fixture, days).await);
    }
    fixture.sql(&format!("UPDATE executions SET notified_at = NULL WHERE id = '{}'", old[1])).await;
    let range = ended(Status::Success, Timestamp::now() - SignedDuration::from_hours(24));
    let stays = old[2];
    let rule = move |one: &muster_store::EndedExecution| one.id != stays;
    let told = fixture.prunable(&range, &rule).await;
    assert_eq!((told.executions, told.logs), (2, 4));
    assert_eq!(walked(&fixture, &range, &rule).await, old);
    assert_eq!(walked(&fixture, &range, &|_| false).await, [old[1], old[2]], "they stayed");
    // Two that ended at the same moment are both looked at.
    let twins = [succeeded(&fixture, 40).await, succeeded(&fixture, 40).await];
    fixture.sql("UPDATE executions SET created_at = (SELECT min(created_at) FROM executions)").await;
    let seen = walked(&fixture, &range, &|_| false).await;
    assert!(seen.len() == 4 && twins.iter().all(|twin| seen.contains(twin)), "{seen:?}");
}

pub(crate) async fn a_walk_over_one_workflow_sees_no_other(fixture: Fixture) {
    let acme = Uuid::from_u128(7);
    let named = |name: &str, organization_id| NewExecution {
        workflow_name: Some(name.to_owned()),
        organization_id,
        ..new_execution()
    };
    let by_id =
        NewExecution { workflow_id: Some(Uuid::from_u128(8)), workflow_name: None, ..new_execution() };
    let mut old = Vec::new();
    for execution in [named("greet", None), named("greet", Some(acme)), named("greet/more", None), by_id] {
        old.push(succeeded_of(&fixture, execution, 40).await);
    }
    let before = Timestamp::now() - SignedDuration::from_hours(24);
    let of = |scope| PruneRange { status: Status::Success, before, scope };
    let seen = std::sync::Mutex::new(Vec::new());
    let note = |one: &muster_store::EndedExecution| {
        seen.lock().unwrap().push((one.workflow_id, one.workflow_name.clone(), one.organization_id));
        false
    };
    walked(&fixture, &of(PruneScope::Workflow("greet".into())), &note).await;
    let name = Some("greet".to_owned());
    let mut found = std::mem::take(&mut *seen.lock().unwrap());
    found.sort();
    assert_eq!(found, [(None, name.clone(), None), (None, name, Some(acme))]);
    walked(&fixture, &of(PruneScope::Nameless), &note).await;
    assert_eq!(*seen.lock().unwrap(), [(Some(Uuid::from_u128(8)), None, None)]);
    let failed = PruneRange { status: Status::Failed, ..of(PruneScope::Workflow("greet".into())) };
    assert!(walked(&fixture, &failed, &|_| true).await.is_empty());
    assert_eq!(walked(&fixture, &of(PruneScope::Nameless), &|_| true).await, [old[3]]);
    assert_eq!(walked(&fixture, &of(PruneScope::Everything), &|_| true).await.len(), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_several_supervisors_one_removes() {
    let fixture = crate::fixture::postgres().await;
    succeeded(&fixture, 40).await;
    let mut other = fixture.session_of_another().await;
    let take = format!("BEGIN; SELECT pg_advisory_xact_lock({})", 0x6d75_7374_6572_0002_i64);
    sqlx::raw_sql(sqlx::AssertSqlSafe(take)).execute(&mut other).await.unwrap();
    let range = ended(Status::Success, Timestamp::now());
    let step = fixture.store.prune(&range, None, 10, &|_| true).await.unwrap();
    assert_eq!(step, PruneStep::NotOurTurn);
    // Whoever counts takes no turn.
    assert_eq!(fixture.prunable(&range, &|_| true).await.executions, 1);
    sqlx::raw_sql("ROLLBACK").execute(&mut other).await.unwrap();
    assert_eq!(fixture.pruned(&range, 10).await.executions, 1);
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
    let told = fixture.prunable(&range, &|_| true).await;
    assert_eq!((told.executions, told.logs), (60, 60));
    // So many at a time that a step frees fewer pages than are given back after it.
    let mut gone = PrunedRows::default();
    while gone.executions < 60 {
        gone = gone.and(fixture.pruned(&range, 20).await);
    }
    let after = pages().await;
    assert_eq!(gone, told);
    assert!(before > 1_500 && after < 150, "{before} pages and then {after}");
}
