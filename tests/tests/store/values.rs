//! What users write: the same bytes in every attempt, and what becomes of an end that the database refuses.

use std::time::Duration;

use muster_core::execution::{LogLine, Status};
use muster_store::{
    Disposition, ExecutionFailure, ExecutionOutcome, Finalization, FinalizeResult, NewExecution, TakeOver,
};

use crate::fixture::{Fixture, claimant, ending, line, new_execution, raw, release, retry, set, success};

/// Texts that a database would spell in its own way, or that no double holds.
const TEXTS: [&str; 6] = [
    r#"{"zz":12345678901234567890123,"aa":106.18129360834155, "aa":1E22}"#,
    "[ -0.0, 1.50, 1e-7, 1e22, 9007199254740993, 1e400 ]",
    "{\n  \"pretty\" : [\r\n 1 ]}",
    r#""\u00e9 \/ \ud83d\ude00 é""#,
    "null",
    r#"{"":{"b":1,"a":2}}"#,
];

fn asked(parameters: &str) -> NewExecution {
    let new = new_execution();
    let caller = r#"{"name":"Ada", "n":12345678901234567890123, "a":1e22}"#;
    let request = format!(
        r#"{{"execution_id":"{}","workflow":"greet","parameters":{parameters},"caller":{caller}}}"#,
        new.id
    );
    NewExecution { request: raw(&request), caller: Some(raw(caller)), ..new }
}

pub(crate) async fn what_was_submitted_starts_every_attempt_byte_for_byte(fixture: Fixture) {
    let me = claimant();
    for text in TEXTS {
        let (submitted, sent) = (asked(text), asked(text));
        fixture.store.submit(std::slice::from_ref(&submitted)).await.unwrap();
        let first = fixture.claim(&me, sent.clone()).await;
        assert_eq!(first.execution.request.get(), sent.request.get());
        fixture.finalize(release(&me, first.attempt, false)).await;
        for attempt in 1..=2 {
            let due = fixture.store.claim_due(&me, 10, TakeOver::Nothing).await.unwrap();
            assert_eq!(due.claimed.len(), 2, "{text}, attempt {attempt}");
            for claimed in due.claimed {
                let new = if claimed.attempt.execution_id == sent.id { &sent } else { &submitted };
                assert_eq!(claimed.execution.request.get(), new.request.get());
                let caller = claimed.execution.caller.as_ref().map(|caller| caller.get());
                assert_eq!(caller, new.caller.as_ref().map(|caller| caller.get()));
                let read_back = fixture.store.claimed_by(me.owner, &[new.id]).await.unwrap();
                assert_eq!(read_back[0].execution.request.get(), new.request.get());
                let row = fixture.row(new.id).await;
                assert_eq!(row.parameters.unwrap().get(), text);
                assert_eq!(row.request.unwrap().get(), new.request.get());
                let end =
                    if attempt == 1 { retry(&me, claimed.attempt) } else { success(&me, claimed.attempt) };
                fixture.finalize(end).await;
            }
        }
    }
}

pub(crate) async fn results_and_state_come_back_byte_for_byte(fixture: Fixture) {
    let me = claimant();
    for text in TEXTS {
        let attempt = fixture.claimed(&me).await.attempt;
        let outcome = ExecutionOutcome::Success { result: raw(text) };
        let end = Finalization {
            changes: vec![set("key", text)],
            ..ending(&me, attempt, Disposition::Terminal(outcome))
        };
        fixture.finalize(end).await;
        assert_eq!(fixture.row(attempt.execution_id).await.result.unwrap().get(), text);
        assert_eq!(fixture.store.state(None, "key").await.unwrap().unwrap().get(), text);
    }
}

