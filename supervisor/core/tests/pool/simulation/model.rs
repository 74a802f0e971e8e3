//! What a simulated worker does: drawn once at its spawn, and once for each of its runs.

use std::collections::BTreeSet;
use std::time::Duration;

use fastrand::Rng;
use muster_core::execution::Attempt;
use muster_core::pool::{
    Isolation, PoolTime, ProcessExit, ProtocolViolation, WorkerEvent, WorkerFeatures, WorkerId,
};
use muster_core::process::ExitStatus;
use muster_protocol::{ErrorInfo, JsonBytes, RunMetrics, RunOutcome};
use uuid::Uuid;

use super::world::Climate;
use crate::simulator::{ms, pick};

/// A simulated process.
#[derive(Debug)]
pub(crate) struct Model {
    pub(crate) start: Start,
    pub(crate) leaves: Leaves,
    pub(crate) features: WorkerFeatures,
    /// The pool was told that the process exists.
    pub(crate) is_spawned: bool,
    /// The pool may give it a run.
    pub(crate) is_idle: bool,
    /// The pool was told that it is Ready.
    pub(crate) was_ready: bool,
    pub(crate) was_retired: bool,
    pub(crate) was_terminated: bool,
    pub(crate) was_killed: bool,
    /// The run it has, from Execute until its Idle or its death.
    pub(crate) run: Option<ModelRun>,
    pub(crate) runs: u32,
    /// Whose they were.
    pub(crate) served: BTreeSet<Option<Uuid>>,
    /// It may not be used again.
    pub(crate) has_last_run: bool,
    pub(crate) spawned_at: PoolTime,
    pub(crate) ready_at: PoolTime,
    /// How it makes workers, if it does.
    pub(crate) template: Option<Template>,
    /// The template that was asked for it.
    pub(crate) forked_by: Option<WorkerId>,
}

/// How a template takes a Fork.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Template {
    Makes,
    /// It asks to be replaced with each.
    MakesAndIsStale,
    /// It has a thread of its own.
    Refuses,
    /// It never answers.
    Hangs,
    /// It dies at the fork.
    Dies,
    /// It dies a while later.
    DiesLater,
}

const TEMPLATES: [Template; 8] = [
    Template::Makes,
    Template::Makes,
    Template::Makes,
    Template::MakesAndIsStale,
    Template::Refuses,
    Template::Hangs,
    Template::Dies,
    Template::DiesLater,
];

/// A run in a simulated process.
#[derive(Clone, Debug)]
pub(crate) struct ModelRun {
    pub(crate) number: u32,
    pub(crate) attempt: Attempt,
}

/// How a start goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Start {
    Good,
    SpawnFails,
    ExitsBeforeHello,
    NeverHello,
    WrongVersion,
    InitFails,
    NeverReady,
    ExitsBeforeReady,
    PollutesEarly,
    SaysGoodbye,
    ReadyTwice,
}

/// How a run goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Plan {
    Succeeds,
    Fails,
    Rejects,
    GivesUp,
    Hangs,
    CrashesBeforeStarted,
    CrashesAfterStarted,
    NeverStarts,
    StartsLate,
    NeverIdle,
    IdleLate,
    FinishesTwice,
    StartsTwice,
    StartsAfterFinished,
    OtherRun,
    EarlierRun,
    IdleFirst,
    Pollutes,
    EatsMemory,
    GrowsALittle,
    FinishesAndExits,
    GoodbyeBeforeStarted,
    GoodbyeAfterStarted,
    GoodbyeAndStays,
    AsksRecycle,
    DiesIdle,
}

/// How it takes being told to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Leaves {
    /// At once, at the first word.
    Politely,
    /// Ends the run when asked, but says Idle late.
    Slowly,
    /// Only by SIGTERM, with a Finished on the way.
    AtSigtermWithResult,
    /// Only by SIGTERM.
    AtSigterm,
    /// Only by SIGKILL, with a Finished and an Idle in between.
    AtSigkillWithResult,
    /// Only by SIGKILL.
    AtSigkill,
}

const BAD_STARTS: [Start; 10] = [
    Start::SpawnFails,
    Start::ExitsBeforeHello,
    Start::NeverHello,
    Start::WrongVersion,
    Start::InitFails,
    Start::NeverReady,
    Start::ExitsBeforeReady,
    Start::PollutesEarly,
    Start::SaysGoodbye,
    Start::ReadyTwice,
];

const ROUGH_PLANS: [Plan; 22] = [
    Plan::Hangs,
    Plan::Hangs,
    Plan::CrashesBeforeStarted,
    Plan::CrashesAfterStarted,
    Plan::NeverStarts,
    Plan::StartsLate,
    Plan::NeverIdle,
    Plan::IdleLate,
    Plan::FinishesTwice,
    Plan::StartsTwice,
    Plan::StartsAfterFinished,
    Plan::OtherRun,
    Plan::EarlierRun,
    Plan::IdleFirst,
    Plan::Pollutes,
    Plan::EatsMemory,
    Plan::GrowsALittle,
    Plan::FinishesAndExits,
    Plan::GoodbyeBeforeStarted,
    Plan::GoodbyeAfterStarted,
    Plan::GoodbyeAndStays,
    Plan::DiesIdle,
];

