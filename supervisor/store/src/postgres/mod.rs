//! The service's store: PostgreSQL, shared by any number of supervisors.
//!
//! Its clock is the only one that writes or compares leases and due times. Transactions, renewals, reads and
//! the sign of life each have connections of their own, so none waits for another.

mod columns;
mod connections;
mod error;
mod listen;
mod lost;
mod migrate;
mod presence;
mod read;
mod schema;
mod session;
mod stale;
mod statements;
mod transaction;
mod unclaimed;

use std::str::FromStr;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use muster_core::execution::{Attempt, Status};
use muster_system::process::ProcessIdentity;
use muster_system::vital;
use serde_json::value::RawValue;
use sqlx::ConnectOptions as _;
use sqlx::postgres::{PgConnectOptions, PgPool};
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::task::AbortOnDropHandle;
use uuid::Uuid;

use self::connections::{Connections, Planning, pool};
use self::presence::Presence;
use self::stale::again;
use super::flow;
use super::takeover::Watch;
use super::{
    CancelResult, Claim, Claimant, Claimed, ConfigEntry, DatabaseFacts, DueExecutions, EventRow,
    ExecutionFailure, ExecutionFilter, ExecutionRecord, ExecutionRecords, ExpiredOwners, Finalization,
    FinalizeResult, LogRow, NewEvent, NewExecution, OrganizationRecord, PresenceShown, QueueDepth, Renewal,
    Result, Store, StoreError, Submitted, TakeOver, WorkflowRecord,
};

const BACKEND: &str = "postgresql";

/// Connections for transactions of several statements.
const WRITERS: u32 = 6;

/// Connections for single statements that write: claims, ends.
const QUICK_WRITERS: u32 = 3;

/// Connections for reading and for listening.
const READERS: u32 = 5;

/// The service's store.
#[derive(Debug)]
pub struct PostgresStore {
    shared: Arc<StoreShared>,
    listener: OnceLock<AbortOnDropHandle<()>>,
}

/// What transactions need of the store.
#[derive(Debug)]
struct StoreShared {
    options: PgConnectOptions,
    transactions: Arc<Connections>,
    statements: Arc<Connections>,
    marks: Arc<Connections>,
    renewals: Arc<Connections>,
    reads: PgPool,
    /// What has been seen of the others.
    watch: Mutex<Watch>,
    /// This process, for others on the same host.
    identity: Option<ProcessIdentity>,
    presence: Presence,
    waker: Arc<Notify>,
}

