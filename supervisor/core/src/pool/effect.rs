//! What the pool wants done. The shell does each, in order, and decides nothing.

use std::time::Duration;

use muster_protocol::{CancelReason, RunMetrics};

use super::event::{WorkerFeatures, WorkerId};
use crate::execution::{Attempt, RunEnding};

/// Something to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PoolEffect {
    /// Have a template make a worker. It answers with Spawned or ForkFailed.
    Fork {
        /// The number the new worker goes by.
        worker: WorkerId,
        /// The template.
        template: WorkerId,
        /// Which build and settings.
        generation: u64,
    },
    /// A template has loaded all there is: workers are made of it from now on.
    TemplateStands {
        /// Which process.
        worker: WorkerId,
        /// The generation it is of.
        generation: u64,
    },
    /// A template could not load, cannot make workers or has ended. Workers start without until the next one stands.
    TemplateFailed {
        /// Which process.
        worker: WorkerId,
        /// Why, for a person.
        message: String,
        /// When the next one is started.
        retry_in: Duration,
    },
    /// Start a process. It answers with Spawned or SpawnFailed.
    Spawn {
        /// The number the new worker goes by.
        worker: WorkerId,
        /// Which build and settings: rises with every reload.
        generation: u64,
        /// It may be a template if it can.
        offers_template: bool,
    },
    /// Answer its Hello.
    Welcome {
        /// Which worker.
        worker: WorkerId,
        /// The version both speak.
        protocol: u16,
        /// The features both have.
        features: WorkerFeatures,
    },
    /// Hand it an attempt.
    Execute {
        /// Which worker.
        worker: WorkerId,
        /// The number of the run, counting up in this worker.
        run: u32,
        /// Which attempt.
        attempt: Attempt,
        /// What a Cancel will grant, told to the worker.
        grace: Duration,
    },
    /// The attempt entered user code.
    Started {
        /// Which attempt.
        attempt: Attempt,
        /// Where.
        worker: WorkerId,
    },
    /// Ask it to end the run.
    Cancel {
        /// Which worker.
        worker: WorkerId,
        /// Which run.
        run: u32,
        /// Which attempt.
        attempt: Attempt,
        /// Who wants it.
        reason: CancelReason,
        /// A word about it.
        message: String,
        /// Signals follow after this.
        grace: Duration,
    },
    /// Ask it what it is doing.
    Dump {
        /// Which worker.
        worker: WorkerId,
        /// Which run.
        run: u32,
    },
    /// Ask it to leave: a Drain frame if it takes one, and the end of its stdin.
    Retire {
        /// Which worker.
        worker: WorkerId,
        /// Why.
        reason: String,
    },
    /// SIGTERM to its process group.
    Terminate {
        /// Which worker.
        worker: WorkerId,
        /// Why.
        cause: KillCause,
    },
    /// SIGKILL to its process group.
    Kill {
        /// Which worker.
        worker: WorkerId,
        /// Why.
        cause: KillCause,
    },
    /// The attempt is over, or goes back.
    Finish(RunFinish),
    /// No worker has been able to start this many times in a row; the next try is later.
    StartFailed {
        /// Which worker.
        worker: WorkerId,
        /// How many in a row.
        consecutive: u32,
        /// Why, for a person.
        message: String,
        /// When the next try comes.
        retry_in: Duration,
    },
    /// A worker became Ready after failures: the trouble is over.
    StartsRecovered,
    /// The first worker of a new generation could not start: the old generation keeps serving.
    ReloadFailed {
        /// The worker that was tried.
        worker: WorkerId,
        /// The generation that is given up.
        generation: u64,
        /// Why, for a person.
        message: String,
    },
    /// Every worker that serves is of this generation now.
    Reloaded {
        /// The generation.
        generation: u64,
    },
}

/// Why a worker is signalled: for logs, events and the outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KillCause {
    /// Its run was asked to end and did not.
    Cancelled(CancelReason),
    /// It is above its memory limit.
    Memory,
    /// It broke the protocol.
    Violation,
    /// It did not become Ready in time.
    StartTimeout,
    /// It took an Execute and did not say Started in time.
    NotStarted,
    /// It finished a run and did not say Idle in time.
    NotIdle,
    /// It was asked to leave and did not.
    Retired,
}

/// The outcome of an attempt in this pool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunFinish {
    /// Which attempt.
    pub attempt: Attempt,
    /// How it ended.
    pub ending: RunEnding,
    /// The worker that ran it last, if any did.
    pub worker: Option<WorkerId>,
    /// From Started read to Finished read, else to the death of the process; `None` without Started.
    pub duration: Option<Duration>,
    /// What the worker measured.
    pub metrics: Option<RunMetrics>,
}
