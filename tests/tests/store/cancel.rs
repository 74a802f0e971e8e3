//! Cancelling, before, while and after.

use std::sync::Arc;

use muster_core::execution::Status;
use muster_store::{
    CancelResult, Claim, ExecutionFailure, ExecutionOutcome, FinalizeResult, RequestedCancel, TakeOver,
};
use uuid::Uuid;

use crate::fixture::{Fixture, claimant, new_execution, release, retry, success};

pub(crate) async fn rule_20_a_waiting_row_is_cancelled_at_once(fixture: Fixture) {
    let id = fixture.submitted().await;
    assert_eq!(fixture.store.request_cancel(id).await.unwrap(), CancelResult::Cancelled);
    let row = fixture.row(id).await;
    assert_eq!((row.status, row.error_type.as_deref()), (Status::Cancelled, Some("CancelledError")));
    assert!(row.completed_at.is_some());
    assert!(fixture.take_pending().await.is_empty());
    let again = fixture.store.request_cancel(id).await.unwrap();
    assert_eq!(again, CancelResult::AlreadyTerminal(Status::Cancelled));
    assert_eq!(fixture.event_names(id).await, ["cancelled"]);
}

pub(crate) async fn rule_20_an_unknown_id_leaves_a_tombstone(fixture: Fixture) {
    let late = Arc::new(new_execution());
    assert_eq!(fixture.store.request_cancel(late.id).await.unwrap(), CancelResult::Tombstone);
    let claims = fixture.store.claim(&claimant(), &[late]).await.unwrap();
    assert!(matches!(claims[..], [Claim::Elsewhere(Status::Cancelled)]), "{claims:?}");
}

pub(crate) async fn rule_20_a_running_row_is_asked_and_learns_it_at_renewal(fixture: Fixture) {
    let me = claimant();
    let attempt = fixture.claimed(&me).await.attempt;
    let other = fixture.claimed(&me).await.attempt;
    let answer = fixture.store.request_cancel(attempt.execution_id).await.unwrap();
    assert_eq!(answer, CancelResult::Requested { attempt, owner: me.owner });
    let row = fixture.row(attempt.execution_id).await;
    assert_eq!((row.status, row.error_type), (Status::Running, None));
    assert!(row.cancel_requested_at.is_some() && row.completed_at.is_none());
    let renewal = fixture.store.renew(&me, &[attempt, other]).await.unwrap();
    assert_eq!(renewal.cancel_requested, [RequestedCancel { attempt, reason: None }]);
    let first = row.cancel_requested_at;
    fixture.store.request_cancel(attempt.execution_id).await.unwrap();
    assert_eq!(fixture.row(attempt.execution_id).await.cancel_requested_at, first);
}

pub(crate) async fn rule_20_a_cancelled_row_is_not_taken_over(fixture: Fixture) {
    let id = fixture.claimed(&claimant()).await.attempt.execution_id;
    fixture.store.request_cancel(id).await.unwrap();
    let due = fixture.store.claim_due(&claimant(), 10, TakeOver::AllOthers).await.unwrap();
    assert!(due.claimed.is_empty());
    assert_eq!(due.ended, [(id, Status::Cancelled)]);
    assert_eq!(fixture.row(id).await.error_type.as_deref(), Some("CancelledError"));
}

pub(crate) async fn rule_20_a_cancelled_row_does_not_go_back(fixture: Fixture) {
    let me = claimant();
    for end in [retry, |me: &_, attempt| release(me, attempt, false)] {
        let attempt = fixture.claimed(&me).await.attempt;
        fixture.store.request_cancel(attempt.execution_id).await.unwrap();
        let verdict = fixture.finalize(end(&me, attempt)).await;
        let error_type = Some("CancelledError".to_owned());
        assert_eq!(verdict, FinalizeResult::Finished { status: Status::Cancelled, error_type });
        assert_eq!(fixture.status(attempt.execution_id).await, Status::Cancelled);
    }
}

pub(crate) async fn rule_20_cancel_against_finalize_gives_one_terminal_state(fixture: Fixture) {
    let me = claimant();
    for round in 0..40 {
        let attempt = fixture.claimed(&me).await.attempt;
        let (cancelling, finalizing) = (fixture.store.clone(), fixture.store.clone());
        let cancel = tokio::spawn(async move { cancelling.request_cancel(attempt.execution_id).await });
        let end = if round % 2 == 0 { success(&me, attempt) } else { release(&me, attempt, false) };
        let finalize = tokio::spawn(async move { finalizing.finalize(&[end]).await });
        let answer = cancel.await.unwrap().unwrap();
        let verdict = finalize.await.unwrap().unwrap().pop().unwrap();
        let status = fixture.status(attempt.execution_id).await;
        match (answer, verdict) {
            // The cancel came first: a success stands, a release does not go back.
            (CancelResult::Requested { .. }, FinalizeResult::Finished { status: written, .. }) => {
                assert_eq!(status, written);
                assert_eq!(status, if round % 2 == 0 { Status::Success } else { Status::Cancelled });
            }
            (CancelResult::AlreadyTerminal(seen), FinalizeResult::Finished { status: written, .. }) => {
                assert_eq!((status, seen), (written, Status::Success));
            }
            // The release came first.
            (CancelResult::Cancelled, FinalizeResult::Requeued) => assert_eq!(status, Status::Cancelled),
            other => panic!("{other:?}"),
        }
        let finals = fixture.event_names(attempt.execution_id).await;
        let ends = finals.iter().filter(|name| *name == "finalized" || *name == "cancelled").count();
        assert_eq!(ends, 1, "{finals:?}");
    }
}

