//! A supervisor of an earlier version that still runs while a newer one has brought the schema up to date: what it
//! sends still fits, and each reads what the other writes. `version_2/` holds its statements as they were; they
//! never change.

use std::path::Path;

use muster_core::execution::Status;
use uuid::Uuid;

use crate::fixture::{Fixture, claimant, new_execution, postgres, success};

/// The statements of a version by their names.
fn statements(version: &str) -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/store/older").join(version);
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    files
        .map(|path| {
            let name = path.file_stem().unwrap().to_string_lossy().into_owned();
            (name, std::fs::read_to_string(path).unwrap())
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_statement_of_an_older_supervisor_fits_the_schema() {
    let fixture = postgres().await;
    let all = statements("version_2");
    assert_eq!(all.len(), 41);
    for (name, sql) in all {
        fixture.sql(&format!("PREPARE older_{name} AS {sql}")).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_older_and_a_newer_supervisor_read_what_the_other_writes() {
    let fixture = postgres().await;
    let all = statements("version_2");
    let older = |wanted: &str| all.iter().find(|(name, _)| name == wanted).unwrap().1.clone();
    let (id, owner) = (Uuid::now_v7(), Uuid::now_v7());
    let mut session = fixture.session_of_another().await;
    let request = format!(r#"{{"execution_id":"{id}","workflow":"greet","parameters":{{"name":"Ada"}}}}"#);
    // The older one claims what a message asked for,
    let claim = format!(
        "PREPARE older_claim AS {}; \
         EXECUTE older_claim(ARRAY['{id}']::uuid[], ARRAY[NULL]::uuid[], ARRAY['greet'], ARRAY[NULL]::uuid[], \
            ARRAY[NULL]::jsonb[], ARRAY['{request}']::jsonb[], ARRAY[3], ARRAY[NULL]::float8[], ARRAY[0], \
            ARRAY[NULL]::uuid[], '{owner}', 30000000)",
        older("claim")
    );
    sqlx::raw_sql(sqlx::AssertSqlSafe(claim)).execute(&mut session).await.unwrap();
    assert_eq!(fixture.status(id).await, Status::Running);
    // it dies, and the newer one runs what it had from what it wrote,
    let me = claimant();
    fixture.expire(id).await;
    let taken = fixture.take_over(&me).await;
    assert_eq!(taken.len(), 1);
    let parameters = taken[0].execution.read_request().unwrap().parameters;
    assert_eq!(parameters.get().replace(' ', ""), r#"{"name":"Ada"}"#);
    fixture.finalize(success(&me, taken[0].attempt)).await;
    // and an older one reads the result.
    let read = format!("PREPARE older_execution AS {}; EXECUTE older_execution('{id}')", older("execution"));
    sqlx::raw_sql(sqlx::AssertSqlSafe(read)).execute(&mut session).await.unwrap();
    let row = fixture
        .texts(&format!("SELECT status || ' ' || result::text FROM executions WHERE id = '{id}'"))
        .await;
    assert!(row[0].starts_with("SUCCESS "), "{row:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_supervisor_that_reads_the_text_on_the_row_finds_it_in_what_it_claims() {
    let fixture = postgres().await;
    let (id, owner) = (fixture.submitted().await, Uuid::now_v7());
    let asked = fixture.row(id).await.request.unwrap();
    let mut session = with_earlier_rights(&fixture).await;
    let take = format!(
        "CREATE TEMPORARY TABLE execution_requests AS SELECT '{id}'::uuid AS execution_id, '{{}}' AS request_text; \
         SET muster.reads_request_text = on; \
         UPDATE executions SET status = 'RUNNING', attempt = 1, lease_owner = '{owner}' WHERE id = '{id}'"
    );
    sqlx::raw_sql(sqlx::AssertSqlSafe(take)).execute(&mut session).await.unwrap();
    let on_the_row = format!(
        "SELECT request_text FROM executions WHERE id = '{id}' AND request IS NULL AND parameters IS NULL"
    );
    assert_eq!(fixture.texts(&on_the_row).await, [asked.get()]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_others_delete_takes_along_what_was_asked_for() {
    let fixture = postgres().await;
    let (deleted, kept) = (fixture.submitted().await, fixture.submitted().await);
    let mut session = with_earlier_rights(&fixture).await;
    let delete = format!("DELETE FROM executions WHERE id = '{deleted}'");
    sqlx::raw_sql(sqlx::AssertSqlSafe(delete)).execute(&mut session).await.unwrap();
    let asked = "SELECT execution_id::text FROM execution_requests";
    assert_eq!(fixture.texts(asked).await, [kept.to_string()]);
    sqlx::raw_sql("TRUNCATE executions").execute(&mut session).await.unwrap();
    assert!(fixture.texts(asked).await.is_empty());
    fixture.submitted().await;
    fixture.sql("TRUNCATE executions, execution_requests").await;
    assert!(fixture.texts(asked).await.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_else_makes_triggers_of_what_is_done_with_other_rights() {
    let fixture = postgres().await;
    fixture.submitted().await;
    let mut session = with_earlier_rights(&fixture).await;
    for (event, function) in [
        ("BEFORE INSERT", "executions_request_for_earlier"),
        ("AFTER DELETE", "executions_forget_requests"),
        ("BEFORE INSERT", "muster_definitions_changed"),
    ] {
        let trigger = format!(
            "CREATE TEMPORARY TABLE IF NOT EXISTS mine (id uuid, request jsonb, request_text text, parameters jsonb); \
             CREATE TRIGGER mine {event} ON mine FOR EACH ROW EXECUTE FUNCTION {function}()"
        );
        let refused = sqlx::raw_sql(sqlx::AssertSqlSafe(trigger)).execute(&mut session).await.unwrap_err();
        assert!(refused.to_string().contains("permission denied"), "{refused}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_that_a_restore_left_behind_keeps_no_other_away() {
    let fixture = postgres().await;
    let (new, me) = (new_execution(), claimant());
    fixture.claim(&me, new.clone()).await;
    let without_triggers = "ALTER TABLE executions DISABLE TRIGGER USER; DELETE FROM executions; \
        UPDATE execution_requests SET request_text = '{}'";
    fixture.sql(without_triggers).await;
    let again = fixture.claim(&me, new.clone()).await;
    let stored = fixture.row(again.attempt.execution_id).await.request.unwrap();
    assert_eq!(stored.get(), new.request.get());
}

/// A session of a user who was given rights before there was a table of requests.
async fn with_earlier_rights(fixture: &Fixture) -> sqlx::PgConnection {
    let mut session = fixture.session_of_another().await;
    let role = format!("earlier_{}", Uuid::now_v7().simple());
    let become_it = format!("CREATE ROLE {role}; GRANT ALL ON executions TO {role}; SET ROLE {role}");
    sqlx::raw_sql(sqlx::AssertSqlSafe(become_it)).execute(&mut session).await.unwrap();
    session
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_older_supervisor_runs_what_a_newer_one_took_in() {
    let fixture = postgres().await;
    let all = statements("version_2");
    let older = |wanted: &str| all.iter().find(|(name, _)| name == wanted).unwrap().1.clone();
    let (id, owner) = (fixture.submitted().await, Uuid::now_v7());
    let asked = fixture.row(id).await.request.unwrap();
    let copies = format!(
        "SELECT coalesce(request::text, '') || coalesce(parameters::text, '') FROM executions WHERE id = '{id}'"
    );
    assert_eq!(fixture.texts(&copies).await, [""], "what was asked for is kept once");
    // It reads what it claims from a column of its time,
    let mut session = fixture.session_of_another().await;
    let take = format!(
        "PREPARE older_take AS {}; EXECUTE older_take(ARRAY['{id}']::uuid[], '{owner}', 30000000)",
        older("take")
    );
    sqlx::raw_sql(sqlx::AssertSqlSafe(take)).execute(&mut session).await.unwrap();
    assert_eq!(fixture.status(id).await, Status::Running);
    let request: serde_json::Value = serde_json::from_str(asked.get()).unwrap();
    let read = fixture.texts(&format!("SELECT request::text FROM executions WHERE id = '{id}'")).await;
    assert_eq!(serde_json::from_str::<serde_json::Value>(&read[0]).unwrap(), request);
    // and when it dies the newer one runs what was asked for, to the letter.
    let me = claimant();
    fixture.expire(id).await;
    let taken = fixture.take_over(&me).await;
    assert_eq!(taken[0].execution.request.get(), asked.get());
    // A row with a request is no tombstone for it either.
    let cancel = sqlx::query(sqlx::AssertSqlSafe(older("cancel"))).bind(fixture.submitted().await);
    let cancelled =
        sqlx::Row::try_get::<bool, _>(&cancel.fetch_one(&mut session).await.unwrap(), "tombstone");
    assert!(!cancelled.unwrap());
}
