//! The connection that writes: one for the whole process, which transactions take in turns. Those that write nothing have
//! another of its kind.
//!
//! Its calls into SQLite block, so they are made where blocking is allowed: see [`blocking`].

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rusqlite::Connection;
use rusqlite::config::DbConfig;
use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::sync::{Mutex, OwnedMappedMutexGuard, OwnedMutexGuard};

use super::damage::DamageBook;
use super::error::{commit_unknown, write_error};
use super::rows::{WriteQuery, WriteRow};
use super::{BACKEND, BUSY_TIMEOUT, Durability};
use crate::{Result, StoreError};

/// Statements that stay prepared: all that are sent here, with room to spare.
const PREPARED_MAX: usize = 256;

/// Changes nothing, and needs as much room as the least change does.
const WRITES_A_PAGE: &str = "PRAGMA user_version = 0";

/// The writing connection.
#[derive(Debug)]
pub(super) struct WriteConnection {
    /// `None` once it is closed.
    connection: Arc<Mutex<Option<Connection>>>,
    /// There was no room for something.
    is_full: Arc<AtomicBool>,
    damage: Arc<DamageBook>,
}

impl WriteConnection {
    /// Opens the file, makes it if need be, and switches it to WAL.
    pub(super) fn open(path: &Path, durability: Durability, damage: &Arc<DamageBook>) -> Result<Self> {
        let connection = open(path, durability).map_err(write_error)?;
        Ok(Self::of(connection, damage))
    }

    /// Opens the file that is there, for transactions of the same kind that write nothing.
    pub(super) fn open_for_reading(
        path: &Path,
        durability: Durability,
        damage: &Arc<DamageBook>,
    ) -> Result<Self> {
        let connection = open(path, durability).map_err(write_error)?;
        connection.pragma_update(None, "query_only", "on").map_err(write_error)?;
        Ok(Self::of(connection, damage))
    }

    fn of(connection: Connection, damage: &Arc<DamageBook>) -> Self {
        let connection = Arc::new(Mutex::new(Some(connection)));
        Self { connection, is_full: Arc::default(), damage: Arc::clone(damage) }
    }

    /// Closes it once its transaction is over. Nothing is asked of it after that.
    ///
    /// The last one of a file to be closed has what was written moved into it, and leaves nothing beside it. A file that is
    /// damaged is left as it is: nothing is mixed into it.
    pub(super) async fn close(&self) {
        let Some(connection) = self.connection.lock().await.take() else { return };
        blocking(|| {
            if self.damage.is_damaged() {
                let _ = connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true);
            } else {
                // Whoever else has the file open is not waited for; what they keep from being moved stays in the -wal.
                let _ = connection.busy_timeout(Duration::ZERO);
                let moved = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
                moved.unwrap_or_else(|error| tracing::debug!(%error, "the -wal of the database stays"));
            }
            drop(connection);
        });
    }

    /// Where there was no room for something, whether there is by now.
    pub(super) async fn has_room(&self) -> Result<()> {
        if !self.is_full.load(Ordering::Relaxed) {
            return Ok(());
        }
        let transaction = self.begin().await?;
        transaction.run_all(WRITES_A_PAGE)?;
        transaction.commit()?;
        self.is_full.store(false, Ordering::Relaxed);
        Ok(())
    }

    /// Begins a transaction that sees the file as it is at its first statement, and keeps nobody from writing.
    pub(super) async fn begin_reading(&self) -> Result<WriteTransaction> {
        self.begin_by("BEGIN").await
    }

    /// Begins a transaction, with the write lock from its beginning on.
    /// A file that is damaged is not written to: what it is told may be lost.
    pub(super) async fn begin(&self) -> Result<WriteTransaction> {
        self.damage.check()?;
        self.begin_by("BEGIN IMMEDIATE").await
    }

    async fn begin_by(&self, statement: &str) -> Result<WriteTransaction> {
        let connection = Arc::clone(&self.connection).lock_owned().await;
        let connection = OwnedMutexGuard::try_map(connection, Option::as_mut).map_err(|_| closed())?;
        let begun = blocking(|| connection.execute_batch(statement)).map_err(write_error);
        begun.inspect_err(|error| self.damage.note(error))?;
        let (is_full, damage) = (Arc::clone(&self.is_full), Arc::clone(&self.damage));
        Ok(WriteTransaction { connection, is_full, damage, is_open: true })
    }
}

/// Nobody is here to answer any more.
fn closed() -> StoreError {
    StoreError::Unreachable {
        backend: BACKEND,
        message: "it is closed, as the process is leaving".to_owned(),
    }
}

fn open(path: &Path, durability: Durability) -> rusqlite::Result<Connection> {
    let connection = Connection::open(path)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    // Counts for a new file only: what is pruned gives its space back.
    connection.pragma_update(None, "auto_vacuum", "incremental")?;
    connection.pragma_update(None, "journal_mode", "wal")?;
    connection.pragma_update(None, "synchronous", durability.synchronous())?;
    connection.pragma_update(None, "foreign_keys", "off")?;
    connection.pragma_update(None, "temp_store", "memory")?;
    connection.pragma_update(None, "cache_size", super::CACHE_KIB)?;
    connection.set_prepared_statement_cache_capacity(PREPARED_MAX);
    Ok(connection)
}

/// One transaction. Dropped before its commit it is rolled back.
pub(super) struct WriteTransaction {
    connection: OwnedMappedMutexGuard<Option<Connection>, Connection>,
    is_full: Arc<AtomicBool>,
    damage: Arc<DamageBook>,
    is_open: bool,
}

impl WriteTransaction {
    /// What the statement gives.
    pub(super) fn rows(&self, query: WriteQuery<'_>) -> Result<Vec<WriteRow>> {
        self.with(|connection| query.rows(connection))
    }

    /// Runs several statements without parameters.
    pub(super) fn run_all(&self, sql: &str) -> Result<()> {
        self.with(|connection| connection.execute_batch(sql))
    }

    /// Does something with the connection, whatever its kind.
    pub(super) fn with<T>(&self, work: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T> {
        blocking(|| work(&self.connection)).map_err(write_error).inspect_err(|error| self.note(error))
    }

    /// What has no room is asked again for whoever wants to know; damage is kept in mind.
    fn note(&self, error: &StoreError) {
        self.damage.note(error);
        if let StoreError::NoRoom { .. } = error {
            self.is_full.store(true, Ordering::Relaxed);
        }
    }

    /// Commits it. An error leaves open whether it was written.
    pub(super) fn commit(mut self) -> Result<()> {
        let committed = blocking(|| self.connection.execute_batch("COMMIT")).map_err(commit_unknown);
        committed.inspect_err(|error| self.note(error))?;
        self.is_open = false;
        Ok(())
    }
}

impl Drop for WriteTransaction {
    fn drop(&mut self) {
        if self.is_open && !self.connection.is_autocommit() {
            // The next one's BEGIN says it, should the file be out of reach.
            drop(blocking(|| self.connection.execute_batch("ROLLBACK")));
        }
    }
}

/// Makes a call that blocks. A runtime of several threads is told, so that its other tasks go on elsewhere; that of one
/// thread, as tests have, has nowhere else.
fn blocking<T>(call: impl FnOnce() -> T) -> T {
    match Handle::try_current().map(|runtime| runtime.runtime_flavor()) {
        Ok(RuntimeFlavor::MultiThread) => tokio::task::block_in_place(call),
        Ok(_) | Err(_) => call(),
    }
}
