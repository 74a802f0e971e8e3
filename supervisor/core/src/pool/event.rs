//! What can happen to the pool, in the order it was seen.

use std::time::Duration;

use muster_protocol::{CancelReason, ErrorInfo, RunMetrics, RunOutcome};
use uuid::Uuid;

use crate::execution::{Attempt, MemoryJudge};
use crate::process::{ExitStatus, ProcessUsage};

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
    /// The attempt to run.
    pub attempt: Attempt,
    /// The organization whose configuration and state it has; those without one are a unit of their own.
    pub organization_id: Option<Uuid>,
    /// The time it has from Started; `None` means no limit.
    pub timeout: Option<Duration>,
    /// Nothing that waits is started once this one has ended without success: the rest of a batch.
    pub halts: bool,
}

/// What the shell tells the pool: a request, the passing of time, or what a worker did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PoolEvent {
    /// A claimed execution wants a worker.
    Submit(Assignment),
    /// Somebody wants an attempt to end. Unknown or finished attempts are ignored.
    Cancel {
        /// The attempt that is to end.
        attempt: Attempt,
        /// Who wants it to end.
        reason: CancelReason,
        /// What the user is to read about it.
        message: String,
    },
    /// A worker's process said or did something.
    Worker {
        /// The worker it happened to.
        worker: WorkerId,
        /// What the worker said or did.
        event: WorkerEvent,
    },
    /// The bounds of the pool change.
    Resize {
        /// The number of workers kept warm, also when there is nothing to do.
        min_workers: usize,
        /// The most executions that run at once.
        max_workers: usize,
    },
    /// One worker is to be replaced, after the run it has.
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
    /// The process of the worker exists.
    Spawned {
        /// Its process id, which is also its group's.
        pid: u32,
    },
    /// The process could not be made. Nothing else comes from this worker.
    SpawnFailed {
        /// What the system said, for a person.
        message: String,
    },
    /// A worker that a template was asked for is not there. Nothing else comes from it, unless it is started anew.
    ForkFailed {
        /// What the template said, for a person.
        message: String,
    },
    /// A template says that what it has loaded is not what is there by now.
    TemplateStale,
    /// The worker's first message came.
    Hello {
        /// The oldest protocol version it speaks.
        protocol_min: u16,
        /// The newest protocol version it speaks.
        protocol_max: u16,
        /// The features it offers.
        features: WorkerFeatures,
    },
    /// The worker has loaded user code and may be given work.
    Ready,
    /// Its user code could not be loaded.
    InitFailed {
        /// What the loading failed with.
        error: ErrorInfo,
    },
    /// User code may have been entered from here on.
    Started {
        /// The number of the run in this process.
        run: u32,
    },
    /// The worker says that a run is over.
    Finished {
        /// The number of the run in this process.
        run: u32,
        /// How the run ended, as the worker saw it.
        outcome: RunOutcome,
        /// The time and memory the run took, as the worker measured it.
        metrics: RunMetrics,
    },
    /// The worker has nothing to do any more.
    Idle {
        /// The number of the run that held the slot.
        run: u32,
        /// What the worker and all it started hold, as far as is known; 0 is unknown.
        rss_bytes: u64,
        /// True when the worker asks to be replaced.
        recycle: bool,
    },
    /// It leaves of its own accord.
    Goodbye {
        /// Why it leaves, in its own words.
        reason: String,
    },
    /// It broke the protocol on the byte level. The shell stops reading its frames.
    Violation(ProtocolViolation),
    /// A measurement of what it and all it started hold while it runs.
    MemorySample {
        /// The sum over all of its processes, in bytes.
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
        /// The rule that was broken, for a person.
        message: String,
    },
}

/// The evidence a dead process leaves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProcessExit {
    /// What the system says of its end.
    pub status: ExitStatus,
    /// The last lines the process wrote to stderr, oldest first.
    pub stderr_tail: Vec<String>,
    /// What it used.
    pub usage: ProcessUsage,
    /// How many processes that it had started were still there, and were ended.
    pub descendants_left: usize,
    /// Who, besides us and itself, is known to have ended a process of it for want of memory.
    pub memory_judge: Option<MemoryJudge>,
    /// The limit its control group had, in bytes.
    pub memory_limit_bytes: Option<u64>,
}

impl ProcessExit {
    /// An end of which only this is known.
    pub fn new(status: ExitStatus, stderr_tail: Vec<String>) -> Self {
        Self {
            status,
            stderr_tail,
            usage: ProcessUsage::default(),
            descendants_left: 0,
            memory_judge: None,
            memory_limit_bytes: None,
        }
    }
}

/// The features of [`muster_protocol::feature`] that a worker offers and we use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WorkerFeatures {
    /// The worker sends Log.
    pub log: bool,
    /// The worker sends Progress.
    pub progress: bool,
    /// The worker sends Call and waits for Reply.
    pub call: bool,
    /// The worker takes Cancel.
    pub cancel: bool,
    /// The worker answers Ping.
    pub ping: bool,
    /// The worker takes Drain.
    pub drain: bool,
    /// The worker answers Dump.
    pub dump: bool,
    /// The process takes Fork: it is a template.
    pub template: bool,
    /// The worker sends Describe.
    pub describe: bool,
}
