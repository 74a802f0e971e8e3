//! Keeping rows ours, and losing them.

use std::time::Duration;

use jiff::Timestamp;
use muster_core::execution::{Attempt, Status};
use muster_store::{Claimant, ExpiredOwners, Finalization, FinalizeResult, Store, TakeOver};

use crate::fixture::{Fixture, LEASE, claimant, eventually, success};

pub(crate) async fn rule_10_renewal_extends_exactly_the_list(fixture: Fixture) {
    let me = claimant();
    let [held, other] = [fixture.claimed(&me).await.attempt, fixture.claimed(&me).await.attempt];
    for attempt in [held, other] {
        fixture.age("lease_expires_at", attempt.execution_id, 5).await;
    }
    let before = fixture.row(other.execution_id).await.lease_expires_at.unwrap();
    let renewal = fixture.store.renew(&me, &[held]).await.unwrap();
    assert_eq!(renewal, Default::default());
    let renewed = fixture.row(held.execution_id).await.lease_expires_at.unwrap();
    let gained = renewed.duration_since(before);
    assert!(gained.as_secs_f64() > 4.9 && gained.as_secs_f64() < 10.0, "{gained:?}");
    assert_eq!(fixture.row(other.execution_id).await.lease_expires_at, Some(before));
}

pub(crate) async fn rule_10_a_row_in_our_name_that_nobody_holds_is_named(fixture: Fixture) {
    let me = claimant();
    let stray = fixture.claimed(&me).await.attempt;
    let held = fixture.claimed(&me).await.attempt;
    let renewal = fixture.store.renew(&me, &[held]).await.unwrap();
    assert_eq!(renewal.unheld, [], "a claim whose answer is still on its way is no stray");
    fixture.age("lease_expires_at", stray.execution_id, LEASE.as_secs().cast_signed()).await;
    let renewal = fixture.store.renew(&me, &[held]).await.unwrap();
    assert_eq!(renewal.unheld, [stray]);
    assert_eq!(fixture.status(stray.execution_id).await, Status::Running, "its holder decides");
    fixture.finalize(Finalization::of_stray(stray, me.owner)).await;
    let row = fixture.row(stray.execution_id).await;
    assert_eq!((row.status, row.attempts_charged, row.lease_owner), (Status::Pending, 0, None));
    assert_eq!(fixture.status(held.execution_id).await, Status::Running);
    let again = fixture.take_pending().await;
    assert_eq!(again, [Attempt::new(stray.execution_id, 2)]);
}

pub(crate) async fn rule_10_a_later_attempt_is_a_stray_though_an_earlier_one_is_held(fixture: Fixture) {
    let me = claimant();
    let earlier = fixture.claimed(&me).await.attempt;
    fixture.finalize(crate::fixture::release(&me, earlier, false)).await;
    let later = fixture.take_over(&me).await.pop().unwrap().attempt;
    fixture.age("lease_expires_at", later.execution_id, LEASE.as_secs().cast_signed()).await;
    // The earlier one is on the list for as long as its end is not known to be committed.
    let renewal = fixture.store.renew(&me, &[earlier]).await.unwrap();
    assert_eq!(renewal.unheld, [later]);
}

pub(crate) async fn rule_10_renewal_tells_who_was_superseded(fixture: Fixture) {
    let me = claimant();
    let lost = fixture.claimed(&me).await.attempt;
    fixture.take_over(&claimant()).await;
    let held = fixture.claimed(&me).await.attempt;
    let renewal = fixture.store.renew(&me, &[lost, held]).await.unwrap();
    assert_eq!(renewal.superseded, [lost]);
    assert_eq!((renewal.cancel_requested.len(), renewal.unheld.len()), (0, 0));
    let unknown = Attempt::new(uuid::Uuid::new_v4(), 1);
    assert_eq!(fixture.store.renew(&me, &[unknown]).await.unwrap().superseded, [unknown]);
}

