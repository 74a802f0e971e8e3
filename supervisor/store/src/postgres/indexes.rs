//! Indexes on a table that is large and in use are made ahead of the step that needs them.
//!
//! An index that is made in a transaction keeps all writers away until it is there: an hour of a large table is an
//! hour in which a supervisor of the version before claims nothing and ends nothing. Made concurrently it keeps nobody
//! away, but it cannot be in a transaction, and what is left of one that failed is an index that is kept up to date
//! and never read. So these are made one by one before the step, whatever is left of an earlier try goes first, and
//! the step itself finds them there.

use sqlx::postgres::PgConnection;
use sqlx::{Executor as _, Row as _};
use tokio::time::{Instant, sleep};

use super::BACKEND;
use super::error::store_error;
use super::migrate::{LISTS_AND_SUPERVISORS, LOCK_PAUSE, MIGRATION_TIMEOUT, is_locked};
use super::schema::version;
use super::transaction::{STATEMENT_TIMEOUT, within};
use crate::{Result, StoreError};

/// The version that has the indexes of lists.
const LIST_INDEXES_VERSION: u32 = 6;

/// How large a table is whose indexes are made ahead: less is read within the time that a step waits for a lock.
const LARGE_BYTES: i64 = 8 << 20;

/// The key of the advisory lock of whoever makes indexes. Nobody waits for it in the server: an index is made only
/// when all statements of before are over, and such a wait would be one.
const INDEX_LOCK: i64 = 0x6d75_7374_6978;

/// Makes the indexes that a step to come needs, if its table is large. Supervisors that start together do this in turn.
pub(super) async fn build_ahead(connection: &mut PgConnection) -> Result<()> {
    if !is_needed(connection).await? {
        return Ok(());
    }
    let deadline = Instant::now() + MIGRATION_TIMEOUT;
    while !is_ours(connection).await? {
        if Instant::now() >= deadline {
            return Err(too_late());
        }
        sleep(LOCK_PAUSE).await;
    }
    within(STATEMENT_TIMEOUT, connection.execute("SET statement_timeout = 0")).await?;
    // Whoever had the lock before us may have made them all.
    if is_needed(connection).await? {
        for index in LISTS_AND_SUPERVISORS.split_inclusive(';').filter_map(Index::parse) {
            index.build(connection, deadline).await?;
        }
    }
    within(STATEMENT_TIMEOUT, connection.execute("SET statement_timeout = '30s'")).await?;
    let unlock = sqlx::query("SELECT pg_advisory_unlock($1)").bind(INDEX_LOCK);
    within(STATEMENT_TIMEOUT, unlock.execute(connection)).await.map(drop)
}

/// Whether the schema is there without the step, and its table large or left with half an index.
async fn is_needed(connection: &mut PgConnection) -> Result<bool> {
    let version = version(connection).await?;
    if !(1..LIST_INDEXES_VERSION).contains(&version) {
        return Ok(false);
    }
    let large = sqlx::query(
        "SELECT pg_table_size('executions') > $1 \
         OR EXISTS (SELECT FROM pg_index WHERE indrelid = 'executions'::regclass AND NOT indisvalid)",
    )
    .bind(LARGE_BYTES);
    let row = within(STATEMENT_TIMEOUT, large.fetch_one(connection)).await?;
    row.try_get(0).map_err(store_error)
}

fn too_late() -> StoreError {
    let message =
        "the indexes that its schema lacks could not be made within an hour: end long transactions on it";
    StoreError::Unreachable { backend: BACKEND, message: message.to_owned() }
}

/// Takes the lock if it is free. It goes with the connection.
async fn is_ours(connection: &mut PgConnection) -> Result<bool> {
    let lock = sqlx::query("SELECT pg_try_advisory_lock($1)").bind(INDEX_LOCK);
    let row = within(STATEMENT_TIMEOUT, lock.fetch_one(connection)).await?;
    row.try_get(0).map_err(store_error)
}

/// An index of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Index {
    name: &'static str,
    /// What follows its name.
    definition: &'static str,
}

const CREATE: &str = "CREATE INDEX IF NOT EXISTS ";

impl Index {
    /// The index that a statement makes.
    fn parse(statement: &'static str) -> Option<Self> {
        let (_, rest) = statement.split_once(CREATE)?;
        let (name, definition) = rest.split_once(char::is_whitespace)?;
        Some(Self { name, definition })
    }

    /// Makes it, unless it is there and whole.
    async fn build(self, connection: &mut PgConnection, deadline: Instant) -> Result<()> {
        loop {
            match self.is_valid(connection).await? {
                Some(true) => return Ok(()),
                Some(false) => {
                    self.run(connection, format!("DROP INDEX CONCURRENTLY IF EXISTS {}", self.name)).await?;
                }
                None => {}
            }
            tracing::info!(
                index = self.name,
                "making an index beside the supervisors that run; this one starts when it is there"
            );
            let create = format!("CREATE INDEX CONCURRENTLY IF NOT EXISTS {} {}", self.name, self.definition);
            if self.run(connection, create).await? {
                return Ok(());
            }
            if Instant::now() >= deadline {
                return Err(too_late());
            }
            sleep(LOCK_PAUSE).await;
        }
    }

    /// Whether it can be read. `None`: it is not there.
    async fn is_valid(self, connection: &mut PgConnection) -> Result<Option<bool>> {
        let valid = sqlx::query("SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass($1)");
        let row = within(STATEMENT_TIMEOUT, valid.bind(self.name).fetch_optional(connection)).await?;
        row.map(|row| row.try_get(0).map_err(store_error)).transpose()
    }

    /// Runs a statement that cannot be in a transaction. False when somebody who waits for us is in its way.
    async fn run(self, connection: &mut PgConnection, sql: String) -> Result<bool> {
        let answer = async {
            match sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(connection).await {
                Ok(_) => Ok(true),
                Err(error) if is_locked(&error) => Ok(false),
                Err(error) => Err(error),
            }
        };
        within(MIGRATION_TIMEOUT, answer).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_index_of_the_step_is_found() {
        let indexes: Vec<Index> =
            LISTS_AND_SUPERVISORS.split_inclusive(';').filter_map(Index::parse).collect();
        assert_eq!(indexes.len(), LISTS_AND_SUPERVISORS.matches("CREATE INDEX").count());
        let names: Vec<&str> = indexes.iter().map(|index| index.name).collect();
        assert!(names.contains(&"executions_by_status") && names.iter().all(|name| !name.contains('\n')));
        assert!(indexes.iter().all(|index| index.definition.starts_with("ON executions\n")));
        assert_eq!(super::super::migrate::MIGRATIONS[5].sql, LISTS_AND_SUPERVISORS);
        assert_eq!(super::super::migrate::MIGRATIONS[5].version, LIST_INDEXES_VERSION);
    }
}
