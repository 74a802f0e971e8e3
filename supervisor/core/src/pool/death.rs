//! What a worker died of, decided from what the system reports and from what the pool did to it. Pure.

use std::time::Duration;

use muster_protocol::limits::{CRASH_MESSAGE_MAX_BYTES, CRASH_STDERR_LINES};
use muster_protocol::{CancelReason, exit_code};

use super::config::PoolConfig;
use super::effect::KillCause;
use super::event::{ProcessExit, WorkerId};
use super::run::RunPhase;
use super::worker::{LeavingPhase, PoolWorker, WorkerState};
use crate::execution::{Attempt, EndCause, EndKind, EscalationStep, KillReason, MemoryJudge, ResourceLimit};
use crate::process::ExitStatus;

const SIGKILL: i32 = 9;
const SIGTERM: i32 = 15;
const SIGXCPU: i32 = 24;
const SIGXFSZ: i32 = 25;

/// The death of a worker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkerDeath {
    /// Which worker.
    pub worker: WorkerId,
    /// What it had in hand.
    pub attempt: Option<Attempt>,
    /// What it died of.
    pub cause: EndCause,
    /// How it is to be told.
    pub notice: DeathNotice,
}

/// How the death of a worker is to be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeathNotice {
    /// It left as it was to: nobody needs to know.
    Planned,
    /// It never became Ready, which is told as a start that failed.
    FailedStart,
    /// Nobody wanted it: it counts, and is told.
    Unplanned,
}

/// What is known of a worker whose process has ended.
pub(super) struct DeathEvidence<'a> {
    pub(super) exit: &'a ProcessExit,
    pub(super) cause: EndCause,
}

impl PoolWorker {
    /// What it died of.
    pub(super) fn end_cause(&self, exit: &ProcessExit, config: &PoolConfig) -> EndCause {
        let kind = self.end_kind(exit);
        let (exit_code, signal) = match exit.status {
            ExitStatus::Code(code) => (Some(code), None),
            ExitStatus::Signal(signal) => (None, Some(signal)),
            ExitStatus::Unknown => (None, None),
        };
        let seen = Some(self.memory_peak_bytes).filter(|bytes| *bytes > 0);
        let memory_peak_bytes = seen.max(exit.usage.memory_peak_bytes);
        let memory_limit_bytes = match exit.memory_limit_bytes {
            Some(limit) => Some(config.memory_kill_bytes().map_or(limit, |ours| ours.min(limit))),
            None => config.memory_kill_bytes(),
        };
        EndCause {
            kind,
            exit_code,
            signal,
            memory_peak_bytes,
            memory_limit_bytes,
            cpu_ms: exit.usage.cpu.map(whole_ms),
            descendants_left: exit.descendants_left,
            stderr: last_lines(&exit.stderr_tail),
            summary: summary(kind, exit.status, memory_peak_bytes, memory_limit_bytes),
        }
    }

    fn end_kind(&self, exit: &ProcessExit) -> EndKind {
        let ours = self.what_we_did();
        if let Some((KillReason::Memory, EscalationStep::Killed)) = ours {
            return EndKind::OutOfMemory { who: MemoryJudge::OurLimit };
        }
        if let Some(who @ MemoryJudge::Cgroup) = exit.memory_judge {
            return EndKind::OutOfMemory { who };
        }
        if let Some((why, step)) = ours.filter(|(_, step)| is_by(*step, exit.status)) {
            return EndKind::KilledByUs { why, step };
        }
        if let (Some(who), ExitStatus::Signal(SIGKILL)) = (exit.memory_judge, exit.status) {
            return EndKind::OutOfMemory { who };
        }
        if exit.status.memory_ran_out(&exit.stderr_tail).is_some()
            || exit.status == ExitStatus::Code(exit_code::OUT_OF_MEMORY)
        {
            return EndKind::OutOfMemory { who: MemoryJudge::Worker };
        }
        match exit.status {
            ExitStatus::Code(_) => EndKind::Exited,
            ExitStatus::Signal(SIGXCPU) => EndKind::Limit { which: ResourceLimit::Cpu },
            ExitStatus::Signal(SIGXFSZ) => EndKind::Limit { which: ResourceLimit::FileSize },
            ExitStatus::Signal(_) => EndKind::Signalled,
            ExitStatus::Unknown => EndKind::Vanished,
        }
    }

    /// What the pool had done to end it, and what for.
    fn what_we_did(&self) -> Option<(KillReason, EscalationStep)> {
        match &self.state {
            WorkerState::Starting(_) | WorkerState::Idle { .. } | WorkerState::Template(_) => None,
            WorkerState::Busy(run) => match run.phase {
                RunPhase::Sent | RunPhase::Started | RunPhase::Finished | RunPhase::Departing => None,
                RunPhase::Cancelling { .. } => Some((run.kill_cause().reason(), EscalationStep::Asked)),
                RunPhase::Terminating => Some((run.kill_cause().reason(), EscalationStep::Terminated)),
                RunPhase::Killing => Some((run.kill_cause().reason(), EscalationStep::Killed)),
            },
            WorkerState::Leaving(leaving) => match leaving {
                LeavingPhase::NotSpawned(_) => None,
                LeavingPhase::Asked => Some((KillReason::Retired, EscalationStep::Asked)),
                LeavingPhase::Terminated(cause) => Some((cause.reason(), EscalationStep::Terminated)),
                LeavingPhase::Killed(cause) => Some((cause.reason(), EscalationStep::Killed)),
            },
        }
    }

