//! What SQLite's errors mean to a caller.

use super::BACKEND;
use crate::StoreError;

/// The primary result codes that are told apart: sqlite.org/rescode.html.
mod code {
    pub(super) const BUSY: u32 = 5;
    pub(super) const LOCKED: u32 = 6;
    pub(super) const IO_ERROR: u32 = 10;
    pub(super) const CORRUPT: u32 = 11;
    pub(super) const FULL: u32 = 13;
    pub(super) const CANNOT_OPEN: u32 = 14;
    pub(super) const TOO_BIG: u32 = 18;
    pub(super) const CONSTRAINT: u32 = 19;
    pub(super) const MISMATCH: u32 = 20;
    pub(super) const NOT_A_DATABASE: u32 = 26;
}

/// A statement of a connection that reads failed.
pub(super) fn store_error(error: sqlx::Error) -> StoreError {
    let message = error.to_string();
    if let sqlx::Error::Database(database) = &error {
        let code = database.code().and_then(|code| code.parse::<u32>().ok()).unwrap_or_default();
        return by_code(code, database.message(), message);
    }
    let out_of_reach = matches!(
        error,
        sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed | sqlx::Error::WorkerCrashed
    );
    if out_of_reach {
        StoreError::Unreachable { backend: BACKEND, message }
    } else {
        StoreError::Failed { backend: BACKEND, message }
    }
}

/// A statement of the connection that writes failed, and its transaction with it.
pub(super) fn write_error(error: rusqlite::Error) -> StoreError {
    let message = error.to_string();
    let code = error.sqlite_error().and_then(|error| u32::try_from(error.extended_code).ok());
    match code {
        Some(code) => by_code(code, &message, message.clone()),
        None => StoreError::Failed { backend: BACKEND, message },
    }
}

fn by_code(code: u32, told: &str, message: String) -> StoreError {
    let backend = BACKEND;
    match code & 0xff {
        code::BUSY | code::LOCKED | code::IO_ERROR | code::CANNOT_OPEN => {
            StoreError::Unreachable { backend, message }
        }
        code::FULL => StoreError::NoRoom { backend, message },
        code::TOO_BIG | code::CONSTRAINT | code::MISMATCH => {
            StoreError::Refused { backend, sqlstate: code.to_string(), message }
        }
        code::CORRUPT | code::NOT_A_DATABASE => StoreError::Damaged { backend, message },
        // JSON nested too deep for SQLite has no code of its own.
        _ if told.contains("malformed JSON") => {
            StoreError::Refused { backend, sqlstate: code.to_string(), message }
        }
        _ => StoreError::Failed { backend, message },
    }
}

/// A commit failed: SQLite may have written it or not. What there was no room for was not, as it is rolled back.
pub(super) fn commit_unknown(error: rusqlite::Error) -> StoreError {
    if error.sqlite_error_code() == Some(rusqlite::ErrorCode::DiskFull) {
        return write_error(error);
    }
    StoreError::CommitUnknown { backend: BACKEND, message: error.to_string() }
}
