//! What PostgreSQL's errors mean to a caller.

use sqlx::postgres::PgDatabaseError;

use super::connections::NO_ROOM;
use super::{BACKEND, CONNECTIONS_MAX};
use crate::StoreError;

/// What a statement ends with that waited for a lock as long as it may.
const LOCK_NOT_AVAILABLE: &str = "55P03";

/// The disk of the database, or what its tablespace may take of it, is full.
const DISK_FULL: &str = "53100";

/// A statement failed, and its transaction with it.
pub(super) fn store_error(error: sqlx::Error) -> StoreError {
    let backend = BACKEND;
    let message = said(&error);
    if is_stale_plan(&error) {
        return StoreError::StalePlan { backend, message };
    }
    if let sqlx::Error::Database(database) = &error {
        let sqlstate = database.code().unwrap_or_default().into_owned();
        // The class of a code is its first two characters: postgresql.org/docs/current/errcodes-appendix.html.
        if sqlstate == LOCK_NOT_AVAILABLE {
            return StoreError::Locked { backend, attempts: Vec::new(), message };
        }
        return match sqlstate.get(..2).unwrap_or_default() {
            // The user's, the database's or the server's number of connections is used up.
            "53" if sqlstate == NO_ROOM => StoreError::Unreachable {
                backend,
                message: format!(
                    "{message}; one supervisor opens up to {CONNECTIONS_MAX} connections: raise max_connections, or \
                     the CONNECTION LIMIT of its user or database"
                ),
            },
            "53" if sqlstate == DISK_FULL => StoreError::NoRoom { backend, message },
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
            // A transaction of ours that stood still for too long was ended.
            "25" if sqlstate == "25P03" => StoreError::Unreachable { backend, message },
            "28" => StoreError::Incompatible {
                backend,
                message: format!("{message}; check user and password in database_url"),
            },
            "3D" => StoreError::Incompatible { backend, message: format!("{message}; create it first") },
            "26" | "42" if is_of_another_session(&sqlstate) => StoreError::Incompatible {
                backend,
                message: format!(
                    "{message}; a pooler before the database hands its sessions to others between transactions, and statements are \
                     prepared in sessions: give database_url the server itself, or a pooler that keeps one for each client \
                     (pool_mode = session)"
                ),
            },
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

/// Whether a prepared statement was one of another client's session: it is there already, or is not there.
fn is_of_another_session(sqlstate: &str) -> bool {
    matches!(sqlstate, "42P05" | "26000")
}

/// A commit was not confirmed. Only what the server itself holds against a value, a statement or a moment proves
/// that nothing was written.
pub(super) fn commit_unknown(error: sqlx::Error) -> StoreError {
    let code = error.as_database_error().and_then(|database| database.code()).unwrap_or_default();
    let nothing_written = code == LOCK_NOT_AVAILABLE
        || matches!(code.get(..2), Some("22" | "23" | "25" | "40" | "42" | "54"))
        || is_stale_plan(&error);
    if nothing_written {
        return store_error(error);
    }
    StoreError::CommitUnknown { backend: BACKEND, message: said(&error) }
}

/// What the server said, and what it added. Not the line of its own source that the driver would show.
fn said(error: &sqlx::Error) -> String {
    let postgres = error.as_database_error().and_then(|error| error.try_downcast_ref::<PgDatabaseError>());
    let Some(postgres) = postgres else { return error.to_string() };
    match postgres.detail() {
        Some(detail) => format!("{} ({})", postgres.message(), detail.trim_end_matches('.')),
        None => postgres.message().to_owned(),
    }
}

/// The plan of a prepared statement gives other columns than it did. The code is that of anything unsupported and
/// the words are the server's own language, so the place in the server tells.
fn is_stale_plan(error: &sqlx::Error) -> bool {
    let postgres = error.as_database_error().and_then(|error| error.try_downcast_ref::<PgDatabaseError>());
    postgres.is_some_and(|error| error.code() == "0A000" && error.routine() == Some("RevalidateCachedQuery"))
}

/// The server did not answer in time.
pub(super) fn silent(limit: std::time::Duration) -> String {
    format!("no answer within {:.1} s", limit.as_secs_f64())
}