pub(crate) async fn rule_10_what_we_ended_ourselves_is_not_superseded(fixture: Fixture) {
    let me = claimant();
    let over = fixture.claimed(&me).await.attempt;
    let back = fixture.claimed(&me).await.attempt;
    fixture.finalize(success(&me, over)).await;
    fixture.finalize(crate::fixture::release(&me, back, false)).await;
    let renewal = fixture.store.renew(&me, &[over, back]).await.unwrap();
    assert_eq!(renewal, Default::default());
}

pub(crate) async fn rule_11_an_expired_lease_still_finalizes(fixture: Fixture) {
    let me = claimant();
    let [renewed, ended] = [fixture.claimed(&me).await.attempt, fixture.claimed(&me).await.attempt];
    for attempt in [renewed, ended] {
        fixture.expire(attempt.execution_id).await;
    }
    // Only a newer claim supersedes; an outage alone does not.
    let renewal = fixture.store.renew(&me, &[renewed, ended]).await.unwrap();
    assert_eq!(renewal, Default::default());
    fixture.expire(ended.execution_id).await;
    let verdict = fixture.finalize(success(&me, ended)).await;
    assert_eq!(verdict, FinalizeResult::Finished { status: Status::Success, error_type: None });
}

/// What a prober with a short lease finds lost after a while of looking.
async fn found_lost(store: &dyn Store, prober: &Claimant) -> ExpiredOwners {
    eventually("a row is lost", async || {
        let lost = store.expired_owners(prober).await.unwrap();
        (!lost.is_empty()).then_some(lost)
    })
    .await
}

pub(crate) async fn rule_12_take_over_waits_for_a_renewal_that_could_have_come(fixture: Fixture) {
    let id = fixture.claimed(&claimant()).await.attempt.execution_id;
    fixture.expire(id).await;
    let store = fixture.another_store().await;
    let opened = tokio::time::Instant::now();
    let prober = Claimant { lease: Duration::from_millis(900), ..claimant() };
    assert!(store.expired_owners(&prober).await.unwrap().is_empty(), "it was seen for the first time");
    let lost = found_lost(&*store, &prober).await;
    assert!(opened.elapsed() > prober.lease / 3, "lost after {:?}", opened.elapsed());
    let taken = store.claim_due(&prober, 10, TakeOver::Lost(&lost)).await.unwrap().claimed;
    assert_eq!(taken[0].attempt, Attempt::new(id, 2));
}

pub(crate) async fn rule_12_what_is_renewed_after_the_last_look_is_not_taken_over(fixture: Fixture) {
    let owner = claimant();
    let held = fixture.claimed(&owner).await.attempt;
    fixture.expire(held.execution_id).await;
    let store = fixture.another_store().await;
    let prober = Claimant { lease: Duration::from_millis(900), ..claimant() };
    let lost = found_lost(&*store, &prober).await;
    fixture.store.renew(&owner, &[held]).await.unwrap();
    let due = store.claim_due(&prober, 10, TakeOver::Lost(&lost)).await.unwrap();
    assert!(due.claimed.is_empty(), "{due:?}");
    assert!(store.expired_owners(&prober).await.unwrap().is_empty());
}

pub(crate) async fn a_start_is_recorded_only_under_the_fence(fixture: Fixture) {
    let me = claimant();
    let attempt = fixture.claimed(&me).await.attempt;
    let at = Timestamp::from_microsecond(1_700_000_000_123_456).unwrap();
    fixture.store.record_started(me.owner, &[(attempt, at)]).await.unwrap();
    assert_eq!(fixture.row(attempt.execution_id).await.started_at, Some(at));
    fixture.take_over(&claimant()).await;
    assert_eq!(fixture.row(attempt.execution_id).await.started_at, None, "the next attempt has not started");
    fixture.store.record_started(me.owner, &[(attempt, at)]).await.unwrap();
    assert_eq!(fixture.row(attempt.execution_id).await.started_at, None);
}
