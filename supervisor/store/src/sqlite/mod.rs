//! The embedded store: one SQLite file in WAL mode, one connection that writes, a few that read.
//!
//! All writes of the process queue up at the writing connection, so a transaction never fails for a
//! peer's sake. The clock of leases is this process's own: nobody else opens the file.

#[cfg(test)]
mod durability_tests;
mod error;
mod read;
mod session;
mod statements;
mod unclaimed;

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use muster_core::execution::{Attempt, Status};
use muster_system::private;
use serde_json::value::RawValue;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{Executor as _, Row, SqlSafeStr as _, Sqlite, Transaction};
use tokio::sync::Notify;
use tokio::time::Instant;
use uuid::Uuid;

use self::error::{commit_unknown, store_error};
use super::flow;
use super::migration::{Migration, missing, newest, unprepared};
use super::takeover::Watch;
use super::{
    CancelResult, Claim, Claimant, Claimed, ConfigEntry, DatabaseFacts, DueExecutions, EventRow,
    ExecutionFailure, ExecutionFilter, ExecutionRecord, ExecutionRecords, ExpiredOwners, Finalization,
    FinalizeResult, LogRow, NewEvent, NewExecution, OrganizationRecord, PresenceShown, QueueDepth, Renewal,
    Result, Store, Submitted, TakeOver, WorkflowRecord,
};

const BACKEND: &str = "sqlite";

const MIGRATIONS: &[Migration] =
    &[Migration { version: 1, sql: include_str!("migrations/0001_initial.sql") }];

/// How long a write waits for another process that has the file open, such as somebody's `sqlite3`.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Readers beside the writer.
const READERS: u32 = 4;

/// What a power failure may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// Nothing that was committed: every commit waits for the disk.
    Full,
    /// The last commits, never the file's consistency. For `batch`.
    Normal,
}

/// The embedded store.
#[derive(Debug)]
pub struct SqliteStore {
    writer: SqlitePool,
    readers: SqlitePool,
    waker: Arc<Notify>,
    opened_at: Instant,
    watch: Mutex<Watch>,
}

impl SqliteStore {
    /// Opens the file, and makes it and its folder if need be.
    ///
    /// # Errors
    /// When the file cannot be opened or is no database.
    pub async fn open(path: &Path, durability: Durability) -> Result<Self> {
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            private::make_folder(folder).map_err(|error| super::StoreError::Unreachable {
                backend: BACKEND,
                message: format!("cannot make the folder {}: {error}", folder.display()),
            })?;
        }
        make_file(path).map_err(|error| super::StoreError::Unreachable {
            backend: BACKEND,
            message: format!("cannot make the file {}: {error}", path.display()),
        })?;
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(match durability {
                Durability::Full => SqliteSynchronous::Full,
                Durability::Normal => SqliteSynchronous::Normal,
            })
            .foreign_keys(false)
            .busy_timeout(BUSY_TIMEOUT)
            .pragma("temp_store", "memory")
            .pragma("cache_size", "-16384");
        // The writer comes first: it makes the file and switches it to WAL.
        let writer = SqlitePoolOptions::new()
            .max_connections(1)
            .idle_timeout(None)
            .max_lifetime(None)
            .test_before_acquire(false)
            .connect_with(options.clone())
            .await
            .map_err(store_error)?;
        let readers = SqlitePoolOptions::new()
            .max_connections(READERS)
            .test_before_acquire(false)
            .connect_lazy_with(options.create_if_missing(false).pragma("query_only", "on"));
        Ok(Self {
            writer,
            readers,
            waker: Arc::default(),
            opened_at: Instant::now(),
            watch: Mutex::default(),
        })
    }
}

/// Makes the file for its owner alone; SQLite gives its mode to the files beside it. One that is there is left as
/// it is, whatever it is: SQLite says what is wrong with it.
fn make_file(path: &Path) -> std::io::Result<()> {
    match private::file_options().write(true).create_new(true).open(path) {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        made => made.map(drop),
    }
}

async fn commit(transaction: Transaction<'static, Sqlite>) -> Result<()> {
    transaction.commit().await.map_err(commit_unknown)
}

/// The version of the schema; 0 in a file without one.
async fn schema_version(connection: &mut sqlx::SqliteConnection) -> Result<u32> {
    let table = sqlx::query("SELECT 1 FROM sqlite_schema WHERE name = 'muster_migrations'");
    if table.fetch_optional(&mut *connection).await.map_err(store_error)?.is_none() {
        return Ok(0);
    }
    let row = sqlx::query("SELECT coalesce(max(version), 0) FROM muster_migrations")
        .fetch_one(connection)
        .await
        .map_err(store_error)?;
    row.try_get(0).map_err(store_error)
}

#[async_trait]
impl Store for SqliteStore {
    async fn migrate(&self) -> Result<()> {
        let mut transaction = self.writer.begin_with("BEGIN IMMEDIATE").await.map_err(store_error)?;
        let applied = schema_version(&mut transaction).await?;
        sqlx::query("CREATE TABLE IF NOT EXISTS muster_migrations (version INTEGER PRIMARY KEY, applied_at INTEGER NOT NULL) STRICT")
            .execute(&mut *transaction)
            .await
            .map_err(store_error)?;
        for migration in missing(BACKEND, MIGRATIONS, applied)? {
            sqlx::raw_sql(migration.sql).execute(&mut *transaction).await.map_err(store_error)?;
            sqlx::query("INSERT INTO muster_migrations (version, applied_at) VALUES (?1, ?2)")
                .bind(migration.version)
                .bind(super::columns::now().as_microsecond())
                .execute(&mut *transaction)
                .await
                .map_err(store_error)?;
        }
        commit(transaction).await
    }

