//! When an execution may start: not before one moment, and not after another.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use muster_core::execution::Status;
use muster_store::{Claim, Expiry, NewExecution, TakeOver};

use crate::fixture::{Fixture, claimant, new_execution, retry};

const MINUTE: Duration = Duration::from_secs(60);

fn expiring(expiry: Expiry) -> NewExecution {
    NewExecution { expiry: Some(expiry), ..new_execution() }
}

async fn assert_expired(fixture: &Fixture, id: uuid::Uuid) {
    let row = fixture.row(id).await;
    assert_eq!((row.status, row.error_type.as_deref()), (Status::Cancelled, Some("Expired")));
    assert!(row.completed_at.is_some() && row.notified_at.is_none() && row.attempt == 0, "{row:?}");
    assert_eq!(fixture.event_names(id).await, ["finalized"]);
}

pub(crate) async fn what_is_to_start_later_becomes_a_row(fixture: Fixture) {
    let run_at = Timestamp::now() + Duration::from_secs(3600);
    let at = Arc::new(NewExecution { run_at: Some(run_at), ..new_execution() });
    let after = Arc::new(NewExecution { delay: MINUTE, ..new_execution() });
    let claims = fixture.store.claim(&claimant(), &[at.clone(), after.clone()]).await.unwrap();
    let waits = |claim: &Claim| matches!(claim, Claim::Elsewhere(Status::Pending));
    assert!(claims.len() == 2 && claims.iter().all(waits), "{claims:?}");
    let row = fixture.row(at.id).await;
    assert_eq!(row.run_after.as_microsecond(), run_at.as_microsecond(), "to the microsecond");
    let wait = fixture.row(after.id).await;
    assert_eq!(wait.run_after.duration_since(wait.created_at).as_secs(), 60);
    // The same message again, as after a lost acknowledgement.
    let again = fixture.store.claim(&claimant(), &[at]).await.unwrap();
    assert!(again.iter().all(waits), "{again:?}");
}

pub(crate) async fn a_moment_that_is_over_holds_nothing_up(fixture: Fixture) {
    let run_at = Some("2001-01-01T00:00:00Z".parse().unwrap());
    let old = Arc::new(NewExecution { run_at, ..new_execution() });
    let claims = fixture.store.claim(&claimant(), &[old]).await.unwrap();
    assert!(matches!(claims[..], [Claim::Claimed(_)]), "{claims:?}");
    // As a row it waits since it came, not since that moment: it does not go before others for it.
    let old = NewExecution { run_at, ..new_execution() };
    fixture.store.submit(std::slice::from_ref(&old)).await.unwrap();
    let row = fixture.row(old.id).await;
    assert_eq!(row.run_after, row.created_at);
}

pub(crate) async fn what_has_not_started_in_time_is_cancelled(fixture: Fixture) {
    let (at, after) = (expiring(Expiry::At(Timestamp::now() + MINUTE)), expiring(Expiry::After(MINUTE)));
    fixture.store.submit(&[at.clone(), after.clone(), new_execution()]).await.unwrap();
    let row = fixture.row(after.id).await;
    assert_eq!(row.expires_at.unwrap().duration_since(row.created_at).as_secs(), 60);
    let me = claimant();
    assert!(fixture.store.expire(&me, 10).await.unwrap().is_empty());
    fixture.age("expires_at", at.id, 3600).await;
    fixture.age("expires_at", after.id, 60).await;
    assert_eq!(fixture.store.expire(&me, 1).await.unwrap(), [at.id], "the one that expired first");
    assert_eq!(fixture.store.expire(&me, 10).await.unwrap(), [after.id]);
    assert_expired(&fixture, at.id).await;
    assert_expired(&fixture, after.id).await;
}

pub(crate) async fn what_has_expired_is_not_claimed(fixture: Fixture) {
    let late = expiring(Expiry::After(MINUTE));
    fixture.store.submit(std::slice::from_ref(&late)).await.unwrap();
    fixture.age("expires_at", late.id, 3600).await;
    // Its message comes at last.
    let message = Arc::new(NewExecution { expiry: None, ..late.clone() });
    let claims = fixture.store.claim(&claimant(), &[message]).await.unwrap();
    assert!(matches!(claims[..], [Claim::Elsewhere(Status::Pending)]), "{claims:?}");
    let due = fixture.store.claim_due(&claimant(), 10, TakeOver::Nothing).await.unwrap();
    assert!(due.claimed.is_empty());
    assert_eq!(due.ended, [(late.id, Status::Cancelled)]);
    assert_expired(&fixture, late.id).await;
}

pub(crate) async fn an_attempt_keeps_an_execution_from_expiring(fixture: Fixture) {
    let (me, new) = (claimant(), Arc::new(expiring(Expiry::After(MINUTE))));
    let claims = fixture.store.claim(&me, std::slice::from_ref(&new)).await.unwrap();
    let [Claim::Claimed(claimed)] = &claims[..] else { panic!("{claims:?}") };
    fixture.finalize(retry(&me, claimed.attempt)).await;
    fixture.age("expires_at", new.id, 3600).await;
    assert!(fixture.store.expire(&me, 10).await.unwrap().is_empty());
    assert_eq!(fixture.store.claim_due(&me, 10, TakeOver::Nothing).await.unwrap().claimed.len(), 1);
}

pub(crate) async fn messages_that_come_too_late_do_not_run(fixture: Fixture) {
    let late = Arc::new(expiring(Expiry::At("2001-01-01T00:00:00Z".parse().unwrap())));
    let claims = fixture.store.claim(&claimant(), std::slice::from_ref(&late)).await.unwrap();
    assert!(matches!(claims[..], [Claim::Elsewhere(Status::Pending)]), "{claims:?}");
    assert_eq!(fixture.store.expire(&claimant(), 10).await.unwrap(), [late.id]);
    assert_expired(&fixture, late.id).await;
}
