//! What only PostgreSQL can tell, and what only a server can do to us.

use std::sync::Arc;
use std::time::{Duration, Instant};

use muster_core::execution::{Attempt, Status};
use muster_store::{
    Claim, ClaimStore as _, Claimant, DeadOwner, ExecutionStore as _, ExpiredOwners, Finalization,
    FinalizeResult, OutcomeStore as _, PeerStore as _, PostgresStore, PresenceShown, SchemaStore as _,
    StoreError, TakeOver,
};
use muster_tests::{ServerKind, Services};

use crate::fixture::{Fixture, claimant, eventually, line, new_execution, postgres, retry, set, success};
use crate::hidden::hide;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_schema_of_version_1_is_brought_up_to_date_under_what_runs() {
    let fixture = postgres().await;
    let running = fixture.claimed(&claimant()).await.attempt.execution_id;
    back_to_version_1(&fixture).await;
    assert_eq!(fixture.store.facts().await.unwrap().schema_version, 1);
    fixture.store.migrate().await.unwrap();
    let facts = fixture.store.facts().await.unwrap();
    assert_eq!(facts.schema_version, facts.schema_newest);
    let index = fixture.texts("SELECT pg_get_indexdef('executions_running'::regclass)").await;
    assert!(index[0].contains("completed_at IS NULL"), "{index:?}");
    assert_eq!(fixture.status(running).await, Status::Running);
}