pub(crate) async fn half_characters_in_log_fields_fail_nothing(fixture: Fixture) {
    let me = claimant();
    let attempt = fixture.claimed(&me).await.attempt;
    let fields = Some(raw(r#"{"k\ud83d":"\udc00 \u0000 \ud83d\ude00"}"#));
    let end = Finalization {
        logs: vec![LogLine { fields, ..line(1, "half") }],
        changes: vec![set("kept", "1")],
        ..success(&me, attempt)
    };
    assert_eq!(
        fixture.finalize(end).await,
        FinalizeResult::Finished { status: Status::Success, error_type: None }
    );
    let logs = fixture.store.logs(attempt.execution_id, (0, 0), 10).await.unwrap();
    let fields: serde_json::Value =
        serde_json::from_str(logs[0].line.fields.as_ref().unwrap().get()).unwrap();
    assert_eq!(fields, serde_json::json!({ "k\u{fffd}": "\u{fffd} \u{fffd} \u{1f600}" }));
    assert!(fixture.store.state(None, "kept").await.unwrap().is_some());
}

/// The messages of an attempt's log, and how many lines have fields.
async fn log_of(fixture: &Fixture, end: &Finalization) -> (Vec<String>, usize) {
    let logs = fixture.store.logs(end.attempt.execution_id, (0, 0), 10).await.unwrap();
    let fields = logs.iter().filter(|row| row.line.fields.is_some()).count();
    (logs.into_iter().map(|row| row.line.message).collect(), fields)
}

pub(crate) async fn rule_16_a_refused_end_gives_up_fields_then_its_log_and_stays_what_it_is(
    fixture: Fixture,
) {
    let me = claimant();
    fixture.refuse("INSERT", "execution_logs", "NEW.message = 'no fields' AND NEW.fields IS NOT NULL").await;
    fixture.refuse("INSERT", "execution_logs", "NEW.message = 'never'").await;
    let timed_out = || {
        Disposition::Terminal(ExecutionOutcome::TimedOut(ExecutionFailure::new("TimeoutError", "after 1 s")))
    };
    let due = || Disposition::Retry {
        failure: ExecutionFailure::new("ValueError", "not yet"),
        delay: Duration::ZERO,
        max_attempts: 3,
    };
    let mut ends = Vec::new();
    for (word, disposition) in [
        ("no fields", timed_out()),
        ("never", timed_out()),
        ("never", due()),
        ("never", success(&me, fixture.claimed(&me).await.attempt).disposition),
        ("fine", timed_out()),
    ] {
        let attempt = fixture.claimed(&me).await.attempt;
        let logs = vec![line(1, word), line(2, "second")];
        ends.push(Finalization { logs, changes: vec![set(word, "1")], ..ending(&me, attempt, disposition) });
    }
    let verdicts = fixture.store.finalize(&ends).await.unwrap();
    let timeout =
        FinalizeResult::Finished { status: Status::Timeout, error_type: Some("TimeoutError".to_owned()) };
    let done = FinalizeResult::Finished { status: Status::Success, error_type: None };
    assert_eq!(verdicts, [timeout.clone(), timeout.clone(), FinalizeResult::Requeued, done, timeout]);

    let (messages, fields) = log_of(&fixture, &ends[0]).await;
    assert_eq!((&messages[..2], fields), (&["no fields".to_owned(), "second".to_owned()][..], 0));
    assert!(messages[2].starts_with("the fields of this log could not be stored"), "{messages:?}");
    for end in &ends[1..=3] {
        let (messages, _) = log_of(&fixture, end).await;
        assert_eq!(messages.len(), 1);
        assert!(messages[0].starts_with("the 2 lines of this log could not be stored"), "{messages:?}");
    }
    assert_eq!(log_of(&fixture, &ends[4]).await, (vec!["fine".to_owned(), "second".to_owned()], 2));
    assert!(fixture.store.state(None, "no fields").await.unwrap().is_some(), "its writes stay its own");
    assert_eq!(fixture.row(ends[1].attempt.execution_id).await.error_message.as_deref(), Some("after 1 s"));
    assert_eq!(fixture.take_pending().await.len(), 1, "what was to be retried waits again");
}

pub(crate) async fn rule_16_a_result_that_is_refused_costs_its_own_execution_only(fixture: Fixture) {
    let me = claimant();
    fixture.refuse("UPDATE", "executions", "NEW.status = 'SUCCESS' AND NEW.duration_ms = 13").await;
    let mut ends = Vec::new();
    for number in 0..5 {
        let attempt = fixture.claimed(&me).await.attempt;
        let duration_ms = Some(if number == 2 { 13 } else { 7 });
        ends.push(Finalization { duration_ms, changes: vec![set("n", "1")], ..success(&me, attempt) });
    }
    let verdicts = fixture.store.finalize(&ends).await.unwrap();
    let kinds: Vec<_> = verdicts
        .iter()
        .map(|verdict| match verdict {
            FinalizeResult::Finished { error_type, .. } => error_type.as_deref().unwrap_or("-"),
            FinalizeResult::Requeued | FinalizeResult::Superseded => "lost",
        })
        .collect();
    assert_eq!(kinds, ["-", "-", "ResultNotStorable", "-", "-"]);
    let row = fixture.row(ends[2].attempt.execution_id).await;
    assert!(row.error_message.as_ref().unwrap().contains("not today"), "{:?}", row.error_message);
    assert!(!row.error_message.unwrap().contains("at line"), "a line of somebody else's source");
}

pub(crate) async fn a_row_that_cannot_be_claimed_fails_alone(fixture: Fixture) {
    let me = claimant();
    fixture.refuse("UPDATE", "executions", "NEW.status = 'RUNNING' AND NEW.workflow_name = 'bad'").await;
    let mut bad = Vec::new();
    for number in 0..9 {
        let mut new = new_execution();
        if number % 4 == 1 {
            new.workflow_name = Some("bad".to_owned());
            bad.push(new.id);
        }
        fixture.store.submit(&[new]).await.unwrap();
    }
    let due = fixture.store.claim_due(&me, 100, TakeOver::Nothing).await.unwrap();
    assert_eq!(due.claimed.len(), 7);
    let mut ended: Vec<_> = due.ended.iter().map(|(id, _)| *id).collect();
    ended.sort();
    assert_eq!(ended, bad);
    for id in bad {
        let row = fixture.row(id).await;
        assert_eq!((row.status, row.error_type.as_deref()), (Status::Failed, Some("InvalidRequest")));
        assert!(row.error_message.unwrap().contains("not today"));
        assert!(fixture.event_names(id).await.contains(&"finalized".to_owned()));
    }
}

pub(crate) async fn a_row_that_somebody_wrote_by_hand_is_claimed_and_not_in_the_way(fixture: Fixture) {
    let me = claimant();
    let (by_hand, other) = (fixture.submitted().await, fixture.submitted().await);
    fixture.forget_request(by_hand).await;
    let due = fixture.store.claim_due(&me, 10, TakeOver::Nothing).await.unwrap();
    let mut requests: Vec<_> = due
        .claimed
        .iter()
        .map(|claimed| (claimed.attempt.execution_id, claimed.execution.read_request()))
        .collect();
    requests.sort_by_key(|(id, _)| *id);
    assert_eq!(requests.iter().map(|(id, _)| *id).collect::<Vec<_>>(), [by_hand, other]);
    assert!(requests[0].1.is_err() && requests[1].1.is_ok());
}
