//! What waits.

use std::time::Duration;

use muster_core::execution::Status;
use muster_store::{ExecutionFailure, NewExecution, Submitted, TakeOver};
use uuid::Uuid;

use crate::fixture::{Fixture, QUEUE, claimant, new_execution, raw};

pub(crate) async fn rule_1_a_row_carries_everything_needed_to_run_it(fixture: Fixture) {
    let workflow_id = Some(Uuid::new_v4());
    let execution = NewExecution {
        workflow_id,
        organization_id: Some(Uuid::new_v4()),
        caller: Some(raw(r#"{"name":"Ada"}"#)),
        request: raw(r#"{"parameters":[1,"zwei",{"drei":null}],"sync":true}"#),
        timeout_seconds: Some(1.5),
        priority: 7,
        retry_of: Some(Uuid::new_v4()),
        ..new_execution()
    };
    fixture.store.submit(std::slice::from_ref(&execution)).await.unwrap();
    let row = fixture.row(execution.id).await;
    assert_eq!(row.status, Status::Pending);
    assert_eq!(row.execution_model, "process");
    assert_json(row.parameters.unwrap().get(), r#"[1,"zwei",{"drei":null}]"#);

    // What a message says about a row that waits already is not read.
    let message = NewExecution { request: raw(r#"{"parameters":{"forged":1}}"#), ..execution.clone() };
    let claimed = fixture.claim(&claimant(), message).await;
    let given = &claimed.execution;
    assert_json(given.request.get(), execution.request.get());
    assert_json(given.caller.as_ref().unwrap().get(), r#"{"name":"Ada"}"#);
    assert_eq!(given.workflow_id, workflow_id);
    assert_eq!(given.organization_id, execution.organization_id);
    assert_eq!(given.workflow_name.as_deref(), Some("greet"));
    assert_eq!(given.timeout_seconds, Some(1.5));
    assert_eq!((given.priority, given.max_attempts), (7, 3));
    assert_eq!(given.retry_of, execution.retry_of);
}

/// PostgreSQL stores JSON by value: the order of keys and the spaces are its own.
fn assert_json(text: &str, expected: &str) {
    let parse = |text| serde_json::from_str::<serde_json::Value>(text).unwrap();
    assert_eq!(parse(text), parse(expected));
}

pub(crate) async fn rule_6_waiting_rows_come_by_priority_with_aging(fixture: Fixture) {
    let with_priority = |priority| NewExecution { priority, ..new_execution() };
    let [low, high, middle, old] = [with_priority(0), with_priority(9), with_priority(5), with_priority(1)];
    let all = [low.clone(), high.clone(), middle.clone(), old.clone()];
    fixture.store.submit(&all).await.unwrap();
    // Five levels are overtaken by five minutes of waiting and a little more.
    fixture.age("run_after", old.id, 5 * 60).await;
    let mut order = Vec::new();
    for _ in 0..4 {
        let due = fixture.store.claim_due(&claimant(), 1, TakeOver::Nothing).await.unwrap();
        order.extend(due.claimed.iter().map(|claimed| claimed.attempt.execution_id));
    }
    assert_eq!(order, [high.id, old.id, middle.id, low.id]);
}

pub(crate) async fn rule_6_a_row_is_not_claimed_before_it_is_due(fixture: Fixture) {
    let queues = claimant().queues;
    let later = NewExecution { delay: Duration::from_secs(3600), ..new_execution() };
    fixture.store.submit(std::slice::from_ref(&later)).await.unwrap();
    let due = fixture.store.claim_due(&claimant(), 10, TakeOver::AllOthers).await.unwrap();
    assert!(due.claimed.is_empty());
    let wait = fixture.store.next_due(&queues).await.unwrap().expect("a due time");
    assert!(wait > Duration::from_secs(3590) && wait <= Duration::from_secs(3600), "{wait:?}");
    fixture.age("run_after", later.id, 3601).await;
    assert_eq!(fixture.store.next_due(&queues).await.unwrap(), Some(Duration::ZERO));
    let due = fixture.store.claim_due(&claimant(), 10, TakeOver::Nothing).await.unwrap();
    assert_eq!(due.claimed.len(), 1);
    assert_eq!(fixture.store.next_due(&queues).await.unwrap(), None);
}

pub(crate) async fn rule_7_submitting_commits_a_row_and_wakes_the_poll(fixture: Fixture) {
    let store = fixture.store.clone();
    let poll = tokio::spawn(async move { store.woken().await });
    tokio::task::yield_now().await;
    let execution = new_execution();
    let other = new_execution();
    let batch = [execution.clone(), execution.clone(), other.clone()];
    let answers = fixture.store.submit(&batch).await.unwrap();
    let (inserted, exists) = (Submitted::Inserted, Submitted::Exists(Status::Pending));
    assert_eq!(answers, [inserted.clone(), exists, inserted]);
    tokio::time::timeout(Duration::from_secs(10), poll).await.expect("woken").unwrap();
    let again = fixture.store.submit(std::slice::from_ref(&execution)).await.unwrap();
    assert_eq!(again, [Submitted::Exists(Status::Pending)]);
    assert_eq!(fixture.store.submit(&[]).await.unwrap(), []);
}

pub(crate) async fn rule_23_an_unusable_execution_is_recorded_only_if_nothing_is_known(fixture: Fixture) {
    let failure = ExecutionFailure::new("PendingNotFound", "no pending record");
    let unknown = Uuid::new_v4();
    assert_eq!(fixture.store.fail_unusable(unknown, &failure).await.unwrap(), None);
    let row = fixture.row(unknown).await;
    assert_eq!((row.status, row.error_type.as_deref()), (Status::Failed, Some("PendingNotFound")));
    assert!(row.completed_at.is_some());
    let events = fixture.store.events(unknown).await.unwrap();
    assert_eq!(events.iter().map(|event| event.event.as_str()).collect::<Vec<_>>(), ["finalized"]);

    let known = fixture.submitted().await;
    let present = fixture.store.fail_unusable(known, &failure).await.unwrap();
    assert_eq!(present, Some(Status::Pending));
    assert_eq!(fixture.status(known).await, Status::Pending);
}

pub(crate) async fn rule_24_only_unusable_rows_can_be_reopened(fixture: Fixture) {
    let unusable = new_execution();
    let failure = ExecutionFailure::new("InvalidRequest", "no workflow");
    fixture.store.fail_unusable(unusable.id, &failure).await.unwrap();
    assert!(fixture.store.reopen_unusable(unusable.id).await.unwrap());
    assert!(!fixture.store.reopen_unusable(unusable.id).await.unwrap());
    assert_eq!(fixture.store.events(unusable.id).await.unwrap().len(), 0, "forgotten with the row");
    fixture.claim(&claimant(), unusable).await;

    let me = claimant();
    let failed = fixture.claimed(&me).await.attempt;
    let outcome =
        muster_store::ExecutionOutcome::Failed(ExecutionFailure::new("InvalidRequest", "by the user"));
    let disposition = muster_store::Disposition::Terminal(outcome);
    fixture.finalize(crate::fixture::ending(&me, failed, disposition)).await;
    assert!(!fixture.store.reopen_unusable(failed.execution_id).await.unwrap(), "it ran");
}

pub(crate) async fn what_waits_does_not_wait_for_a_clock_that_was_set_back(fixture: Fixture) {
    const BACK: i64 = 3600;
    let [first, second, retried] =
        [fixture.submitted().await, fixture.submitted().await, fixture.submitted().await];
    let later = NewExecution { delay: Duration::from_secs(60), ..new_execution() };
    fixture.store.submit(std::slice::from_ref(&later)).await.unwrap();
    let untouched = fixture.submitted().await;
    assert_eq!(fixture.store.follow_clock(10).await.unwrap(), 0);

    // Seen by a clock that was set back, all times of the rows that were made before lie ahead.
    for (id, seconds_ago) in [(first, 20), (second, 10), (retried, 5), (later.id, 0)] {
        for column in ["created_at", "run_after"] {
            fixture.age(column, id, seconds_ago - BACK).await;
        }
    }
    fixture.sql(&format!("UPDATE executions SET attempt = 1 WHERE id = '{retried}'")).await;
    fixture.age("run_after", retried, -30).await;
    let me = claimant();
    let due = || fixture.store.claim_due(&me, 10, TakeOver::Nothing);
    let ids = |due: muster_store::DueExecutions| {
        due.claimed.iter().map(|claimed| claimed.attempt.execution_id).collect::<Vec<_>>()
    };
    assert_eq!(ids(due().await.unwrap()), [untouched]);

    assert_eq!(fixture.store.follow_clock(2).await.unwrap(), 2);
    assert_eq!(fixture.store.follow_clock(2).await.unwrap(), 1);
    assert_eq!(fixture.store.follow_clock(2).await.unwrap(), 0, "once is enough");
    assert_eq!(ids(due().await.unwrap()), [first, second], "in the order in which they came");
    let wait = fixture.store.next_due(&me.queues).await.unwrap().expect("a due time");
    assert!(
        wait > Duration::from_secs(15) && wait <= Duration::from_secs(30),
        "a retry waits as long as it would have: {wait:?}"
    );
    let row = fixture.row(later.id).await;
    assert_eq!(row.status, Status::Pending, "what was given a moment keeps it");
}

pub(crate) async fn the_depth_of_the_queue_is_known(fixture: Fixture) {
    let empty = fixture.store.queue_depth().await.unwrap();
    assert_eq!((empty.pending, empty.oldest_wait), (0, None));
    let old = fixture.submitted().await;
    fixture.submitted().await;
    fixture.age("run_after", old, 100).await;
    let depth = fixture.store.queue_depth().await.unwrap();
    assert_eq!(depth.pending, 2);
    assert!(depth.oldest_wait.unwrap() >= Duration::from_secs(100), "{depth:?}");
}

pub(crate) async fn what_waits_in_each_queue_is_known(fixture: Fixture) {
    assert!(fixture.store.queue_uses().await.unwrap().is_empty());
    let (old, other) = (fixture.submitted().await, Some(Uuid::from_u128(7)));
    fixture.submitted().await;
    fixture.age("run_after", old, 100).await;
    let of_another = NewExecution { organization_id: other, ..new_execution() };
    let later = NewExecution {
        queue: Some("later".to_owned()),
        delay: Duration::from_secs(3600),
        organization_id: other,
        ..new_execution()
    };
    fixture.store.submit(&[of_another, later]).await.unwrap();
    let uses = fixture.store.queue_uses().await.unwrap();
    let counts: Vec<_> = uses.iter().map(|used| (used.queue.as_str(), used.waiting)).collect();
    assert_eq!(counts, [("later", 1), (QUEUE, 3)]);
    assert_eq!(uses[0].oldest_wait, None, "its moment has not come");
    let waited = uses[1].oldest_wait.unwrap();
    assert!((Duration::from_secs(100)..Duration::from_secs(400)).contains(&waited), "{uses:?}");
    // What waits for room is counted, and is not next.
    fixture.sql(&format!("UPDATE executions SET waits_for = 'limit:crm' WHERE id = '{old}'")).await;
    let uses = fixture.store.queue_uses().await.unwrap();
    assert_eq!(uses[1].waiting, 3);
    assert!(uses[1].oldest_wait.unwrap() < Duration::from_secs(100), "{uses:?}");
}

/// The moment at which a message was published is kept with its row, whichever way that is made and whatever happens to it.
pub(crate) async fn what_a_message_brings_waits_since_it_was_published(fixture: Fixture) {
    let (me, now) = (claimant(), jiff::Timestamp::now());
    let ago = |seconds: i64| now.checked_sub(jiff::SignedDuration::from_secs(seconds)).unwrap();
    let exactly = |at: jiff::Timestamp| jiff::Timestamp::from_microsecond(at.as_microsecond()).unwrap();
    let claimed = new_execution().published_at(Some(ago(300)));
    let waiting = NewExecution { organization_id: Some(Uuid::from_u128(7)), ..new_execution() };
    let waiting = waiting.published_at(Some(ago(200)));
    let later =
        NewExecution { delay: Duration::from_secs(60), ..new_execution() }.published_at(Some(ago(300)));
    let from_ahead = new_execution().published_at(Some(ago(-300)));
    let kept = [&claimed, &waiting, &later, &from_ahead].map(|new| new.id);
    fixture.claim(&me, claimed).await;
    fixture.claim(&me, from_ahead).await;
    fixture.store.submit(&[waiting, later]).await.unwrap();
    let [claimed, waiting, later, from_ahead] = kept;
    for (id, seconds) in [(claimed, 300), (waiting, 200), (later, 300)] {
        assert_eq!(fixture.row(id).await.published_at, Some(exactly(ago(seconds))), "{id}");
    }
    assert_eq!(
        fixture.row(from_ahead).await.published_at,
        None,
        "by a clock that is ahead of the database's"
    );

    let uses = fixture.store.queue_uses().await.unwrap();
    let waited = uses[0].oldest_wait.unwrap();
    assert!((Duration::from_secs(200)..Duration::from_secs(290)).contains(&waited), "{uses:?}");
    let depth = fixture.store.queue_depth().await.unwrap();
    assert!(
        (Duration::from_secs(200)..Duration::from_secs(290)).contains(&depth.oldest_wait.unwrap()),
        "{depth:?}"
    );

    // It orders nothing: who came first goes first.
    let older = fixture.submitted().await;
    fixture.age("run_after", older, 10).await;
    let newest = new_execution().published_at(Some(ago(86_400)));
    let newest_id = newest.id;
    fixture.store.submit(&[newest]).await.unwrap();
    fixture.sql(&format!("DELETE FROM executions WHERE id = '{waiting}'")).await;
    let due = fixture.store.claim_due(&me, 1, TakeOver::Nothing).await.unwrap();
    assert_eq!(due.claimed[0].attempt.execution_id, older);
    let due = fixture.store.claim_due(&me, 1, TakeOver::Nothing).await.unwrap();
    assert_eq!(due.claimed[0].attempt.execution_id, newest_id);

    // Another attempt keeps it, and waits since the one before.
    let attempt = due.claimed[0].attempt;
    let retry = muster_store::Disposition::Release {
        reason: "again".to_owned(),
        delay: Duration::ZERO,
        charged: false,
    };
    fixture.finalize(crate::fixture::ending(&me, attempt, retry)).await;
    assert_eq!(fixture.row(newest_id).await.published_at, Some(exactly(ago(86_400))));
    let uses = fixture.store.queue_uses().await.unwrap();
    assert!(uses[0].oldest_wait.unwrap_or_default() < Duration::from_secs(100), "{uses:?}");
    let traced = fixture.store.traced(&[claimed]).await.unwrap();
    assert_eq!(traced[0].published_at, Some(exactly(ago(300))));
}