const LEAVES: [Leaves; 6] = [
    Leaves::Politely,
    Leaves::Slowly,
    Leaves::AtSigtermWithResult,
    Leaves::AtSigterm,
    Leaves::AtSigkillWithResult,
    Leaves::AtSigkill,
];

impl Model {
    pub(crate) fn draw(rng: &mut Rng, climate: Climate, is_bad_build: bool, now: PoolTime) -> Self {
        let is_bad = is_bad_build || (climate == Climate::Rough && rng.u8(..) < 12);
        let all = rng.bool();
        Self {
            start: if is_bad { pick(rng, &BAD_STARTS) } else { Start::Good },
            leaves: if climate == Climate::Rough && rng.bool() {
                pick(rng, &LEAVES)
            } else {
                Leaves::Politely
            },
            features: WorkerFeatures {
                log: all,
                progress: all,
                call: all,
                cancel: all || rng.bool(),
                ping: all,
                drain: all,
                dump: all || rng.bool(),
                template: false,
                describe: all,
            },
            template: None,
            forked_by: None,
            is_spawned: false,
            is_idle: false,
            was_ready: false,
            was_retired: false,
            was_terminated: false,
            was_killed: false,
            run: None,
            runs: 0,
            served: BTreeSet::new(),
            has_last_run: false,
            spawned_at: now,
            ready_at: now,
        }
    }

    /// Whether a run of the organization may share the process with those it has had.
    pub(crate) fn may_serve(&self, isolation: Isolation, organization_id: Option<Uuid>) -> bool {
        match isolation {
            Isolation::None => true,
            Isolation::Organization => self.served.iter().all(|served| *served == organization_id),
            Isolation::Execution => self.served.is_empty(),
        }
    }

    /// Notes whether there is nobody any more whom it may serve with the runs it has had.
    pub(crate) fn look_for_last_run(&mut self, isolation: Isolation) {
        self.has_last_run |= match isolation {
            Isolation::None => false,
            Isolation::Organization => self.served.len() > 1,
            Isolation::Execution => !self.served.is_empty(),
        };
    }

    /// One that was offered to be a template, and is.
    pub(crate) fn draw_template(&mut self, rng: &mut Rng, climate: Climate) {
        self.features.template = true;
        self.template = Some(match climate {
            Climate::Fair => pick(rng, &TEMPLATES[..4]),
            Climate::Rough => pick(rng, &TEMPLATES),
        });
    }

    /// Everything a start will say, with the time of each.
    pub(crate) fn start_script(&self, rng: &mut Rng) -> Vec<(Duration, WorkerEvent)> {
        let spawned = (ms(rng, 1, 5), WorkerEvent::Spawned { pid: 4_000 + rng.u32(..1_000) });
        let hello =
            |min, max| WorkerEvent::Hello { protocol_min: min, protocol_max: max, features: self.features };
        let hello_at = spawned.0 + ms(rng, 1, 50);
        let then = hello_at + ms(rng, 1, 300);
        let hi = (hello_at, hello(1, 1));
        match self.start {
            Start::Good => vec![spawned, hi, (then, WorkerEvent::Ready)],
            Start::SpawnFails => {
                vec![(spawned.0, WorkerEvent::SpawnFailed { message: "no such file".to_owned() })]
            }
            Start::ExitsBeforeHello => vec![spawned, (hello_at, exited(rng, ExitStatus::Code(1)))],
            Start::NeverHello => vec![spawned],
            Start::WrongVersion => vec![spawned, (hello_at, hello(7, 9))],
            Start::InitFails => {
                let error = ErrorInfo::new("SyntaxError", "unexpected token");
                vec![spawned, hi, (then, WorkerEvent::InitFailed { error })]
            }
            Start::NeverReady => vec![spawned, hi],
            Start::ExitsBeforeReady => vec![spawned, hi, (then, exited(rng, ExitStatus::Signal(11)))],
            Start::PollutesEarly => vec![spawned, hi, (then, polluted())],
            Start::SaysGoodbye => {
                vec![spawned, hi, (then, WorkerEvent::Goodbye { reason: "bye".to_owned() })]
            }
            Start::ReadyTwice => {
                vec![spawned, hi, (then, WorkerEvent::Ready), (then + ms(rng, 0, 50), WorkerEvent::Ready)]
            }
        }
    }
}

impl Plan {
    pub(crate) fn draw(rng: &mut Rng, climate: Climate) -> Self {
        let tame = [Self::Succeeds, Self::Succeeds, Self::Succeeds, Self::Fails, Self::Rejects];
        match climate {
            Climate::Fair => pick(rng, &tame),
            Climate::Rough if rng.u8(..) < 100 => pick(rng, &ROUGH_PLANS),
            Climate::Rough if rng.u8(..) < 20 => pick(rng, &[Self::AsksRecycle, Self::GivesUp]),
            Climate::Rough => pick(rng, &tame),
        }
    }

