//! What goes into the queue, and what a claim gives back.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use muster_core::execution::{Attempt, Status};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use uuid::Uuid;

use crate::ShareBook;

/// An execution as it is submitted. Everything needed to run it: after the claim nothing else is read.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct NewExecution {
    /// Chosen by whoever submits; the same id twice is one execution.
    pub id: Uuid,
    /// The row of `workflows`, when it names one.
    pub workflow_id: Option<Uuid>,
    /// The workflow's name, for people; `None` when only its id is known.
    pub workflow_name: Option<String>,
    /// The organization it runs for; `None` is the global scope.
    pub organization_id: Option<Uuid>,
    /// Who asked, as it is given to the worker.
    pub caller: Option<Box<RawValue>>,
    /// The whole resolved request: a JSON object. Its `parameters` also fill the column of that name.
    pub request: Box<RawValue>,
    /// How often it may be run, counting the charged attempts only. At least 1.
    pub max_attempts: u32,
    /// Its own time limit; `None` takes the default of whoever runs it.
    pub timeout_seconds: Option<f64>,
    /// 0 to 9; larger goes first among the rows that wait.
    pub priority: u8,
    /// The execution that this one repeats; `None` when it repeats none.
    pub retry_of: Option<Uuid>,
    /// Who may run it: the supervisors that serve this queue. `None` only of rows that an earlier version wrote,
    /// which any may run.
    #[serde(default)]
    pub queue: Option<String>,
    /// The queue is that of whoever took it in: what its workflow's row or code says comes before it.
    #[serde(default)]
    pub is_queue_default: bool,
    /// It may not be claimed before this long from now.
    #[serde(default)]
    pub delay: Duration,
    /// Nor before this moment.
    #[serde(default)]
    pub run_at: Option<Timestamp>,
    /// From when on it is cancelled if it was never claimed; `None` is never.
    #[serde(default)]
    pub expiry: Option<Expiry>,
    /// The names of the limits it must have room in.
    #[serde(default)]
    pub limits: Vec<String>,
    /// By what a second submit of it is known; `None` for a request without an idempotency key.
    #[serde(default)]
    pub idempotency: Option<Box<Idempotency>>,
    /// When the message that brings it was published, as that says: its wait is counted from then on, and nothing is
    /// ordered by it. What is later than now by the database's clock is passed over. `None` of what no message brings.
    #[serde(default)]
    pub published_at: Option<Timestamp>,
    /// Whoever submits it is told at once when a limit refuses it; else its row says so.
    #[serde(skip)]
    pub is_refusable: bool,
}

/// By what a second submit is known. Keys are the organization's own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Idempotency {
    /// What whoever submits calls it.
    pub key: String,
    /// What two submits with one key must share.
    pub fingerprint: String,
    /// How long the key is remembered; `None` is a day.
    pub lifetime: Option<Duration>,
}

/// From when on an execution that was never claimed is not to run any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Expiry {
    /// From this moment on.
    At(Timestamp),
    /// From so long after its row is written.
    After(Duration),
}

/// What became of a submitted execution.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Submitted {
    /// The row was written, and waits to be claimed.
    Inserted,
    /// There was a row with this id already, in this state. Nothing was changed.
    Exists(Status),
    /// An execution was submitted with its idempotency key before, and is what was asked for. Nothing was changed.
    Existing {
        /// The id of that execution.
        id: Uuid,
        /// Its state.
        status: Status,
    },
    /// Its idempotency key belongs to an execution of another workflow or with other parameters. Nothing was written.
    KeyReused {
        /// The id of that execution.
        id: Uuid,
    },
    /// It is refusable, and a limit that lets nobody wait is full. Nothing was written.
    LimitReached {
        /// The name of the limit.
        limit: String,
        /// One that is in it; `None` when it lets nobody in.
        holder: Option<Uuid>,
    },
    /// The database will not store it, for this reason. Nothing was written.
    Refused(String),
}

/// Who claims, and what it may claim.
#[derive(Clone, Debug)]
pub struct Claimant {
    /// Made anew at each boot of a supervisor.
    pub owner: Uuid,
    /// How long a claim holds without renewal.
    pub lease: Duration,
    /// The queues it serves.
    pub queues: ServedQueues,
    /// What it knows of who waits, and of the worker time that each had.
    pub shares: ShareBook,
}

impl Claimant {
    /// A supervisor that starts now, and knows of nobody's share yet.
    pub fn new(lease: Duration, queues: ServedQueues) -> Self {
        Self { owner: Uuid::now_v7(), lease, queues, shares: ShareBook::default() }
    }
}

/// The queues a supervisor serves: it claims and takes over from no other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServedQueues {
    /// The names, and the empty text for the rows without a queue, which an earlier version wrote.
    names: Arc<[String]>,
}

impl ServedQueues {
    /// Of these names.
    pub fn of<T: Into<String>>(names: impl IntoIterator<Item = T>) -> Self {
        Self { names: names.into_iter().map(Into::into).chain([String::new()]).collect() }
    }

    /// The names.
    pub fn names(&self) -> &[String] {
        self.names.split_last().map_or(&[], |(_, names)| names)
    }

