//! The record of every execution: the row is the truth.
//!
//! [`Store`] is what the rest of the supervisor sees. Its rules are those of delivery: a claim makes a row
//! ours under a lease, every later write is fenced by (id, attempt, owner), and one transaction finalizes
//! several outcomes. Two adapters keep it, SQLite for the embedded default and PostgreSQL for the service,
//! and one contract suite (`tests/tests/store`) runs on both.
//!
//! Not here: what to do about an outcome (`finalize`), who is told about it (`bus`), when to poll (`intake`).

mod batch;
mod claim;
mod columns;
mod concede;
mod decide;
mod error;
mod finalization;
mod flow;
mod migration;
mod postgres;
mod readers;
mod record;
mod request;
mod rows;
mod session;
mod sqlite;
mod takeover;
mod text;
mod unheld_claims;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use serde_json::value::RawValue;
use uuid::Uuid;

pub use claim::{
    Claim, Claimant, Claimed, DeadOwner, DueExecutions, ExpiredOwners, NewExecution, OverdueRow,
    PresenceShown, Renewal, Submitted, TakeOver,
};
pub use error::{Result, StoreError};
pub use finalization::{
    Disposition, ExecutionFailure, ExecutionOutcome, Finalization, FinalizeResult, NewEvent, StateChange,
    StateWrite,
};
pub use postgres::PostgresStore;
pub use record::{
    ConfigEntry, Cursor, DatabaseFacts, EventRow, ExecutionFilter, ExecutionRecord, ExecutionRecords,
    InvalidCursor, LogRow, OrganizationRecord, QueueDepth, WorkflowRecord,
};
pub use sqlite::{Durability, SqliteStore};
pub use unheld_claims::{ClaimsUnderWay, UnheldClaims};

use muster_core::execution::{Attempt, Status};

/// How many times an attempt may go back without being charged in the life of one execution.
pub const UNCHARGED_RELEASES_MAX: u32 = 10;

/// How long a waiting row must wait to overtake one with the next higher priority.
pub const PRIORITY_AGING: Duration = Duration::from_secs(60);

