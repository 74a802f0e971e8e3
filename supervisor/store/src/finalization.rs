//! The outcome of an attempt, as it is written to the database in one transaction.
//!
//! These are also the records of the outbox, so they serialize and they carry the owner.

use std::time::Duration;

use jiff::Timestamp;
use muster_core::execution::{Attempt, LogLine, Status};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use uuid::Uuid;

use super::claim::NewExecution;

/// Everything the outcome of one attempt writes.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Finalization {
    /// The attempt that ended.
    pub attempt: Attempt,
    /// Who claimed it: with the attempt, the fence.
    pub owner: Uuid,
    /// What becomes of the row.
    pub disposition: Disposition,
    /// When Started was read; `None` without Started.
    pub started_at: Option<Timestamp>,
    /// When the attempt's outcome was known.
    pub completed_at: Timestamp,
    /// Started read to Finished read, on a monotonic clock.
    pub duration_ms: Option<u64>,
    /// The time and memory the run took, a JSON object; `None` when nothing was measured.
    pub metrics: Option<Box<RawValue>>,
    /// What the worker died of, if it died with the run in hand.
    #[serde(default)]
    pub end_cause: Option<Box<RawValue>>,
    /// The whole log of the attempt: kept whatever the disposition.
    pub logs: Vec<LogLine>,
    /// Writes to state: applied in order, and only if the row becomes terminal.
    pub changes: Vec<StateChange>,
    /// Executions the run submitted: inserted as PENDING rows, and only if the row becomes terminal.
    pub children: Vec<NewExecution>,
    /// How the attempt got here. The store itself adds `claimed` and the closing event.
    pub events: Vec<NewEvent>,
}

impl Finalization {
    /// The outcome of an attempt that is over now, with nothing to record beside it.
    pub fn bare(attempt: Attempt, owner: Uuid, disposition: Disposition) -> Self {
        Self {
            attempt,
            owner,
            disposition,
            started_at: None,
            completed_at: super::columns::now(),
            duration_ms: None,
            metrics: None,
            end_cause: None,
            logs: Vec::new(),
            changes: Vec::new(),
            children: Vec::new(),
            events: Vec::new(),
        }
    }

    /// The outcome of an attempt in this owner's name that nobody runs: it goes back at once, uncharged.
    pub fn of_stray(attempt: Attempt, owner: Uuid) -> Self {
        let reason = "its supervisor did not know of it".to_owned();
        Self::bare(attempt, owner, Disposition::Release { reason, delay: Duration::ZERO, charged: false })
    }

    /// About what it takes in memory and in a statement: the bound of a group.
    pub fn size_bytes(&self) -> usize {
        let result = match &self.disposition {
            Disposition::Terminal(outcome) => outcome.result().map_or(0, |result| result.get().len()),
            Disposition::Retry { .. } | Disposition::Release { .. } | Disposition::UnknownHere { .. } => 0,
        };
        let logs: usize = self.logs.iter().map(LogLine::size_bytes).sum();
        let changes: usize = self.changes.iter().map(StateChange::size_bytes).sum();
        let children: usize = self.children.iter().map(|child| child.request.get().len()).sum();
        size_of::<Self>() + result + logs + changes + children
    }
}

/// What becomes of the row when an attempt ends. If somebody asked for a cancel, a row that would go back
/// becomes CANCELLED instead.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Disposition {
    /// The execution is over, and the row becomes terminal.
    Terminal(ExecutionOutcome),
    /// User code failed and asked for another try. When no attempts are left it is FAILED with `failure`.
    Retry {
        /// Why this attempt failed, for the events.
        failure: ExecutionFailure,
        /// How long the row waits before it may be claimed again.
        delay: Duration,
        /// How many attempts whoever asked for retries wants: a row that allows fewer is raised to it. The
        /// row itself was fixed at the claim, before its workflow was read.
        #[serde(default)]
        max_attempts: u32,
    },
    /// The attempt was lost or given back. When no attempts are left it is FAILED `SupervisorLost`.
    Release {
        /// Why it goes back, for the events.
        reason: String,
        /// How long the row waits before it may be claimed again.
        delay: Duration,
        /// False: user code cannot have been entered, or we are the ones who leave. The attempt is then
        /// not charged, at most ten times in the life of an execution.
        charged: bool,
    },
    /// The workers here know no such workflow; those of another supervisor may. It goes back uncharged, at most
    /// [`crate::UNKNOWN_RELEASES_MAX`] times, and then it is FAILED with `failure`.
    UnknownHere {
        /// What the worker said.
        failure: ExecutionFailure,
        /// How long the row waits before it may be claimed again.
        delay: Duration,
    },
}

