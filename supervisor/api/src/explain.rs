//! Why an execution is where it is, as data and as sentences.

use muster_core::execution::Status;
use serde::{Deserialize, Serialize};
use utoipa::{PartialSchema, ToSchema};
use uuid::Uuid;

/// Why an execution is where it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = Explanation)]
pub struct ExplanationView {
    /// The execution it is about.
    pub execution_id: Uuid,
    /// Where it is.
    pub status: Status,
    /// What there is to say, what keeps it from going on first.
    pub reasons: Vec<ReasonView>,
}

/// One thing to say of an execution.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = Reason)]
pub struct ReasonView {
    /// What it is about.
    #[schema(schema_with = ReasonKind::schema)]
    pub kind: ReasonKind,
    /// It does not start while this is so.
    pub is_blocking: bool,
    /// The same for people.
    pub message: String,
}

/// What a reason is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ReasonKind {
    /// It, or all like it, is paused.
    Paused,
    /// Its moment has not come.
    StartsLater,
    /// A limit it must have room in is full.
    LimitFull,
    /// The supervisor that was asked does not serve its queue.
    QueueNotServed,
    /// The supervisor that was asked claims nothing at the moment.
    IntakeClosed,
    /// Workers do not start.
    WorkersFail,
    /// Every worker there may be has a run.
    NoFreeWorker,
    /// Others of its organization go first in its queue.
    BehindOthers,
    /// Since when it waits: its message was published before it was taken in.
    WaitsSince,
    /// It is cancelled if it does not start in time.
    Expires,
    /// Nothing keeps it: it is claimed next.
    Due,
    /// A worker has it.
    Running,
    /// Somebody wants it to end.
    CancelRequested,
    /// What a failure would lead to.
    RetriesAfter,
    /// It is over.
    Ended,
}
