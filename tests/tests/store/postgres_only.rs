//! What only PostgreSQL can tell, and what only a server can do to us.

use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use muster_core::access::Role;
use muster_core::execution::Status;
use muster_store::{
    Claim, ClaimStore as _, ExecutionStore as _, Finalization, FinalizeResult, NewExecution, NewToken,
    OutcomeStore as _, PostgresStore, SchemaStore as _, StoreError, TakeOver,
};
use muster_tests::{ServerKind, Services};
use uuid::Uuid;

use crate::fixture::{claimant, eventually, new_execution, postgres, set, success};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn worker_time_that_one_supervisor_tells_counts_for_all() {
    let fixture = postgres().await;
    let (one, two) = (Some(Uuid::from_u128(1)), Some(Uuid::from_u128(2)));
    let rows: Vec<_> = (0..20)
        .map(|number| NewExecution { organization_id: [one, two][number % 2], ..new_execution() })
        .collect();
    fixture.store.submit(&rows).await.unwrap();
    let other = fixture.another_store().await;
    other.add_worker_time(&[(two, Duration::from_secs(5)), (one, Duration::from_secs(40))]).await.unwrap();
    other.add_worker_time(&[(one, Duration::from_secs(2)), (None, Duration::from_secs(1))]).await.unwrap();
    let due = fixture.store.claim_due(&claimant(), 4, TakeOver::Nothing).await.unwrap();
    assert!(due.claimed.len() == 4 && due.claimed.iter().all(|row| row.execution.organization_id == two));
    let used = "SELECT round(used_seconds)::text FROM organization_usage ORDER BY organization_id";
    assert_eq!(fixture.texts(used).await, ["1", "42", "5"]);

    // A minute later a third is left, and an hour later nothing.
    fixture.sql("UPDATE organization_usage SET at = at - interval '1 minute'").await;
    other.add_worker_time(&[(one, Duration::from_secs(1))]).await.unwrap();
    assert_eq!(fixture.texts(used).await[1], "16");
    fixture.sql("UPDATE organization_usage SET at = at - interval '61 minutes'").await;
    other.add_worker_time(&[(two, Duration::from_secs(1))]).await.unwrap();
    assert_eq!(fixture.texts(used).await, ["1"]);

    // A night in which nobody works, or a month: what is left is nothing, and no error.
    fixture.sql("UPDATE organization_usage SET at = at - interval '30 days'").await;
    let due = fixture.store.claim_due(&claimant(), 4, TakeOver::Nothing).await.unwrap();
    assert_eq!(due.claimed.len(), 4);
    other.add_worker_time(&[(two, Duration::from_secs(1))]).await.unwrap();
    assert_eq!(fixture.texts(used).await, ["1"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_are_found_by_their_ids_though_the_table_was_empty_when_the_plans_were_made() {
    const GROUPS: u64 = 10;
    const ROWS: u64 = 100;
    let fixture = postgres().await;
    let (me, store) = (claimant(), fixture.another_store().await);
    for _ in 0..GROUPS {
        let new: Vec<_> = (0..ROWS).map(|_| Arc::new(new_execution())).collect();
        let attempts = store.claim(&me, &new).await.unwrap().into_iter().map(|claim| {
            let Claim::Claimed(claimed) = claim else { panic!("{claim:?}") };
            claimed.attempt
        });
        let ends: Vec<_> = attempts.map(|attempt| success(&me, attempt)).collect();
        store.finalize(&ends).await.unwrap();
        let ids: Vec<_> = new.iter().map(|new| new.id).collect();
        store.mark_notified(&ids).await.unwrap();
    }
    // Sessions tell what they read when they end.
    drop(store);
    let written = "SELECT n_tup_del || ' ' || seq_tup_read FROM pg_stat_user_tables \
                   WHERE relid = 'unpublished_outcomes'::regclass";
    eventually("all sessions have told", async || {
        (fixture.texts(written).await.first()? == &format!("{} 0", GROUPS * ROWS)).then_some(())
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
    // An end, and the versions of a row that are not swept yet.
    assert!(index == "executions_pkey" && count.parse::<u64>().unwrap() <= 4 * GROUPS * ROWS, "{read:?}");
}

/// Nobody is woken when its lock goes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_due_and_locked_is_told_to_be_left() {
    let (fixture, me) = (postgres().await, claimant());
    let id = fixture.submitted().await;
    fixture.age("run_after", id, 3600).await;
    let mut other = fixture.session_of_another().await;
    sqlx::raw_sql("BEGIN; SELECT FROM executions FOR UPDATE").execute(&mut other).await.unwrap();
    let due = fixture.store.claim_due(&me, 8, TakeOver::Nothing).await.unwrap();
    assert!(due.claimed.is_empty() && due.may_be_left, "{due:?}");
    sqlx::raw_sql("ROLLBACK").execute(&mut other).await.unwrap();
    assert_eq!(fixture.claimed_ids(&me).await, [id]);
    let due = fixture.store.claim_due(&me, 8, TakeOver::Nothing).await.unwrap();
    assert!(due.claimed.is_empty() && !due.may_be_left, "{due:?}");
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
            "UPDATE executions SET request = asked.request_text::jsonb, result_text = NULL, \
                 parameters = asked.request_text::jsonb -> 'parameters', request_text = NULL \
                 FROM execution_requests AS asked WHERE asked.execution_id = executions.id; \
             DELETE FROM execution_requests; \
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn moments_that_never_come_and_always_were_are_read() {
    let fixture = postgres().await;
    let [never, always] = [fixture.submitted().await, fixture.submitted().await];
    for (id, moment) in [(never, "infinity"), (always, "-infinity")] {
        fixture.sql(&format!("UPDATE executions SET run_after = '{moment}' WHERE id = '{id}'")).await;
    }
    fixture
        .sql(
            "INSERT INTO schedules (id, name, workflow, cron, time_zone, overlap, missed, missed_seconds, jitter_seconds, next_at, due_at)
            VALUES (gen_random_uuid(), 's', 'w', '@daily', 'UTC', 'skip', 'run_once', 60, 0, 'infinity', 'infinity')",
        )
        .await;
    let token = NewToken {
        id: Uuid::now_v7(),
        name: "t".to_owned(),
        role: Role::View,
        organization_id: None,
        hash: "hash".to_owned(),
        expires_at: None,
    };
    fixture.store.create_token(&token, "anna").await.unwrap();
    fixture.sql("UPDATE tokens SET expires_at = 'infinity'").await;

    let store = &fixture.store;
    assert_eq!(store.execution(never).await.unwrap().unwrap().run_after, Timestamp::MAX);
    assert_eq!(store.execution(always).await.unwrap().unwrap().run_after, Timestamp::MIN);
    assert_eq!(store.tokens().await.unwrap()[0].expires_at, Some(Timestamp::MAX));
    assert_eq!(store.definitions().await.unwrap().schedules.len(), 1);
    assert_eq!(store.next_tick().await.unwrap(), None);
    assert_eq!(store.queue_depth().await.unwrap().pending, 2);
    assert_eq!(store.queue_uses().await.unwrap().len(), 1);
    let due = store.claim_due(&claimant(), 10, TakeOver::Nothing).await.unwrap();
    assert_eq!(due.claimed.iter().map(|claimed| claimed.attempt.execution_id).collect::<Vec<_>>(), [always]);
    assert_eq!(store.next_due(&claimant().queues).await.unwrap(), None);
}
