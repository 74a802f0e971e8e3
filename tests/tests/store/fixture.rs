//! An empty store of each kind, and short ways to say what tests do with it.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use muster_core::execution::{Attempt, LogLine, LogStream, Status};
use muster_store::{
    Claim, Claimant, Claimed, Disposition, Durability, ExecutionFailure, ExecutionOutcome, ExecutionRecord,
    Finalization, NewExecution, PostgresStore, SchemaStore as _, ServedQueues, SqliteStore, StateChange,
    StateWrite, Store, TakeOver,
};
use muster_tests::Services;
use serde_json::value::RawValue;
use uuid::Uuid;

/// Where executions of tests wait.
pub(crate) const QUEUE: &str = "tests";
/// Long enough that nothing expires by itself.
pub(crate) const LEASE: Duration = Duration::from_secs(30);

/// What a list is narrowed by.
pub(crate) struct ListValues {
    pub(crate) limit: i64,
    pub(crate) states: Vec<&'static str>,
    pub(crate) columns: Vec<&'static str>,
}

/// One store and a second hand on its database.
pub(crate) struct Fixture {
    pub(crate) store: Arc<dyn Store>,
    database: Database,
}

enum Database {
    Sqlite { pool: sqlx::SqlitePool, folder: tempfile::TempDir },
    Postgres { pool: sqlx::PgPool, url: String, _services: Services },
}

pub(crate) async fn sqlite() -> Fixture {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("muster.db");
    let store = SqliteStore::open(&path, Durability::Normal).await.unwrap();
    store.migrate().await.unwrap();
    let options =
        sqlx::sqlite::SqliteConnectOptions::new().filename(&path).busy_timeout(Duration::from_secs(5));
    let pool = sqlx::sqlite::SqlitePoolOptions::new().max_connections(1).connect_with(options).await.unwrap();
    Fixture { store: Arc::new(store), database: Database::Sqlite { pool, folder } }
}

pub(crate) async fn postgres() -> Fixture {
    // The helper blocks: it starts servers.
    let started = tokio::task::spawn_blocking(|| {
        let services = Services::shared();
        (services.fresh().database_url, services)
    });
    let (url, services) = started.await.unwrap();
    let store = PostgresStore::new(&url).unwrap();
    store.migrate().await.unwrap();
    let pool = sqlx::PgPool::connect(&url).await.unwrap();
    Fixture { store: Arc::new(store), database: Database::Postgres { pool, url, _services: services } }
}

impl Fixture {
    /// A second supervisor's view of the same database.
    pub(crate) async fn another_store(&self) -> Arc<dyn Store> {
        match &self.database {
            Database::Sqlite { folder, .. } => {
                let path = folder.path().join("muster.db");
                Arc::new(SqliteStore::open(&path, Durability::Normal).await.unwrap())
            }
            Database::Postgres { url, .. } => Arc::new(PostgresStore::new(url).unwrap()),
        }
    }

    /// A supervisor's view of the same database from another host.
    pub(crate) fn another_host(&self) -> PostgresStore {
        let Database::Postgres { url, .. } = &self.database else { panic!("only PostgreSQL has hosts") };
        PostgresStore::new(url).unwrap().on_a_host_of_its_own()
    }

    /// The same database, as another of its users.
    pub(crate) fn store_as(&self, user: &str, password: &str) -> PostgresStore {
        let Database::Postgres { url, .. } = &self.database else { panic!("only PostgreSQL has users") };
        let (scheme, rest) = url.split_once("://").unwrap();
        let place = rest.rsplit_once('@').map_or(rest, |(_, place)| place);
        PostgresStore::new(&format!("{scheme}://{user}:{password}@{place}")).unwrap()
    }

    /// Runs statements both databases understand.
    pub(crate) async fn sql(&self, sql: &str) {
        match &self.database {
            Database::Sqlite { pool, .. } => {
                sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(pool).await.unwrap();
            }
            Database::Postgres { pool, .. } => {
                sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(pool).await.unwrap();
            }
        }
    }

