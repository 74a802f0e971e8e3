//! What the record does for each part of the supervisor.
//!
//! Whoever needs one thing of the record takes the trait of that role; whoever wires the parts together takes
//! [`Store`], which is all of them. Every write is one transaction. Answers come in the order of what was asked.

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use muster_core::execution::{Attempt, IdPrefix, Status};
use serde_json::value::RawValue;
use uuid::Uuid;

use crate::{
    CancelResult, Claim, Claimant, Claimed, ConfigEntry, DatabaseFacts, DefinitionEditStore, DueExecutions,
    EventRow, ExecutionFailure, ExecutionFilter, ExecutionOutcome, ExecutionRecord, ExecutionRecords,
    ExpiredOwners, FiguresStore, Finalization, FinalizeResult, LimitStore, LogRow, NewExecution,
    OrganizationRecord, PauseStore, PresenceShown, QueueDepth, QueueUse, Renewal, Result, RetentionStore,
    ScheduleStore, ServedQueues, ShareStore, StatisticsStore, Submitted, SupervisorStore, TakeOver,
    TokenStore, TraceStore, WebhookStore, WorkflowRecord,
};

/// The whole record: one database in all its roles.
pub trait Store:
    SchemaStore
    + QueueStore
    + WaitingStore
    + ClaimStore
    + PeerStore
    + OutcomeStore
    + NotificationStore
    + ExecutionStore
    + DefinitionStore
    + DefinitionEditStore
    + ScheduleStore
    + StateStore
    + ShareStore
    + SupervisorStore
    + LimitStore
    + PauseStore
    + WebhookStore
    + RetentionStore
    + StatisticsStore
    + TokenStore
    + TraceStore
    + FiguresStore
{
}

impl<T> Store for T where
    T: SchemaStore
        + QueueStore
        + WaitingStore
        + ClaimStore
        + PeerStore
        + OutcomeStore
        + NotificationStore
        + ExecutionStore
        + DefinitionStore
        + DefinitionEditStore
        + ScheduleStore
        + StateStore
        + ShareStore
        + SupervisorStore
        + LimitStore
        + PauseStore
        + WebhookStore
        + RetentionStore
        + StatisticsStore
        + TokenStore
        + TraceStore
        + FiguresStore
{
}

/// The schema, and the facts about the database itself.
#[async_trait]
pub trait SchemaStore: Debug + Send + Sync + 'static {
    /// Brings the schema up to date, under a lock.
    async fn migrate(&self) -> Result<()>;

    /// What the database says of itself.
    async fn facts(&self) -> Result<DatabaseFacts>;

    /// Looks through the file of a database that is one, for so long at most. A server looks after its own.
    async fn check_file(&self, _patience: Duration) -> Result<()> {
        Ok(())
    }

    /// Closes a database that is a file, so that nothing stays beside it. Whatever is asked after this fails. A server has
    /// nothing to close: it sees that this process is gone.
    async fn close(&self) {}

    /// Prepares every statement, so that a schema somebody changed by hand, or a right that is missing, shows
    /// at once and by name.
    async fn check_statements(&self) -> Result<()>;
}

