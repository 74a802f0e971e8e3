//! One worker process as the pool knows it: a state with its data.

use super::effect::KillCause;
use super::event::{Features, WorkerId};
use super::run::{Phase, Run};
use super::time::Time;
use super::timers::Alarm;

/// A worker that is alive, or about to be.
#[derive(Debug)]
pub(super) struct Worker {
    pub(super) id: WorkerId,
    pub(super) generation: u64,
    pub(super) pid: Option<u32>,
    pub(super) features: Features,
    pub(super) spawned_at: Time,
    pub(super) ready_at: Option<Time>,
    /// When its state, or the phase of its run, last changed.
    pub(super) since: Time,
    /// The number of the last run it was given; they count up and are never reused.
    pub(super) runs: u32,
    pub(super) executions_done: u64,
    pub(super) rss_bytes: u64,
    pub(super) execution_limit: u32,
    pub(super) due: Option<Due>,
    pub(super) alarm: Alarm,
    pub(super) age_alarm: Alarm,
    pub(super) state: State,
}

/// What a worker is doing.
#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "busy is the common state, and a box would be an allocation per run"
)]
pub(super) enum State {
    /// Not yet Ready.
    Starting(Stage),
    /// Its token lies in the idle stack under this turn.
    Idle { turn: u64 },
    /// It was given a run and has not said Idle.
    Busy(Run),
    /// It will not get another run. Waits for its Exited.
    Leaving(Leaving),
}

/// How far a start has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// No process yet.
    Spawning,
    /// Awaits Hello.
    Connecting,
    /// Welcomed, awaits Ready.
    Loading,
}

/// How a worker leaves.
#[derive(Debug)]
pub(super) enum Leaving {
    /// It was given up before its process existed; this is done as soon as it does.
    Unborn(Parting),
    /// Asked, or leaving of its own accord; SIGTERM comes next.
    Asked,
    /// SIGTERM was sent; SIGKILL comes next.
    Terminated(KillCause),
    /// SIGKILL was sent.
    Killed,
}

/// What to do with a process that comes into being after it was given up.
#[derive(Debug)]
pub(super) enum Parting {
    Retire(String),
    Kill(KillCause),
}

/// Why a worker is to be replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Due {
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
}

impl Due {
    pub(super) fn reason(self) -> &'static str {
        match self {
            Self::Spent => "it has done its number of executions",
            Self::Age => "it is older than recycle_after_seconds",
            Self::Asked => "a recycle was asked for",
            Self::Generation => "a newer generation serves",
            Self::Memory => "it is above its memory limit",
        }
    }
}

/// How a worker counts for the size of the pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// Will serve.
    Starting,
    /// Serves, and rests.
    Idle(Option<Due>),
    /// Serves, and will again when its run is over.
    Busy(Option<Due>),
    /// Will not get another run.
    Doomed,
}

impl Worker {
    pub(super) fn standing(&self) -> Standing {
        match &self.state {
            State::Starting(_) => Standing::Starting,
            State::Idle { .. } => Standing::Idle(self.due),
            State::Busy(run) => match run.phase {
                Phase::Sent | Phase::Started | Phase::Finished | Phase::Cancelling { .. } => {
                    Standing::Busy(self.due)
                }
                Phase::Departing | Phase::Terminating | Phase::Killing => Standing::Doomed,
            },
            State::Leaving(_) => Standing::Doomed,
        }
    }

    /// The word for its state on screens.
    pub(super) fn state_name(&self) -> &'static str {
        match &self.state {
            State::Starting(Stage::Spawning | Stage::Connecting | Stage::Loading) => "starting",
            State::Idle { .. } => "idle",
            State::Busy(run) => run.phase.name(),
            State::Leaving(Leaving::Unborn(_) | Leaving::Asked) => "leaving",
            State::Leaving(Leaving::Terminated(_)) => "terminating",
            State::Leaving(Leaving::Killed) => "killed",
        }
    }
}