    /// From here on the database refuses such a row, saying "not today". The condition is in terms of NEW.
    pub(crate) async fn refuse(&self, verb: &str, table: &str, condition: &str) {
        let name = format!("refuse_{}", Uuid::now_v7().simple());
        let sql = match &self.database {
            Database::Sqlite { .. } => format!(
                "CREATE TRIGGER {name} BEFORE {verb} ON {table} WHEN {condition}
                 BEGIN SELECT RAISE(ABORT, 'not today'); END"
            ),
            Database::Postgres { .. } => format!(
                "CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$
                 BEGIN RAISE check_violation USING MESSAGE = 'not today'; END $$;
                 CREATE TRIGGER {name} BEFORE {verb} ON {table} FOR EACH ROW WHEN ({condition})
                 EXECUTE FUNCTION {name}()"
            ),
        };
        self.sql(&sql).await;
    }

    /// Makes a row one that was written by hand and without a request.
    pub(crate) async fn forget_request(&self, id: Uuid) {
        let statement = match &self.database {
            Database::Sqlite { .. } => format!("UPDATE executions SET request = NULL WHERE id = '{id}'"),
            Database::Postgres { .. } => {
                format!("DELETE FROM execution_requests WHERE execution_id = '{id}'")
            }
        };
        self.sql(&statement).await;
    }

    /// A store in another database of the same server.
    pub(crate) fn store_in(&self, database: &str) -> PostgresStore {
        let Database::Postgres { url, .. } = &self.database else { panic!("only PostgreSQL has several") };
        let (server, _) = url.rsplit_once('/').unwrap();
        PostgresStore::new(&format!("{server}/{database}")).unwrap()
    }

    /// A session that another supervisor might have.
    pub(crate) async fn session_of_another(&self) -> sqlx::PgConnection {
        let Database::Postgres { url, .. } = &self.database else { panic!("only PostgreSQL has sessions") };
        let options: sqlx::postgres::PgConnectOptions = url.parse().unwrap();
        sqlx::ConnectOptions::connect(&options.application_name("muster")).await.unwrap()
    }

    /// A moment, given in microseconds since 1970, as the database's statements write it.
    pub(crate) fn moment(&self, micros: &str) -> String {
        match &self.database {
            Database::Sqlite { .. } => micros.to_owned(),
            Database::Postgres { .. } => {
                format!("timestamptz '1970-01-01 00:00:00Z' + ({micros}) * interval '1 microsecond'")
            }
        }
    }