/// A terminal state with what belongs to it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum ExecutionOutcome {
    /// The row becomes SUCCESS.
    Success {
        /// What the function returned, JSON text.
        result: Box<RawValue>,
    },
    /// The row becomes FAILED.
    Failed(ExecutionFailure),
    /// The row becomes TIMEOUT.
    TimedOut(ExecutionFailure),
    /// The row becomes CANCELLED.
    Cancelled(ExecutionFailure),
}

impl Disposition {
    /// The state the row gets if nothing speaks against it (a cancel request, used-up attempts).
    pub fn status(&self) -> Status {
        match self {
            Self::Terminal(outcome) => outcome.status(),
            Self::Retry { .. } | Self::Release { .. } | Self::UnknownHere { .. } => Status::Pending,
        }
    }
}

impl ExecutionOutcome {
    /// The terminal state that the row gets.
    pub fn status(&self) -> Status {
        match self {
            Self::Success { .. } => Status::Success,
            Self::Failed(_) => Status::Failed,
            Self::TimedOut(_) => Status::Timeout,
            Self::Cancelled(_) => Status::Cancelled,
        }
    }

    /// What the function returned, if it is a success.
    pub fn result(&self) -> Option<&RawValue> {
        match self {
            Self::Success { result } => Some(result),
            Self::Failed(_) | Self::TimedOut(_) | Self::Cancelled(_) => None,
        }
    }

    /// What went wrong, unless it is a success.
    pub fn failure(&self) -> Option<&ExecutionFailure> {
        match self {
            Self::Success { .. } => None,
            Self::Failed(failure) | Self::TimedOut(failure) | Self::Cancelled(failure) => Some(failure),
        }
    }
}

/// Why an execution did not succeed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExecutionFailure {
    /// The type of the error: the column `error_type`.
    pub error_type: String,
    /// What a person should read: the column `error_message`.
    pub message: String,
    /// Where it happened: the column `error_stack`; `None` when the worker told no stack.
    pub stack: Option<String>,
}

impl ExecutionFailure {
    /// Makes a failure without a stack.
    pub fn new(error_type: impl Into<String>, message: impl Into<String>) -> Self {
        Self { error_type: error_type.into(), message: message.into(), stack: None }
    }
}

/// A write to state that is committed with the outcome.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct StateChange {
    /// Whose state; `None` is the global one.
    pub organization_id: Option<Uuid>,
    /// The key within the scope.
    pub key: String,
    /// Whether the entry is set or removed.
    pub write: StateWrite,
}

impl StateChange {
    fn size_bytes(&self) -> usize {
        let value = match &self.write {
            StateWrite::Set(value) => value.get().len(),
            StateWrite::Delete => 0,
        };
        self.key.len() + value
    }
}

/// What happens to an entry of state.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum StateWrite {
    /// It has this value from now on; `null` is one.
    Set(Box<RawValue>),
    /// The entry is removed.
    Delete,
}

/// A step in the life of an execution.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct NewEvent {
    /// When it happened.
    pub at: Timestamp,
    /// What: a word in the past tense, such as `started` or `timeout_signalled`.
    pub event: String,
    /// A JSON object of what matters about it.
    pub detail: Option<Box<RawValue>>,
}

impl NewEvent {
    /// Makes an event without detail.
    pub fn new(at: Timestamp, event: impl Into<String>) -> Self {
        Self { at, event: event.into(), detail: None }
    }
}

/// What a finalization did to its row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FinalizeResult {
    /// The row is terminal, by our hand (now, or by an earlier try whose commit we did not hear of). The
    /// status and error type are what was written, which a cancel, used-up attempts or a refused value
    /// may have changed.
    Finished {
        /// The terminal state that the row has now.
        status: Status,
        /// The row's `error_type`; `None` after a success.
        error_type: Option<String>,
    },
    /// The row waits to be claimed again.
    Requeued,
    /// The attempt is not ours any more: nothing was written, and nothing may be published.
    Superseded,
}
