//! What can happen to the pool, in the order it was seen.

use std::time::Duration;

use muster_protocol::{CancelReason, ErrorInfo, RunMetrics, RunOutcome};
use uuid::Uuid;

use crate::execution::Attempt;
use crate::process::ExitStatus;

/// One worker process. Numbers rise and are never reused, so an event or a kill that names a worker can
/// never reach its successor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize)]
pub struct WorkerId(pub u64);

impl std::fmt::Display for WorkerId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "worker-{}", self.0)
    }
}

/// A claimed execution that wants a worker. What the worker will be told stays with the shell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Assignment {
    /// Which attempt.
    pub attempt: Attempt,
    /// The organization whose configuration and state it has; those without one are a unit of their own.
    pub organization_id: Option<Uuid>,
    /// The time it has from Started; `None` means no limit.
    pub timeout: Option<Duration>,
    /// Nothing that waits is started once this one has ended without success: the rest of a batch.
    pub halts: bool,
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PoolEvent {
    /// A claimed execution wants a worker.
    Submit(Assignment),
    /// Somebody wants an attempt to end. Unknown or finished attempts are ignored.
    Cancel {
        /// Which attempt.
        attempt: Attempt,
        /// Who wants it.
        reason: CancelReason,
        /// A word about it.
        message: String,
    },
    /// A worker's process said or did something.
    Worker {
        /// Which worker.
        worker: WorkerId,
        /// What.
        event: WorkerEvent,
    },
    /// New bounds.
    Resize {
        /// At least so many, warm.
        min_workers: usize,
        /// At most so many.
        max_workers: usize,
    },
    /// Replace one worker.
    Recycle(WorkerId),
    /// Replace all workers of today, one after another, none before its replacement is Ready.
    RecycleAll,
    /// Replace all workers by ones of a new generation (a new build, new settings). One new worker must
    /// become Ready before the old ones are touched; if it cannot start, the old generation keeps serving.
    Reload,
    /// Leave: waiting executions are released at once, running ones may go on for `grace`, idle workers drain.
    Drain {
        /// How long running executions may go on.
        grace: Duration,
    },
    /// Start nothing more: what waits is released at once and so is what still comes; what runs goes on. Workers
    /// leave as they come free. The pool itself stays until a drain.
    Halt,
    /// Leave now: what still runs is cancelled with [`CancelReason::Shutdown`].
    DrainNow,
    /// A deadline given by `next_deadline` has passed.
    Tick,
}

/// What a worker's process said or did. The shell reports frames in the order they were read, and
/// [`WorkerEvent::Exited`] last, after stdout was read dry and the process group is gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WorkerEvent {
    /// The process exists.
    Spawned {
        /// Its process id, which is also its group's.
        pid: u32,
    },
    /// The process could not be made. Nothing else comes from this worker.
    SpawnFailed {
        /// What the system said.
        message: String,
    },
    /// A worker that a template was asked for is not there. Nothing else comes from it, unless it is started anew.
    ForkFailed {
        /// Why.
        message: String,
    },
    /// A template says that what it has loaded is not what is there by now.
    TemplateStale,
    /// Its first message.
    Hello {
        /// The oldest protocol version it speaks.
        protocol_min: u16,
        /// The newest.
        protocol_max: u16,
        /// What it can do.
        features: WorkerFeatures,
    },
    /// It may be given work.
    Ready,
    /// Its user code could not be loaded.
    InitFailed {
        /// Why.
        error: ErrorInfo,
    },
    /// User code may have been entered from here on.
    Started {
        /// Which run.
        run: u32,
    },
    /// The run is over.
    Finished {
        /// Which run.
        run: u32,
        /// How it ended.
        outcome: RunOutcome,
        /// What it cost.
        metrics: RunMetrics,
    },
    /// The slot is free.
    Idle {
        /// The run that held it.
        run: u32,
        /// The worker's resident set.
        rss_bytes: u64,
        /// It asks to be replaced.
        recycle: bool,
    },
    /// It leaves of its own accord.
    Goodbye {
        /// Why.
        reason: String,
    },
    /// It broke the protocol on the byte level. The shell stops reading its frames.
    Violation(ProtocolViolation),
    /// A measurement of its resident set while it runs.
    MemorySample {
        /// The resident set.
        rss_bytes: u64,
    },
    /// It is gone and reaped, its group killed, its pipes read dry.
    Exited(ProcessExit),
}

/// How a worker broke the protocol.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProtocolViolation {
    /// Bytes on stdout that are no frame: `StdoutPolluted`.
    Polluted {
        /// What it wrote, and how to fix it.
        message: String,
    },
    /// A hostile length, an undecodable body, half a frame: `ProtocolViolation`.
    Broken {
        /// What is wrong.
        message: String,
    },
}

/// The evidence a dead process leaves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProcessExit {
    /// What the system says of its end.
    pub status: ExitStatus,
    /// Its last lines on stderr.
    pub stderr_tail: Vec<String>,
}

/// The features of [`muster_protocol::feature`] that a worker offers and we use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WorkerFeatures {
    /// Sends Log.
    pub log: bool,
    /// Sends Progress.
    pub progress: bool,
    /// Sends Call.
    pub call: bool,
    /// Takes Cancel.
    pub cancel: bool,
    /// Answers Ping.
    pub ping: bool,
    /// Takes Drain.
    pub drain: bool,
    /// Answers Dump.
    pub dump: bool,
    /// Takes Fork.
    pub template: bool,
    /// Sends Describe.
    pub describe: bool,
}