    /// Those of them that are to be kept, and the rows without a queue.
    pub(crate) fn only(&self, keep: impl Fn(&str) -> bool) -> Self {
        Self::of(self.names().iter().filter(|name| keep(name)).map(String::as_str))
    }

    /// True of a row in this queue that may be run here.
    pub(crate) fn holds(&self, queue: Option<&str>) -> bool {
        self.names.iter().any(|name| name == queue.unwrap_or_default())
    }

    /// What the queue of a row is compared with in statements.
    pub(crate) fn in_statements(&self) -> &[String] {
        &self.names
    }
}

/// An execution that is ours to run.
#[derive(Clone, Debug)]
pub struct Claimed {
    /// The fence of everything written about this run.
    pub attempt: Attempt,
    /// How many attempts count against `max_attempts`, this one included.
    pub attempts_charged: u32,
    /// The execution to run, as it was asked for.
    pub execution: Arc<NewExecution>,
}

/// The answer to a claim of one message.
#[derive(Clone, Debug)]
pub enum Claim {
    /// The row is ours, and the attempt is to be run.
    Claimed(Claimed),
    /// Not ours: acknowledge and forget. PENDING means it is not due yet; RUNNING may even be our own
    /// earlier claim of the same message.
    Elsewhere(Status),
    /// An execution with its idempotency key is there: acknowledge and forget, but whoever waits wants the outcome of
    /// that one.
    Existing {
        /// The id of that execution.
        id: Uuid,
        /// Its state.
        status: Status,
    },
    /// Its idempotency key belongs to an execution of another workflow or with other parameters. Nothing was written.
    KeyReused {
        /// The id of that execution.
        id: Uuid,
    },
    /// The database will not store the request, for this reason. Nothing was written.
    Refused(String),
}

/// Which RUNNING rows of other supervisors a poll may take over.
#[derive(Clone, Copy, Debug)]
pub enum TakeOver<'a> {
    /// Nobody's rows may be taken over.
    Nothing,
    /// What [`super::PeerStore::expired_owners`] found, if it is so still.
    Lost(&'a ExpiredOwners),
    /// All of them: the lock on the data directory proves that nobody else lives.
    AllOthers,
}

/// What may be taken over from other supervisors, as far as has been seen. A take-over checks it again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExpiredOwners {
    /// Proven dead: all of their rows.
    pub dead: Vec<DeadOwner>,
    /// Not renewed though they could have been: these rows.
    pub overdue: Vec<OverdueRow>,
}

impl ExpiredOwners {
    /// True when nobody's rows may be taken over.
    pub fn is_empty(&self) -> bool {
        self.dead.is_empty() && self.overdue.is_empty()
    }
}

/// An owner, with what was heard of it last: anything newer shows that it lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeadOwner {
    /// The supervisor that is dead.
    pub owner: Uuid,
    /// How often its heart had beaten when it was found dead; `None` when no beat was ever seen.
    pub beats: Option<i64>,
    /// When the last of its leases ends.
    pub lease_ends: Timestamp,
}

/// A row, with the end of its lease: a renewal moves it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OverdueRow {
    /// The attempt that runs, or ran.
    pub attempt: Attempt,
    /// When the lease ended that its supervisor did not renew.
    pub lease_ends: Timestamp,
}

/// What others can see of this supervisor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PresenceShown {
    /// Nobody needs to see anything, or nobody could.
    NotNeeded,
    /// Others see that this supervisor lives.
    Yes,
    /// The lock that shows this supervisor alive is lost.
    Lost {
        /// How long the lock has been lost.
        since: Duration,
        /// Why it is not taken again yet.
        why: String,
        /// It beats all the same, so nobody takes it for dead.
        beats: bool,
    },
}

/// What one poll for due executions brought.
#[derive(Clone, Debug, Default)]
pub struct DueExecutions {
    /// The attempts that are ours to run.
    pub claimed: Vec<Claimed>,
    /// Rows that ended here instead of being run again: CANCELLED because somebody had asked for it,
    /// FAILED `SupervisorLost` because their attempts are used up. They wait to be published.
    pub ended: Vec<(Uuid, Status)>,
    /// Nothing was found, and yet something may be due: others have it in their hands at this moment, or it is not known
    /// yet. It is to be asked again soon, since nobody is woken for it.
    pub may_be_left: bool,
}

/// An attempt that somebody wants to end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestedCancel {
    /// The attempt.
    pub attempt: Attempt,
    /// Why, where nobody asked for it: what it made room for.
    pub reason: Option<String>,
}

/// What one renewal of leases brought.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Renewal {
    /// The attempts of ours that somebody wants to end.
    pub cancel_requested: Vec<RequestedCancel>,
    /// Somebody else owns these now: end them, write nothing.
    pub superseded: Vec<Attempt>,
    /// Rows with our name on them that were not on the list and have missed a renewal. Whoever holds the list looks
    /// each of them up again before it goes back: it may have been claimed while this was under way.
    pub unheld: Vec<Attempt>,
    /// On the list and ours, but somebody has locked their rows: try again soon.
    pub unrenewed: Vec<Attempt>,
}