impl PostgresStore {
    /// A store at a `postgres://` URL. Connects when it is first used.
    ///
    /// # Errors
    /// When the URL cannot be read.
    pub fn new(url: &str) -> Result<Self> {
        let options = PgConnectOptions::from_str(url).map_err(|error| StoreError::Incompatible {
            backend: BACKEND,
            message: format!(
                "database_url cannot be read: {error}; write postgres://USER:PASSWORD@HOST:PORT/DATABASE"
            ),
        })?;
        // What was asked of the database is in the events and metrics, not in a log line for each statement.
        let options = options.application_name("muster").disable_statement_logging();
        let shared = StoreShared {
            transactions: Connections::new(options.clone(), WRITERS, Planning::EachTime),
            statements: Connections::new(options.clone(), QUICK_WRITERS, Planning::Once),
            marks: Connections::new(options.clone(), 1, Planning::OnceUnflushed),
            renewals: Connections::new(options.clone(), 1, Planning::EachTime),
            reads: pool(options.clone(), READERS),
            watch: Mutex::default(),
            identity: ProcessIdentity::own(),
            presence: Presence::new(),
            waker: Arc::default(),
            options,
        };
        Ok(Self { shared: Arc::new(shared), listener: OnceLock::new() })
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

#[async_trait]
impl Store for PostgresStore {
    async fn migrate(&self) -> Result<()> {
        migrate::migrate(&self.shared.transactions).await
    }

    async fn facts(&self) -> Result<DatabaseFacts> {
        schema::facts(&self.shared).await
    }

    async fn check_statements(&self) -> Result<()> {
        schema::check_statements(&self.shared.reads).await
    }

    async fn woken(&self) {
        let listen = || listen::listen_for_ever(self.shared.reads.clone(), self.shared.waker.clone());
        self.listener
            .get_or_init(|| AbortOnDropHandle::new(tokio::spawn(vital::turning("listener", listen()))));
        self.shared.waker.notified().await;
    }

    async fn expired_owners(&self, claimant: &Claimant) -> Result<ExpiredOwners> {
        again(|| lost::lost(&self.shared, claimant)).await
    }

    async fn hold_presence(&self, claimant: &Claimant) -> Result<()> {
        let StoreShared { options, identity, marks, statements, renewals, transactions, .. } = &*self.shared;
        let others = [marks, statements, renewals, transactions].map(Arc::clone);
        self.shared.presence.hold(options, claimant, identity.clone(), others).await
    }

    fn presence(&self) -> PresenceShown {
        self.shared.presence.shown()
    }

    fn writes_work(&self) -> bool {
        self.shared.watch().writes_work(Instant::now())
    }

    async fn submit(&self, executions: &[NewExecution]) -> Result<Vec<Submitted>> {
        again(|| flow::submit(self, executions)).await
    }

    async fn fail_unusable(&self, id: Uuid, failure: &ExecutionFailure) -> Result<Option<Status>> {
        again(|| flow::fail_unusable(self, id, failure)).await
    }

    async fn reopen_unusable(&self, id: Uuid) -> Result<bool> {
        again(|| flow::reopen_unusable(self, id)).await
    }

    async fn queue_depth(&self) -> Result<QueueDepth> {
        again(|| unclaimed::depth(self)).await
    }

    async fn next_due(&self) -> Result<Option<Duration>> {
        again(|| unclaimed::next_due(self)).await
    }

    async fn claim(&self, claimant: &Claimant, executions: &[Arc<NewExecution>]) -> Result<Vec<Claim>> {
        again(|| flow::claim(self, claimant, executions)).await
    }

    async fn claimed_by(&self, owner: Uuid, ids: &[Uuid]) -> Result<Vec<Claimed>> {
        again(|| read::claimed_by(self, owner, ids)).await
    }

    async fn claim_due(
        &self,
        claimant: &Claimant,
        limit: usize,
        take_over: TakeOver<'_>,
    ) -> Result<DueExecutions> {
        again(|| flow::claim_due(self, claimant, limit, take_over)).await
    }

    async fn renew(&self, claimant: &Claimant, held: &[Attempt]) -> Result<Renewal> {
        again(|| flow::renew(self, claimant, held)).await
    }

    async fn record_started(&self, owner: Uuid, started: &[(Attempt, Timestamp)]) -> Result<()> {
        again(|| flow::record_started(self, owner, started)).await
    }

    async fn record_events(&self, owner: Uuid, events: &[(Attempt, NewEvent)]) -> Result<()> {
        again(|| flow::record_events(self, owner, events)).await
    }

    async fn finalize(&self, finalizations: &[Finalization]) -> Result<Vec<FinalizeResult>> {
        again(|| flow::finalize(self, finalizations)).await
    }

    async fn locked(&self, finalizations: &[Finalization]) -> Result<Vec<Attempt>> {
        again(|| flow::locked(self, finalizations)).await
    }

    async fn unnotified(&self, older_than: Duration, limit: usize) -> Result<Vec<ExecutionRecord>> {
        again(|| read::unnotified(self, older_than, limit)).await
    }

    async fn mark_notified(&self, ids: &[Uuid]) -> Result<()> {
        again(|| unclaimed::mark_notified(self, ids)).await
    }

    async fn request_cancel(&self, id: Uuid) -> Result<CancelResult> {
        again(|| flow::request_cancel(self, id)).await
    }

    async fn execution(&self, id: Uuid) -> Result<Option<ExecutionRecord>> {
        again(|| read::execution(self, id)).await
    }

    async fn executions_by_id(&self, ids: &[Uuid]) -> Result<Vec<ExecutionRecord>> {
        again(|| read::executions_by_id(self, ids)).await
    }

    async fn executions(&self, filter: &ExecutionFilter) -> Result<ExecutionRecords> {
        again(|| read::executions(self, filter)).await
    }

    async fn logs(&self, id: Uuid, after: (u32, u64), limit: usize) -> Result<Vec<LogRow>> {
        again(|| read::logs(self, id, after, limit)).await
    }

    async fn events(&self, id: Uuid) -> Result<Vec<EventRow>> {
        again(|| read::events(self, id)).await
    }

    async fn workflow(&self, id: Uuid) -> Result<Option<WorkflowRecord>> {
        again(|| read::workflow(self, id)).await
    }

    async fn workflow_named(
        &self,
        name: &str,
        organization_id: Option<Uuid>,
    ) -> Result<Option<WorkflowRecord>> {
        again(|| read::workflow_named(self, name, organization_id)).await
    }

    async fn organization(&self, id: Uuid) -> Result<Option<OrganizationRecord>> {
        again(|| read::organization(self, id)).await
    }

    async fn config(&self, organization_id: Option<Uuid>) -> Result<Vec<ConfigEntry>> {
        again(|| read::config(self, organization_id)).await
    }

    async fn state(&self, organization_id: Option<Uuid>, key: &str) -> Result<Option<Box<RawValue>>> {
        again(|| read::state(self, organization_id, key)).await
    }
}
