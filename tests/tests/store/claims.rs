//! Making rows ours.

use std::collections::HashSet;
use std::sync::Arc;

use muster_core::execution::Status;
use muster_store::{Claim, TakeOver};

use crate::fixture::{Fixture, claimant, new_execution, release, success};

pub(crate) async fn rule_2_the_attempt_rises_with_every_claim(fixture: Fixture) {
    let me = claimant();
    let first = fixture.claimed(&me).await;
    let id = first.attempt.execution_id;
    assert_eq!((first.attempt.number, first.attempts_charged), (1, 1));
    fixture.finalize(release(&me, first.attempt, false)).await;
    let second = fixture.take_over(&me).await.pop().unwrap();
    assert_eq!((second.attempt.number, second.attempts_charged), (2, 1), "the release was not charged");
    fixture.finalize(release(&me, second.attempt, true)).await;
    let third = fixture.take_over(&claimant()).await.pop().unwrap();
    assert_eq!((third.attempt.number, third.attempts_charged), (3, 2), "this one was");
    assert_eq!(fixture.event_names(id).await, ["claimed", "released", "claimed", "released", "claimed"]);
}

pub(crate) async fn rule_2_a_take_over_charges_and_the_last_one_is_lost(fixture: Fixture) {
    let id = fixture.claimed(&claimant()).await.attempt.execution_id;
    for charged in 2..=3 {
        let taken = fixture.take_over(&claimant()).await.pop().unwrap();
        assert_eq!((taken.attempt.number, taken.attempts_charged), (charged, charged));
    }
    let undertaker = claimant();
    let due = fixture.store.claim_due(&undertaker, 10, TakeOver::AllOthers).await.unwrap();
    assert!(due.claimed.is_empty());
    assert_eq!(due.ended, [(id, Status::Failed)]);
    let row = fixture.row(id).await;
    assert_eq!((row.status, row.error_type.as_deref()), (Status::Failed, Some("SupervisorLost")));
    assert_eq!(row.lease_owner, Some(undertaker.owner), "the one who died must not take it for its own");
    assert!(row.completed_at.is_some() && row.notified_at.is_none());
    let events = fixture.event_names(id).await;
    assert_eq!(events[events.len() - 2..], ["lost", "finalized"]);
}

pub(crate) async fn rule_2_ten_releases_are_not_charged_and_the_eleventh_is(fixture: Fixture) {
    let me = claimant();
    let mut claimed = fixture.claimed(&me).await;
    for number in 1..=10 {
        assert_eq!((claimed.attempt.number, claimed.attempts_charged), (number, 1));
        fixture.finalize(release(&me, claimed.attempt, false)).await;
        claimed = fixture.take_over(&me).await.pop().unwrap();
    }
    assert_eq!((claimed.attempt.number, claimed.attempts_charged), (11, 1));
    fixture.finalize(release(&me, claimed.attempt, false)).await;
    claimed = fixture.take_over(&me).await.pop().unwrap();
    assert_eq!((claimed.attempt.number, claimed.attempts_charged), (12, 2));
}

pub(crate) async fn rule_4_a_duplicate_changes_nothing(fixture: Fixture) {
    let me = claimant();
    let execution = Arc::new(new_execution());
    let delivery = [execution.clone()];
    let first = fixture.store.claim(&me, &delivery).await.unwrap();
    let Some(Claim::Claimed(claimed)) = first.first() else { panic!("{first:?}") };
    let before = fixture.row(execution.id).await;
    for claimant in [me.clone(), claimant()] {
        let again = fixture.store.claim(&claimant, &delivery).await.unwrap();
        assert!(matches!(again[..], [Claim::Elsewhere(Status::Running)]), "{again:?}");
    }
    let after = fixture.row(execution.id).await;
    assert_eq!((after.attempt, after.lease_owner), (before.attempt, before.lease_owner));
    fixture.finalize(success(&me, claimed.attempt)).await;
    let again = fixture.store.claim(&me, &delivery).await.unwrap();
    assert!(matches!(again[..], [Claim::Elsewhere(Status::Success)]), "{again:?}");

    let later =
        Arc::new(muster_store::NewExecution { delay: std::time::Duration::from_secs(60), ..new_execution() });
    fixture.store.submit(std::slice::from_ref(&later)).await.unwrap();
    let early = fixture.store.claim(&me, &[later]).await.unwrap();
    assert!(matches!(early[..], [Claim::Elsewhere(Status::Pending)]), "{early:?}");
}

