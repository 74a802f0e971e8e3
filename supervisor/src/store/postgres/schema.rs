//! Bringing the schema up to date, and what the server says of itself.

use std::time::Duration;

use jiff::Timestamp;
use sqlx::postgres::{PgConnection, PgPool};
use sqlx::{Connection as _, Executor as _, Row, SqlSafeStr as _};

use super::connections::Connections;
use super::error::store_error;
use super::presence::{State, session_locks_hold};
use super::transaction::{STATEMENT_TIMEOUT, within};
use super::{BACKEND, Shared, statements};
use crate::store::columns::{At, unsigned};
use crate::store::migration::{Migration, missing, newest, unprepared};
use crate::store::{Facts, Result, StoreError};

const MIGRATIONS: &[Migration] = &[
    Migration { version: 1, sql: include_str!("migrations/0001_initial.sql") },
    Migration { version: 2, sql: include_str!("migrations/0002_running_index.sql") },
];

/// The key of the advisory lock that supervisors which start together take in turn.
const MIGRATION_LOCK: i64 = 0x6d75_7374_6572;

/// A step may read all of a large table, and whoever starts meanwhile waits for it.
const MIGRATION_TIMEOUT: Duration = Duration::from_secs(3600);

/// See [`crate::store::Store::migrate`]. The first thing of a start: a database that is away is told at once.
pub(super) async fn migrate(connections: &Connections) -> Result<()> {
    let mut lent = within(STATEMENT_TIMEOUT, connections.borrow()).await?;
    let mut transaction = within(STATEMENT_TIMEOUT, lent.connection.begin()).await?;
    within(STATEMENT_TIMEOUT, transaction.execute("SET LOCAL statement_timeout = 0")).await?;
    let lock = sqlx::query("SELECT pg_advisory_xact_lock($1)").bind(MIGRATION_LOCK);
    within(MIGRATION_TIMEOUT, lock.execute(&mut *transaction)).await?;
    let applied = version(&mut transaction).await?;
    for migration in missing(BACKEND, MIGRATIONS, applied)? {
        // A role that may only read and write rows can still start on a schema that is up to date.
        let table = "CREATE TABLE IF NOT EXISTS muster_migrations (version integer PRIMARY KEY, applied_at timestamptz NOT NULL)";
        within(STATEMENT_TIMEOUT, transaction.execute(table)).await?;
        within(MIGRATION_TIMEOUT, sqlx::raw_sql(migration.sql).execute(&mut *transaction)).await?;
        let record =
            sqlx::query("INSERT INTO muster_migrations (version, applied_at) VALUES ($1, clock_timestamp())")
                .bind(i32::try_from(migration.version).unwrap_or(i32::MAX));
        within(STATEMENT_TIMEOUT, record.execute(&mut *transaction)).await?;
    }
    within(STATEMENT_TIMEOUT, transaction.commit()).await?;
    connections.give_back(lent);
    Ok(())
}

/// The version of the schema; 0 in a database without one.
async fn version(connection: &mut PgConnection) -> Result<u32> {
    let exists = sqlx::query("SELECT to_regclass('muster_migrations') IS NOT NULL");
    let row = within(STATEMENT_TIMEOUT, exists.fetch_one(&mut *connection)).await?;
    if !row.try_get::<bool, _>(0).map_err(store_error)? {
        return Ok(0);
    }
    let newest = sqlx::query("SELECT coalesce(max(version), 0) FROM muster_migrations");
    let row = within(STATEMENT_TIMEOUT, newest.fetch_one(connection)).await?;
    row.try_get(0).map(unsigned).map_err(store_error)
}

/// See [`crate::store::Store::check_statements`].
pub(super) async fn check_statements(pool: &PgPool) -> Result<()> {
    let mut connection = within(STATEMENT_TIMEOUT, pool.acquire()).await?;
    for (name, sql) in statements::ALL {
        let prepared = within(STATEMENT_TIMEOUT, connection.prepare(sql.into_sql_str())).await;
        prepared.map_err(|error| unprepared(BACKEND, name, &error))?;
    }
    check_rights(&mut connection).await
}

/// The server looks at rights only when a statement is run, so what is prepared may still be forbidden.
async fn check_rights(connection: &mut PgConnection) -> Result<()> {
    let rows =
        within(STATEMENT_TIMEOUT, sqlx::query(statements::MISSING_RIGHTS).fetch_all(connection)).await?;
    let missing: Vec<String> =
        rows.iter().map(|row| row.try_get("missing")).collect::<sqlx::Result<_>>().map_err(store_error)?;
    if missing.is_empty() {
        return Ok(());
    }
    let message = format!("the database user may not {}; grant it", missing.join(", "));
    Err(StoreError::Incompatible { backend: BACKEND, message })
}

/// See [`crate::store::Store::facts`].
pub(super) async fn facts(shared: &Shared) -> Result<Facts> {
    // First what connects by itself: the pool would try a closed port again until its time is up, and then
    // not know why.
    let notices_death = match shared.presence.state() {
        State::Held => true,
        State::Lost | State::Off => false,
        State::NotAsked => session_locks_hold(&shared.options).await?,
    };
    let mut connection = within(STATEMENT_TIMEOUT, shared.reads.acquire()).await?;
    let before = Timestamp::now();
    let query = sqlx::query(
        "SELECT clock_timestamp() AS now, current_setting('server_version') AS version, \
         coalesce(has_schema_privilege(current_schema(), 'CREATE'), false) AS may_migrate",
    );
    let row = within(STATEMENT_TIMEOUT, query.fetch_one(&mut *connection)).await?;
    let theirs: At = row.try_get("now").map_err(store_error)?;
    // Their clock was read about half-way between our two readings.
    let ours = before + Timestamp::now().duration_since(before) / 2;
    Ok(Facts {
        backend: BACKEND,
        version: row.try_get("version").map_err(store_error)?,
        schema_version: version(&mut connection).await?,
        schema_newest: newest(MIGRATIONS),
        may_migrate: row.try_get("may_migrate").map_err(store_error)?,
        clock_ahead: theirs.0.duration_since(ours),
        notices_death: Some(notices_death),
    })
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
