//! What the next steps of the schema want of a table that is large and in use is made ahead of them.
//!
//! An index that is made in a transaction keeps all writers away until it is there: an hour of a large table is an
//! hour in which a supervisor of the version before claims nothing and ends nothing. Made concurrently it keeps nobody
//! away, but it cannot be in a transaction, and what is left of one that failed is an index that is kept up to date
//! and never read. So these are made one by one before the steps, with the columns they need, whatever is left of an
//! earlier try goes first, and the steps find them there. A step says so by `IF NOT EXISTS`.

use sqlx::postgres::PgConnection;
use sqlx::{Executor as _, Row as _};
use tokio::time::{Instant, sleep};

use super::BACKEND;
use super::error::store_error;
use super::migrate::{LOCK_PAUSE, LOCK_TIMEOUT_MS, MIGRATION_TIMEOUT, MIGRATIONS, is_locked};
use super::schema::version;
use super::transaction::{STATEMENT_TIMEOUT, within};
use crate::migration::{Migration, missing};
use crate::{Result, StoreError};

/// How large a table is whose indexes are made ahead: less is read within the time that a step waits for a lock.
const LARGE_BYTES: i64 = 8 << 20;

/// The key of the advisory lock of whoever makes indexes. Nobody waits for it in the server: an index is made only
/// when all statements of before are over, and such a wait would be one.
const INDEX_LOCK: i64 = 0x6d75_7374_6978;

/// Makes what steps to come need, if their table is large. Supervisors that start together do this in turn.
pub(super) async fn build_ahead(connection: &mut PgConnection) -> Result<()> {
    if preparations_needed(connection).await?.is_empty() {
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
    for preparation in preparations_needed(connection).await? {
        match preparation {
            Preparation::Column(statement) => add_column(connection, statement, deadline).await?,
            Preparation::Index(index) => index.build(connection, deadline).await?,
        }
    }
    within(STATEMENT_TIMEOUT, connection.execute("SET statement_timeout = '30s'")).await?;
    let unlock = sqlx::query("SELECT pg_advisory_unlock($1)").bind(INDEX_LOCK);
    within(STATEMENT_TIMEOUT, unlock.execute(connection)).await.map(drop)
}

/// What is to be made ahead: nothing when no schema is there, and nothing when its table is small and whole.
async fn preparations_needed(connection: &mut PgConnection) -> Result<Vec<Preparation>> {
    let version = version(connection).await?;
    let preparations = preparations(missing(BACKEND, MIGRATIONS, version)?);
    if version == 0 || preparations.is_empty() {
        return Ok(Vec::new());
    }
    let large = sqlx::query(
        "SELECT pg_table_size('executions') > $1 \
         OR EXISTS (SELECT FROM pg_index WHERE indrelid = 'executions'::regclass AND NOT indisvalid)",
    )
    .bind(LARGE_BYTES);
    let row = within(STATEMENT_TIMEOUT, large.fetch_one(connection)).await?;
    Ok(if row.try_get(0).map_err(store_error)? { preparations } else { Vec::new() })
}

/// What these steps want to find there.
fn preparations(steps: &'static [Migration]) -> Vec<Preparation> {
    steps.iter().flat_map(|step| step.sql.split_inclusive(';')).filter_map(Preparation::parse).collect()
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

/// What is made ahead of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Preparation {
    /// A column, by its statement: the server adds one without reading the table.
    Column(&'static str),
    /// An index.
    Index(Index),
}

/// An index of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Index {
    name: &'static str,
    /// What follows its name.
    definition: &'static str,
}

const ADD_COLUMN: &str = "ALTER TABLE executions ADD COLUMN IF NOT EXISTS ";
const CREATE_INDEX: &str = "CREATE INDEX IF NOT EXISTS ";

impl Preparation {
    /// What a statement makes. Other tables are small or new.
    fn parse(statement: &'static str) -> Option<Self> {
        if let Some(begin) = statement.find(ADD_COLUMN) {
            return Some(Self::Column(&statement[begin..]));
        }
        let (_, rest) = statement.split_once(CREATE_INDEX)?;
        let (name, definition) = rest.split_once(char::is_whitespace)?;
        let index = Index { name, definition };
        definition.starts_with("ON executions").then_some(Self::Index(index))
    }
}

/// Adds a column that is missing. Whoever holds the table is not waited for longer than others can wait behind us.
async fn add_column(connection: &mut PgConnection, statement: &'static str, deadline: Instant) -> Result<()> {
    loop {
        let add = format!("BEGIN; SET LOCAL lock_timeout = {LOCK_TIMEOUT_MS}; {statement} COMMIT");
        if run(connection, add).await? {
            return Ok(());
        }
        within(STATEMENT_TIMEOUT, connection.execute("ROLLBACK")).await?;
        if Instant::now() >= deadline {
            return Err(too_late());
        }
        sleep(LOCK_PAUSE).await;
    }
}

/// Runs a statement that cannot be in a step's transaction. False when somebody who waits for us is in its way.
async fn run(connection: &mut PgConnection, sql: String) -> Result<bool> {
    let answer = async {
        match sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(connection).await {
            Ok(_) => Ok(true),
            Err(error) if is_locked(&error) => Ok(false),
            Err(error) => Err(error),
        }
    };
    within(MIGRATION_TIMEOUT, answer).await
}

impl Index {
    /// Makes it, unless it is there and whole.
    async fn build(self, connection: &mut PgConnection, deadline: Instant) -> Result<()> {
        loop {
            match self.is_valid(connection).await? {
                Some(true) => return Ok(()),
                Some(false) => {
                    run(connection, format!("DROP INDEX CONCURRENTLY IF EXISTS {}", self.name)).await?;
                }
                None => {}
            }
            tracing::info!(
                index = self.name,
                "making an index beside the supervisors that run; this one starts when it is there"
            );
            let create = format!("CREATE INDEX CONCURRENTLY IF NOT EXISTS {} {}", self.name, self.definition);
            if run(connection, create).await? {
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
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_that_a_step_says_may_be_there_is_made_ahead_of_it() {
        let said: usize = MIGRATIONS.iter().map(|step| step.sql.matches("IF NOT EXISTS").count()).sum();
        let preparations = preparations(MIGRATIONS);
        assert_eq!(preparations.len(), said);
        for preparation in preparations {
            let (name, rest) = match preparation {
                Preparation::Column(statement) => (statement, statement),
                Preparation::Index(index) => (index.name, index.definition),
            };
            assert!(!name.is_empty() && rest.ends_with(';') && !rest.contains("--"), "{preparation:?}");
        }
    }

    #[test]
    fn a_column_comes_before_the_index_that_needs_it() {
        let preparations = preparations(&MIGRATIONS[6..7]);
        let is_column = |preparation: &Preparation| matches!(preparation, Preparation::Column(_));
        assert!(preparations.len() == 4 && preparations.is_sorted_by_key(|one| !is_column(one)));
    }
}
