//! What an adapter must be able to do inside one transaction. The rules of delivery are written once over
//! these, in [`super::flow`]; the adapters only know their SQL.

use std::collections::{HashMap, HashSet};
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use muster_core::execution::Attempt;
use tokio::sync::Notify;
use uuid::Uuid;

use super::decide::{AttemptBudget, FoundRow};
use super::definitions::DefinitionSession;
use super::flow::PendingRow;
use super::limits::session::LimitSession;
use super::limits::{DisplacedBook, HeldLimit, SweepPlaces, WorkflowBook};
use super::pauses::{PauseBook, PauseSession};
use super::retention::RetentionSession;
use super::rows::{BackRow, EndedRow, EndingRow, EventRowIn, Fence, KeyRow, LogRowIn, StateRow};
use super::schedules::ScheduleSession;
use super::shares::{Allotment, WaitingShare};
use super::tokens::TokenSession;
use super::webhooks::WebhookSession;
use super::{
    Claimant, Claimed, ExecutionFailure, NewExecution, NotificationStore, Result, ServedQueues, TakeOver,
};

/// A row that a poll found and locked.
#[derive(Clone, Debug)]
pub(crate) struct Candidate {
    /// The last attempt at it; 0 before the first.
    pub(crate) attempt: Attempt,
    /// Who lost it; `None` for a row that waits.
    pub(crate) previous_owner: Option<Uuid>,
    /// What decides whether it is run again.
    pub(crate) budget: AttemptBudget,
    /// It was to start by a moment that is over, and never did.
    pub(crate) is_expired: bool,
    /// The limits it must have room in, or is in.
    pub(crate) limits: Vec<HeldLimit>,
    /// The row of its workflow, when it names one.
    pub(crate) workflow_id: Option<Uuid>,
    /// The name of its workflow; `None` when only its id is known.
    pub(crate) workflow_name: Option<String>,
    /// The organization it runs for.
    pub(crate) organization_id: Option<Uuid>,
}

/// Attempts that were written, with the limits their rows were in.
pub(crate) type WrittenAttempts = HashMap<Attempt, Vec<HeldLimit>>;

/// A row that somebody wanted to end.
#[derive(Clone, Debug)]
pub(crate) struct CancelledRow {
    /// The row as it is now.
    pub(crate) row: FoundRow,
    /// It was not there before.
    pub(crate) is_tombstone: bool,
    /// The limits it must have had room in.
    pub(crate) limits: Vec<HeldLimit>,
}

/// A row whose lease was renewed.
#[derive(Clone, Debug)]
pub(crate) struct RenewedRow {
    pub(crate) attempt: Attempt,
    /// Somebody wants to end it.
    pub(crate) cancel_requested: bool,
    /// And said why.
    pub(crate) cancel_reason: Option<String>,
}

/// An idempotency key, and whose it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HeldKey {
    /// The organization; the zero id for none.
    pub(crate) scope: Uuid,
    /// The key within it.
    pub(crate) key: String,
    /// The execution that has it.
    pub(crate) execution_id: Uuid,
    /// What another submit with it must share.
    pub(crate) fingerprint: String,
}

/// A database that transactions can be begun on.
pub(crate) trait Backend: NotificationStore {
    /// How many sessions may each hold a plan of an earlier schema for one statement.
    const PLANS_MAX: u32;

    /// A transaction.
    type Session: StoreSession;

    /// Begins one.
    fn begin(&self, purpose: Purpose, extent: Extent) -> impl Future<Output = Result<Self::Session>> + Send;

    /// What this process knows of workflows.
    fn workflow_book(&self) -> &WorkflowBook;

    /// Told when somebody waits for a rate who did not before.
    fn rate_waker(&self) -> &Notify;

    /// What this process has displaced, to be told of.
    fn displaced(&self) -> &DisplacedBook;

    /// How far this process has come in its sweep of limits.
    fn sweep_places(&self) -> &SweepPlaces;

    /// What this process knows of pauses.
    fn pause_book(&self) -> &PauseBook;

    /// Wakes whoever polls in this process.
    fn wake_here(&self);

    /// Tells this process that definitions changed, where the database does not.
    fn definitions_written(&self);

    /// Gives space of rows that were removed back to the disk, where the database does not by itself.
    fn give_space_back(&self) -> impl Future<Output = Result<()>> + Send {
        async { Ok(()) }
    }

    /// Reads outside of any transaction which of these run in this owner's name.
    fn claims_of(&self, owner: Uuid, ids: &[Uuid]) -> impl Future<Output = Result<Vec<Claimed>>> + Send;
}

