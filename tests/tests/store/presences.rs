//! Who is alive and who may take over, as PostgreSQL alone can tell: locks, beats and the host's word.

use std::time::{Duration, Instant};

use muster_core::execution::Attempt;
use muster_store::{
    Claim, ClaimStore as _, Claimant, DeadOwner, ExpiredOwners, PeerStore as _, PresenceShown,
    SchemaStore as _, TakeOver,
};

use crate::fixture::{claimant, eventually, new_execution, postgres};
use crate::hidden::hide;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rule_13_a_supervisor_that_holds_its_lock_is_not_proven_dead_and_one_that_fell_silent_is() {
    let fixture = postgres().await;
    let (alive, dying, silent) = (claimant(), claimant(), claimant());
    let (one, two) = (fixture.another_host(), fixture.another_host());
    one.hold_presence(&alive).await.unwrap();
    two.hold_presence(&dying).await.unwrap();
    assert_eq!(one.facts().await.unwrap().notices_death, Some(true));
    for claimant in [&alive, &dying, &silent] {
        fixture.claimed(claimant).await;
    }
    let (store, prober) = (fixture.another_host(), claimant());
    assert!(store.expired_owners(&prober).await.unwrap().is_empty(), "all three live");

    drop(two);
    let died = Instant::now();
    let lost = eventually("the proof", async || {
        let lost = store.expired_owners(&prober).await.unwrap();
        (!lost.is_empty()).then_some(lost)
    })
    .await;
    assert!(died.elapsed() >= Duration::from_secs(4), "nothing was heard for five seconds");
    // The silent one never showed that its death can be seen: its lease alone decides.
    assert_eq!(lost.dead.iter().map(|dead| dead.owner).collect::<Vec<_>>(), [dying.owner]);

    let due = store.claim_due(&prober, 10, TakeOver::Lost(&lost)).await.unwrap();
    assert_eq!(due.claimed.len(), 1, "its lease has not run out, and it is taken over all the same");
    assert_eq!(due.claimed[0].attempts_charged, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rule_13_the_proof_is_checked_again_inside_the_take_over() {
    let fixture = postgres().await;
    let revived = claimant();
    let id = fixture.claimed(&revived).await.attempt.execution_id;
    let store = fixture.another_host();
    store.hold_presence(&revived).await.unwrap();
    let (prober, me) = (fixture.another_host(), claimant());
    let proof = async |missed: i64| {
        let beats = fixture.texts("SELECT beats::text FROM supervisor_presences").await;
        let lease_ends = fixture.row(id).await.lease_expires_at.unwrap();
        let beats = beats[0].parse::<i64>().unwrap() - missed;
        let dead = DeadOwner { owner: revived.owner, beats: Some(beats), lease_ends };
        ExpiredOwners { dead: vec![dead], overdue: Vec::new() }
    };
    let taken = async |lost: &ExpiredOwners| {
        prober.expired_owners(&me).await.unwrap();
        prober.claim_due(&me, 10, TakeOver::Lost(lost)).await.unwrap().claimed.len()
    };
    assert_eq!(taken(&proof(0).await).await, 0, "it took its lock again in the meantime");
    drop(store);
    let free = "SELECT 'free' WHERE NOT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' \
                AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))";
    eventually("its session is over", async || fixture.texts(free).await.pop()).await;
    assert_eq!(taken(&proof(1).await).await, 0, "it beat in the meantime, without its lock");
    let mut renewed = proof(0).await;
    fixture.store.renew(&revived, &[Attempt::new(id, 1)]).await.unwrap();
    assert_eq!(taken(&renewed).await, 0, "it renewed in the meantime");
    renewed = proof(0).await;
    assert_eq!(taken(&renewed).await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rule_13_a_process_that_ended_on_this_host_is_proven_dead_at_once() {
    let fixture = postgres().await;
    let (gone, lives) = (claimant(), claimant());
    let (one, two) = (fixture.another_store().await, fixture.another_store().await);
    one.hold_presence(&gone).await.unwrap();
    two.hold_presence(&lives).await.unwrap();
    fixture.claimed(&gone).await;
    fixture.claimed(&lives).await;
    // As if the process that ran it had ended: its number belongs to another one now.
    let started = "UPDATE supervisor_presences SET process_started = process_started - 1";
    fixture.sql(&format!("{started} WHERE owner = '{}'", gone.owner)).await;
    let (store, prober) = (fixture.another_store().await, claimant());
    assert!(store.expired_owners(&prober).await.unwrap().is_empty(), "its session is not over yet");
    drop((one, two));
    let died = Instant::now();
    let lost = eventually("the proof", async || {
        let lost = store.expired_owners(&prober).await.unwrap();
        (!lost.is_empty()).then_some(lost)
    })
    .await;
    assert_eq!(lost.dead.iter().map(|dead| dead.owner).collect::<Vec<_>>(), [gone.owner]);
    assert!(died.elapsed() < Duration::from_secs(4), "{:?}", died.elapsed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rule_13_a_lost_lock_is_taken_again_and_the_beat_goes_on_meanwhile() {
    let fixture = postgres().await;
    let me = claimant();
    let store = fixture.another_host();
    store.hold_presence(&me).await.unwrap();
    fixture.claimed(&me).await;
    let holder = "SELECT pid::text FROM pg_locks WHERE locktype = 'advisory' AND granted \
         AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
    let before = fixture.texts(holder).await;
    assert_eq!(before.len(), 1);
    fixture.sql(&format!("SELECT pg_terminate_backend({})", before[0])).await;
    // It may be lost and ours again between two looks, so the session tells.
    eventually("another session of ours has the lock", async || {
        let now = fixture.texts(holder).await;
        (now.len() == 1 && now != before).then_some(())
    })
    .await;
    eventually("the lock is ours again", async || (store.presence() == PresenceShown::Yes).then_some(()))
        .await;
    assert_eq!(store.facts().await.unwrap().notices_death, Some(true));
}

/// An older supervisor writes its row without a beat: its leases alone decide.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rule_13_an_older_supervisor_is_judged_by_its_leases() {
    let fixture = postgres().await;
    let older = claimant();
    let id = fixture.claimed(&older).await.attempt.execution_id;
    fixture
        .sql(&format!(
            "INSERT INTO supervisor_presences (owner, locked_at) VALUES ('{}', now())",
            older.owner
        ))
        .await;
    let (store, prober) = (fixture.another_host(), Claimant { lease: Duration::from_secs(1), ..claimant() });
    let until = Instant::now() + Duration::from_secs(7);
    while Instant::now() < until {
        assert!(store.expired_owners(&prober).await.unwrap().is_empty(), "a free lock proves nothing");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    fixture.expire(id).await;
    eventually("its lease decides", async || {
        let lost = store.expired_owners(&prober).await.unwrap();
        (!lost.overdue.is_empty()).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rule_13_behind_a_transaction_pooler_the_lock_is_off_and_the_lease_alone_decides() {
    let fixture = postgres().await;
    // What a pooler makes of session locks: whoever asks gets one, because all have the same session.
    let locked = "pg_try_advisory_lock(bigint) RETURNS boolean LANGUAGE sql AS $$ SELECT true $$";
    hide(&fixture, locked).await;
    let (store, me) = (fixture.another_store().await, claimant());
    store.hold_presence(&me).await.unwrap();
    assert_eq!(store.facts().await.unwrap().notices_death, Some(false));
    let claims = store.claim(&me, &[std::sync::Arc::new(crate::fixture::new_execution())]).await.unwrap();
    assert!(matches!(claims[..], [Claim::Claimed(_)]), "work goes on without the lock: {claims:?}");
    // Nothing was promised, so a lock that is free proves nothing.
    assert!(
        fixture.store.expired_owners(&claimant()).await.unwrap().is_empty(),
        "and its lease has not run out"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rule_13_a_presence_is_swept_when_its_supervisor_is_long_dead_and_not_before() {
    let fixture = postgres().await;
    let (alive, dead) = (claimant(), claimant());
    let (one, two) = (fixture.another_store().await, fixture.another_store().await);
    one.hold_presence(&alive).await.unwrap();
    two.hold_presence(&dead).await.unwrap();
    drop(two);
    fixture.sql("UPDATE supervisor_presences SET locked_at = locked_at - interval '8 days', beat_at = beat_at - interval '8 days'").await;
    // Its session ends a moment after its connection.
    eventually("the dead one is swept by whoever boots next", async || {
        let next = fixture.another_store().await;
        next.hold_presence(&claimant()).await.unwrap();
        let left = fixture.presences().await;
        assert!(left.contains(&alive.owner), "it has held its lock for eight days, and its death would show");
        (!left.contains(&dead.owner)).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pooler_that_hands_out_the_sessions_of_others_is_named() {
    let fixture = postgres().await;
    let clock = |body: String| {
        format!("clock_timestamp() RETURNS timestamptz LANGUAGE plpgsql VOLATILE AS $$ BEGIN {body}; END $$")
    };
    hide(&fixture, &clock("RETURN pg_catalog.clock_timestamp()".to_owned())).await;
    let store = fixture.another_store().await;
    for code in ["26000", "42P05"] {
        let refusal =
            format!("RAISE EXCEPTION 'the prepared statement is not as it was' USING ERRCODE = '{code}'");
        hide(&fixture, &clock(refusal)).await;
        let told = store.submit(&[new_execution()]).await.unwrap_err().to_string();
        assert!(
            told.contains("a pooler before the database") && told.contains("pool_mode = session"),
            "{told}"
        );
    }
}
