//! What becomes of those who wait for the lock of a limit in PostgreSQL, which somebody holds while deciding about it.

use std::time::Duration;

use muster_core::execution::Status;
use muster_core::limit::{LimitTerms, OnFull};
use muster_store::{Idempotency, NewExecution, Submitted, TakeOver};

use crate::fixture::{claimant, eventually, postgres};
use crate::limits::limited;

/// Those who wait for one in this database.
const WAITING: &str = "SELECT 1::text FROM pg_locks WHERE locktype = 'advisory' AND NOT granted \
                       AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";

/// The key of the lock of a limit, which stays the same in every version.
fn lock_of_limit(name: &str) -> i32 {
    name.bytes()
        .fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
        .cast_signed()
}

/// Holds the lock of a limit until the transaction of this session ends.
async fn lock(session: &mut sqlx::PgConnection, name: &str) {
    let hold = format!("BEGIN; SELECT pg_advisory_xact_lock(1819109748, {})", lock_of_limit(name));
    sqlx::raw_sql(sqlx::AssertSqlSafe(hold)).execute(session).await.unwrap();
}

/// A submit decides while a claim has what is to make room in its hands, and the claim takes it then.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_claim_has_in_its_hands_when_a_newer_one_comes_is_asked_to_end() {
    let (fixture, me) = (postgres().await, claimant());
    let terms = LimitTerms { total: Some(1), on_full: OnFull::CancelRunning, ..LimitTerms::default() };
    fixture.limit("crm", terms).await;
    let mut holder = fixture.session_of_another().await;
    // A claim that waits for the lock for half a second goes without: on a slow machine it is tried again.
    for _ in 0..20 {
        let (older, newer) = (limited(["crm"]), limited(["crm"]));
        fixture.store.submit(std::slice::from_ref(&older)).await.unwrap();
        lock(&mut holder, "crm").await;
        let (submits, claims) = (fixture.another_store().await, fixture.another_store().await);
        let new = newer.clone();
        let submit = tokio::spawn(async move { submits.submit(&[new]).await });
        let are_waiting = async |count: usize| (fixture.texts(WAITING).await.len() >= count).then_some(());
        eventually("the submit waits for the limit", async || {
            if submit.is_finished() { Some(()) } else { are_waiting(1).await }
        })
        .await;
        let of_claim = me.clone();
        let claim = tokio::spawn(async move { claims.claim_due(&of_claim, 10, TakeOver::Nothing).await });
        eventually("the claim waits behind it", async || {
            if submit.is_finished() || claim.is_finished() { Some(()) } else { are_waiting(2).await }
        })
        .await;
        sqlx::raw_sql("COMMIT").execute(&mut holder).await.unwrap();
        let submitted = submit.await.unwrap();
        let claimed = claim.await.unwrap().unwrap().claimed;
        let row = fixture.row(older.id).await;
        let is_met =
            submitted.is_ok() && claimed.iter().any(|claimed| claimed.attempt.execution_id == older.id);
        if is_met {
            assert_eq!(row.status, Status::Running);
            assert!(row.cancel_requested_at.is_some(), "it was taken, and runs on beside a newer one");
            assert_eq!(fixture.status(newer.id).await, Status::Pending);
            fixture.succeed(&me, claimed[0].attempt).await;
            assert_eq!(fixture.claimed_ids(&me).await, [newer.id]);
            return;
        }
        for id in [older.id, newer.id] {
            fixture.store.request_cancel(id).await.unwrap();
        }
        for claimed in claimed {
            fixture.succeed(&me, claimed.attempt).await;
        }
    }
    panic!("the claim never had it in its hands");
}

/// Submits have nothing locked that others wait for: they wait in turn, with and without idempotency keys.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_burst_of_submits_waits_for_a_limit_that_others_decide_about() {
    const GROUPS: usize = 40;
    const OF_EACH: usize = 5;
    let fixture = postgres().await;
    let terms = LimitTerms { total: Some(1), on_full: OnFull::Reject, ..LimitTerms::default() };
    fixture.limit("crm", terms).await;
    let mut holder = fixture.session_of_another().await;
    lock(&mut holder, "crm").await;
    let mut stores = Vec::new();
    for _ in 0..4 {
        stores.push(fixture.another_store().await);
    }
    let mut submits = tokio::task::JoinSet::new();
    for group in 0..GROUPS {
        let store = std::sync::Arc::clone(&stores[group % stores.len()]);
        let with_key = |number: usize| {
            let (key, fingerprint) = (format!("order-{group}-{number}"), number.to_string());
            (group % 3 == 0).then(|| Box::new(Idempotency { key, fingerprint, lifetime: None }))
        };
        let new: Vec<NewExecution> = (0..OF_EACH)
            .map(|number| NewExecution { idempotency: with_key(number), ..limited(["crm"]).refusable() })
            .collect();
        submits.spawn(async move { store.submit(&new).await });
    }
    eventually("they wait for the limit", async || {
        (!submits.is_empty() && fixture.texts(WAITING).await.len() >= stores.len()).then_some(())
    })
    .await;
    // Longer than whoever has something locked waits.
    let longer = tokio::time::Instant::now() + Duration::from_millis(1500);
    eventually("that lasts", async || (tokio::time::Instant::now() > longer).then_some(())).await;
    sqlx::raw_sql("COMMIT").execute(&mut holder).await.unwrap();
    let answers: Vec<Submitted> =
        submits.join_all().await.into_iter().flat_map(|answer| answer.unwrap()).collect();
    let is_in = |answer: &&Submitted| **answer == Submitted::Inserted;
    assert_eq!(answers.iter().filter(is_in).count(), 1, "one is let in");
    let is_refused = |answer: &&Submitted| matches!(answer, Submitted::LimitReached { .. });
    assert_eq!(answers.iter().filter(is_refused).count(), GROUPS * OF_EACH - 1);
}

/// Whoever left a limit while somebody had it locked is struck by the sweep, however long that takes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sweep_waits_for_limits_that_others_have_locked() {
    let (fixture, me) = (postgres().await, claimant());
    fixture.limit("crm", LimitTerms { total: Some(1), ..LimitTerms::default() }).await;
    let (first, second) = (limited(["crm"]), limited(["crm"]));
    fixture.store.submit(std::slice::from_ref(&first)).await.unwrap();
    let attempt = fixture.claims(&me, 1).await.pop().unwrap();
    fixture.store.submit(std::slice::from_ref(&second)).await.unwrap();
    assert!(fixture.claims(&me, 1).await.is_empty());
    let mut holder = fixture.session_of_another().await;
    lock(&mut holder, "crm").await;
    // The outcome is written all the same, and that there is room now is left for later.
    fixture.succeed(&me, attempt).await;
    assert!(fixture.claims(&me, 1).await.is_empty());
    let sweeping = fixture.another_store().await;
    let sweep = tokio::spawn(async move { sweeping.sweep_limits().await });
    eventually("the sweep waits for the limit", async || {
        (sweep.is_finished() || !fixture.texts(WAITING).await.is_empty()).then_some(())
    })
    .await;
    // Longer than whoever must not hold others up: it may not have been served by chance.
    let longer = tokio::time::Instant::now() + Duration::from_millis(1500);
    eventually("that lasts", async || (tokio::time::Instant::now() > longer).then_some(())).await;
    sqlx::raw_sql("COMMIT").execute(&mut holder).await.unwrap();
    assert_eq!(sweep.await.unwrap().unwrap().struck, 1);
    assert_eq!(fixture.claimed_ids(&me).await, [second.id]);
}