/// What comes into the queue, and what is taken out of it before it runs.
#[async_trait]
pub trait QueueStore: Debug + Send + Sync + 'static {
    /// Inserts PENDING rows; rows that exist stay as they are, so it may be repeated. Of several with one idempotency
    /// key one is inserted, and the others are told of it.
    async fn submit(&self, executions: &[NewExecution]) -> Result<Vec<Submitted>>;

    /// Forgets up to `limit` idempotency keys that have expired; gives how many.
    async fn forget_keys(&self, limit: usize) -> Result<usize>;

    /// Makes due what would otherwise wait until the clock is where it was before it was set back: up to `limit` rows that wait
    /// and were made later than now, but for those that were given a moment. Gives how many; a full page means that more are left.
    async fn follow_clock(&self, limit: usize) -> Result<usize>;

    /// Cancels what waits, asks the owner of what runs, and leaves a tombstone for what is not known yet.
    async fn request_cancel(&self, id: Uuid) -> Result<CancelResult>;

    /// The same for several rows in one transaction; gives what it led to for those that wait or run. One that is over
    /// is left as it is.
    async fn request_cancels(&self, ids: &[Uuid]) -> Result<Vec<(Uuid, CancelResult)>>;

    /// Ends rows that wait, each as is said of it, in one transaction: whoever brought them gives them up. One that does not
    /// wait is left as it is.
    async fn give_up(&self, given_up: &[(Uuid, ExecutionOutcome)]) -> Result<()>;

    /// Records an execution that cannot be run (`PendingNotFound`, `InvalidRequest`) as FAILED, if there is
    /// no row yet. Gives the state of the row that was there already.
    async fn fail_unusable(&self, id: Uuid, failure: &ExecutionFailure) -> Result<Option<Status>>;

    /// Forgets a row that failed as `PendingNotFound` or `InvalidRequest` without ever having run, so that
    /// its message can be replayed. False: there is no such row.
    async fn reopen_unusable(&self, id: Uuid) -> Result<bool>;
}

/// What waits, and when it is due.
#[async_trait]
pub trait WaitingStore: Debug + Send + Sync + 'static {
    /// Counts the rows that wait.
    async fn queue_depth(&self) -> Result<QueueDepth>;

    /// What waits in each queue that has something, by name.
    async fn queue_uses(&self) -> Result<Vec<QueueUse>>;

    /// How long until the next waiting row of these queues is due; zero when one has become due lately, `None` when
    /// there is none.
    async fn next_due(&self, queues: &ServedQueues) -> Result<Option<Duration>>;

    /// How many rows that are due go before this one in its queue, a thousand at most, those that were paused and are let go
    /// in a moment among them; none before one that does not wait.
    async fn ahead(&self, id: Uuid) -> Result<u64>;

    /// Returns when a row may have become due since the last call: a hint to poll now. Never an error; it
    /// just stays silent while the database is out of reach.
    async fn woken(&self);
}

/// Making executions ours, and keeping them ours while they run.
#[async_trait]
pub trait ClaimStore: Debug + Send + Sync + 'static {
    /// Claims the executions of messages: inserts each as RUNNING, or takes the row that waits. A row that
    /// waits already keeps its own request.
    async fn claim(&self, claimant: &Claimant, executions: &[Arc<NewExecution>]) -> Result<Vec<Claim>>;

    /// Whether a claim of this execution would make it RUNNING, as far as is known here: it is to start now and in a queue
    /// that is served, and no limit, pause or idempotency key has a say.
    async fn starts_at_once(&self, claimant: &Claimant, execution: &NewExecution) -> Result<bool>;

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

    /// Ends up to `limit` rows that were to start by a moment that is over and never did, as CANCELLED `Expired`; gives
    /// their ids.
    async fn expire(&self, claimant: &Claimant, limit: usize) -> Result<Vec<Uuid>>;

    /// Renews the leases of exactly these attempts, and tells what happened to them. Rows in our name that
    /// are not on the list, and have not been for two thirds of a lease, are named.
    async fn renew(&self, claimant: &Claimant, held: &[Attempt]) -> Result<Renewal>;

    /// Writes `started_at` of runs that last, if they are still ours.
    async fn record_started(&self, owner: Uuid, started: &[(Attempt, Timestamp)]) -> Result<()>;
}

/// The supervisors that share the database: what they lost, and what they see of this one.
#[async_trait]
pub trait PeerStore: Debug + Send + Sync + 'static {
    /// Looks at what other supervisors hold, and gives what may be taken over by all looks up to now. Call it about
    /// every second: what counts is what did not change from one look to the next.
    async fn expired_owners(&self, claimant: &Claimant) -> Result<ExpiredOwners>;

    /// Shows the other supervisors that this one lives, from now until the store is dropped. No-op where the
    /// database cannot tell.
    async fn hold_presence(&self, claimant: &Claimant) -> Result<()>;

    /// What they see of this one.
    fn presence(&self) -> PresenceShown;

    /// True when the last look of [`PeerStore::expired_owners`] could write, and was not long ago.
    fn writes_work(&self) -> bool;
}

