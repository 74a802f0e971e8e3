//! Everything that can go wrong between us and the database, by what the caller does about it.

use muster_core::execution::Attempt;
use uuid::Uuid;

/// What every method of the store gives.
pub type Result<T, E = StoreError> = std::result::Result<T, E>;

/// Why the store could not do something. The variants differ in what the caller does next.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StoreError {
    /// Nothing was written. Try again later, for ever: runs go on meanwhile.
    #[error("the {backend} store is out of reach: {message}")]
    Unreachable {
        /// The database that was asked, `sqlite` or `postgresql`.
        backend: &'static str,
        /// What the driver said.
        message: String,
    },
    /// The disk that holds the database is full, or what the database may take of it. Nothing was written. Try again later, for
    /// ever: somebody must make room.
    #[error(
        "the {backend} store has no room, and wrote nothing of this: {message}; make room on the disk that holds it"
    )]
    NoRoom {
        /// The database that was asked, `sqlite` or `postgresql`.
        backend: &'static str,
        /// What the database said.
        message: String,
    },
    /// The database is damaged: what it says may be wrong, and what it is told may be lost. Nothing was written. Somebody must
    /// restore it.
    #[error(
        "the {backend} database is damaged: {message}; stop every supervisor on it and restore it, as \"Backup and restore\" in \
         OPERATIONS.md says"
    )]
    Damaged {
        /// The database that was asked: `sqlite`. A server keeps what is damaged to itself, and fails for that alone.
        backend: &'static str,
        /// What the database said.
        message: String,
    },
    /// The connection was lost in mid-commit: it may have been written. Ask again ([`finalize`] and [`submit`]
    /// may simply be repeated; after a claim ask [`claimed_by`]).
    ///
    /// [`finalize`]: super::OutcomeStore::finalize
    /// [`submit`]: super::QueueStore::submit
    /// [`claimed_by`]: super::ClaimStore::claimed_by
    #[error(
        "the connection to the {backend} store was lost during a commit, so what was written must be read back: {message}"
    )]
    CommitUnknown {
        /// The database that was asked, `sqlite` or `postgresql`.
        backend: &'static str,
        /// What the driver said.
        message: String,
    },
    /// A lock was not to be had in time. Nothing was written; it may be that of a row, and then the others go without
    /// it, or that of a table.
    #[error("somebody holds a lock in the {backend} store: {message}")]
    Locked {
        /// The database that was asked, `sqlite` or `postgresql`.
        backend: &'static str,
        /// The attempts whose rows, or whose entries of state, somebody has locked, as far as one look told.
        attempts: Vec<Attempt>,
        /// What the database said.
        message: String,
    },
    /// The database will not store a value, now or later.
    #[error("the {backend} store refused a value (SQLSTATE {sqlstate}): {message}")]
    Refused {
        /// The database that was asked, `sqlite` or `postgresql`.
        backend: &'static str,
        /// Its five-letter code, or SQLite's result code.
        sqlstate: String,
        /// What the database said.
        message: String,
    },
    /// A column changed its type under a statement that was prepared before. Nothing was written; the statement is
    /// prepared anew for whoever asks again.
    #[error("the schema of the {backend} store changed under a prepared statement: {message}")]
    StalePlan {
        /// The database that was asked, `sqlite` or `postgresql`.
        backend: &'static str,
        /// What the database said.
        message: String,
    },
    /// The setting asks for what is not in this build.
    #[error(
        "this supervisor was built without PostgreSQL: set database_url to sqlite://FILE, or build it with the \
         feature `postgres`"
    )]
    NotBuilt,
    /// The schema or the server is not one we can work with.
    #[error("the {backend} store does not fit this supervisor: {message}")]
    Incompatible {
        /// The database that was asked, `sqlite` or `postgresql`.
        backend: &'static str,
        /// What is wrong and what to do.
        message: String,
    },
    /// A row says something no supervisor writes.
    #[error("the row of execution {id} is damaged: {message}; repair or delete it by hand")]
    Corrupt {
        /// The id of the row that cannot be read.
        id: Uuid,
        /// What is wrong with it.
        message: String,
    },
    /// Anything else: a statement the server rejects. Somebody must look.
    #[error("the {backend} store failed: {message}")]
    Failed {
        /// The database that was asked, `sqlite` or `postgresql`.
        backend: &'static str,
        /// What the database said.
        message: String,
    },
}

impl StoreError {
    /// Of a look that followed a commit: what would be asked again must not be written again.
    pub(crate) fn after_commit(self) -> Self {
        match self {
            Self::Unreachable { backend, message }
            | Self::NoRoom { backend, message }
            | Self::Damaged { backend, message }
            | Self::Locked { backend, message, .. }
            | Self::Refused { backend, message, .. }
            | Self::StalePlan { backend, message }
            | Self::Incompatible { backend, message }
            | Self::Failed { backend, message } => Self::CommitUnknown { backend, message },
            error @ (Self::CommitUnknown { .. } | Self::NotBuilt | Self::Corrupt { .. }) => error,
        }
    }

    /// True when the same call may well succeed later without anybody's help.
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Unreachable { .. }
            | Self::NoRoom { .. }
            | Self::CommitUnknown { .. }
            | Self::StalePlan { .. }
            | Self::Locked { .. } => true,
            Self::Refused { .. }
            | Self::Damaged { .. }
            | Self::NotBuilt
            | Self::Incompatible { .. }
            | Self::Corrupt { .. }
            | Self::Failed { .. } => false,
        }
    }
}
