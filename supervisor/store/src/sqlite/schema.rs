//! The schema of the file, and what the database says of itself.

use std::time::Duration;

use async_trait::async_trait;
use jiff::SignedDuration;
use sqlx::{Executor as _, Row as _, SqlSafeStr as _};

use super::error::store_error;
use super::{BACKEND, SqliteStore, damage, statements};
use crate::migration::{Migration, missing, newest, unprepared};
use crate::{DatabaseFacts, Result, SchemaStore};

const MIGRATIONS: &[Migration] = &[
    Migration { version: 1, sql: include_str!("migrations/0001_initial.sql") },
    Migration { version: 2, sql: include_str!("migrations/0002_end_cause.sql") },
    Migration { version: 3, sql: include_str!("migrations/0003_lists_and_supervisors.sql") },
    Migration { version: 4, sql: include_str!("migrations/0004_queues.sql") },
    Migration { version: 5, sql: include_str!("migrations/0005_lean_lists.sql") },
    Migration { version: 6, sql: include_str!("migrations/0006_limits.sql") },
    Migration { version: 7, sql: include_str!("migrations/0007_definitions.sql") },
    Migration { version: 8, sql: include_str!("migrations/0008_idempotency.sql") },
    Migration { version: 9, sql: include_str!("migrations/0009_sealed_secrets.sql") },
    Migration { version: 10, sql: include_str!("migrations/0010_shares.sql") },
    Migration { version: 11, sql: include_str!("migrations/0011_schedules.sql") },
    Migration { version: 12, sql: include_str!("migrations/0012_pauses.sql") },
    Migration { version: 13, sql: include_str!("migrations/0013_webhooks.sql") },
    Migration { version: 14, sql: include_str!("migrations/0014_rates.sql") },
    Migration { version: 15, sql: include_str!("migrations/0015_fleet.sql") },
    Migration { version: 16, sql: include_str!("migrations/0016_workflow_limits.sql") },
    Migration { version: 17, sql: include_str!("migrations/0017_request_webhooks.sql") },
    Migration { version: 18, sql: include_str!("migrations/0018_workflow_ends.sql") },
    Migration { version: 19, sql: include_str!("migrations/0019_figures.sql") },
    Migration { version: 20, sql: include_str!("migrations/0020_tokens.sql") },
    Migration { version: 21, sql: include_str!("migrations/0021_named_webhooks.sql") },
    Migration { version: 22, sql: include_str!("migrations/0022_published.sql") },
    Migration { version: 23, sql: include_str!("migrations/0023_earlier_executions.sql") },
];

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
impl SchemaStore for SqliteStore {
    async fn migrate(&self) -> Result<()> {
        let transaction = self.writer.begin().await?;
        transaction.run_all("CREATE TABLE IF NOT EXISTS muster_migrations (version INTEGER PRIMARY KEY, applied_at INTEGER NOT NULL) STRICT")?;
        let newest = "SELECT coalesce(max(version), 0) FROM muster_migrations";
        let applied = transaction.with(|file| file.query_row(newest, [], |row| row.get(0)))?;
        for migration in missing(BACKEND, MIGRATIONS, applied)? {
            transaction.run_all(migration.sql)?;
            let applied = "INSERT INTO muster_migrations (version, applied_at) VALUES (?1, ?2)";
            let now = crate::columns::now().as_microsecond();
            transaction.with(|file| file.execute(applied, (migration.version, now)))?;
        }
        transaction.commit()
    }

    async fn facts(&self) -> Result<DatabaseFacts> {
        self.damage.check()?;
        self.writer.has_room().await?;
        let mut connection = self.readers.acquire().await.map_err(store_error)?;
        let version = sqlx::query("SELECT sqlite_version()").fetch_one(&mut *connection).await;
        Ok(DatabaseFacts {
            backend: BACKEND,
            version: version.and_then(|row| row.try_get(0)).map_err(store_error)?,
            schema_version: schema_version(&mut connection)
                .await
                .inspect_err(|error| self.damage.note(error))?,
            schema_newest: newest(MIGRATIONS),
            may_migrate: true,
            clock_ahead: SignedDuration::ZERO,
            notices_death: None,
            connections: None,
            encrypted: None,
        })
    }

    async fn check_file(&self, patience: Duration) -> Result<()> {
        damage::check_file(&self.path, patience).await.inspect_err(|error| self.damage.note(error))
    }

    async fn close(&self) {
        self.close_all().await;
    }

    async fn check_statements(&self) -> Result<()> {
        let mut connection = self.readers.acquire().await.map_err(store_error)?;
        for (name, sql) in statements::ALL {
            let prepared = connection.prepare(sql.into_sql_str()).await.map_err(store_error);
            prepared.map_err(|error| unprepared(BACKEND, name, &error))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sqlite::rows::write_query;
    use crate::{Durability, StoreError};

    #[tokio::test]
    async fn a_schema_from_the_future_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(&folder.path().join("muster.db"), Durability::Full).await.unwrap();
        store.migrate().await.unwrap();
        store.write(write_query("INSERT INTO muster_migrations VALUES (999, 0)")).await.unwrap();
        let error = store.migrate().await.unwrap_err();
        assert!(matches!(error, StoreError::Incompatible { .. }), "{error}");
    }
}