pub(crate) async fn rule_4_the_same_id_twice_in_a_group_is_one_claim(fixture: Fixture) {
    let twin = Arc::new(new_execution());
    let group = [twin.clone(), Arc::new(new_execution()), twin];
    let claims = fixture.store.claim(&claimant(), &group).await.unwrap();
    assert!(
        matches!(claims[..], [Claim::Claimed(_), Claim::Claimed(_), Claim::Elsewhere(Status::Running)]),
        "{claims:?}"
    );
}

pub(crate) async fn rule_4_a_claim_can_be_read_back(fixture: Fixture) {
    let me = claimant();
    let mine = fixture.claimed(&me).await;
    let theirs = fixture.claimed(&claimant()).await.attempt.execution_id;
    let over = fixture.claimed(&me).await.attempt;
    fixture.finalize(success(&me, over)).await;
    let ids = [mine.attempt.execution_id, theirs, over.execution_id, uuid::Uuid::new_v4()];
    let read = fixture.store.claimed_by(me.owner, &ids).await.unwrap();
    assert_eq!(read.len(), 1);
    assert_eq!(read[0].attempt, mine.attempt);
    assert_eq!(read[0].attempts_charged, 1);
    assert_eq!(read[0].execution.workflow_name, mine.execution.workflow_name);
}

pub(crate) async fn rule_4_of_many_claimers_exactly_one_wins(fixture: Fixture) {
    let group: Vec<_> = (0..50).map(|_| Arc::new(new_execution())).collect();
    let mut claimers = Vec::new();
    for turn in 0..8 {
        let store = if turn % 2 == 0 { fixture.store.clone() } else { fixture.another_store().await };
        let mut group = group.clone();
        group.rotate_left(turn * 5);
        claimers.push(tokio::spawn(async move { store.claim(&claimant(), &group).await.unwrap() }));
    }
    let mut winners = Vec::new();
    for claimer in claimers {
        for claim in claimer.await.unwrap() {
            match claim {
                Claim::Claimed(claimed) => winners.push(claimed.attempt),
                Claim::Elsewhere(status) => assert_eq!(status, Status::Running),
                Claim::Existing { .. } | Claim::KeyReused { .. } | Claim::Refused(_) => panic!("{claim:?}"),
            }
        }
    }
    let distinct: HashSet<_> = winners.iter().map(|attempt| attempt.execution_id).collect();
    assert_eq!((winners.len(), distinct.len()), (50, 50));
    assert!(winners.iter().all(|attempt| attempt.number == 1), "{winners:?}");
}

pub(crate) async fn rule_6_polls_never_share_a_row(fixture: Fixture) {
    let batch: Vec<_> = (0..100).map(|_| new_execution()).collect();
    fixture.store.submit(&batch).await.unwrap();
    let mut polls = Vec::new();
    for _ in 0..6 {
        let store = fixture.another_store().await;
        polls.push(tokio::spawn(async move {
            let mut mine = Vec::new();
            let me = claimant();
            loop {
                let due = store.claim_due(&me, 7, TakeOver::Nothing).await.unwrap();
                if due.claimed.is_empty() {
                    return mine;
                }
                mine.extend(due.claimed.into_iter().map(|claimed| claimed.attempt));
            }
        }));
    }
    let mut all = Vec::new();
    for poll in polls {
        all.extend(poll.await.unwrap());
    }
    // A poll that saw only locked rows may stop early; the rows themselves are never claimed twice.
    all.extend(fixture.take_pending().await);
    let distinct: HashSet<_> = all.iter().map(|attempt| attempt.execution_id).collect();
    assert_eq!((all.len(), distinct.len()), (100, 100));
    assert!(all.iter().all(|attempt| attempt.number == 1));
}

pub(crate) async fn rule_27_rows_of_an_earlier_process_are_lost_at_once(fixture: Fixture) {
    let earlier = claimant();
    let lost = fixture.claimed(&earlier).await.attempt;
    let me = claimant();
    let held = fixture.claimed(&me).await.attempt;
    let due = fixture.store.claim_due(&me, 10, TakeOver::Nothing).await.unwrap();
    assert!(due.claimed.is_empty(), "its lease has not run out");
    let taken = fixture.take_over(&me).await;
    assert_eq!(taken.len(), 1, "and never what we hold ourselves ({held})");
    assert_eq!(taken[0].attempt.execution_id, lost.execution_id);
    assert_eq!(taken[0].attempt.number, 2);
}
