//! Whose clock decides: the database's, and no supervisor's.
//!
//! The database is given another clock. Our own host's stays as it is, so whatever is written or compared by that is
//! wrong by hours.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use muster_core::execution::Attempt;
use muster_store::{Claim, Claimant, Disposition, NewExecution, Store, TakeOver};
use uuid::Uuid;

use crate::fixture::{Fixture, LEASE, claimant, ending, new_execution, postgres};
use crate::hidden::hide;

/// Sets the database's clock so far ahead of ours.
async fn set_clock(fixture: &Fixture, hours: u32) {
    let shifted = format!("SELECT pg_catalog.clock_timestamp() + interval '{hours} hours'");
    let clock = format!("clock_timestamp() RETURNS timestamptz LANGUAGE sql VOLATILE AS $$ {shifted} $$");
    hide(fixture, &clock).await;
}

/// Checks that a time of a row is so many hours and seconds ahead of our clock, give or take what a test takes.
async fn assert_ahead(fixture: &Fixture, column: &str, id: Uuid, hours: u32, plus: Duration) {
    let select = format!("SELECT extract(epoch FROM {column})::text FROM executions WHERE id = '{id}'");
    let time: f64 = fixture.texts(&select).await[0].parse().unwrap();
    let ahead = time - Timestamp::now().as_duration().as_secs_f64();
    let expected = f64::from(hours) * 3600.0 + plus.as_secs_f64();
    assert!((ahead - expected).abs() < 25.0, "{column} is {ahead} s ahead of our clock, not {expected} s");
}

async fn claim(store: &dyn Store, claimant: &Claimant) -> Attempt {
    let claims = store.claim(claimant, &[Arc::new(new_execution())]).await.unwrap();
    let [Claim::Claimed(claimed)] = &claims[..] else { panic!("not claimed: {claims:?}") };
    claimed.attempt
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rule_3_the_clock_of_the_database_writes_leases_and_due_times() {
    let fixture = postgres().await;
    set_clock(&fixture, 3).await;
    let (store, me) = (fixture.another_store().await, claimant());

    let claimed = claim(&*store, &me).await;
    assert_ahead(&fixture, "lease_expires_at", claimed.execution_id, 3, LEASE).await;

    set_clock(&fixture, 6).await;
    store.renew(&me, &[claimed]).await.unwrap();
    assert_ahead(&fixture, "lease_expires_at", claimed.execution_id, 6, LEASE).await;

    let delay = Duration::from_secs(600);
    let back = Disposition::Release { reason: "drained".to_owned(), delay, charged: false };
    store.finalize(&[ending(&me, claimed, back)]).await.unwrap();
    assert_ahead(&fixture, "run_after", claimed.execution_id, 6, delay).await;

    let submitted = NewExecution { delay, ..new_execution() };
    store.submit(std::slice::from_ref(&submitted)).await.unwrap();
    assert_ahead(&fixture, "run_after", submitted.id, 6, delay).await;

    set_clock(&fixture, 9).await;
    assert_eq!(store.claim_due(&me, 10, TakeOver::Nothing).await.unwrap().claimed.len(), 2);
    assert_ahead(&fixture, "lease_expires_at", submitted.id, 9, LEASE).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rule_3_the_clock_of_the_database_says_what_is_due_and_what_has_run_out() {
    let fixture = postgres().await;
    set_clock(&fixture, 3).await;
    let store = fixture.another_store().await;
    let (lost, prober) = (claimant(), Claimant { lease: Duration::from_millis(1), ..claimant() });
    let held = claim(&*store, &lost).await.execution_id;
    let waiting = new_execution();
    store.submit(std::slice::from_ref(&waiting)).await.unwrap();
    let due = async || {
        let mut lost = store.expired_owners(&prober).await.unwrap();
        for _ in 0..3 {
            lost = store.expired_owners(&prober).await.unwrap();
        }
        let due = store.claim_due(&prober, 10, TakeOver::Lost(&lost)).await.unwrap();
        due.claimed.into_iter().map(|claimed| claimed.attempt.execution_id).collect::<Vec<_>>()
    };

    // By our clock, which has not moved, nothing changes in between.
    set_clock(&fixture, 2).await;
    assert!(due().await.is_empty());
    let wait = store.next_due(&claimant().queues).await.unwrap().unwrap().as_secs_f64();
    assert!((3500.0..3601.0).contains(&wait), "the next is due in {wait} s");
    set_clock(&fixture, 4).await;
    let mut found = due().await;
    found.sort();
    assert_eq!(found, [held, waiting.id]);
}