/// Writing what attempts came to, fenced.
#[async_trait]
pub trait OutcomeStore: Debug + Send + Sync + 'static {
    /// Ends attempts, all in one transaction. A value the database refuses fails only its own execution,
    /// as `ResultNotStorable`. After [`crate::StoreError::CommitUnknown`] call it again with the same
    /// finalizations: those already written say so. After [`crate::StoreError::Locked`] with attempts, without these.
    async fn finalize(&self, finalizations: &[Finalization]) -> Result<Vec<FinalizeResult>>;

    /// Which of these cannot be written at this moment because somebody has locked a row they write. Does not wait.
    async fn locked(&self, finalizations: &[Finalization]) -> Result<Vec<Attempt>>;
}

/// What is over and must be told, and noting that it was.
#[async_trait]
pub trait NotificationStore: Debug + Send + Sync + 'static {
    /// The rows of these executions, in no order; those that are not there are left out.
    async fn executions_by_id(&self, ids: &[Uuid]) -> Result<Vec<ExecutionRecord>>;

    /// Terminal rows that have ended at least `older_than` ago and were never published, oldest first.
    async fn unnotified(&self, older_than: Duration, limit: usize) -> Result<Vec<ExecutionRecord>>;

    /// Notes that the outcome of these was published.
    async fn mark_notified(&self, ids: &[Uuid]) -> Result<()>;

    /// From now on outcomes count as published with their commit: whoever hears of them is in this process, and a crash leaves
    /// nobody to be told. Of what ends without an attempt it is noted as ever.
    fn publish_with_commit(&self);

    /// Whether it is so: then what was finalized need not be marked.
    fn publishes_with_commit(&self) -> bool;
}

/// Rows of executions for whoever asks; nothing is changed.
#[async_trait]
pub trait ExecutionStore: Debug + Send + Sync + 'static {
    /// Reads the row of one execution; `None` when there is none.
    async fn execution(&self, id: Uuid) -> Result<Option<ExecutionRecord>>;

    /// Reads a page of executions, the newest first.
    async fn executions(&self, filter: &ExecutionFilter) -> Result<ExecutionRecords>;

    /// The executions whose ids begin so, of this organization or of all, at most so many, the last id first; without
    /// parameters and results.
    async fn executions_with_prefix(
        &self,
        prefix: IdPrefix,
        organization_id: Option<Uuid>,
        limit: usize,
    ) -> Result<Vec<ExecutionRecord>>;

    /// The log of an execution after (attempt, sequence), in that order.
    async fn logs(&self, id: Uuid, after: (u32, u64), limit: usize) -> Result<Vec<LogRow>>;

    /// How an execution got where it is.
    async fn events(&self, id: Uuid) -> Result<Vec<EventRow>>;
}

/// What a run needs to know before it starts: its workflow, its organization, their configuration.
#[async_trait]
pub trait DefinitionStore: Debug + Send + Sync + 'static {
    /// Reads a workflow that is active; `None` when there is none of this id.
    async fn workflow(&self, id: Uuid) -> Result<Option<WorkflowRecord>>;

    /// The active workflow of this name: the organization's own, else the global one.
    async fn workflow_named(
        &self,
        name: &str,
        organization_id: Option<Uuid>,
    ) -> Result<Option<WorkflowRecord>>;

    /// Reads an organization; `None` when there is none of this id.
    async fn organization(&self, id: Uuid) -> Result<Option<OrganizationRecord>>;

    /// The configuration an organization sees: the global entries, replaced by its own. By key.
    async fn config(&self, organization_id: Option<Uuid>) -> Result<Vec<ConfigEntry>>;
}

/// The entries of state, which runs of one scope share.
#[async_trait]
pub trait StateStore: Debug + Send + Sync + 'static {
    /// Reads one entry of state; `None` when it was never set or is removed.
    async fn state(&self, organization_id: Option<Uuid>, key: &str) -> Result<Option<Box<RawValue>>>;
}