/// The database, as the supervisor uses it.
///
/// Every write is one transaction. Answers come in the order of what was asked.
#[async_trait]
pub trait Store: std::fmt::Debug + Send + Sync + 'static {
    /// Brings the schema up to date, under a lock.
    async fn migrate(&self) -> Result<()>;

    /// What the database says of itself.
    async fn facts(&self) -> Result<DatabaseFacts>;

    /// Prepares every statement, so that a schema somebody changed by hand, or a right that is missing, shows
    /// at once and by name.
    async fn check_statements(&self) -> Result<()>;

    // The queue.

    /// Inserts PENDING rows; rows that exist stay as they are, so it may be repeated.
    async fn submit(&self, executions: &[NewExecution]) -> Result<Vec<Submitted>>;

    /// Records an execution that cannot be run (`PendingNotFound`, `InvalidRequest`) as FAILED, if there is
    /// no row yet. Gives the state of the row that was there already.
    async fn fail_unusable(&self, id: Uuid, failure: &ExecutionFailure) -> Result<Option<Status>>;

    /// Forgets a row that failed as `PendingNotFound` or `InvalidRequest` without ever having run, so that
    /// its message can be replayed. False: there is no such row.
    async fn reopen_unusable(&self, id: Uuid) -> Result<bool>;

    /// How much waits.
    async fn queue_depth(&self) -> Result<QueueDepth>;

    /// How long until the next waiting row is due; zero when one is due now, `None` when none waits.
    async fn next_due(&self) -> Result<Option<Duration>>;

    /// Returns when a row may have become due since the last call: a hint to poll now. Never an error; it
    /// just stays silent while the database is out of reach.
    async fn woken(&self);

    // Claims.

    /// Claims the executions of messages: inserts each as RUNNING, or takes the row that waits. A row that
    /// waits already keeps its own request.
    async fn claim(&self, claimant: &Claimant, executions: &[Arc<NewExecution>]) -> Result<Vec<Claim>>;

    /// Which of these are RUNNING in this owner's name: the way to read back a claim whose commit is
    /// unknown. The caller knows which of them it holds already.
    async fn claimed_by(&self, owner: Uuid, ids: &[Uuid]) -> Result<Vec<Claimed>>;

    /// Claims up to `limit` rows: lost RUNNING rows first, then waiting ones by priority with aging. Rows
    /// another supervisor is claiming right now are passed over.
    async fn claim_due(
        &self,
        claimant: &Claimant,
        limit: usize,
        take_over: TakeOver<'_>,
    ) -> Result<DueExecutions>;

    /// Renews the leases of exactly these attempts, and tells what happened to them. Rows in our name that
    /// are not on the list, and have not been for two thirds of a lease, are named.
    async fn renew(&self, claimant: &Claimant, held: &[Attempt]) -> Result<Renewal>;

    /// Looks at what other supervisors hold, and gives what may be taken over by all looks up to now. Call it about
    /// every second: what counts is what did not change from one look to the next.
    async fn expired_owners(&self, claimant: &Claimant) -> Result<ExpiredOwners>;

    /// Shows the other supervisors that this one lives, from now until the store is dropped. No-op where the
    /// database cannot tell.
    async fn hold_presence(&self, claimant: &Claimant) -> Result<()>;

    /// What they see of it.
    fn presence(&self) -> PresenceShown;

    /// True when the last look of [`Store::lost`] could write, and was not long ago.
    fn writes_work(&self) -> bool;

    /// Writes `started_at` of runs that last, if they are still ours.
    async fn record_started(&self, owner: Uuid, started: &[(Attempt, Timestamp)]) -> Result<()>;

    /// Adds events to attempts that go on.
    async fn record_events(&self, owner: Uuid, events: &[(Attempt, NewEvent)]) -> Result<()>;

    // The end.

    /// Ends attempts, all in one transaction. A value the database refuses fails only its own execution,
    /// as `ResultNotStorable`. After [`StoreError::CommitUnknown`] call it again with the same
    /// finalizations: those already written say so. After [`StoreError::Locked`] with attempts, without these.
    async fn finalize(&self, finalizations: &[Finalization]) -> Result<Vec<FinalizeResult>>;

    /// Which of these cannot be written at this moment because somebody has locked a row they write. Does not wait.
    async fn locked(&self, _finalizations: &[Finalization]) -> Result<Vec<Attempt>> {
        Ok(Vec::new())
    }

    /// Terminal rows that have ended at least `older_than` ago and were never published, oldest first.
    async fn unnotified(&self, older_than: Duration, limit: usize) -> Result<Vec<ExecutionRecord>>;

    /// Notes that the end of these was published.
    async fn mark_notified(&self, ids: &[Uuid]) -> Result<()>;

    /// Cancels what waits, asks the owner of what runs, and leaves a tombstone for what is not known yet.
    async fn request_cancel(&self, id: Uuid) -> Result<CancelResult>;

    // Reading.

    /// One execution.
    async fn execution(&self, id: Uuid) -> Result<Option<ExecutionRecord>>;

    /// Several, in no order; those that are not there are left out.
    async fn executions_by_id(&self, ids: &[Uuid]) -> Result<Vec<ExecutionRecord>>;

    /// Executions, newest first.
    async fn executions(&self, filter: &ExecutionFilter) -> Result<ExecutionRecords>;

    /// The log of an execution after (attempt, sequence), in that order.
    async fn logs(&self, id: Uuid, after: (u32, u64), limit: usize) -> Result<Vec<LogRow>>;

    /// How an execution got where it is.
    async fn events(&self, id: Uuid) -> Result<Vec<EventRow>>;

    /// An active workflow.
    async fn workflow(&self, id: Uuid) -> Result<Option<WorkflowRecord>>;

    /// The active workflow of this name: the organization's own, else the global one.
    async fn workflow_named(
        &self,
        name: &str,
        organization_id: Option<Uuid>,
    ) -> Result<Option<WorkflowRecord>>;

    /// An organization.
    async fn organization(&self, id: Uuid) -> Result<Option<OrganizationRecord>>;

    /// The configuration an organization sees: the global entries, replaced by its own. By key.
    async fn config(&self, organization_id: Option<Uuid>) -> Result<Vec<ConfigEntry>>;

    /// One entry of state.
    async fn state(&self, organization_id: Option<Uuid>, key: &str) -> Result<Option<Box<RawValue>>>;
}

/// What a cancel did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CancelResult {
    /// It waited; it is CANCELLED now, and waits to be published.
    Cancelled,
    /// It runs: the owner learns of it at its next renewal at the latest.
    Requested {
        /// Which attempt.
        attempt: Attempt,
        /// The boot of a supervisor that runs it.
        owner: Uuid,
    },
    /// It was over already.
    AlreadyTerminal(Status),
    /// It was not known: if its message comes, nothing will run.
    Tombstone,
}