    /// The file or the server, by its name among the folders of the adapters.
    pub(crate) fn adapter(&self) -> &'static str {
        match &self.database {
            Database::Sqlite { .. } => "sqlite",
            Database::Postgres { .. } => "postgres",
        }
    }

    /// What the database says that it would do for a list, given the file in which it is narrowed and its values.
    pub(crate) async fn plan_of_list(&self, part: &str, values: &ListValues) -> String {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../supervisor/store/src")
            .join(self.adapter())
            .join("sql/list");
        let text = |name: &str| std::fs::read_to_string(folder.join(name).with_extension("sql")).unwrap();
        let sql = text("begin") + &text(part) + &text("end");
        match &self.database {
            Database::Sqlite { pool, .. } => {
                let explain = sqlx::AssertSqlSafe(format!("EXPLAIN QUERY PLAN {sql}"));
                let states = serde_json::to_string(&values.states).unwrap();
                let query =
                    sqlx::query(explain).bind(0).bind(i64::MAX).bind("").bind(values.limit).bind(states);
                let query = values.columns.iter().fold(query, |query, value| query.bind(*value));
                let rows = query.fetch_all(pool).await.unwrap();
                let lines: Vec<String> = rows.iter().map(|row| sqlx::Row::get(row, "detail")).collect();
                lines.join("\n")
            }
            Database::Postgres { pool, .. } => {
                let mut given = format!("'-infinity', 'infinity', '{}', {}", Uuid::nil(), values.limit);
                let states: Vec<_> = values.states.iter().map(|state| format!("'{state}'")).collect();
                write!(given, ", ARRAY[{}]", states.join(",")).unwrap();
                for value in &values.columns {
                    write!(given, ", '{value}'").unwrap();
                }
                let mut session = pool.acquire().await.unwrap();
                let all = format!(
                    "SET plan_cache_mode = force_custom_plan; SET jit = off; SET enable_incremental_sort = off; SET enable_bitmapscan = off; PREPARE list AS {sql};"
                );
                sqlx::raw_sql(sqlx::AssertSqlSafe(all)).execute(&mut *session).await.unwrap();
                let explain =
                    format!("EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) EXECUTE list({given})");
                let rows =
                    sqlx::raw_sql(sqlx::AssertSqlSafe(explain)).fetch_all(&mut *session).await.unwrap();
                sqlx::raw_sql("DEALLOCATE list").execute(&mut *session).await.unwrap();
                let lines: Vec<String> = rows.iter().map(|row| sqlx::Row::get(row, 0)).collect();
                lines.join("\n")
            }
        }
    }

    /// The first column of what a SELECT gives, as text.
    pub(crate) async fn texts(&self, select: &str) -> Vec<String> {
        let select = sqlx::AssertSqlSafe(select);
        match &self.database {
            Database::Sqlite { pool, .. } => sqlx::query_scalar(select).fetch_all(pool).await.unwrap(),
            Database::Postgres { pool, .. } => sqlx::query_scalar(select).fetch_all(pool).await.unwrap(),
        }
    }

    /// The supervisors whose death would show.
    pub(crate) async fn presences(&self) -> Vec<Uuid> {
        let Database::Postgres { pool, .. } = &self.database else { panic!("only PostgreSQL has presences") };
        sqlx::query_scalar("SELECT owner FROM supervisor_presences").fetch_all(pool).await.unwrap()
    }

    /// Moves a column of times of one row into the past (or, with a negative number, into the future).
    pub(crate) async fn age(&self, column: &str, id: Uuid, seconds: i64) {
        let shifted = match &self.database {
            Database::Sqlite { .. } => format!("{column} - {seconds} * 1000000"),
            Database::Postgres { .. } => format!("{column} - {seconds} * interval '1 second'"),
        };
        self.sql(&format!("UPDATE executions SET {column} = {shifted} WHERE id = '{id}'")).await;
    }

    /// Lets the lease of a row run out.
    pub(crate) async fn expire(&self, id: Uuid) {
        self.age("lease_expires_at", id, 3600).await;
    }

    pub(crate) async fn row(&self, id: Uuid) -> ExecutionRecord {
        self.store.execution(id).await.unwrap().expect("a row")
    }

    pub(crate) async fn status(&self, id: Uuid) -> Status {
        self.row(id).await.status
    }

    /// Submits one execution and gives its id.
    pub(crate) async fn submitted(&self) -> Uuid {
        let execution = new_execution();
        self.store.submit(std::slice::from_ref(&execution)).await.unwrap();
        execution.id
    }

    /// An execution claimed as if its message had come.
    pub(crate) async fn claimed(&self, claimant: &Claimant) -> Claimed {
        self.claim(claimant, new_execution()).await
    }

    pub(crate) async fn claim(&self, claimant: &Claimant, execution: NewExecution) -> Claimed {
        let mut claims = self.store.claim(claimant, &[Arc::new(execution)]).await.unwrap();
        match claims.pop() {
            Some(Claim::Claimed(claimed)) => claimed,
            other => panic!("not claimed: {other:?}"),
        }
    }

    /// Everything a poll finds that may be taken over from anybody.
    pub(crate) async fn take_over(&self, claimant: &Claimant) -> Vec<Claimed> {
        self.store.claim_due(claimant, 100, TakeOver::AllOthers).await.unwrap().claimed
    }

    pub(crate) async fn finalize(&self, finalization: Finalization) -> muster_store::FinalizeResult {
        self.store.finalize(&[finalization]).await.unwrap().pop().unwrap()
    }

    pub(crate) async fn event_names(&self, id: Uuid) -> Vec<String> {
        self.store.events(id).await.unwrap().into_iter().map(|event| event.event).collect()
    }
}

