//! A file that is damaged: found when it is opened after a kill, and kept in mind once a statement has met it.
//!
//! What SQLite keeps beside a file, its `-wal`, belongs to that file alone. Where another is put in its place, such as a copy of
//! an earlier day, SQLite mixes both without a word. A clean stop leaves no `-wal`, so one that is there is a reason to look.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use rusqlite::Connection;
use rusqlite::config::DbConfig;

use super::error::write_error;
use super::{BACKEND, BUSY_TIMEOUT};
use crate::{Result, StoreError};

/// A look at the whole file takes so long at most: what is not found by then may be found by `doctor`.
const LOOK_AFTER_KILL_MAX: Duration = Duration::from_secs(5);

/// A look that did not end when it was interrupted had not begun.
const INTERRUPT_AGAIN_AFTER: Duration = Duration::from_millis(20);

/// The first damage that a statement met. What was read since may be wrong, so only a start forgets it.
#[derive(Debug, Default)]
pub(super) struct DamageBook(OnceLock<String>);

impl DamageBook {
    /// Keeps it in mind, if it is that.
    pub(super) fn note(&self, error: &StoreError) {
        let StoreError::Damaged { message, .. } = error else { return };
        if self.0.set(message.clone()).is_ok() {
            tracing::error!(%error, "the database is damaged, so this supervisor is not ready any more");
        }
    }

    /// An error once there was damage.
    pub(super) fn check(&self) -> Result<()> {
        match self.0.get() {
            None => Ok(()),
            Some(message) => Err(StoreError::Damaged { backend: BACKEND, message: message.clone() }),
        }
    }

    pub(super) fn is_damaged(&self) -> bool {
        self.0.get().is_some()
    }
}

/// Looks through a file whose last process did not close it, before anything of it is used.
pub(super) async fn check_after_kill(path: &Path) -> Result<()> {
    let wal = beside(path, "-wal");
    if !wal.metadata().is_ok_and(|wal| wal.len() > 0) {
        return Ok(());
    }
    check_file(path, LOOK_AFTER_KILL_MAX).await
}

/// Looks through the whole file, for so long at most.
pub(super) async fn check_file(path: &Path, patience: Duration) -> Result<()> {
    let connection = open(path).map_err(write_error)?;
    let stop = connection.get_interrupt_handle();
    let is_late = Arc::new(AtomicBool::new(false));
    let may_look = Arc::clone(&is_late);
    let mut looking = tokio::task::spawn_blocking(move || match may_look.load(Ordering::Acquire) {
        true => Err(interrupted()),
        false => look_through(&connection),
    });
    let looked = match tokio::time::timeout(patience, &mut looking).await {
        Ok(looked) => looked,
        Err(_) => {
            is_late.store(true, Ordering::Release);
            // It interrupts what runs and nothing else: the look may be about to begin.
            loop {
                stop.interrupt();
                if let Ok(looked) = tokio::time::timeout(INTERRUPT_AGAIN_AFTER, &mut looking).await {
                    break looked;
                }
            }
        }
    };
    let found = match looked {
        Ok(Ok(answer)) if answer == "ok" => return Ok(()),
        // A heading, with stars, may come before it.
        Ok(Ok(answer)) => answer.lines().find(|line| !line.starts_with("***")).unwrap_or(&answer).to_owned(),
        Ok(Err(error)) if error.sqlite_error_code() == Some(rusqlite::ErrorCode::OperationInterrupted) => {
            tracing::debug!(file = %path.display(), "the database is too large to look through all of it");
            return Ok(());
        }
        Ok(Err(error)) => {
            let error = write_error(error);
            let StoreError::Damaged { message, .. } = error else { return Err(error) };
            message
        }
        Err(error) => error.to_string(),
    };
    Err(StoreError::Damaged { backend: BACKEND, message: advice(path, &found) })
}

/// What is closed without a checkpoint changes nothing of the file, so what is wrong can still be put right.
fn open(path: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open(path)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    Ok(connection)
}

fn interrupted() -> rusqlite::Error {
    rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_INTERRUPT), None)
}

fn look_through(connection: &Connection) -> rusqlite::Result<String> {
    connection.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))
}

/// Says how it may have come to this, where that can be.
fn advice(path: &Path, found: &str) -> String {
    let (wal, shm) = (beside(path, "-wal"), beside(path, "-shm"));
    if !wal.exists() {
        return format!("{} does not hold together: {found}", path.display());
    }
    format!(
        "{} does not hold together with the {} beside it: {found}; if a copy was put in its place, remove {} and {}, \
         which belong to the file before, put the copy there once more and start again",
        path.display(),
        wal.display(),
        wal.display(),
        shm.display()
    )
}

/// The file that SQLite keeps beside another.
fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(ending);
    PathBuf::from(name)
}
