//! The database as a dashboard sees it: rows, logs and events, read with SQL and nothing of the supervisor's.

use std::time::Duration;

use serde_json::Value;
use sqlx::postgres::{PgConnection, PgPool, PgPoolOptions};
use sqlx::{AssertSqlSafe, Row};

use crate::blocking::block_on;
use crate::{Backends, eventually};

/// The events that close an execution. Exactly one of them may ever be recorded of it.
const CLOSING_EVENTS: &str = "('finalized', 'cancelled')";

/// What a row of `executions` was asked for, as a `jsonb`, whichever version wrote it.
pub const REQUEST: &str = "coalesce(
    (SELECT request_text FROM execution_requests WHERE execution_id = executions.id), request_text, request::text
)::jsonb";

/// A connection to the database of a test.
#[derive(Clone, Debug)]
pub struct Record {
    pool: PgPool,
}

impl Record {
    /// Of these backends. Connects when it is used.
    pub fn of(backends: &Backends) -> Self {
        let options = PgPoolOptions::new().max_connections(2).acquire_timeout(Duration::from_secs(10));
        let pool = block_on(async { options.connect_lazy(&backends.database_url) });
        Self { pool: pool.unwrap_or_else(|error| panic!("{}: {error}", backends.database_url)) }
    }

    /// What a SELECT gives, a JSON object per row.
    ///
    /// # Errors
    /// When the server is out of reach or refuses.
    pub fn try_select(&self, sql: &str) -> Result<Vec<Value>, sqlx::Error> {
        let sql = format!("SELECT to_jsonb(selected)::text FROM ({sql}) AS selected");
        let rows = block_on(sqlx::query(AssertSqlSafe(sql)).fetch_all(&self.pool))?;
        let object =
            |text: &str| serde_json::from_str(text).map_err(|error| sqlx::Error::Decode(error.into()));
        rows.iter().map(|row| object(row.try_get(0)?)).collect()
    }

    /// What a SELECT gives, a JSON object per row.
    #[track_caller]
    pub fn select(&self, sql: &str) -> Vec<Value> {
        self.try_select(sql).unwrap_or_else(|error| panic!("{sql}: {error}"))
    }

    /// The number a SELECT gives.
    #[track_caller]
    pub fn count(&self, from_and_where: &str) -> u64 {
        let rows = self.select(&format!("SELECT count(*) AS count FROM {from_and_where}"));
        rows.first().and_then(|row| row["count"].as_u64()).unwrap_or_default()
    }

    /// Changes something: what administrators do.
    #[track_caller]
    pub fn execute(&self, sql: &str) {
        let done = block_on(sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&self.pool));
        done.unwrap_or_else(|error| panic!("{sql}: {error}"));
    }

    /// Keeps everybody else out of a table until what it gives is dropped.
    #[track_caller]
    pub fn lock_table(&self, table: &str) -> HeldTable {
        self.hold(&format!("LOCK TABLE {table}"))
    }

    /// Keeps what this statement locks until what it gives is dropped.
    #[track_caller]
    pub fn hold(&self, statement: &str) -> HeldTable {
        let sql = format!("BEGIN; {statement}");
        let held = block_on(async {
            let mut connection = self.pool.acquire().await?.detach();
            sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await?;
            Ok::<_, sqlx::Error>(HeldTable { _connection: connection })
        });
        held.unwrap_or_else(|error| panic!("{statement}: {error}"))
    }

    /// The row of an execution, if there is one.
    #[track_caller]
    pub fn execution(&self, id: &str) -> Option<Value> {
        self.select(&format!("SELECT * FROM executions WHERE id = '{id}'")).pop()
    }

    /// What an execution was asked for, as its row keeps it.
    #[track_caller]
    pub fn request(&self, id: &str) -> Value {
        let rows = self.select(&format!("SELECT {REQUEST} AS request FROM executions WHERE id = '{id}'"));
        rows.into_iter().next().map(|mut row| row["request"].take()).unwrap_or_default()
    }

    /// The log of an execution, in order.
    #[track_caller]
    pub fn logs(&self, id: &str) -> Vec<Value> {
        let order = "ORDER BY attempt, sequence";
        self.select(&format!("SELECT * FROM execution_logs WHERE execution_id = '{id}' {order}"))
    }

    /// How an execution got where it is: the names of its events, in order.
    #[track_caller]
    pub fn events(&self, id: &str) -> Vec<String> {
        let rows = self.select(&format!(
            "SELECT unnest(CASE WHEN detail ? 'started' THEN ARRAY['started', event] ELSE ARRAY[event] END) AS event \
             FROM execution_events WHERE execution_id = '{id}' ORDER BY number"
        ));
        rows.iter().map(|row| row["event"].as_str().unwrap_or_default().to_owned()).collect()
    }

    /// Waits until the execution has this event.
    #[track_caller]
    pub fn has_event(&self, id: &str, event: &str, within: Duration) {
        let condition = format!("execution_events WHERE execution_id = '{id}' AND event = '{event}'");
        eventually(&format!("{id} has the event {event}"), within, || self.count(&condition) > 0);
    }

    /// Waits until the execution has one of these states, and gives its row.
    #[track_caller]
    pub fn has_status(&self, id: &str, statuses: &[&str], within: Duration) -> Value {
        eventually(&format!("execution {id} is {statuses:?}"), within, || {
            let row = self.execution(id)?;
            statuses.contains(&row["status"].as_str()?).then_some(row)
        })
    }

    /// Waits until the execution is over, and gives its row.
    #[track_caller]
    pub fn finished(&self, id: &str, within: Duration) -> Value {
        self.has_status(id, &["SUCCESS", "FAILED", "TIMEOUT", "CANCELLED"], within)
    }

    /// Waits until a worker is known to have started an execution, and gives its row.
    #[track_caller]
    pub fn started(&self, id: &str, within: Duration) -> Value {
        eventually(&format!("execution {id} has started"), within, || {
            self.execution(id).filter(|row| row["status"] == "RUNNING" && !row["started_at"].is_null())
        })
    }

    /// Checks what must hold of every execution there is: it has ended, and exactly once.
    #[track_caller]
    pub fn assert_all_ended_once(&self) {
        let wrong = self.select(&format!(
            "SELECT id, status, attempt, (
                SELECT count(*) FROM execution_events
                WHERE execution_id = id AND event IN {CLOSING_EVENTS}
            ) AS ends FROM executions"
        ));
        let wrong: Vec<_> = wrong
            .into_iter()
            .filter(|row| row["ends"] != 1 || matches!(row["status"].as_str(), Some("PENDING" | "RUNNING")))
            .collect();
        assert!(wrong.is_empty(), "not ended exactly once: {wrong:?}");
    }
}

/// A transaction that holds locks.
#[derive(Debug)]
pub struct HeldTable {
    _connection: PgConnection,
}