/// A supervisor that has just booted.
pub(crate) fn claimant() -> Claimant {
    serving([QUEUE])
}

/// One that serves these queues.
pub(crate) fn serving<const N: usize>(queues: [&str; N]) -> Claimant {
    Claimant::new(LEASE, ServedQueues::of(queues))
}

pub(crate) fn raw(json: &str) -> Box<RawValue> {
    RawValue::from_string(json.to_owned()).unwrap()
}

pub(crate) fn new_execution() -> NewExecution {
    let id = Uuid::now_v7();
    NewExecution {
        id,
        workflow_id: None,
        workflow_name: Some("greet".to_owned()),
        organization_id: None,
        caller: None,
        request: raw(&format!(r#"{{"execution_id":"{id}","workflow":"greet","parameters":{{"n":1}}}}"#)),
        max_attempts: 3,
        timeout_seconds: None,
        priority: 0,
        retry_of: None,
        queue: Some(QUEUE.to_owned()),
        is_queue_default: false,
        delay: Duration::ZERO,
        run_at: None,
        expiry: None,
        idempotency: None,
        limits: Vec::new(),
        published_at: None,
        is_refusable: false,
    }
}

pub(crate) fn ending(claimant: &Claimant, attempt: Attempt, disposition: Disposition) -> Finalization {
    Finalization {
        started_at: Some(Timestamp::from_second(1_700_000_000).unwrap()),
        completed_at: Timestamp::from_second(1_700_000_001).unwrap(),
        duration_ms: Some(1000),
        ..Finalization::bare(attempt, claimant.owner, disposition)
    }
}

pub(crate) fn success(claimant: &Claimant, attempt: Attempt) -> Finalization {
    ending(
        claimant,
        attempt,
        Disposition::Terminal(ExecutionOutcome::Success { result: raw(r#"{"ok":true}"#) }),
    )
}

pub(crate) fn release(claimant: &Claimant, attempt: Attempt, charged: bool) -> Finalization {
    let reason = "drained".to_owned();
    ending(claimant, attempt, Disposition::Release { reason, delay: Duration::ZERO, charged })
}

pub(crate) fn retry(claimant: &Claimant, attempt: Attempt) -> Finalization {
    let failure = ExecutionFailure::new("ValueError", "no such thing");
    ending(claimant, attempt, Disposition::Retry { failure, delay: Duration::ZERO, max_attempts: 0 })
}

pub(crate) fn line(sequence: u64, message: &str) -> LogLine {
    LogLine {
        sequence,
        at_us: 1_700_000_000_000_001,
        level: "info".into(),
        stream: LogStream::Stderr,
        logger: "test".to_owned(),
        message: message.to_owned(),
        fields: Some(raw(r#"{"a":1}"#)),
    }
}

pub(crate) fn set(key: &str, json: &str) -> StateChange {
    StateChange { organization_id: None, key: key.to_owned(), write: StateWrite::Set(raw(json)) }
}

/// Waits for a condition, at most ten seconds.
pub(crate) async fn eventually<T>(what: &str, mut check: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(10);
    loop {
        if let Some(value) = check().await {
            return value;
        }
        assert!(tokio::time::Instant::now() < deadline, "not within ten seconds: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

impl Fixture {
    /// Claims everything that waits.
    pub(crate) async fn take_pending(&self) -> Vec<Attempt> {
        let due = self.store.claim_due(&claimant(), 1000, TakeOver::Nothing).await.unwrap();
        due.claimed.into_iter().map(|claimed| claimed.attempt).collect()
    }
}

impl Fixture {
    /// Claims everything that waits, in this supervisor's name.
    pub(crate) async fn take_pending_as(&self, claimant: &Claimant) -> Vec<Attempt> {
        let due = self.store.claim_due(claimant, 1000, TakeOver::Nothing).await.unwrap();
        due.claimed.into_iter().map(|claimed| claimed.attempt).collect()
    }
}
