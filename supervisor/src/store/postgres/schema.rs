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
use crate::store::rows::micros;
use crate::store::{Facts, Result, StoreError};

const MIGRATIONS: &[Migration] = &[
    Migration { version: 1, sql: include_str!("migrations/0001_initial.sql") },
    Migration { version: 2, sql: include_str!("migrations/0002_running_index.sql") },
    Migration { version: 3, sql: include_str!("migrations/0003_text.sql") },
    Migration { version: 4, sql: include_str!("migrations/0004_beats.sql") },
];

/// The key of the advisory lock that supervisors which start together take in turn.
const MIGRATION_LOCK: i64 = 0x6d75_7374_6572;

/// A step may read all of a large table, and whoever starts meanwhile waits for it.
const MIGRATION_TIMEOUT: Duration = Duration::from_secs(3600);

/// See [`crate::store::Store::migrate`]. The first thing of a start: a database that is away is told at once.
pub(super) async fn migrate(connections: &Connections) -> Result<()> {
    let mut lent = within(STATEMENT_TIMEOUT, connections.borrow()).await?;
    check_encoding(&mut lent.connection).await?;
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
    if (1..newest(MIGRATIONS)).contains(&applied) {
        renew_sessions(&mut lent.connection).await;
    }
    connections.give_back(lent);
    Ok(())
}

/// Text is UTF-8 everywhere else; in another encoding there are characters that can never be written.
async fn check_encoding(connection: &mut PgConnection) -> Result<()> {
    let encoding = sqlx::query("SELECT current_setting('server_encoding')");
    let row = within(STATEMENT_TIMEOUT, encoding.fetch_one(connection)).await?;
    judge_encoding(row.try_get(0).map_err(store_error)?)
}

fn judge_encoding(encoding: &str) -> Result<()> {
    if encoding == "UTF8" {
        return Ok(());
    }
    let message = format!(
        "it needs encoding UTF8, and this database has {encoding}; make another with \
         `CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0` and set database_url to it"
    );
    Err(StoreError::Incompatible { backend: BACKEND, message })
}

/// How often sessions are looked for that prepared their statements for the schema of before,
const RENEWALS_MAX: u32 = 30;
/// how many of these times only those count that are tried before they are used again, because they rested,
const GENTLE_RENEWALS: u32 = 25;
const TRIED_AFTER: Duration = Duration::from_millis(1500);
/// and how long the pause is.
const RENEWAL_PAUSE: Duration = Duration::from_millis(100);

/// Ends sessions of other supervisors that rest. A supervisor of an earlier version keeps statements that fail once
/// a column was added, for as long as it keeps their sessions; it makes a new session where one is gone. The lock
/// that shows that it lives is in a session that is let be. That this cannot be done is no reason not to start.
async fn renew_sessions(connection: &mut PgConnection) {
    let left = async {
        let now =
            within(STATEMENT_TIMEOUT, sqlx::query("SELECT clock_timestamp()").fetch_one(&mut *connection));
        let changed_at: At = now.await?.try_get(0).map_err(store_error)?;
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
        State::Lost { .. } | State::Off => false,
        State::NotAsked => session_locks_hold(&shared.options).await?,
    };
    let mut connection = within(STATEMENT_TIMEOUT, shared.reads.acquire()).await?;
    let before = Timestamp::now();
    let query = sqlx::query(
        "SELECT clock_timestamp() AS now, current_setting('server_version') AS version, \
         current_setting('server_encoding') AS encoding, \
         coalesce(has_schema_privilege(current_schema(), 'CREATE'), false) AS may_migrate",
    );
    let row = within(STATEMENT_TIMEOUT, query.fetch_one(&mut *connection)).await?;
    judge_encoding(row.try_get("encoding").map_err(store_error)?)?;
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
    fn only_utf8_will_do() {
        assert!(judge_encoding("UTF8").is_ok());
        for encoding in ["SQL_ASCII", "LATIN1"] {
            let refused = judge_encoding(encoding).unwrap_err().to_string();
            assert!(refused.contains("needs encoding UTF8") && refused.contains(encoding), "{refused}");
        }
    }

    #[test]
    fn versions_count_from_one_without_gaps() {
        let versions: Vec<u32> = MIGRATIONS.iter().map(|migration| migration.version).collect();
        let expected: Vec<u32> = (1..).take(versions.len()).collect();
        assert_eq!(versions, expected);
    }
}
