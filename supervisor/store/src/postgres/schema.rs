//! What the server says of itself, and whether it will do.

use async_trait::async_trait;
use jiff::Timestamp;
use sqlx::postgres::PgConnection;
use sqlx::{Executor as _, Row, SqlSafeStr as _};

use super::connections::Connections;
use super::error::store_error;
use super::migrate::{MIGRATIONS, migrate};
use super::presence::{LockState, session_locks_hold};
use super::transaction::{STATEMENT_TIMEOUT, within};
use super::{BACKEND, CONNECTIONS_MAX, PostgresStore, StoreShared, statements};
use crate::columns::{TimeColumn, unsigned};
use crate::migration::{newest, unprepared};
use crate::{ConnectionBudget, DatabaseFacts, Result, SchemaStore, StoreError};

/// Text is UTF-8 everywhere else; in another encoding there are characters that can never be written.
pub(super) async fn check_encoding(connection: &mut PgConnection) -> Result<()> {
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

/// The version of the schema; 0 in a database without one.
pub(super) async fn version(connection: &mut PgConnection) -> Result<u32> {
    // Not `to_regclass`: a session that has found no such table answers so again from its cache, although it has waited
    // for the lock of whoever made it.
    let exists = sqlx::query(
        "SELECT EXISTS (SELECT FROM pg_class WHERE relname = 'muster_migrations' AND pg_table_is_visible(oid))",
    );
    let row = within(STATEMENT_TIMEOUT, exists.fetch_one(&mut *connection)).await?;
    if !row.try_get::<bool, _>(0).map_err(store_error)? {
        return Ok(0);
    }
    let newest = sqlx::query("SELECT coalesce(max(version), 0) FROM muster_migrations");
    let row = within(STATEMENT_TIMEOUT, newest.fetch_one(connection)).await?;
    row.try_get(0).map(unsigned).map_err(store_error)
}

#[async_trait]
impl SchemaStore for PostgresStore {
    async fn migrate(&self) -> Result<()> {
        migrate(&self.shared.transactions).await
    }

    async fn facts(&self) -> Result<DatabaseFacts> {
        facts(&self.shared).await
    }

    async fn check_statements(&self) -> Result<()> {
        check_statements(&self.shared.reads).await
    }
}

async fn check_statements(reads: &Connections) -> Result<()> {
    // Closed in the end: it holds every statement there is.
    let mut lent = within(STATEMENT_TIMEOUT, reads.borrow()).await?;
    for (name, sql) in statements::ALL {
        let prepared = within(STATEMENT_TIMEOUT, lent.connection.prepare(sql.into_sql_str())).await;
        prepared.map_err(|error| unprepared(BACKEND, name, &error))?;
    }
    check_rights(&mut lent.connection).await
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

async fn facts(shared: &StoreShared) -> Result<DatabaseFacts> {
    let notices_death = match shared.presence.state() {
        LockState::Held => true,
        LockState::Lost { .. } | LockState::Off => false,
        LockState::NotAsked => session_locks_hold(&shared.options).await?,
    };
    let mut lent = within(STATEMENT_TIMEOUT, shared.reads.borrow()).await?;
    let before = Timestamp::now();
    let query = sqlx::query(
        "SELECT clock_timestamp() AS now, current_setting('server_version') AS version, \
         current_setting('server_encoding') AS encoding, \
         coalesce(has_schema_privilege(current_schema(), 'CREATE'), false) AS may_migrate, \
         (SELECT least(current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int, \
         nullif(datconnlimit, -1), nullif(rolconnlimit, -1)) FROM pg_database, pg_roles \
         WHERE datname = current_database() AND rolname = current_user) AS connections, \
         coalesce((SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()), false) AS encrypted",
    );
    let row = within(STATEMENT_TIMEOUT, query.fetch_one(&mut lent.connection)).await?;
    judge_encoding(row.try_get("encoding").map_err(store_error)?)?;
    let theirs: TimeColumn = row.try_get("now").map_err(store_error)?;
    // Their clock was read about half-way between our two readings.
    let ours = before + Timestamp::now().duration_since(before) / 2;
    let schema_version = version(&mut lent.connection).await?;
    shared.reads.give_back(lent);
    Ok(DatabaseFacts {
        backend: BACKEND,
        version: row.try_get("version").map_err(store_error)?,
        schema_version,
        schema_newest: newest(MIGRATIONS),
        may_migrate: row.try_get("may_migrate").map_err(store_error)?,
        clock_ahead: theirs.0.duration_since(ours),
        notices_death: Some(notices_death),
        connections: Some(ConnectionBudget {
            needed: CONNECTIONS_MAX,
            allowed: unsigned(row.try_get("connections").map_err(store_error)?),
        }),
        encrypted: Some(row.try_get("encrypted").map_err(store_error)?),
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
}