    /// Everything the run will say if nobody interferes, with the time of each.
    pub(crate) fn script(self, rng: &mut Rng, run: u32, limit_bytes: u64) -> Vec<(Duration, WorkerEvent)> {
        let quick = rng.bool();
        let started = (ms(rng, 0, 3), WorkerEvent::Started { run });
        let done_at = started.0 + if quick { ms(rng, 0, 5) } else { ms(rng, 5, 3_000) };
        let idle_at = done_at + ms(rng, 0, 2);
        let fine = finished(run, RunOutcome::Succeeded { result: JsonBytes::from(b"1".to_vec()) });
        let done = (done_at, fine.clone());
        let rss_bytes = if self == Self::GrowsALittle { limit_bytes + 1 } else { 1_000 };
        let idle = |recycle| (idle_at, WorkerEvent::Idle { run, rss_bytes, recycle });
        let goodbye = |at| (at, WorkerEvent::Goodbye { reason: "tired".to_owned() });
        let crash = |rng: &mut Rng, at| (at, exited(rng, ExitStatus::Signal(9)));
        match self {
            Self::Succeeds | Self::GrowsALittle => vec![started, done, idle(false)],
            Self::Fails => {
                let kind = pick(rng, &["", "ValueError", "TimeoutError", "ResultTooLarge"]);
                let outcome = RunOutcome::Failed { error: ErrorInfo::new(kind, "no") };
                vec![started, (done_at, finished(run, outcome)), idle(false)]
            }
            Self::Rejects => {
                let outcome = RunOutcome::Rejected { reason: "unknown workflow".to_owned() };
                vec![(done_at, finished(run, outcome)), idle(false)]
            }
            Self::GivesUp => {
                let outcome = RunOutcome::Cancelled { message: "I stop".to_owned() };
                vec![started, (done_at, finished(run, outcome)), idle(false)]
            }
            Self::Hangs => vec![started],
            Self::CrashesBeforeStarted => vec![crash(rng, started.0)],
            Self::CrashesAfterStarted => vec![started, crash(rng, done_at)],
            Self::NeverStarts => vec![],
            Self::StartsLate => {
                let late = Duration::from_millis(9_950) + ms(rng, 0, 100);
                vec![(late, WorkerEvent::Started { run }), (late + ms(rng, 0, 5), fine)]
            }
            Self::NeverIdle => vec![started, done],
            Self::IdleLate => {
                let (_, late) = idle(false);
                vec![started, done, (done_at + Duration::from_millis(9_990) + ms(rng, 0, 20), late)]
            }
            Self::FinishesTwice => vec![started, done.clone(), done],
            Self::StartsTwice => vec![started.clone(), (done_at, started.1), done],
            Self::StartsAfterFinished => vec![started.clone(), done, (done_at, started.1)],
            Self::OtherRun => vec![started, (done_at, WorkerEvent::Started { run: run + 7 })],
            Self::EarlierRun => {
                let earlier = run.saturating_sub(1);
                let stale = finished(earlier, RunOutcome::Rejected { reason: String::new() });
                let stale_idle = WorkerEvent::Idle { run: earlier, rss_bytes, recycle: false };
                vec![started, (done_at, stale), (done_at, stale_idle), done, idle(false)]
            }
            Self::IdleFirst => vec![started, (done_at, idle(false).1), done],
            Self::Pollutes => vec![started, (done_at, polluted())],
            Self::EatsMemory => {
                let sample = WorkerEvent::MemorySample { rss_bytes: limit_bytes.saturating_mul(2).max(1) };
                vec![started, (done_at, sample), (done_at + ms(rng, 0, 20), fine)]
            }
            Self::FinishesAndExits => vec![started, done, (done_at, exited(rng, ExitStatus::Code(0)))],
            Self::GoodbyeBeforeStarted => {
                vec![goodbye(started.0), (done_at, exited(rng, ExitStatus::Code(0)))]
            }
            Self::GoodbyeAfterStarted => {
                vec![started, goodbye(done_at), (done_at + ms(rng, 0, 50), exited(rng, ExitStatus::Code(0)))]
            }
            Self::GoodbyeAndStays => vec![started, done, goodbye(done_at)],
            Self::AsksRecycle => vec![started, done, idle(true)],
            Self::DiesIdle => {
                let dies_at = idle_at + ms(rng, 0, 50);
                let end = if rng.bool() { exited(rng, ExitStatus::Unknown) } else { polluted() };
                vec![started, done, idle(false), (dies_at, end)]
            }
        }
    }
}

pub(crate) fn finished(run: u32, outcome: RunOutcome) -> WorkerEvent {
    WorkerEvent::Finished { run, outcome, metrics: RunMetrics::default() }
}

pub(crate) fn exited(rng: &mut Rng, status: ExitStatus) -> WorkerEvent {
    let stderr_tail = (0..rng.usize(..14)).map(|line| format!("line {line}")).collect();
    WorkerEvent::Exited(ProcessExit::new(status, stderr_tail))
}

fn polluted() -> WorkerEvent {
    WorkerEvent::Violation(ProtocolViolation::Polluted { message: "hello world".to_owned() })
}
