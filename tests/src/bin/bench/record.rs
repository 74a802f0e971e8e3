//! The database of a supervisor that is measured, asked past the supervisor.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions as _, Connection as _, PgConnection, Row as _};

const LEFT: &str = "SELECT count(*) FROM executions WHERE status IN ('PENDING', 'RUNNING')";

/// A connection to it.
pub(crate) enum MeasuredRecord {
    /// The embedded store.
    File(SqliteConnection),
    /// PostgreSQL.
    Server(PgConnection),
}

impl MeasuredRecord {
    /// The one database in a data folder.
    pub(crate) async fn of_folder(data: &Path) -> anyhow::Result<Self> {
        let files = std::fs::read_dir(data)?.flatten().map(|entry| entry.path());
        let is_database = |path: &PathBuf| path.extension().is_some_and(|it| it == "db" || it == "sqlite");
        let file = files.into_iter().find(is_database).context("there is no database in the data folder")?;
        Ok(Self::File(SqliteConnectOptions::new().filename(file).read_only(true).connect().await?))
    }

    pub(crate) async fn of_server(url: &str) -> anyhow::Result<Self> {
        Ok(Self::Server(PgConnection::connect(url).await?))
    }

    /// How many wait or run.
    pub(crate) async fn left(&mut self) -> anyhow::Result<i64> {
        Ok(match self {
            Self::File(file) => sqlx::query(LEFT).fetch_one(file).await?.get(0),
            Self::Server(server) => sqlx::query(LEFT).fetch_one(server).await?.get(0),
        })
    }

    /// Seconds between the first and the last commit of an outcome, of the newest so many executions: what finalizes writes its
    /// event in its transaction. The start of workers is not in it.
    pub(crate) async fn seconds_of_newest(&mut self, executions: u32) -> anyhow::Result<f64> {
        let newest = "SELECT id FROM executions ORDER BY created_at DESC LIMIT";
        let of = format!(
            "FROM execution_events WHERE event = 'finalized' AND execution_id IN ({newest} {executions})"
        );
        Ok(match self {
            Self::File(file) => {
                let query = format!("SELECT CAST(max(at) - min(at) AS REAL) / 1e6 {of}");
                sqlx::query(sqlx::AssertSqlSafe(query)).fetch_one(file).await?.get(0)
            }
            Self::Server(server) => {
                let query = format!("SELECT extract(epoch FROM max(at) - min(at))::float8 {of}");
                sqlx::query(sqlx::AssertSqlSafe(query)).fetch_one(server).await?.get(0)
            }
        })
    }
}
