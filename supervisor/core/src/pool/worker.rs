//! One worker process as the pool knows it: a state with its data.

use super::effect::KillCause;
use super::event::{WorkerFeatures, WorkerId};
use super::isolation::ServedRuns;
use super::run::{PoolRun, RunPhase};
use super::time::PoolTime;
use super::timers::Deadline;

/// A worker that is alive, or about to be.
#[derive(Debug)]
pub(super) struct PoolWorker {
    pub(super) id: WorkerId,
    pub(super) generation: u64,
    pub(super) pid: Option<u32>,
    pub(super) features: WorkerFeatures,
    pub(super) spawned_at: PoolTime,
    pub(super) ready_at: Option<PoolTime>,
    /// When its state, or the phase of its run, last changed.
    pub(super) since: PoolTime,
    /// The number of the last run it was given; they count up and are never reused.
    pub(super) runs: u32,
    /// Whose they were.
    pub(super) served: ServedRuns,
    pub(super) executions_done: u64,
    pub(super) rss_bytes: u64,
    /// The most that was ever measured.
    pub(super) memory_peak_bytes: u64,
    pub(super) execution_limit: u32,
    pub(super) due: Option<RecycleReason>,
    /// Its process was started with all that a template needs.
    pub(super) is_offered_template: bool,
    pub(super) alarm: Deadline,
    pub(super) age_alarm: Deadline,
    pub(super) state: WorkerState,
}

/// What a worker is doing.
#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "busy is the common state, and a box would be an allocation per run"
)]
pub(super) enum WorkerState {
    /// Not yet Ready.
    Starting(StartStage),
    /// Its token lies in the idle stack under this turn.
    Idle { turn: u64 },
    /// It was given a run and has not said Idle.
    Busy(PoolRun),
    /// It is a template: it makes workers, and is none.
    Template(TemplatePhase),
    /// It will not get another run. Waits for its Exited.
    Leaving(LeavingPhase),
}

/// How far a start has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StartStage {
    /// Its process is to be made of a template, when that stands and is free.
    Awaiting,
    /// The template was asked for it.
    Forking {
        /// Which one.
        template: WorkerId,
    },
    /// No process yet.
    Spawning,
    /// Awaits Hello.
    Connecting,
    /// Welcomed, awaits Ready.
    Loading,
}

/// How far a template has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TemplatePhase {
    /// No process yet.
    Spawning,
    /// Awaits Hello.
    Connecting,
    /// Welcomed, awaits Ready.
    Loading,
    /// It is asked for workers.
    Standing,
}

/// How a worker leaves.
#[derive(Debug)]
pub(super) enum LeavingPhase {
    /// It was given up before its process existed; this is done as soon as it does.
    NotSpawned(FarewellPhase),
    /// Asked, or leaving of its own accord; SIGTERM comes next.
    Asked,
    /// SIGTERM was sent; SIGKILL comes next.
    Terminated(KillCause),
    /// SIGKILL was sent.
    Killed(KillCause),
}

/// What to do with a process that comes into being after it was given up.
#[derive(Debug)]
pub(super) enum FarewellPhase {
    Retire(String),
    Kill(KillCause),
}

/// Why a worker is to be replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RecycleReason {
    /// It begins, or did, the last of its executions.
    Spent,
    /// It is too old.
    Age,
    /// A person asked.
    Asked,
    /// There is a newer generation.
    Generation,
    /// It was seen above its memory limit while it ran.
    Memory,
    /// After the run it has it may serve nobody: this is no wish, it leaves whether or not it is replaced.
    Isolation,
}

impl RecycleReason {
    pub(super) fn reason(self) -> &'static str {
        match self {
            Self::Spent => "it has done its number of executions",
            Self::Age => "it is older than recycle_after_seconds",
            Self::Asked => "a recycle was asked for",
            Self::Generation => "a newer generation serves",
            Self::Memory => "it is above its memory limit",
            Self::Isolation => "its isolation allows it no other execution",
        }
    }
}

/// How a worker counts for the size of the pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CapacityClass {
    /// Will serve.
    Starting,
    /// Serves, and rests.
    Idle(Option<RecycleReason>),
    /// Serves, and will again when its run is over.
    Busy(Option<RecycleReason>),
    /// Has the last run it will ever have.
    LastRun,
    /// Never gets a run, but makes those who do.
    Template,
    /// Will not get another run.
    Terminating,
}

impl PoolWorker {
    pub(super) fn capacity_class(&self) -> CapacityClass {
        match &self.state {
            WorkerState::Starting(_) => CapacityClass::Starting,
            WorkerState::Idle { .. } => CapacityClass::Idle(self.due),
            WorkerState::Busy(run) => match run.phase {
                RunPhase::Sent | RunPhase::Started | RunPhase::Finished | RunPhase::Cancelling { .. } => {
                    match self.due {
                        Some(RecycleReason::Isolation) => CapacityClass::LastRun,
                        due => CapacityClass::Busy(due),
                    }
                }
                RunPhase::Departing | RunPhase::Terminating | RunPhase::Killing => CapacityClass::Terminating,
            },
            WorkerState::Template(_) => CapacityClass::Template,
            WorkerState::Leaving(_) => CapacityClass::Terminating,
        }
    }

    /// The word for its state on screens.
    pub(super) fn state_name(&self) -> &'static str {
        match &self.state {
            WorkerState::Starting(StartStage::Awaiting) => "awaiting_template",
            WorkerState::Starting(
                StartStage::Forking { .. }
                | StartStage::Spawning
                | StartStage::Connecting
                | StartStage::Loading,
            ) => "starting",
            WorkerState::Template(
                TemplatePhase::Spawning | TemplatePhase::Connecting | TemplatePhase::Loading,
            ) => "template_starting",
            WorkerState::Template(TemplatePhase::Standing) => "template",
            WorkerState::Idle { .. } => "idle",
            WorkerState::Busy(run) => run.phase.name(),
            WorkerState::Leaving(LeavingPhase::NotSpawned(_) | LeavingPhase::Asked) => "leaving",
            WorkerState::Leaving(LeavingPhase::Terminated(_)) => "terminating",
            WorkerState::Leaving(LeavingPhase::Killed(_)) => "killed",
        }
    }
}
