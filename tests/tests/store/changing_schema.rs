//! The schema changes under supervisors that run: PostgreSQL only, because SQLite has one user.

use std::time::{Duration, Instant};

use muster_core::execution::Status;
use muster_store::{Finalization, TakeOver};

use crate::fixture::{Fixture, claimant, eventually, line, postgres, retry, success};

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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn supervisors_that_start_together_on_an_empty_database_make_one_schema() {
    let fixture = postgres().await;
    fixture.sql("DROP SCHEMA public CASCADE; CREATE SCHEMA public").await;
    let mut starts = Vec::new();
    for _ in 0..6 {
        let store = fixture.another_store().await;
        starts.push(tokio::spawn(async move { store.migrate().await }));
    }
    for start in starts {
        start.await.unwrap().unwrap();
    }
    let facts = fixture.store.facts().await.unwrap();
    assert_eq!(facts.schema_version, facts.schema_newest);
}

/// Takes away what came after the first version of the schema.
async fn back_to_version_1(fixture: &Fixture) {
    fixture
        .sql(
            "DROP INDEX executions_running, executions_listed_by_status, executions_listed_by_workflow, \
                 executions_listed_by_organization, executions_listed_by_organization_workflow, \
                 executions_by_error, executions_by_workflow_error, executions_by_organization_error, \
                 executions_by_organization_workflow_error; \
             CREATE INDEX executions_running ON executions (lease_owner) WHERE status = 'RUNNING'; \
             CREATE INDEX executions_newest ON executions (created_at, id); \
             DROP FUNCTION executions_request_for_earlier, executions_forget_requests CASCADE; \
             DROP TABLE execution_requests; \
             ALTER TABLE executions DROP COLUMN request_text, DROP COLUMN result_text, DROP COLUMN end_cause, \
                 DROP COLUMN queue, DROP COLUMN expires_at, DROP COLUMN limits, DROP COLUMN waits_for, \
                 DROP COLUMN waited_for, DROP COLUMN webhook, DROP COLUMN published_at; \
             ALTER TABLE workflows DROP COLUMN concurrency, DROP COLUMN concurrency_key, DROP COLUMN limits, \
                 DROP COLUMN concurrency_per_key, DROP COLUMN concurrency_on_full, DROP COLUMN queue, DROP COLUMN retry, \
                 DROP COLUMN webhook, DROP COLUMN retention_days, DROP COLUMN retention_failed_days; \
             DROP TABLE declared_workflows; \
             DROP TABLE limits, limit_holders, limit_rates, idempotency_keys; \
             CREATE INDEX executions_queue ON executions \
                 (((run_after AT TIME ZONE 'UTC') - priority * interval '1 minute')) WHERE status = 'PENDING'; \
             ALTER TABLE state_entries DROP COLUMN value_text; \
             ALTER TABLE supervisor_presences DROP COLUMN beats, DROP COLUMN beat_at, DROP COLUMN lease_us, \
                 DROP COLUMN host, DROP COLUMN process_id, DROP COLUMN process_started; \
             DROP TABLE supervisors, supervisor_figures, unpublished_outcomes; \
             DROP FUNCTION muster_definitions_changed CASCADE; \
             DROP TABLE definition_version, changes_log, schedules, webhooks, webhook_deliveries; \
             ALTER TABLE config_entries DROP COLUMN key_id; \
             ALTER TABLE organizations DROP COLUMN key, DROP COLUMN weight; \
             DROP TABLE organization_usage, pauses, tokens; \
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

/// The indexes of lists, by whether they can be read.
async fn list_indexes(fixture: &Fixture) -> Vec<String> {
    fixture
        .texts(
            "SELECT indisvalid::text FROM pg_index WHERE indrelid = 'executions'::regclass \
             AND indexrelid::regclass::text LIKE ANY (ARRAY['executions_by_%', 'executions_listed_%'])",
        )
        .await
}

/// A table large enough that nobody should wait for its indexes, in the schema of before them.
async fn large_without_list_indexes(fixture: &Fixture) {
    back_to_version_1(fixture).await;
    let padding = "x".repeat(1_000);
    fixture
        .sql(&format!(
            "INSERT INTO executions (id, workflow_name, status, error_message, run_after, created_at) \
             SELECT gen_random_uuid(), 'greet', 'SUCCESS', '{padding}', clock_timestamp(), clock_timestamp() \
             FROM generate_series(1, 12000)"
        ))
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn indexes_of_a_large_table_are_made_beside_whoever_writes() {
    let fixture = postgres().await;
    let id = fixture.claimed(&claimant()).await.attempt.execution_id;
    large_without_list_indexes(&fixture).await;
    // An index is whole once whoever wrote before it has ended.
    let mut writer = fixture.session_of_another().await;
    let touch = format!("UPDATE executions SET lease_expires_at = clock_timestamp() WHERE id = '{id}'");
    sqlx::raw_sql(sqlx::AssertSqlSafe(format!("BEGIN; {touch}"))).execute(&mut writer).await.unwrap();

    let stores = [fixture.another_store().await, fixture.another_store().await];
    let starts = stores.map(|store| tokio::spawn(async move { store.migrate().await }));
    eventually("an index is being made", async || {
        let making = "SELECT pid::text FROM pg_stat_activity WHERE datname = current_database() \
                      AND wait_event_type = 'Lock' AND query LIKE 'CREATE INDEX CONCURRENTLY%'";
        fixture.texts(making).await.pop()
    })
    .await;
    // Nobody stands before or behind it.
    let mut other = fixture.session_of_another().await;
    for _ in 0..20 {
        let insert = "SET lock_timeout = '100ms'; \
                      INSERT INTO executions (id, status, run_after, created_at) \
                      VALUES (gen_random_uuid(), 'SUCCESS', clock_timestamp(), clock_timestamp())";
        sqlx::raw_sql(insert).execute(&mut other).await.expect("nobody is in the way of a write");
    }
    assert!(starts.iter().all(|start| !start.is_finished()));
    sqlx::raw_sql("COMMIT").execute(&mut writer).await.unwrap();
    for start in starts {
        start.await.unwrap().unwrap();
    }
    assert_eq!(list_indexes(&fixture).await, ["true"; 8]);
    let facts = fixture.store.facts().await.unwrap();
    assert_eq!(facts.schema_version, facts.schema_newest);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn half_an_index_that_a_start_left_is_made_anew() {
    let fixture = postgres().await;
    large_without_list_indexes(&fixture).await;
    let mut writer = fixture.session_of_another().await;
    let insert = "BEGIN; INSERT INTO executions (id, status, run_after, created_at) \
                  VALUES (gen_random_uuid(), 'SUCCESS', clock_timestamp(), clock_timestamp())";
    sqlx::raw_sql(insert).execute(&mut writer).await.unwrap();
    let broken = "CREATE INDEX CONCURRENTLY executions_listed_by_status ON executions ((upper(status)), (created_at AT TIME ZONE 'UTC'), id)";
    let mut started = fixture.session_of_another().await;
    sqlx::raw_sql("SET lock_timeout = '100ms'").execute(&mut started).await.unwrap();
    sqlx::raw_sql(broken).execute(&mut started).await.expect_err("it waits for the writer in vain");
    sqlx::raw_sql("ROLLBACK").execute(&mut writer).await.unwrap();
    assert_eq!(list_indexes(&fixture).await, ["false"]);

    fixture.another_store().await.migrate().await.unwrap();
    assert_eq!(list_indexes(&fixture).await, ["true"; 8]);
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
