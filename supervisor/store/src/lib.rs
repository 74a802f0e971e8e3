//! The record of every execution: the row is the truth.
//!
//! [`Store`] is what the rest of the supervisor sees, split into roles, so that each part takes what it needs. Its
//! rules are those of delivery: a claim makes a row ours under a lease, every later write is fenced by (id, attempt,
//! owner), and one transaction finalizes several outcomes. `flow` holds them, once; the two adapters, SQLite for the
//! embedded default and PostgreSQL for the service, know their SQL. One contract suite (`tests/tests/store`) runs on
//! both.
//!
//! Not here: what to do about an outcome (`finalize`), who is told about it (`bus`), when to poll (`intake`).

mod batch;
mod claim;
mod columns;
mod concede;
mod decide;
mod definitions;
mod error;
mod figures;
mod finalization;
mod finalized_event;
mod flow;
mod limits;
mod listing;
mod memory;
mod migration;
mod pauses;
#[cfg(feature = "postgres")]
mod postgres;
mod readers;
mod record;
mod request;
mod retention;
mod roles;
mod rows;
mod schedules;
mod session;
mod shares;
mod sqlite;
mod statements;
mod statistics;
mod supervisors;
#[cfg_attr(
    all(not(feature = "postgres"), not(test)),
    expect(dead_code, reason = "SQLite gives less evidence than the rules weigh")
)]
mod takeover;
mod text;
mod tokens;
mod traces;
mod unheld_claims;
mod webhooks;
#[cfg(not(feature = "postgres"))]
mod without_postgres;

use std::time::Duration;

use uuid::Uuid;

pub use claim::{
    Claim, Claimant, Claimed, DeadOwner, DueExecutions, ExpiredOwners, Expiry, Idempotency, NewExecution,
    OverdueRow, PresenceShown, Renewal, RequestedCancel, ServedQueues, Submitted, TakeOver,
};
pub use definitions::{
    ChangeRecord, ConfigRecord, DefinitionChange, DefinitionEditStore, DefinitionWrite, Definitions,
    DefinitionsWritten,
};
pub use error::{Result, StoreError};
pub use figures::{FiguresRecord, FiguresStore};
pub use finalization::{
    Disposition, ExecutionFailure, ExecutionOutcome, Finalization, FinalizeResult, NewEvent, StateChange,
    StateWrite,
};
pub use limits::{
    Displaced, HeldLimit, LimitRecord, LimitStore, LimitSweep, LimitUse, LimitWait, WorkflowTerms,
    own_limit_name,
};
pub use memory::MemoryStore;
pub use pauses::{InvalidPauseTarget, PauseRecord, PauseStore, PauseSubject, PauseTarget, Pauses};
#[cfg(feature = "postgres")]
pub use postgres::{PostgresStore, open_postgres};
pub use record::{
    ConfigEntry, ConnectionBudget, Cursor, DatabaseFacts, EventRow, ExecutionFilter, ExecutionRecord,
    ExecutionRecords, InvalidCursor, LogRow, OrganizationRecord, QueueDepth, QueueUse, WorkflowRecord,
};
pub use retention::{
    EndedExecution, PruneRange, PruneRule, PruneScope, PruneStep, PrunedRows, RetentionStore, RetentionTerms,
};
pub use roles::{
    ClaimStore, DefinitionStore, ExecutionStore, NotificationStore, OutcomeStore, PeerStore, QueueStore,
    SchemaStore, StateStore, Store, WaitingStore,
};
pub use schedules::{DueSchedule, ScheduleAdvance, ScheduleAdvanced, ScheduleRecord, ScheduleStore};
pub use shares::{ShareBook, ShareStore};
pub use sqlite::{Durability, SqliteStore};
pub use statistics::StatisticsStore;
pub use supervisors::SupervisorStore;
pub use tokens::{NewToken, TokenRecord, TokenRotation, TokenStore};
pub use traces::{TraceStore, TracedExecution};
pub use unheld_claims::{ClaimsUnderWay, UnheldClaims};
pub use webhooks::{DeliveryRecord, DeliveryState, DeliveryTry, TakenDelivery, WebhookRecord, WebhookStore};
#[cfg(not(feature = "postgres"))]
pub use without_postgres::open_postgres;

use muster_core::execution::{Attempt, Status};

/// How many times an attempt may go back without being charged in the life of one execution.
pub const UNCHARGED_RELEASES_MAX: u32 = 10;

/// How many attempts may end because nobody there knew the workflow, before that is the verdict. Counted among all
/// attempts of the execution that were not charged.
pub const UNKNOWN_RELEASES_MAX: u32 = 5;

/// How long a waiting row must wait to overtake one with the next higher priority.
pub const PRIORITY_AGING: Duration = Duration::from_secs(60);

/// What a request to end an execution led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CancelResult {
    /// It waited; it is CANCELLED now, and waits to be published.
    Cancelled,
    /// It runs: the owner learns of it at its next renewal at the latest.
    Requested {
        /// The attempt that runs, and is to be told.
        attempt: Attempt,
        /// The boot of a supervisor that runs it.
        owner: Uuid,
    },
    /// The execution was over already, in this state.
    AlreadyTerminal(Status),
    /// It was not known: if its message comes, nothing will run.
    Tombstone,
}
