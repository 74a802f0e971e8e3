//! What the pool wants done. The shell does each, in order, and decides nothing.

use std::time::Duration;

use muster_protocol::{CancelReason, RunMetrics};

use super::death::WorkerDeath;
use super::event::{WorkerFeatures, WorkerId};
use crate::execution::{Attempt, EndCause, RunEnding};

/// What the shell is to do, in the order in which the pool gives it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PoolEffect {
    /// Have a template make a worker. It answers with Spawned or ForkFailed.
    Fork {
        /// The number the new worker goes by.
        worker: WorkerId,
        /// The template that makes the worker.
        template: WorkerId,
        /// The generation whose build and settings the worker has.
        generation: u64,
    },
    /// A template has loaded all there is: workers are made of it from now on.
    TemplateStands {
        /// The process of the template.
        worker: WorkerId,
        /// The generation whose workers it makes.
        generation: u64,
    },
    /// A template could not load, cannot make workers or has ended. Workers start without until the next one stands.
    TemplateFailed {
        /// The process of the template.
        worker: WorkerId,
        /// What went wrong, for a person.
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
    /// A worker's Hello is to be answered.
    Welcome {
        /// The worker that said Hello.
        worker: WorkerId,
        /// The version of the protocol that both speak.
        protocol: u16,
        /// The features that both sides have.
        features: WorkerFeatures,
    },
    /// An idle worker is handed an attempt.
    Execute {
        /// The worker that runs it.
        worker: WorkerId,
        /// The number of the run, counting up in this worker.
        run: u32,
        /// The attempt it runs.
        attempt: Attempt,
        /// What a Cancel will grant, told to the worker.
        grace: Duration,
    },
    /// An attempt may have entered user code from here on.
    Started {
        /// The attempt that started.
        attempt: Attempt,
        /// The worker that runs it.
        worker: WorkerId,
    },
    /// Ask it to end the run.
    Cancel {
        /// The worker that runs it.
        worker: WorkerId,
        /// The number of the run in that process.
        run: u32,
        /// The attempt that is to end.
        attempt: Attempt,
        /// Who wants the run to end.
        reason: CancelReason,
        /// What the user is to read about it.
        message: String,
        /// How long the run may take to end by itself, before signals follow.
        grace: Duration,
    },
    /// Ask it what it is doing.
    Dump {
        /// The worker that runs it.
        worker: WorkerId,
        /// The number of the run in that process.
        run: u32,
    },
    /// Ask it to leave: a Drain frame if it takes one, and the end of its stdin.
    Retire {
        /// The worker that is to leave.
        worker: WorkerId,
        /// Why it is to leave, for its Drain and for the log.
        reason: String,
    },
    /// The process group of a worker gets SIGTERM.
    Terminate {
        /// The worker that is signalled.
        worker: WorkerId,
        /// What the worker is signalled for.
        cause: KillCause,
    },
    /// The process group of a worker gets SIGKILL.
    Kill {
        /// The worker that is killed.
        worker: WorkerId,
        /// What the worker is killed for.
        cause: KillCause,
    },
    /// A worker's process has ended. Comes before what becomes of the attempt it had.
    WorkerDied(Box<WorkerDeath>),
    /// The attempt is over, or goes back.
    Finish(RunFinish),
    /// No worker has been able to start this many times in a row; the next try is later.
    StartFailed {
        /// The worker that did not start.
        worker: WorkerId,
        /// How many starts have failed in a row, this one included.
        consecutive: u32,
        /// What went wrong, for a person.
        message: String,
        /// The wait until the next start is tried.
        retry_in: Duration,
    },
    /// A worker became Ready after failures: the trouble is over.
    StartsRecovered,
    /// The first worker of a new generation could not start: the old generation keeps serving.
    ReloadFailed {
        /// The worker with which the new generation was tried.
        worker: WorkerId,
        /// The generation that is given up.
        generation: u64,
        /// What went wrong, for a person.
        message: String,
    },
    /// Every worker that serves is of this generation now.
    Reloaded {
        /// The generation that serves from now on.
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
    /// The worker broke the protocol.
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
    /// The attempt that ended.
    pub attempt: Attempt,
    /// What the attempt came to.
    pub ending: RunEnding,
    /// The worker that ran it last, if any did.
    pub worker: Option<WorkerId>,
    /// How long it ran, as far as that is known; `None` without Started.
    pub duration: Option<Duration>,
    /// From Started read to Finished read, else to the death of the process; `None` without Started. It is less than
    /// `duration` where the reader was held up and what the worker measured counts.
    pub observed: Option<Duration>,
    /// What the worker measured; `None` when no Finished came.
    pub metrics: Option<RunMetrics>,
    /// What its worker died of, if it died with the run in hand.
    pub end_cause: Option<Box<EndCause>>,
}
