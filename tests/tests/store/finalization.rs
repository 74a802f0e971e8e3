//! The end of attempts.

use std::time::Duration;

use jiff::Timestamp;
use muster_core::execution::{Attempt, Status};
use muster_store::{
    Claimant, Disposition, ExecutionFailure, ExecutionOutcome, Finalization, FinalizeResult, NewEvent,
    StateChange, StateWrite,
};
use uuid::Uuid;

use crate::fixture::{Fixture, claimant, ending, line, new_execution, raw, release, retry, set, success};

fn finished(status: Status) -> FinalizeResult {
    FinalizeResult::Finished { status, error_type: None }
}

fn failed(error_type: &str) -> FinalizeResult {
    FinalizeResult::Finished { status: Status::Failed, error_type: Some(error_type.to_owned()) }
}

/// An ending with something of everything.
fn full(claimant: &Claimant, attempt: Attempt, disposition: Disposition, key: &str) -> Finalization {
    Finalization {
        logs: vec![line(1, "first"), line(2, "second")],
        changes: vec![set(key, "1")],
        children: vec![new_execution()],
        events: vec![NewEvent::new(Timestamp::now(), "timeout_signalled")],
        ..ending(claimant, attempt, disposition)
    }
}

pub(crate) async fn rule_14_after_a_take_over_nothing_of_the_old_attempt_is_written(fixture: Fixture) {
    let old = claimant();
    let lost = fixture.claimed(&old).await.attempt;
    let new = claimant();
    let taken = fixture.take_over(&new).await.pop().unwrap().attempt;
    let before = fixture.event_names(lost.execution_id).await;

    let success_of =
        |owner: &Claimant, attempt| full(owner, attempt, success(owner, attempt).disposition, "late");
    let late = success_of(&old, lost);
    let child = late.children[0].id;
    assert_eq!(fixture.finalize(late).await, FinalizeResult::Superseded);
    assert_eq!(fixture.finalize(release(&old, lost, true)).await, FinalizeResult::Superseded);
    assert_eq!(fixture.finalize(retry(&old, lost)).await, FinalizeResult::Superseded);
    // Neither the right attempt in the wrong name nor the right name with the wrong attempt.
    assert_eq!(fixture.finalize(success_of(&old, taken)).await, FinalizeResult::Superseded);
    assert_eq!(fixture.finalize(success_of(&new, lost)).await, FinalizeResult::Superseded);

    assert_eq!(fixture.status(lost.execution_id).await, Status::Running);
    assert!(fixture.store.logs(lost.execution_id, (0, 0), 10).await.unwrap().is_empty());
    assert!(fixture.store.state(None, "late").await.unwrap().is_none());
    assert!(fixture.store.execution(child).await.unwrap().is_none());
    assert_eq!(fixture.event_names(lost.execution_id).await, before);

    let on_time = success_of(&new, taken);
    assert_eq!(fixture.finalize(on_time).await, finished(Status::Success));
    assert_eq!(
        fixture.finalize(success_of(&old, lost)).await,
        FinalizeResult::Superseded,
        "terminal, and not ours"
    );
    let logs = fixture.store.logs(lost.execution_id, (0, 0), 10).await.unwrap();
    assert_eq!(logs.iter().map(|row| row.attempt).collect::<Vec<_>>(), [2, 2]);
}

pub(crate) async fn rule_14_two_attempts_in_one_group_write_what_the_fence_lets_through(fixture: Fixture) {
    let (old, new) = (claimant(), claimant());
    // However the newer attempt ends: its row is written, and the older one in the same group has no part in it.
    for goes_back in [false, true] {
        let lost = fixture.claimed(&old).await.attempt;
        // The lost row comes first, before children that wait.
        let taken = fixture.take_over(&new).await.remove(0).attempt;
        let late = full(&old, lost, success(&old, lost).disposition, "late");
        let late_release = release(&old, lost, false);
        let end = if goes_back {
            Finalization { logs: vec![line(1, "back")], ..release(&new, taken, true) }
        } else {
            full(&new, taken, success(&new, taken).disposition, "on time")
        };
        let group = [late.clone(), end, late_release];
        let verdicts = fixture.store.finalize(&group).await.unwrap();
        let written = if goes_back { FinalizeResult::Requeued } else { finished(Status::Success) };
        assert_eq!(verdicts, [FinalizeResult::Superseded, written, FinalizeResult::Superseded]);
        assert!(fixture.store.state(None, "late").await.unwrap().is_none(), "state of a superseded attempt");
        assert!(fixture.store.execution(late.children[0].id).await.unwrap().is_none(), "and its child");
        let logs = fixture.store.logs(lost.execution_id, (0, 0), 10).await.unwrap();
        assert!(!logs.is_empty() && logs.iter().all(|row| row.attempt == taken.number), "{logs:?}");
    }
}