/// Takes away what came after the first version of the schema.
async fn back_to_version_1(fixture: &Fixture) {
    fixture
        .sql(
            "DROP INDEX executions_running; \
             CREATE INDEX executions_running ON executions (lease_owner) WHERE status = 'RUNNING'; \
             ALTER TABLE executions DROP COLUMN request_text, DROP COLUMN result_text; \
             ALTER TABLE state_entries DROP COLUMN value_text; \
             ALTER TABLE supervisor_presences DROP COLUMN beats, DROP COLUMN beat_at, DROP COLUMN lease_us, \
                 DROP COLUMN host, DROP COLUMN process_id, DROP COLUMN process_started; \
             DELETE FROM muster_migrations WHERE version > 1",
        )
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_step_of_the_schema_that_waits_for_a_long_transaction_holds_up_nobody() {
    let fixture = postgres().await;
    let id = fixture.claimed(&claimant()).await.attempt.execution_id;
    back_to_version_1(&fixture).await;
    let mut reader = fixture.session_of_another().await;
    sqlx::raw_sql("BEGIN; SELECT count(*) FROM executions").execute(&mut reader).await.unwrap();

    let store = fixture.another_store().await;
    let migrating = tokio::spawn(async move { store.migrate().await });
    let waiting = "SELECT pid::text FROM pg_locks WHERE NOT granted AND mode = 'AccessExclusiveLock'";
    for _ in 0..3 {
        eventually("the step waits", async || fixture.texts(waiting).await.pop()).await;
        let asked = Instant::now();
        // What a supervisor of the version before does: it waits behind the step, for as long as that waits.
        fixture
            .sql(&format!("UPDATE executions SET lease_expires_at = clock_timestamp() WHERE id = '{id}'"))
            .await;
        assert!(asked.elapsed() < Duration::from_secs(3), "held up for {:?}", asked.elapsed());
        eventually("the step lets go", async || fixture.texts(waiting).await.is_empty().then_some(())).await;
    }
    assert!(!migrating.is_finished());
    sqlx::raw_sql("ROLLBACK").execute(&mut reader).await.unwrap();
    migrating.await.unwrap().unwrap();
    let facts = fixture.store.facts().await.unwrap();
    assert_eq!(facts.schema_version, facts.schema_newest);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_are_found_by_their_ids_though_the_table_was_empty_when_the_plans_were_made() {
    const GROUPS: u64 = 10;
    const ROWS: u64 = 100;
    let fixture = postgres().await;
    let (me, store) = (claimant(), fixture.another_store().await);
    for _ in 0..GROUPS {
        let new: Vec<_> = (0..ROWS).map(|_| Arc::new(new_execution())).collect();
        let attempts = store.claim(&me, &new).await.unwrap().into_iter().map(|claim| match claim {
            Claim::Claimed(claimed) => claimed.attempt,
            Claim::Elsewhere(_) | Claim::Refused(_) => panic!("{claim:?}"),
        });
        let ends: Vec<_> = attempts.map(|attempt| success(&me, attempt)).collect();
        store.finalize(&ends).await.unwrap();
        let ids: Vec<_> = new.iter().map(|new| new.id).collect();
        store.mark_notified(&ids).await.unwrap();
    }
    // Sessions tell what they read when they end.
    drop(store);
    let written = "SELECT n_tup_upd::text FROM pg_stat_user_tables WHERE relid = 'executions'::regclass";
    eventually("all sessions have told", async || {
        let written: u64 = fixture.texts(written).await.first()?.parse().ok()?;
        (written >= 2 * GROUPS * ROWS).then_some(())
    })
    .await;
    let read = fixture
        .texts(
            "SELECT indexrelname || ' ' || idx_tup_read FROM pg_stat_user_indexes \
             WHERE relid = 'executions'::regclass AND idx_tup_read > 0",
        )
        .await;
    let [by_id] = read.as_slice() else { panic!("more than one index was read: {read:?}") };
    let (index, count) = by_id.split_once(' ').unwrap();
    // An end, its mark, and the versions of a row that are not swept yet.
    assert!(index == "executions_pkey" && count.parse::<u64>().unwrap() <= 6 * GROUPS * ROWS, "{read:?}");
}

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
async fn a_row_submitted_elsewhere_wakes_the_poll_here() {
    let fixture = postgres().await;
    let poller = fixture.another_store().await;
    // The first wake-up only says that listening has begun.
    tokio::time::timeout(Duration::from_secs(10), poller.woken()).await.expect("listening");
    let woken = tokio::spawn(async move { poller.woken().await });
    fixture.submitted().await;
    tokio::time::timeout(Duration::from_secs(10), woken).await.expect("woken").unwrap();
}

/// The server stops, stays away, and comes back: nothing that was committed is lost, nothing is written twice,
/// nothing hangs.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_outage_is_survived() {
    let started = tokio::task::spawn_blocking(|| {
        let services = Services::private();
        (services.fresh().database_url, services)
    });
    let (url, services) = started.await.unwrap();
    let store = PostgresStore::new(&url).unwrap();
    store.migrate().await.unwrap();
    let me = claimant();
    let executions: Vec<_> = (0..4).map(|_| std::sync::Arc::new(crate::fixture::new_execution())).collect();
    store.claim(&me, &executions).await.unwrap();
    let ids: Vec<_> = executions.iter().map(|execution| execution.id).collect();
    let attempts: Vec<_> =
        store.claimed_by(me.owner, &ids).await.unwrap().iter().map(|claimed| claimed.attempt).collect();

    let services = in_background(services, |services| services.kill(ServerKind::Postgres)).await;
    let ends: Vec<_> = attempts.iter().map(|attempt| success(&me, *attempt)).collect();
    let began = Instant::now();
    let error = store.finalize(&ends).await.unwrap_err();
    assert!(matches!(error, StoreError::Unreachable { .. } | StoreError::CommitUnknown { .. }), "{error}");
    assert!(error.is_passing() && began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());

    let services = in_background(services, |services| services.start_again(ServerKind::Postgres)).await;
    let verdicts = eventually("the server's return", async || store.finalize(&ends).await.ok()).await;
    let finished = FinalizeResult::Finished { status: Status::Success, error_type: None };
    assert_eq!(verdicts, vec![finished; 4]);
    // Every connection in every pool is dead after a restart; each is found out without an error for long.
    let services = in_background(services, |services| services.restart(ServerKind::Postgres)).await;
    eventually("renewals", async || store.renew(&me, &attempts).await.ok()).await;
    eventually("reads", async || store.execution(ids[0]).await.ok().flatten()).await;
    let more = eventually("claims", async || store.claim_due(&me, 1, TakeOver::Nothing).await.ok()).await;
    assert!(more.claimed.is_empty());
    tokio::task::spawn_blocking(move || drop(services)).await.unwrap();
}

async fn in_background<T: Send + 'static>(
    services: Services,
    work: impl FnOnce(&Services) -> T + Send + 'static,
) -> Services {
    let done = tokio::task::spawn_blocking(move || {
        work(&services);
        services
    });
    done.await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rights_that_are_missing_are_named() {
    let fixture = postgres().await;
    let role = format!("limited_{}", uuid::Uuid::now_v7().simple());
    fixture
        .sql(&format!(
            "CREATE ROLE {role} LOGIN PASSWORD 'limited';
             GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {role};
             REVOKE UPDATE ON executions FROM {role};
             REVOKE DELETE ON state_entries FROM {role};
             REVOKE CREATE ON SCHEMA public FROM PUBLIC"
        ))
        .await;
    let store = fixture.store_as(&role, "limited");
    let error = store.check_statements().await.unwrap_err().to_string();
    assert!(error.contains("may not UPDATE executions, DELETE state_entries"), "{error}");
    assert!(!store.facts().await.unwrap().may_migrate);
    fixture
        .sql(&format!("GRANT UPDATE ON executions TO {role}; GRANT DELETE ON state_entries TO {role}"))
        .await;
    store.check_statements().await.unwrap();
    fixture.sql(&format!("DROP OWNED BY {role}; DROP ROLE {role}")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_earlier_version_wrote_is_read_and_what_it_wrote_over_is_not_hidden() {
    let fixture = postgres().await;
    let me = claimant();
    let id = fixture.submitted().await;
    let attempt = fixture.claimed(&me).await.attempt;
    let end = Finalization { changes: vec![set("key", "1.50")], ..success(&me, attempt) };
    fixture.finalize(end).await;
    // As an earlier version would have: it knows the jsonb columns alone.
    fixture
        .sql(
            "UPDATE executions SET request_text = NULL, result_text = NULL; \
             UPDATE state_entries SET value = '{\"other\": 2}'",
        )
        .await;
    let due = fixture.store.claim_due(&me, 10, TakeOver::Nothing).await.unwrap();
    assert_eq!(due.claimed[0].attempt.execution_id, id);
    assert_eq!(due.claimed[0].execution.read_request().unwrap().parameters.get(), r#"{"n": 1}"#);
    assert_eq!(fixture.row(attempt.execution_id).await.result.unwrap().get(), r#"{"ok": true}"#);
    let state = async || fixture.store.state(None, "key").await.unwrap().unwrap().get().to_owned();
    assert_eq!(state().await, r#"{"other": 2}"#);
    // And it reads what this version writes.
    fixture.sql("UPDATE state_entries SET value = '1.5'").await;
    assert_eq!(state().await, "1.50");
    let copies = fixture
        .texts("SELECT (request ->> 'workflow') || (request -> 'parameters')::text || parameters FROM executions")
        .await;
    assert_eq!(copies, vec![r#"greet{"n": 1}{"n": 1}"#; 2]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upgrade_ends_sessions_that_rest_and_no_others() {
    let fixture = postgres().await;
    let (mut resting, mut present) = (fixture.session_of_another().await, fixture.session_of_another().await);
    sqlx::query("SELECT pg_advisory_lock(1)").execute(&mut present).await.unwrap();
    sqlx::query("SELECT * FROM executions").fetch_all(&mut resting).await.unwrap();
    back_to_version_1(&fixture).await;
    fixture.another_store().await.migrate().await.unwrap();
    assert!(sqlx::query("SELECT 1").execute(&mut resting).await.is_err(), "its statements are of before");
    sqlx::query("SELECT 1").execute(&mut present).await.expect("it shows that a supervisor lives");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_column_that_changes_under_prepared_statements_stops_nothing() {
    let fixture = postgres().await;
    let me = claimant();
    // Every session of every kind has its statements after a few rounds.
    let rounds = async |count: usize| {
        for _ in 0..count {
            let waiting = fixture.submitted().await;
            let attempt = fixture.claimed(&me).await.attempt;
            let logs = vec![line(1, "text")];
            fixture.finalize(Finalization { logs, ..success(&me, attempt) }).await;
            let due = fixture.store.claim_due(&me, 10, TakeOver::Nothing).await.unwrap();
            assert_eq!(due.claimed[0].attempt.execution_id, waiting);
            fixture.finalize(retry(&me, due.claimed[0].attempt)).await;
            let again = fixture.store.claim_due(&me, 10, TakeOver::Nothing).await.unwrap();
            fixture.store.renew(&me, &[again.claimed[0].attempt]).await.unwrap();
            fixture.finalize(success(&me, again.claimed[0].attempt)).await;
            fixture.store.executions_by_id(&[waiting]).await.unwrap();
            fixture.store.unnotified(Duration::ZERO, 10).await.unwrap();
            let reads = (0..5).map(|_| async {
                fixture.store.logs(attempt.execution_id, (0, 0), 10).await.unwrap();
                fixture.row(waiting).await;
                fixture.store.events(waiting).await.unwrap();
            });
            futures_util::future::join_all(reads).await;
            fixture.store.mark_notified(&[waiting]).await.unwrap();
        }
    };
    rounds(3).await;
    for change in [
        "ALTER TABLE executions ALTER COLUMN workflow_name TYPE varchar(200)",
        "ALTER TABLE executions ALTER COLUMN error_type TYPE varchar(200)",
        "ALTER TABLE executions ADD COLUMN added text",
        "ALTER TABLE execution_logs ALTER COLUMN message TYPE varchar",
        "ALTER TABLE execution_events ADD COLUMN added text",
    ] {
        fixture.sql(change).await;
        rounds(2).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_of_another_encoding_is_refused() {
    let fixture = postgres().await;
    let name = format!("ascii_{}", uuid::Uuid::now_v7().simple());
    fixture
        .sql(&format!(
            "CREATE DATABASE {name} ENCODING 'SQL_ASCII' TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C'"
        ))
        .await;
    let store = fixture.store_in(&name);
    for refused in [store.migrate().await.unwrap_err(), store.facts().await.map(drop).unwrap_err()] {
        let refused = refused.to_string();
        assert!(refused.contains("needs encoding UTF8") && refused.contains("SQL_ASCII"), "{refused}");
    }
}
