//! Bringing the schema up to date under supervisors that run.

use std::pin::pin;
use std::time::Duration;

use sqlx::postgres::PgConnection;
use sqlx::{Connection as _, Executor as _, Row};
use tokio::time::{Instant, sleep, timeout};

use super::ahead::build_ahead;
use super::connections::Connections;
use super::error::store_error;
use super::schema::{check_encoding, version};
use super::transaction::{STATEMENT_TIMEOUT, within};
use super::{BACKEND, statements};
use crate::columns::TimeColumn;
use crate::migration::{Migration, missing, newest};
use crate::rows::micros;
use crate::{Result, StoreError};

pub(super) const MIGRATIONS: &[Migration] = &[
    Migration { version: 1, sql: include_str!("migrations/0001_initial.sql") },
    Migration { version: 2, sql: include_str!("migrations/0002_running_index.sql") },
    Migration { version: 3, sql: include_str!("migrations/0003_text.sql") },
    Migration { version: 4, sql: include_str!("migrations/0004_beats.sql") },
    Migration { version: 5, sql: include_str!("migrations/0005_end_cause.sql") },
    Migration { version: 6, sql: include_str!("migrations/0006_lists_and_supervisors.sql") },
    Migration { version: 7, sql: include_str!("migrations/0007_queues.sql") },
    Migration { version: 8, sql: include_str!("migrations/0008_lean_lists.sql") },
    Migration { version: 9, sql: include_str!("migrations/0009_limits.sql") },
    Migration { version: 10, sql: include_str!("migrations/0010_definitions.sql") },
    Migration { version: 11, sql: include_str!("migrations/0011_idempotency.sql") },
    Migration { version: 12, sql: include_str!("migrations/0012_sealed_secrets.sql") },
    Migration { version: 13, sql: include_str!("migrations/0013_shares.sql") },
    Migration { version: 14, sql: include_str!("migrations/0014_schedules.sql") },
    Migration { version: 15, sql: include_str!("migrations/0015_pauses.sql") },
    Migration { version: 16, sql: include_str!("migrations/0016_webhooks.sql") },
    Migration { version: 17, sql: include_str!("migrations/0017_rates.sql") },
    Migration { version: 18, sql: include_str!("migrations/0018_fleet.sql") },
    Migration { version: 19, sql: include_str!("migrations/0019_workflow_limits.sql") },
    Migration { version: 20, sql: include_str!("migrations/0020_request_webhooks.sql") },
    Migration { version: 21, sql: include_str!("migrations/0021_workflow_ends.sql") },
    Migration { version: 22, sql: include_str!("migrations/0022_figures.sql") },
    Migration { version: 23, sql: include_str!("migrations/0023_tokens.sql") },
    Migration { version: 24, sql: include_str!("migrations/0024_named_webhooks.sql") },
    Migration { version: 25, sql: include_str!("migrations/0025_published.sql") },
    Migration { version: 26, sql: include_str!("migrations/0026_unpublished.sql") },
    Migration { version: 27, sql: include_str!("migrations/0027_request_once.sql") },
    Migration { version: 28, sql: include_str!("migrations/0028_execution_requests.sql") },
    Migration { version: 29, sql: include_str!("migrations/0029_earlier_executions.sql") },
];

/// The key of the advisory lock that supervisors which start together take in turn.
const MIGRATION_LOCK: i64 = 0x6d75_7374_6572;

/// A step may read all of a large table, and whoever starts meanwhile waits for it.
pub(super) const MIGRATION_TIMEOUT: Duration = Duration::from_secs(3600);

/// The turn of another supervisor is over sooner, unless it has much to do or stands still.
const TURN_TOLD_AFTER: Duration = Duration::from_secs(2);

/// How long a step of a migration waits for a lock: whoever wants the table waits behind it meanwhile.
pub(super) const LOCK_TIMEOUT_MS: u32 = 500;
/// The pause after a lock that was not to be had, in which others pass.
pub(super) const LOCK_PAUSE: Duration = Duration::from_secs(1);

/// See [`crate::SchemaStore::migrate`]. The first thing of a start: a database that is away is told at once.
pub(super) async fn migrate(connections: &Connections) -> Result<()> {
    let mut lent = within(STATEMENT_TIMEOUT, connections.borrow()).await?;
    check_encoding(&mut lent.connection).await?;
    build_ahead(&mut lent.connection).await?;
    let deadline = Instant::now() + MIGRATION_TIMEOUT;
    let mut told = false;
    let before = loop {
        match apply_missing(&mut lent.connection).await? {
            Applied::From(version) => break version,
            Applied::TableInUse if Instant::now() < deadline => {
                if !std::mem::replace(&mut told, true) {
                    tracing::warn!(
                        "the schema cannot be brought up to date while a transaction holds one of its tables; trying \
                         again every second: end long queries and idle transactions on this database"
                    );
                }
                sleep(LOCK_PAUSE).await;
            }
            Applied::TableInUse => {
                let message =
                    "a transaction holds one of its tables, so its schema cannot be brought up to date";
                return Err(StoreError::Unreachable { backend: BACKEND, message: message.to_owned() });
            }
        }
    };
    if (1..newest(MIGRATIONS)).contains(&before) {
        renew_sessions(&mut lent.connection).await;
    }
    connections.give_back(lent);
    Ok(())
}