pub(crate) async fn rule_14_several_outcomes_are_one_call(fixture: Fixture) {
    let me = claimant();
    let mut attempts = Vec::new();
    for _ in 0..6 {
        attempts.push(fixture.claimed(&me).await.attempt);
    }
    let failure = |kind: &str| ExecutionFailure {
        stack: Some("at line 3".to_owned()),
        ..ExecutionFailure::new(kind, "because")
    };
    let ends = [
        success(&me, attempts[0]),
        ending(&me, attempts[1], Disposition::Terminal(ExecutionOutcome::Failed(failure("ValueError")))),
        ending(&me, attempts[2], Disposition::Terminal(ExecutionOutcome::TimedOut(failure("TimeoutError")))),
        ending(
            &me,
            attempts[3],
            Disposition::Terminal(ExecutionOutcome::Cancelled(failure("CancelledError"))),
        ),
        release(&me, attempts[4], false),
        success(&claimant(), attempts[5]),
    ];
    let verdicts = fixture.store.finalize(&ends).await.unwrap();
    assert_eq!(verdicts[0], finished(Status::Success));
    assert_eq!(verdicts[1], failed("ValueError"));
    assert_eq!(verdicts[4..], [FinalizeResult::Requeued, FinalizeResult::Superseded]);
    let expected = [
        Status::Success,
        Status::Failed,
        Status::Timeout,
        Status::Cancelled,
        Status::Pending,
        Status::Running,
    ];
    for (attempt, status) in attempts.iter().zip(expected) {
        assert_eq!(fixture.status(attempt.execution_id).await, status);
    }
    let row = fixture.row(attempts[1].execution_id).await;
    assert_eq!(row.error_message.as_deref(), Some("because"));
    assert_eq!(row.error_stack.as_deref(), Some("at line 3"));
    assert_eq!(row.duration_ms, Some(1000));
    assert_eq!(row.started_at, Some(Timestamp::from_second(1_700_000_000).unwrap()));
    assert_eq!(row.completed_at, Some(Timestamp::from_second(1_700_000_001).unwrap()));
    assert_eq!(row.lease_expires_at, None);
    assert_eq!(fixture.store.finalize(&[]).await.unwrap(), []);
}

pub(crate) async fn rule_15_changes_apply_with_every_terminal_state(fixture: Fixture) {
    let me = claimant();
    let failure = || ExecutionFailure::new("X", "y");
    let outcomes = [
        ("success", ExecutionOutcome::Success { result: raw("null") }),
        ("failed", ExecutionOutcome::Failed(failure())),
        ("timeout", ExecutionOutcome::TimedOut(failure())),
        ("cancelled", ExecutionOutcome::Cancelled(failure())),
    ];
    for (key, outcome) in outcomes {
        let attempt = fixture.claimed(&me).await.attempt;
        fixture.finalize(full(&me, attempt, Disposition::Terminal(outcome), key)).await;
        assert_eq!(fixture.store.state(None, key).await.unwrap().expect(key).get(), "1");
    }
}

pub(crate) async fn rule_15_changes_never_apply_with_a_retry_and_logs_always_persist(fixture: Fixture) {
    let me = claimant();
    for (key, end) in [
        ("retry", retry(&me, fixture.claimed(&me).await.attempt)),
        ("release", {
            let attempt = fixture.claimed(&me).await.attempt;
            release(&me, attempt, true)
        }),
    ] {
        let attempt = end.attempt;
        let full = full(&me, attempt, end.disposition, key);
        let child = full.children[0].id;
        assert_eq!(fixture.finalize(full).await, FinalizeResult::Requeued);
        assert!(fixture.store.state(None, key).await.unwrap().is_none());
        assert!(fixture.store.execution(child).await.unwrap().is_none());
        let logs = fixture.store.logs(attempt.execution_id, (0, 0), 10).await.unwrap();
        assert_eq!(logs.len(), 2);
        assert_eq!(logs[1].line.message, "second");
    }
}