    /// How its death is to be told.
    pub(super) fn death_notice(&self, cause: &EndCause) -> DeathNotice {
        let is_retired = |kind| match kind {
            EndKind::KilledByUs { why, .. } => why == KillReason::Retired || why == KillReason::Shutdown,
            EndKind::Exited => true,
            EndKind::Signalled | EndKind::OutOfMemory { .. } | EndKind::Limit { .. } | EndKind::Vanished => {
                false
            }
        };
        match &self.state {
            WorkerState::Starting(_) | WorkerState::Template(_) => DeathNotice::FailedStart,
            WorkerState::Leaving(LeavingPhase::NotSpawned(_)) => DeathNotice::Planned,
            WorkerState::Leaving(_) if is_retired(cause.kind) => DeathNotice::Planned,
            // It had said what its run came to, and left.
            WorkerState::Busy(run) if run.finished.is_some() && cause.exit_code == Some(exit_code::DONE) => {
                DeathNotice::Planned
            }
            WorkerState::Leaving(_) if self.ready_at.is_none() => DeathNotice::FailedStart,
            WorkerState::Leaving(_) | WorkerState::Busy(_) | WorkerState::Idle { .. } => {
                DeathNotice::Unplanned
            }
        }
    }

    /// The attempt it has in hand.
    pub(super) fn attempt(&self) -> Option<Attempt> {
        match &self.state {
            WorkerState::Busy(run) => Some(run.assignment.attempt),
            WorkerState::Starting(_)
            | WorkerState::Idle { .. }
            | WorkerState::Template(_)
            | WorkerState::Leaving(_) => None,
        }
    }
}

impl KillCause {
    /// The same in the words of what is told.
    pub fn reason(self) -> KillReason {
        match self {
            Self::Cancelled(CancelReason::Timeout) => KillReason::Timeout,
            Self::Cancelled(CancelReason::User) => KillReason::Cancelled,
            Self::Cancelled(CancelReason::Shutdown) => KillReason::Shutdown,
            Self::Cancelled(CancelReason::LeaseLost) => KillReason::LeaseLost,
            Self::Memory => KillReason::Memory,
            Self::Violation => KillReason::ProtocolViolation,
            Self::StartTimeout => KillReason::StartTimeout,
            Self::NotStarted => KillReason::NotStarted,
            Self::NotIdle => KillReason::NotIdle,
            Self::Retired => KillReason::Retired,
        }
    }
}

/// Whether a process may have ended like this because of what was done. One that is killed by another signal after it
/// was asked to end died of that signal.
fn is_by(step: EscalationStep, status: ExitStatus) -> bool {
    match (step, status) {
        (_, ExitStatus::Code(_)) | (EscalationStep::Killed, ExitStatus::Unknown) => true,
        (EscalationStep::Terminated, ExitStatus::Signal(signal)) => signal == SIGTERM,
        (EscalationStep::Killed, ExitStatus::Signal(signal)) => signal == SIGKILL || signal == SIGTERM,
        (EscalationStep::Asked, ExitStatus::Signal(_))
        | (EscalationStep::Asked | EscalationStep::Terminated, ExitStatus::Unknown) => false,
    }
}

fn summary(kind: EndKind, status: ExitStatus, peak: Option<u64>, limit: Option<u64>) -> String {
    match kind {
        EndKind::Exited => format!("the worker ended by itself with {status}"),
        EndKind::Signalled => format!("the worker was ended by {status}, which the supervisor had not sent"),
        EndKind::KilledByUs { why, step } => {
            let done = match step {
                EscalationStep::Asked => "asked the worker to end",
                EscalationStep::Terminated => "sent the worker SIGTERM",
                EscalationStep::Killed => "killed the worker",
            };
            format!("the supervisor {done} {}; it ended with {status}", why.phrase())
        }
        EndKind::OutOfMemory { who } => {
            let judged = match who {
                MemoryJudge::Cgroup => "the limit of its control group ended it",
                MemoryJudge::Kernel => "the kernel's OOM killer ended it for want of memory of the machine",
                MemoryJudge::OurLimit => "the supervisor ended it by max_worker_memory_mb",
                MemoryJudge::Worker => "it said so itself",
            };
            let held = held(peak, limit);
            format!("the worker ran out of memory: {judged}{held}; it ended with {status}")
        }
        EndKind::Limit { which: ResourceLimit::Cpu } => {
            format!("the worker was ended by its limit of CPU time, with {status}")
        }
        EndKind::Limit { which: ResourceLimit::FileSize } => {
            format!("the worker was ended by its limit of the size of a file, with {status}")
        }
        EndKind::Vanished => "the worker is gone, and the system does not say how it ended".to_owned(),
    }
}

fn held(peak: Option<u64>, limit: Option<u64>) -> String {
    let mebibytes = |bytes: u64| bytes / (1024 * 1024);
    match (peak.map(mebibytes), limit.map(mebibytes)) {
        (Some(peak), Some(limit)) => format!(" (held {peak} MiB, might hold {limit})"),
        (Some(peak), None) => format!(" (held {peak} MiB)"),
        (None, Some(limit)) => format!(" (might hold {limit} MiB)"),
        (None, None) => String::new(),
    }
}

/// The last lines, as many as are told; the oldest go first when they are too long, and the last is cut.
fn last_lines(stderr_tail: &[String]) -> Vec<String> {
    let lines = &stderr_tail[stderr_tail.len().saturating_sub(CRASH_STDERR_LINES)..];
    let mut room = CRASH_MESSAGE_MAX_BYTES;
    let mut kept = Vec::new();
    for line in lines.iter().rev() {
        if line.len() > room {
            if kept.is_empty() {
                let at = (line.len() - room..=line.len()).find(|at| line.is_char_boundary(*at));
                kept.push(format!("…{}", &line[at.unwrap_or(line.len())..]));
            }
            break;
        }
        room -= line.len();
        kept.push(line.clone());
    }
    kept.reverse();
    kept
}

fn whole_ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
