//! The service's store: PostgreSQL, shared by any number of supervisors.
//!
//! Its clock is the only one that writes or compares leases and due times. Transactions, renewals, reads and
//! the sign of life each have connections of their own, so none waits for another.

mod ahead;
mod columns;
mod connections;
mod definition_edits;
mod definitions;
mod error;
mod figures;
mod limits;
mod listen;
mod migrate;
mod notifications;
mod pauses;
mod peers;
mod presence;
mod read;
mod retention;
mod schedules;
mod schema;
mod session;
mod shares;
mod statements;
mod statistics;
mod supervisors;
mod tls;
mod tokens;
mod traces;
mod transaction;
mod types;
mod waiting;
mod webhooks;

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use muster_system::certificates::ServerAddress;
use muster_system::process::ProcessIdentity;
use sqlx::ConnectOptions as _;
use sqlx::postgres::PgConnectOptions;
use tokio_util::task::AbortOnDropHandle;

use self::connections::{Connections, Household, Planning};
use self::listen::Wakers;
use self::presence::Presence;
use tokio::sync::Notify;

use super::limits::{DisplacedBook, SweepPlaces, WorkflowBook};
use super::pauses::PauseBook;
use super::takeover::Watch;
use super::{Result, Store};

const BACKEND: &str = "postgresql";

/// Connections for transactions of several statements.
const WRITERS: u32 = 6;

/// Connections for single statements that write: claims, outcomes.
const QUICK_WRITERS: u32 = 3;

/// Connections for reading.
const READERS: u32 = 4;

/// What one supervisor opens at most: the marks, the renewals, the sign of life and the listener have one each.
const CONNECTIONS_MAX: u32 = WRITERS + QUICK_WRITERS + READERS + 4;

/// So many sessions may hold a plan of an earlier schema.
const PLANS_MAX: u32 = WRITERS + QUICK_WRITERS + READERS;

/// The store of the service: PostgreSQL, shared by all supervisors.
#[derive(Debug)]
pub struct PostgresStore {
    shared: Arc<StoreShared>,
    listener: OnceLock<AbortOnDropHandle<()>>,
    workflows: WorkflowBook,
    displaced: DisplacedBook,
    sweep_places: SweepPlaces,
    rate_waker: Notify,
    published_with_commit: AtomicBool,
    pauses: PauseBook,
}

/// What transactions need of the store.
#[derive(Debug)]
struct StoreShared {
    options: PgConnectOptions,
    transactions: Arc<Connections>,
    statements: Arc<Connections>,
    marks: Arc<Connections>,
    renewals: Arc<Connections>,
    reads: Arc<Connections>,
    /// What has been seen of the others.
    watch: Mutex<Watch>,
    /// This process, for others on the same host.
    identity: Option<ProcessIdentity>,
    presence: Presence,
    wakers: Arc<Wakers>,
}

/// A store at a `postgres://` URL. Connects when it is first used.
///
/// # Errors
/// When the URL or a certificate cannot be read.
pub fn open_postgres(address: &ServerAddress) -> Result<Arc<dyn Store>> {
    Ok(Arc::new(PostgresStore::at(address)?))
}

impl PostgresStore {
    /// A store at a `postgres://` URL. Connects when it is first used.
    ///
    /// # Errors
    /// When the URL cannot be read.
    pub fn new(url: &str) -> Result<Self> {
        Self::at(&ServerAddress::from(url))
    }

    fn at(address: &ServerAddress) -> Result<Self> {
        let options = tls::options(address)?;
        // What was asked of the database is in the events and metrics, not in a log line for each statement.
        let options = options.application_name("muster").disable_statement_logging();
        let household = Arc::new(Household::default());
        let connections = |max, planning| Connections::new(options.clone(), max, planning, &household);
        let shared = StoreShared {
            transactions: connections(WRITERS, Planning::EachTime),
            statements: connections(QUICK_WRITERS, Planning::Once),
            marks: connections(1, Planning::OnceUnflushed),
            renewals: connections(1, Planning::EachTime),
            reads: connections(READERS, Planning::Lists),
            watch: Mutex::default(),
            identity: ProcessIdentity::own(),
            presence: Presence::new(),
            wakers: Arc::default(),
            options,
        };
        Ok(Self {
            shared: Arc::new(shared),
            listener: OnceLock::new(),
            workflows: WorkflowBook::default(),
            displaced: DisplacedBook::default(),
            sweep_places: SweepPlaces::default(),
            rate_waker: Notify::new(),
            published_with_commit: AtomicBool::new(false),
            pauses: PauseBook::default(),
        })
    }

    /// As if on a host of its own: no other supervisor's system can tell whether this process lives, and ours tells
    /// nothing of theirs. For a new store.
    #[must_use]
    pub fn on_a_host_of_its_own(mut self) -> Self {
        if let Some(shared) = Arc::get_mut(&mut self.shared) {
            shared.identity = None;
        }
        self
    }
}

impl StoreShared {
    fn watch(&self) -> MutexGuard<'_, Watch> {
        self.watch.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
