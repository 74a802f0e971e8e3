//! The embedded store: one SQLite file in WAL mode, one connection that writes, a few that read.
//!
//! All writes of the process queue up at the writing connection, so a transaction never fails for a
//! peer's sake. The clock of leases is this process's own: nobody else opens the file.

mod closing;
#[cfg(test)]
mod closing_tests;
mod columns;
mod damage;
mod definition_edits;
mod definitions;
#[cfg(test)]
mod durability_tests;
mod each;
mod error;
mod figures;
mod limits;
mod memory_statistics;
mod notifications;
mod pauses;
mod peers;
mod read;
mod retention;
mod rows;
mod schedules;
mod schema;
mod session;
mod shares;
mod statements;
mod statistics;
mod supervisors;
mod tokens;
mod traces;
mod waiting;
mod webhooks;
mod writer;

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use muster_system::private;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePool, SqlitePoolOptions};
use tokio::sync::Notify;
use tokio::time::Instant;

use self::damage::DamageBook;
use self::rows::WriteQuery;
use self::writer::WriteConnection;
use super::limits::{DisplacedBook, SweepPlaces, WorkflowBook};
use super::pauses::PauseBook;
use super::takeover::Watch;
use super::{Result, StoreError};

const BACKEND: &str = "sqlite";

/// How long a write waits for another process that has the file open, such as somebody's `sqlite3`.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Readers beside the writer.
const READERS: u32 = 4;

/// The page cache of each connection; SQLite counts KiB below zero.
const CACHE_KIB: i32 = -16_384;

/// What a power failure may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// Nothing that was committed: every commit waits for the disk.
    Full,
    /// The last commits, never the file's consistency. For `batch`.
    Normal,
}

impl Durability {
    /// The number of `PRAGMA synchronous`: in WAL mode FULL syncs at each commit, and NORMAL at checkpoints only.
    fn synchronous(self) -> u8 {
        match self {
            Self::Full => 2,
            Self::Normal => 1,
        }
    }
}

/// The store in a file, for one supervisor.
#[derive(Debug)]
pub struct SqliteStore {
    path: PathBuf,
    damage: Arc<DamageBook>,
    writer: WriteConnection,
    /// For transactions that write nothing and read what the writer reads.
    looks: WriteConnection,
    readers: SqlitePool,
    waker: Arc<Notify>,
    /// Wakes whoever keeps what is defined.
    definition_waker: Notify,
    opened_at: Instant,
    watch: Mutex<Watch>,
    workflows: WorkflowBook,
    displaced: DisplacedBook,
    sweep_places: SweepPlaces,
    rate_waker: Notify,
    published_with_commit: AtomicBool,
    pauses: PauseBook,
}

impl SqliteStore {
    /// Looks through a file whose last process did not close it, before anything of it is used. For whoever has it alone.
    ///
    /// # Errors
    /// When it is damaged, or does not fit what is beside it.
    pub async fn check_after_kill(path: &Path) -> Result<()> {
        damage::check_after_kill(path).await
    }

    /// Opens the file, and makes it and its folder if need be.
    ///
    /// # Errors
    /// When the file cannot be opened or is no database.
    pub async fn open(path: &Path, durability: Durability) -> Result<Self> {
        memory_statistics::leave_out();
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
        let damage = Arc::<DamageBook>::default();
        // The writer comes first: it makes the file and switches it to WAL.
        let writer = WriteConnection::open(path, durability, &damage)?;
        let looks = WriteConnection::open_for_reading(path, durability, &damage)?;
        let options = SqliteConnectOptions::new()
            .filename(path)
            .foreign_keys(false)
            .busy_timeout(BUSY_TIMEOUT)
            .pragma("temp_store", "memory")
            .pragma("cache_size", CACHE_KIB.to_string())
            .pragma("query_only", "on");
        let readers = SqlitePoolOptions::new()
            .max_connections(READERS)
            .test_before_acquire(false)
            .connect_lazy_with(options);
        Ok(Self {
            path: path.to_owned(),
            damage,
            writer,
            looks,
            readers,
            waker: Arc::default(),
            definition_waker: Notify::new(),
            opened_at: Instant::now(),
            watch: Mutex::default(),
            workflows: WorkflowBook::default(),
            displaced: DisplacedBook::default(),
            sweep_places: SweepPlaces::default(),
            rate_waker: Notify::new(),
            published_with_commit: AtomicBool::new(false),
            pauses: PauseBook::default(),
        })
    }
}

impl SqliteStore {
    /// One statement in a transaction of its own.
    async fn write(&self, query: WriteQuery<'_>) -> Result<()> {
        let transaction = self.writer.begin().await?;
        transaction.rows(query)?;
        transaction.commit()
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