/// What a transaction is for: it may need a connection of its own, or have to wait for something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Makes rows ours.
    Claim,
    /// Keeps them ours; must be over well before the lease is.
    Renew {
        /// How long they hold from then on.
        lease: Duration,
    },
    /// Writes nothing, and keeps nobody from writing.
    Read,
    /// Writes what follows from rows and is put right by a sweep, should a crash take it: it does not wait for the disk.
    Tend,
    /// Anything else.
    Write,
}

/// How much a transaction will be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Extent {
    /// One method of [`StoreSession`], and the commit: where the database can, one round trip. Its error may be
    /// [`super::StoreError::CommitUnknown`].
    OneStatement,
    /// Several.
    Several,
}

/// One transaction, open. Dropped without [`StoreSession::commit`] it is rolled back.
///
/// Methods take no empty lists and answer without order.
pub(crate) trait StoreSession:
    LimitSession
    + PauseSession
    + ScheduleSession
    + WebhookSession
    + DefinitionSession
    + TokenSession
    + RetentionSession
{
    /// Commits it.
    fn commit(self) -> impl Future<Output = Result<()>> + Send;

    /// Undoes it all, and is over when the database has let go of its locks, if the database can still be told.
    /// After a drop they may stand for a while longer.
    fn roll_back(self) -> impl Future<Output = ()> + Send;

    /// Notes a place to go back to. One at a time: the last one counts.
    fn mark(&mut self) -> impl Future<Output = Result<()>> + Send;

    /// Undoes what was done since the last mark, an error included.
    fn back_to_mark(&mut self) -> impl Future<Output = Result<()>> + Send;

    /// Wakes whoever polls, if and when this commits.
    fn wake(&mut self) -> impl Future<Output = Result<()>> + Send;

    /// Inserts rows that wait; gives those that were not there.
    fn insert_pending(
        &mut self,
        new: &[PendingRow<'_>],
    ) -> impl Future<Output = Result<HashSet<Uuid>>> + Send;

    /// Gives keys to executions, each key once and in order, where they are free: of nobody, expired, or of one of
    /// `gone`. Waits for whoever is giving one away. Gives those that were given here.
    fn take_keys(
        &mut self,
        rows: &[KeyRow<'_>],
        gone: &[Uuid],
    ) -> impl Future<Output = Result<HashSet<(Uuid, String)>>> + Send;

    /// Whose these keys are.
    fn held_keys(&mut self, rows: &[KeyRow<'_>]) -> impl Future<Output = Result<Vec<HeldKey>>> + Send;

    /// Forgets up to `limit` keys that have expired; gives how many.
    fn forget_keys(&mut self, limit: usize) -> impl Future<Output = Result<usize>> + Send;

    /// Makes up to `limit` rows that wait and were made later than now as old as they were when the clock was set back; gives how many.
    fn follow_clock(&mut self, limit: usize) -> impl Future<Output = Result<usize>> + Send;

    /// Inserts rows that run, or takes those that wait and are due; notes it among their events.
    fn claim(
        &mut self,
        claimant: &Claimant,
        new: &[&Arc<NewExecution>],
    ) -> impl Future<Output = Result<HashMap<Uuid, Claimed>>> + Send;

    /// Where these rows are.
    fn current_state(&mut self, ids: &[Uuid]) -> impl Future<Output = Result<Vec<FoundRow>>> + Send;

    /// Up to [`super::shares::LOOK_FOR`] organizations that have rows in these queues that wait for nothing but their
    /// moment, in the order of their ids: those behind this one, or from the first on.
    fn waiting_shares(
        &mut self,
        queues: &ServedQueues,
        behind: Option<Uuid>,
    ) -> impl Future<Output = Result<Vec<WaitingShare>>> + Send;

    /// Locks rows that a poll may claim, in the order to claim them: those that others lost, in all queues that are
    /// served, and of each organization so many that wait in these.
    fn candidates(
        &mut self,
        claimant: &Claimant,
        queues: &ServedQueues,
        limit: usize,
        take_over: TakeOver<'_>,
        allotted: &[Allotment],
    ) -> impl Future<Output = Result<Vec<Candidate>>> + Send;

    /// Locks rows that were to start by a moment that is over and never did, those that expired first before the others.
    fn expired(&mut self, limit: usize) -> impl Future<Output = Result<Vec<Candidate>>> + Send;

    /// Claims locked rows; notes it among their events.
    fn take(
        &mut self,
        claimant: &Claimant,
        ids: &[Uuid],
    ) -> impl Future<Output = Result<HashMap<Uuid, Claimed>>> + Send;

    /// Ends locked rows.
    fn end_unclaimed(
        &mut self,
        owner: Option<Uuid>,
        rows: &[EndedRow<'_>],
    ) -> impl Future<Output = Result<()>> + Send;

    /// Renews leases; gives those renewed, and who is to end.
    fn renew(
        &mut self,
        claimant: &Claimant,
        held: &[Attempt],
    ) -> impl Future<Output = Result<Vec<RenewedRow>>> + Send;

    /// The same for rows that were locked a moment ago: waits for them, though not for long.
    fn renew_locked(
        &mut self,
        claimant: &Claimant,
        held: &[Attempt],
    ) -> impl Future<Output = Result<Vec<RenewedRow>>> + Send;

    /// Rows in this name that are not held and have missed a renewal.
    fn unheld_claims(
        &mut self,
        claimant: &Claimant,
        held: &[Attempt],
    ) -> impl Future<Output = Result<Vec<Attempt>>> + Send;

    /// Notes when attempts started.
    fn record_started(
        &mut self,
        owner: Uuid,
        started: &[(Attempt, Timestamp)],
    ) -> impl Future<Output = Result<()>> + Send;

    /// Locks rows that would go back, and reads what decides about them.
    fn budgets(
        &mut self,
        fences: &[Fence],
    ) -> impl Future<Output = Result<HashMap<Attempt, AttemptBudget>>> + Send;

    /// Writes terminal states under the fence, and the logs and events of those it lets through; gives the attempts
    /// written. The lists of logs and events may be empty, and hold nothing of attempts that do not end here.
    fn finish(
        &mut self,
        endings: &[EndingRow<'_>],
        lines: &[LogRowIn<'_>],
        events: &[EventRowIn<'_>],
    ) -> impl Future<Output = Result<WrittenAttempts>> + Send;

    /// Which of these rows somebody else has locked at this moment. Does not wait for them.
    fn locked(&mut self, ids: &[Uuid]) -> impl Future<Output = Result<HashSet<Uuid>>> + Send;

    /// Which of these entries of state somebody else has locked at this moment. Does not wait for them.
    fn locked_state(
        &mut self,
        keys: &[(Option<Uuid>, &str)],
    ) -> impl Future<Output = Result<HashSet<(Option<Uuid>, String)>>> + Send;

    /// Sends rows back under the fence; gives the attempts written.
    fn requeue(&mut self, rows: &[BackRow]) -> impl Future<Output = Result<WrittenAttempts>> + Send;

    /// Stores logs.
    fn insert_logs(&mut self, lines: &[LogRowIn<'_>]) -> impl Future<Output = Result<()>> + Send;

    /// Stores events.
    fn insert_events(&mut self, events: &[EventRowIn<'_>]) -> impl Future<Output = Result<()>> + Send;

    /// Writes entries of state, each key once.
    fn set_state(&mut self, rows: &[StateRow<'_>]) -> impl Future<Output = Result<()>> + Send;

    /// Deletes entries of state.
    fn delete_state(&mut self, rows: &[StateRow<'_>]) -> impl Future<Output = Result<()>> + Send;

    /// Cancels a row that waits, asks a row that runs, makes a tombstone of one that is not there. `None`:
    /// it is over already.
    fn cancel(&mut self, id: Uuid) -> impl Future<Output = Result<Option<CancelledRow>>> + Send;

    /// The same for several rows that are there; gives those it changed. Passes by what somebody has locked.
    fn cancel_several(&mut self, ids: &[Uuid]) -> impl Future<Output = Result<Vec<CancelledRow>>> + Send;

    /// Cancels rows that wait, each with what is said of it, and where it may asks those that run; gives those it changed.
    /// Passes by what somebody has locked.
    fn displace(
        &mut self,
        rows: &[(Uuid, String)],
        may_run: bool,
    ) -> impl Future<Output = Result<Vec<CancelledRow>>> + Send;

    /// Inserts a row that failed and never ran. False: there is a row already, and it stays as it is.
    fn insert_unusable(
        &mut self,
        id: Uuid,
        failure: &ExecutionFailure,
    ) -> impl Future<Output = Result<bool>> + Send;

    /// Forgets a row that failed for want of a usable message, with its events. False: there is none.
    fn forget_unusable(&mut self, id: Uuid) -> impl Future<Output = Result<bool>> + Send;
}