pub(crate) async fn rule_21_an_outcome_stands_against_a_cancel_request(fixture: Fixture) {
    let me = claimant();
    let attempt = fixture.claimed(&me).await.attempt;
    fixture.store.request_cancel(attempt.execution_id).await.unwrap();
    let verdict = fixture.finalize(success(&me, attempt)).await;
    assert_eq!(verdict, FinalizeResult::Finished { status: Status::Success, error_type: None });
    assert_eq!(fixture.store.request_cancel(Uuid::new_v4()).await.unwrap(), CancelResult::Tombstone);
}

pub(crate) async fn rule_18_several_are_cancelled_in_one_go(fixture: Fixture) {
    let me = claimant();
    let running = fixture.claimed(&me).await.attempt;
    let over = fixture.claimed(&me).await.attempt;
    fixture.finalize(success(&me, over)).await;
    let waiting = [fixture.submitted().await, fixture.submitted().await];
    let unknown = Uuid::now_v7();
    let ids = [running.execution_id, over.execution_id, waiting[0], unknown, waiting[1]];
    let mut answers = fixture.store.request_cancels(&ids).await.unwrap();
    answers.sort_by_key(|(id, _)| ids.iter().position(|known| known == id));
    let requested = CancelResult::Requested { attempt: running, owner: me.owner };
    let expected = [
        (running.execution_id, requested),
        (waiting[0], CancelResult::Cancelled),
        (waiting[1], CancelResult::Cancelled),
    ];
    assert_eq!(answers, expected, "what is over stays, and what is not there leaves no tombstone");
    assert_eq!(fixture.row(waiting[0]).await.error_type.as_deref(), Some("CancelledError"));
    assert_eq!(fixture.event_names(waiting[1]).await, ["cancelled"]);
    assert!(fixture.row(running.execution_id).await.cancel_requested_at.is_some());
    let again = fixture.store.request_cancels(&ids).await.unwrap();
    assert_eq!(again, [(running.execution_id, requested)], "it still runs, and its owner is told again");
    assert_eq!(fixture.event_names(running.execution_id).await, ["claimed", "cancel_requested"]);
    assert!(fixture.store.execution(unknown).await.unwrap().is_none());
}

pub(crate) async fn what_waits_is_given_up_as_is_said_of_it(fixture: Fixture) {
    let me = claimant();
    let fails = |message: &str| ExecutionOutcome::Failed(ExecutionFailure::new("RangeError", message));
    let tried = fixture.claimed(&me).await.attempt;
    assert_eq!(fixture.finalize(retry(&me, tried)).await, FinalizeResult::Requeued);
    let (waiting, running) = (fixture.submitted().await, fixture.claimed(&me).await.attempt);
    let over = fixture.claimed(&me).await.attempt;
    fixture.finalize(success(&me, over)).await;
    let not_run = ExecutionOutcome::Cancelled(ExecutionFailure::new("CancelledError", "not run"));
    let given_up = [
        (tried.execution_id, fails("out of it")),
        (waiting, not_run),
        (running.execution_id, fails("no")),
        (over.execution_id, fails("no")),
        (Uuid::new_v4(), fails("nowhere")),
    ];
    for _ in 0..2 {
        fixture.store.give_up(&given_up).await.unwrap();
        let row = fixture.row(tried.execution_id).await;
        assert_eq!((row.status, row.attempt), (Status::Failed, tried.number));
        assert_eq!(row.error_type.as_deref(), Some("RangeError"));
        assert_eq!(row.error_message.as_deref(), Some("out of it"));
        assert!(row.completed_at.is_some());
        let row = fixture.row(waiting).await;
        assert_eq!((row.status, row.error_message.as_deref()), (Status::Cancelled, Some("not run")));
        assert_eq!(fixture.row(running.execution_id).await.status, Status::Running);
        assert_eq!(fixture.row(over.execution_id).await.status, Status::Success);
    }
    assert_eq!(fixture.event_names(waiting).await, ["finalized"]);
    assert_eq!(fixture.event_names(running.execution_id).await, ["claimed"]);
    assert!(fixture.take_pending().await.is_empty());
    let renewal = fixture.store.renew(&me, &[running]).await.unwrap();
    assert!(renewal.cancel_requested.is_empty());
}