pub(crate) async fn rule_15_the_last_write_to_a_key_wins(fixture: Fixture) {
    let me = claimant();
    let organization_id = Some(Uuid::new_v4());
    let delete =
        |key: &str| StateChange { organization_id: None, key: key.to_owned(), write: StateWrite::Delete };
    let mut ends = Vec::new();
    for changes in [
        vec![set("a", "1"), set("a", "2"), set("gone", "1"), delete("gone"), set("null", "null")],
        vec![
            set("a", "3"),
            delete("back"),
            set("back", r#""here""#),
            StateChange { organization_id, ..set("a", "4") },
        ],
    ] {
        let attempt = fixture.claimed(&me).await.attempt;
        ends.push(Finalization { changes, ..success(&me, attempt) });
    }
    fixture.store.finalize(&ends).await.unwrap();
    let state = async |organization, key| {
        fixture.store.state(organization, key).await.unwrap().map(|value| value.get().to_owned())
    };
    assert_eq!(state(None, "a").await.as_deref(), Some("3"));
    assert_eq!(state(organization_id, "a").await.as_deref(), Some("4"));
    assert_eq!(state(None, "gone").await, None);
    assert_eq!(state(None, "null").await.as_deref(), Some("null"));
    assert_eq!(state(None, "back").await.as_deref(), Some(r#""here""#));

    let attempt = fixture.claimed(&me).await.attempt;
    fixture
        .finalize(Finalization { changes: vec![delete("a"), set("null", "2")], ..success(&me, attempt) })
        .await;
    assert_eq!(state(None, "a").await, None);
    assert_eq!(state(organization_id, "a").await.as_deref(), Some("4"));
    assert_eq!(state(None, "null").await.as_deref(), Some("2"));
}

pub(crate) async fn rule_16_a_refused_value_does_not_poison_the_group(fixture: Fixture) {
    let me = claimant();
    let mut ends = Vec::new();
    for number in 0..10 {
        let attempt = fixture.claimed(&me).await.attempt;
        let mut end = Finalization { logs: vec![line(1, "kept")], ..success(&me, attempt) };
        if number == 4 {
            let result = raw(r#"{"text":"a\u0000b"}"#);
            end.disposition = Disposition::Terminal(ExecutionOutcome::Success { result });
        }
        ends.push(end);
    }
    let verdicts = fixture.store.finalize(&ends).await.unwrap();
    for (number, (verdict, end)) in verdicts.iter().zip(&ends).enumerate() {
        let row = fixture.row(end.attempt.execution_id).await;
        let logs = fixture.store.logs(end.attempt.execution_id, (0, 0), 10).await.unwrap();
        assert_eq!(logs.len(), 1, "logs always persist");
        if number == 4 && row.status == Status::Failed {
            assert_eq!(*verdict, failed("ResultNotStorable"));
            assert!(row.result.is_none());
            assert!(row.error_message.unwrap().contains("refused"));
        } else {
            assert_eq!(*verdict, finished(Status::Success), "number {number}");
            assert!(row.result.is_some());
        }
    }
}

pub(crate) async fn rule_16_character_zero_in_a_log_fails_nothing(fixture: Fixture) {
    let me = claimant();
    let attempt = fixture.claimed(&me).await.attempt;
    let mut bad = line(1, "zero \0 here");
    bad.logger = "log\0ger".to_owned();
    bad.fields = Some(raw(r#"{"a":"\u0000"}"#));
    let failure =
        ExecutionFailure { stack: Some("st\0ack".to_owned()), ..ExecutionFailure::new("Bad\0", "mess\0age") };
    let end = Finalization {
        logs: vec![bad],
        ..ending(&me, attempt, Disposition::Terminal(ExecutionOutcome::Failed(failure)))
    };
    fixture.finalize(end).await;
    let row = fixture.row(attempt.execution_id).await;
    assert_eq!(row.error_message.as_deref(), Some("mess\u{FFFD}age"));
    let logs = fixture.store.logs(attempt.execution_id, (0, 0), 10).await.unwrap();
    assert_eq!(logs[0].line.message, "zero \u{FFFD} here");
    assert_eq!(logs[0].line.logger, "log\u{FFFD}ger");
}

pub(crate) async fn rule_17_finalizing_again_says_what_was_written(fixture: Fixture) {
    let me = claimant();
    let [one, two, three] = [
        fixture.claimed(&me).await.attempt,
        fixture.claimed(&me).await.attempt,
        fixture.claimed(&me).await.attempt,
    ];
    let ends = [
        full(&me, one, success(&me, one).disposition, "again"),
        full(&me, two, retry(&me, two).disposition, "never"),
        release(&me, three, false),
    ];
    let first = fixture.store.finalize(&ends).await.unwrap();
    assert_eq!(first, [finished(Status::Success), FinalizeResult::Requeued, FinalizeResult::Requeued]);
    let events = fixture.event_names(one.execution_id).await;
    assert_eq!(fixture.store.finalize(&ends).await.unwrap(), first);
    assert_eq!(fixture.event_names(one.execution_id).await, events);
    assert_eq!(fixture.store.logs(one.execution_id, (0, 0), 10).await.unwrap().len(), 2);
    let row = fixture.row(one.execution_id).await;
    assert_eq!((row.attempt, row.lease_owner), (1, Some(me.owner)), "so that ours is recognisable");
    // The same ending twice in one call, as after a crash between the outbox and its truncation.
    let four = fixture.claimed(&me).await.attempt;
    let twice = [full(&me, four, success(&me, four).disposition, "x"), success(&me, four)];
    let verdicts = fixture.store.finalize(&twice).await.unwrap();
    assert_eq!(verdicts, [finished(Status::Success), finished(Status::Success)]);
}

pub(crate) async fn rule_17_ends_stay_unnotified_until_marked(fixture: Fixture) {
    let me = claimant();
    let attempt = fixture.claimed(&me).await.attempt;
    let cancelled = fixture.submitted().await;
    let unnotified = async || {
        let rows = fixture.store.unnotified(Duration::ZERO, 10).await.unwrap();
        rows.into_iter().map(|row| row.id).collect::<Vec<_>>()
    };
    assert!(unnotified().await.is_empty());
    fixture.finalize(success(&me, attempt)).await;
    fixture.store.request_cancel(cancelled).await.unwrap();
    assert_eq!(unnotified().await, [attempt.execution_id, cancelled]);
    let young = fixture.store.unnotified(Duration::from_secs(3600), 10).await.unwrap();
    assert_eq!(young.len(), 1, "what has just ended is its owner's to publish");
    fixture.store.mark_notified(&[attempt.execution_id]).await.unwrap();
    assert_eq!(unnotified().await, [cancelled]);
    let running = fixture.claimed(&me).await.attempt.execution_id;
    fixture.store.mark_notified(&[running]).await.unwrap();
    assert!(fixture.row(running).await.notified_at.is_none());
}

pub(crate) async fn rule_17_where_nobody_else_hears_of_it_an_end_is_published_with_its_commit(
    fixture: Fixture,
) {
    let me = claimant();
    fixture.store.publish_with_commit();
    assert!(fixture.store.publishes_with_commit());
    let (ended, again) = (fixture.claimed(&me).await.attempt, fixture.claimed(&me).await.attempt);
    let cancelled = fixture.submitted().await;
    fixture.finalize(success(&me, ended)).await;
    fixture.finalize(retry(&me, again)).await;
    fixture.store.request_cancel(cancelled).await.unwrap();
    let row = fixture.row(ended.execution_id).await;
    assert!(row.notified_at >= row.completed_at && row.notified_at.is_some(), "{row:?}");
    assert_eq!(fixture.row(again.execution_id).await.notified_at, None);
    let left = fixture.store.unnotified(Duration::ZERO, 10).await.unwrap();
    assert_eq!(
        left.iter().map(|row| row.id).collect::<Vec<_>>(),
        [cancelled],
        "no attempt of it was finalized"
    );
}

pub(crate) async fn rule_25_children_commit_with_the_parents_outcome(fixture: Fixture) {
    let me = claimant();
    let attempt = fixture.claimed(&me).await.attempt;
    let end = full(&me, attempt, success(&me, attempt).disposition, "parent");
    let child = end.children[0].id;
    assert!(fixture.store.execution(child).await.unwrap().is_none());
    fixture.finalize(end).await;
    assert_eq!(fixture.status(child).await, Status::Pending);
    tokio::time::timeout(Duration::from_secs(10), fixture.store.woken()).await.expect("woken for the child");
    assert_eq!(fixture.take_pending().await, [Attempt::new(child, 1)]);
}

/// Whoever polls has found nothing that is due, and would look again a second later.
pub(crate) async fn a_retry_that_is_due_soon_wakes_whoever_polls(fixture: Fixture) {
    let me = claimant();
    let attempt = fixture.claimed(&me).await.attempt;
    // What woke before is taken.
    while tokio::time::timeout(Duration::from_millis(200), fixture.store.woken()).await.is_ok() {}
    let failure = ExecutionFailure::new("ValueError", "not yet");
    let again = Disposition::Retry { failure, delay: Duration::from_millis(10), max_attempts: 0 };
    fixture.finalize(ending(&me, attempt, again)).await;
    tokio::time::timeout(Duration::from_secs(10), fixture.store.woken()).await.expect("woken for the retry");
}

pub(crate) async fn a_retry_goes_back_while_attempts_are_left(fixture: Fixture) {
    let me = claimant();
    let mut attempt = fixture.claimed(&me).await.attempt;
    for _ in 0..2 {
        assert_eq!(fixture.finalize(retry(&me, attempt)).await, FinalizeResult::Requeued);
        attempt = fixture.take_pending_as(&me).await.pop().unwrap();
    }
    assert_eq!(attempt.number, 3);
    assert_eq!(fixture.finalize(retry(&me, attempt)).await, failed("ValueError"));
    let row = fixture.row(attempt.execution_id).await;
    assert_eq!((row.attempts_charged, row.error_message.as_deref()), (3, Some("no such thing")));

    let later = fixture.claimed(&me).await.attempt;
    let failure = ExecutionFailure::new("ValueError", "not now");
    let disposition = Disposition::Retry { failure, delay: Duration::from_secs(60), max_attempts: 3 };
    fixture.finalize(ending(&me, later, disposition)).await;
    assert!(fixture.take_pending().await.is_empty(), "it waits for its backoff");
    let wait = fixture.store.next_due(&claimant().queues).await.unwrap().unwrap();
    assert!(wait > Duration::from_secs(50) && wait <= Duration::from_secs(60), "{wait:?}");
}

pub(crate) async fn a_retry_may_raise_how_many_attempts_there_are(fixture: Fixture) {
    let me = claimant();
    let mut attempt = fixture.claimed(&me).await.attempt;
    let wants_five = |attempt| {
        let failure = ExecutionFailure::new("ValueError", "not yet");
        let disposition = Disposition::Retry { failure, delay: Duration::ZERO, max_attempts: 5 };
        ending(&me, attempt, disposition)
    };
    for number in 1..5 {
        assert_eq!(
            fixture.finalize(wants_five(attempt)).await,
            FinalizeResult::Requeued,
            "attempt {number} of 5"
        );
        attempt = fixture.take_pending_as(&me).await.pop().unwrap();
    }
    assert_eq!(attempt.number, 5);
    assert_eq!(fixture.finalize(wants_five(attempt)).await, failed("ValueError"));
    assert_eq!(fixture.row(attempt.execution_id).await.attempts_charged, 5);

    // A row that allows more than was asked for keeps what it allows: it also counts attempts that were lost.
    let lost = fixture.claimed(&me).await.attempt;
    let failure = ExecutionFailure::new("ValueError", "not yet");
    let wants_two = Disposition::Retry { failure, delay: Duration::ZERO, max_attempts: 2 };
    assert_eq!(fixture.finalize(ending(&me, lost, wants_two)).await, FinalizeResult::Requeued);
    for number in 2..=3 {
        let taken = fixture.take_over(&claimant()).await.pop().unwrap();
        assert_eq!(taken.attempt.number, number);
    }
}

pub(crate) async fn large_values_come_back_whole(fixture: Fixture) {
    let me = claimant();
    let attempt = fixture.claimed(&me).await.attempt;
    let text = format!("\"{}\"", "x\\n\\\"ü".repeat(700_000));
    let outcome = ExecutionOutcome::Success { result: raw(&text) };
    let logs = (1..=20_000).map(|sequence| line(sequence, "a line of some length, as logs are")).collect();
    let end = Finalization { logs, ..ending(&me, attempt, Disposition::Terminal(outcome)) };
    assert_eq!(fixture.finalize(end).await, finished(Status::Success));
    let row = fixture.row(attempt.execution_id).await;
    let value: String = serde_json::from_str(row.result.unwrap().get()).unwrap();
    assert_eq!(value, "x\n\"ü".repeat(700_000));
    let page = fixture.store.logs(attempt.execution_id, (1, 19_990), 100).await.unwrap();
    assert_eq!(page.len(), 10);
}