/// What came of a try.
enum Applied {
    /// The schema is up to date, and was at this version.
    From(u32),
    /// A step met a lock, and nothing was changed.
    TableInUse,
}

/// Applies the steps that are missing, all or none.
async fn apply_missing(connection: &mut PgConnection) -> Result<Applied> {
    let mut transaction = within(STATEMENT_TIMEOUT, connection.begin()).await?;
    within(STATEMENT_TIMEOUT, transaction.execute("SET LOCAL statement_timeout = 0")).await?;
    take_turn(&mut transaction).await?;
    let applied = version(&mut transaction).await?;
    for migration in missing(BACKEND, MIGRATIONS, applied)? {
        // A role that may only read and write rows can still start on a schema that is up to date.
        let table = "CREATE TABLE IF NOT EXISTS muster_migrations (version integer PRIMARY KEY, applied_at timestamptz NOT NULL)";
        within(STATEMENT_TIMEOUT, transaction.execute(table)).await?;
        let patience = format!("SET LOCAL lock_timeout = {LOCK_TIMEOUT_MS}");
        within(STATEMENT_TIMEOUT, transaction.execute(sqlx::AssertSqlSafe(patience))).await?;
        if !apply(&mut transaction, migration).await? {
            within(STATEMENT_TIMEOUT, transaction.rollback()).await?;
            return Ok(Applied::TableInUse);
        }
        let record =
            sqlx::query("INSERT INTO muster_migrations (version, applied_at) VALUES ($1, clock_timestamp())")
                .bind(i32::try_from(migration.version).unwrap_or(i32::MAX));
        within(STATEMENT_TIMEOUT, record.execute(&mut *transaction)).await?;
    }
    within(STATEMENT_TIMEOUT, transaction.commit()).await?;
    Ok(Applied::From(applied))
}

/// Waits for whoever brings the schema up to date now, and says so when that takes time.
async fn take_turn(connection: &mut PgConnection) -> Result<()> {
    let lock = sqlx::query("SELECT pg_advisory_xact_lock($1)").bind(MIGRATION_LOCK);
    let mut lock = pin!(within(MIGRATION_TIMEOUT, lock.execute(connection)));
    let taken = match timeout(TURN_TOLD_AFTER, &mut lock).await {
        Ok(taken) => taken,
        Err(_) => {
            tracing::warn!("the start waits for another session that brings the schema up to date");
            lock.await
        }
    };
    taken.map(drop)
}

/// Applies one step. False when it met a lock.
async fn apply(connection: &mut PgConnection, migration: &Migration) -> Result<bool> {
    let step = async {
        match sqlx::raw_sql(migration.sql).execute(connection).await {
            Ok(_) => Ok(true),
            Err(error) if is_locked(&error) => Ok(false),
            Err(error) => Err(error),
        }
    };
    within(MIGRATION_TIMEOUT, step).await
}

/// `lock_not_available`: the lock timeout is over. `deadlock_detected`: whoever is in the way waits for us.
pub(super) fn is_locked(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(|error| error.code());
    matches!(code.as_deref(), Some("55P03" | "40P01"))
}

/// How often sessions are looked for that prepared their statements for the schema of before.
const RENEWALS_MAX: u32 = 30;
/// In how many of these times only those sessions count that are tried before they are used again, because they
/// rested.
const GENTLE_RENEWALS: u32 = 25;
const TRIED_AFTER: Duration = Duration::from_millis(1500);
/// The pause between two of these times.
const RENEWAL_PAUSE: Duration = Duration::from_millis(100);

/// Ends sessions of other supervisors that rest. A supervisor of an earlier version keeps statements that fail once
/// a column was added, for as long as it keeps their sessions; it makes a new session where one is gone. The lock
/// that shows that it lives is in a session that is let be. That this cannot be done is no reason not to start.
async fn renew_sessions(connection: &mut PgConnection) {
    let left = async {
        let now =
            within(STATEMENT_TIMEOUT, sqlx::query("SELECT clock_timestamp()").fetch_one(&mut *connection));
        let changed_at: TimeColumn = now.await?.try_get(0).map_err(store_error)?;
        for pass in 0..RENEWALS_MAX {
            let rested = if pass < GENTLE_RENEWALS { TRIED_AFTER } else { Duration::ZERO };
            let query = sqlx::query(statements::RENEW_SESSIONS).bind(changed_at).bind(micros(rested));
            let row = within(STATEMENT_TIMEOUT, query.fetch_one(&mut *connection)).await?;
            if row.try_get::<i64, _>("sessions").map_err(store_error)? == 0 {
                return Ok(());
            }
            tokio::time::sleep(RENEWAL_PAUSE).await;
        }
        Ok(())
    };
    if let Err(error) = left.await {
        let error: StoreError = error;
        tracing::warn!(%error, "supervisors of an earlier version may fail to read rows until they are restarted");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_count_from_one_without_gaps() {
        let versions: Vec<u32> = MIGRATIONS.iter().map(|migration| migration.version).collect();
        let expected: Vec<u32> = (1..).take(versions.len()).collect();
        assert_eq!(versions, expected);
    }
}