    async fn facts(&self) -> Result<DatabaseFacts> {
        let mut connection = self.readers.acquire().await.map_err(store_error)?;
        let version = sqlx::query("SELECT sqlite_version()").fetch_one(&mut *connection).await;
        Ok(DatabaseFacts {
            backend: BACKEND,
            version: version.and_then(|row| row.try_get(0)).map_err(store_error)?,
            schema_version: schema_version(&mut connection).await?,
            schema_newest: newest(MIGRATIONS),
            may_migrate: true,
            clock_ahead: SignedDuration::ZERO,
            notices_death: None,
        })
    }

    async fn check_statements(&self) -> Result<()> {
        let mut connection = self.readers.acquire().await.map_err(store_error)?;
        for (name, sql) in statements::ALL {
            let prepared = connection.prepare(sql.into_sql_str()).await.map_err(store_error);
            prepared.map_err(|error| unprepared(BACKEND, name, &error))?;
        }
        Ok(())
    }

    async fn submit(&self, executions: &[NewExecution]) -> Result<Vec<Submitted>> {
        flow::submit(self, executions).await
    }

    async fn fail_unusable(&self, id: Uuid, failure: &ExecutionFailure) -> Result<Option<Status>> {
        flow::fail_unusable(self, id, failure).await
    }

    async fn reopen_unusable(&self, id: Uuid) -> Result<bool> {
        flow::reopen_unusable(self, id).await
    }

    async fn queue_depth(&self) -> Result<QueueDepth> {
        unclaimed::depth(self).await
    }

    async fn next_due(&self) -> Result<Option<Duration>> {
        unclaimed::next_due(self).await
    }

    async fn woken(&self) {
        self.waker.notified().await;
    }

    async fn claim(&self, claimant: &Claimant, executions: &[Arc<NewExecution>]) -> Result<Vec<Claim>> {
        flow::claim(self, claimant, executions).await
    }

    async fn claimed_by(&self, owner: Uuid, ids: &[Uuid]) -> Result<Vec<Claimed>> {
        read::claimed_by(self, owner, ids).await
    }

    async fn claim_due(
        &self,
        claimant: &Claimant,
        limit: usize,
        take_over: TakeOver<'_>,
    ) -> Result<DueExecutions> {
        flow::claim_due(self, claimant, limit, take_over).await
    }

    async fn renew(&self, claimant: &Claimant, held: &[Attempt]) -> Result<Renewal> {
        flow::renew(self, claimant, held).await
    }

    async fn expired_owners(&self, claimant: &Claimant) -> Result<ExpiredOwners> {
        unclaimed::lost(self, claimant).await
    }

    fn presence(&self) -> PresenceShown {
        PresenceShown::NotNeeded
    }

    fn writes_work(&self) -> bool {
        // One writer at a time, and nobody else's: what keeps it from writing is no fault of its loops.
        false
    }

    async fn hold_presence(&self, _claimant: &Claimant) -> Result<()> {
        Ok(())
    }

    async fn record_started(&self, owner: Uuid, started: &[(Attempt, Timestamp)]) -> Result<()> {
        flow::record_started(self, owner, started).await
    }

    async fn record_events(&self, owner: Uuid, events: &[(Attempt, NewEvent)]) -> Result<()> {
        flow::record_events(self, owner, events).await
    }

    async fn finalize(&self, finalizations: &[Finalization]) -> Result<Vec<FinalizeResult>> {
        flow::finalize(self, finalizations).await
    }

    async fn unnotified(&self, older_than: Duration, limit: usize) -> Result<Vec<ExecutionRecord>> {
        read::unnotified(self, older_than, limit).await
    }

    async fn mark_notified(&self, ids: &[Uuid]) -> Result<()> {
        unclaimed::mark_notified(self, ids).await
    }

    async fn request_cancel(&self, id: Uuid) -> Result<CancelResult> {
        flow::request_cancel(self, id).await
    }

    async fn execution(&self, id: Uuid) -> Result<Option<ExecutionRecord>> {
        read::execution(self, id).await
    }

    async fn executions_by_id(&self, ids: &[Uuid]) -> Result<Vec<ExecutionRecord>> {
        read::executions_by_id(self, ids).await
    }

    async fn executions(&self, filter: &ExecutionFilter) -> Result<ExecutionRecords> {
        read::executions(self, filter).await
    }

    async fn logs(&self, id: Uuid, after: (u32, u64), limit: usize) -> Result<Vec<LogRow>> {
        read::logs(self, id, after, limit).await
    }

    async fn events(&self, id: Uuid) -> Result<Vec<EventRow>> {
        read::events(self, id).await
    }

    async fn workflow(&self, id: Uuid) -> Result<Option<WorkflowRecord>> {
        read::workflow(self, id).await
    }

    async fn workflow_named(
        &self,
        name: &str,
        organization_id: Option<Uuid>,
    ) -> Result<Option<WorkflowRecord>> {
        read::workflow_named(self, name, organization_id).await
    }

    async fn organization(&self, id: Uuid) -> Result<Option<OrganizationRecord>> {
        read::organization(self, id).await
    }

    async fn config(&self, organization_id: Option<Uuid>) -> Result<Vec<ConfigEntry>> {
        read::config(self, organization_id).await
    }

    async fn state(&self, organization_id: Option<Uuid>, key: &str) -> Result<Option<Box<RawValue>>> {
        read::state(self, organization_id, key).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_schema_from_the_future_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(&folder.path().join("muster.db"), Durability::Full).await.unwrap();
        store.migrate().await.unwrap();
        sqlx::query("INSERT INTO muster_migrations VALUES (999, 0)").execute(&store.writer).await.unwrap();
        let error = store.migrate().await.unwrap_err();
        assert!(matches!(error, super::super::StoreError::Incompatible { .. }), "{error}");
    }
}
