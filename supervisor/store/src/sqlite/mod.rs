//! The embedded store: one SQLite file in WAL mode, one connection that writes, a few that read.
//!
//! All writes of the process queue up at the writing connection, so a transaction never fails for a
//! peer's sake. The clock of leases is this process's own: nobody else opens the file.

mod columns;
mod definition_edits;
mod definitions;
#[cfg(test)]
mod durability_tests;
mod error;
mod limits;
mod notifications;
mod peers;
mod read;
mod schema;
mod session;
mod shares;
mod statements;
mod supervisors;
mod waiting;

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use muster_system::private;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use tokio::sync::Notify;
use tokio::time::Instant;

use self::error::store_error;
use super::limits::DeclaredLimits;
use super::takeover::Watch;
use super::{Result, StoreError};

const BACKEND: &str = "sqlite";

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

/// The store in a file, for one supervisor.
#[derive(Debug)]
pub struct SqliteStore {
    writer: SqlitePool,
    readers: SqlitePool,
    waker: Arc<Notify>,
    /// Wakes whoever keeps what is defined.
    definition_waker: Notify,
    opened_at: Instant,
    watch: Mutex<Watch>,
    declared: DeclaredLimits,
}

impl SqliteStore {
    /// Opens the file, and makes it and its folder if need be.
    ///
    /// # Errors
    /// When the file cannot be opened or is no database.
    pub async fn open(path: &Path, durability: Durability) -> Result<Self> {
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            private::make_folder(folder).map_err(|error| StoreError::Unreachable {
                backend: BACKEND,
                message: format!("cannot make the folder {}: {error}", folder.display()),
            })?;
        }
        make_file(path).map_err(|error| StoreError::Unreachable {
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
            definition_waker: Notify::new(),
            opened_at: Instant::now(),
            watch: Mutex::default(),
            declared: DeclaredLimits::default(),
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
