//! What PostgreSQL's errors mean to a caller.

use super::BACKEND;
use crate::store::StoreError;

/// A statement failed, and its transaction with it.
pub(super) fn store_error(error: sqlx::Error) -> StoreError {
    let backend = BACKEND;
    let message = error.to_string();
    if let sqlx::Error::Database(database) = &error {
        let sqlstate = database.code().unwrap_or_default().into_owned();
        // The class of a code is its first two characters: postgresql.org/docs/current/errcodes-appendix.html.
        return match sqlstate.get(..2).unwrap_or_default() {
            // A value that is no value, or one that breaks a constraint.
            "22" | "23" => StoreError::Refused { backend, sqlstate, message },
            // Connection lost, conflict with another transaction, out of resources or connections, shutting
            // down, disk trouble: passing.
            "08" | "40" | "53" | "55" | "57" | "58" => StoreError::Unreachable { backend, message },
            // A standby, or a primary that somebody closed for a while: a failover and its end.
            "25" if sqlstate == "25006" => {
                StoreError::Unreachable { backend, message: format!("the database is read-only: {message}") }
            }
            // Too large for one field or one parameter message.
            "54" => StoreError::Refused { backend, sqlstate, message },
            "28" => StoreError::Incompatible {
                backend,
                message: format!("{message}; check user and password in database_url"),
            },
            "3D" => StoreError::Incompatible { backend, message: format!("{message}; create it first") },
            "42" => StoreError::Incompatible {
                backend,
                message: format!("{message}; run `supervisor migrate`, and check what the user may do"),
            },
            _ => StoreError::Failed { backend, message },
        };
    }
    let out_of_reach = matches!(
        error,
        sqlx::Error::Io(_)
            | sqlx::Error::Tls(_)
            | sqlx::Error::Protocol(_)
            | sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed
            | sqlx::Error::WorkerCrashed
            | sqlx::Error::BeginFailed
    );
    if out_of_reach {
        StoreError::Unreachable { backend, message }
    } else {
        StoreError::Failed { backend, message }
    }
}

/// A commit was not confirmed. Only what the server itself holds against a value, a statement or a moment proves
/// that nothing was written.
pub(super) fn commit_unknown(error: sqlx::Error) -> StoreError {
    let code = error.as_database_error().and_then(|database| database.code()).unwrap_or_default();
    if matches!(code.get(..2), Some("22" | "23" | "25" | "40" | "42" | "54")) {
        return store_error(error);
    }
    StoreError::CommitUnknown { backend: BACKEND, message: error.to_string() }
}

/// The server did not answer in time.
pub(super) fn silent(limit: std::time::Duration) -> String {
    format!("no answer within {:.1} s", limit.as_secs_f64())
}
