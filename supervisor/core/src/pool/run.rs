//! One run: an attempt in the hands of a worker.

use std::time::Duration;

use muster_protocol::{CancelReason, RunMetrics, RunOutcome};

use super::effect::KillCause;
use super::event::{Assignment, ProtocolViolation};
use super::time::PoolTime;

/// An attempt that was given to a worker and has not been finished.
#[derive(Debug)]
pub(super) struct PoolRun {
    /// Its number in that worker.
    pub(super) number: u32,
    pub(super) assignment: Assignment,
    /// When the attempt was first submitted.
    pub(super) queued_at: PoolTime,
    /// How many workers died with it before, without having said Started.
    pub(super) deaths: u8,
    pub(super) sent_at: PoolTime,
    pub(super) started_at: Option<PoolTime>,
    /// The first Finished read, whatever came after.
    pub(super) finished: Option<FinishedReport>,
    /// What made us end it: the first reason stands.
    pub(super) cause: Option<StopCause>,
    /// A cancel that came too late to be written, kept for the case that the attempt would be rerouted.
    pub(super) wish: Option<CancelReason>,
    /// The worker said Goodbye, with this reason.
    pub(super) goodbye: Option<String>,
    pub(super) phase: RunPhase,
}

impl PoolRun {
    /// The name of what it is being ended for.
    pub(super) fn kill_cause(&self) -> KillCause {
        match &self.cause {
            Some(StopCause::Cancel { reason, .. }) => KillCause::Cancelled(*reason),
            Some(StopCause::Memory { .. }) => KillCause::Memory,
            Some(StopCause::Violation(_)) => KillCause::Violation,
            Some(StopCause::NotStarted) => KillCause::NotStarted,
            Some(StopCause::Stayed) | None => KillCause::Retired,
        }
    }

    /// From Started read to `ended_at`; `None` without Started.
    pub(super) fn observed(&self, ended_at: PoolTime) -> Option<Duration> {
        Some(ended_at.since(self.started_at?))
    }

    /// How long the run took, up to `ended_at`; `None` without Started.
    ///
    /// The time between reading Started and reading Finished is the measure. When the reader was held up and
    /// read both at once it is too short; then the worker's own measure counts, as far as it can be true: no
    /// run is longer than the time since it was sent.
    pub(super) fn duration(&self, ended_at: PoolTime) -> Option<Duration> {
        let observed = self.observed(ended_at)?;
        let told =
            self.finished.as_ref().map_or(Duration::ZERO, |it| Duration::from_micros(it.metrics.wall_us));
        Some(observed.max(told.min(ended_at.since(self.sent_at))))
    }
}

/// What the worker said at the end of a run.
#[derive(Debug)]
pub(super) struct FinishedReport {
    pub(super) at: PoolTime,
    pub(super) outcome: RunOutcome,
    pub(super) metrics: RunMetrics,
}

/// Why we ended a run.
#[derive(Debug)]
pub(super) enum StopCause {
    /// Asked to end; the time it was asked.
    Cancel { reason: CancelReason, message: String },
    /// It and all it started held this, above the limit of a run.
    Memory { rss_bytes: u64, limit_bytes: u64 },
    /// It broke the protocol.
    Violation(ProtocolViolation),
    /// No Started in time.
    NotStarted,
    /// It said Goodbye and stayed.
    Stayed,
}

/// How far a run has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RunPhase {
    /// Execute is written.
    Sent,
    /// Started was read; its time runs.
    Started,
    /// Finished was read before anything was wrong; awaits Idle.
    Finished,
    /// A Cancel is written. SIGTERM follows unless Idle comes first, with a Dump before it if `dump_due`.
    Cancelling {
        /// When SIGTERM comes.
        terminate_at: PoolTime,
        /// Whether it is still to be asked what it is doing.
        dump_due: bool,
    },
    /// It said Goodbye with the run in hand; awaits its exit.
    Departing,
    /// SIGTERM was sent.
    Terminating,
    /// SIGKILL was sent.
    Killing,
}

impl RunPhase {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::Started => "running",
            Self::Finished => "finished",
            Self::Cancelling { .. } => "cancelling",
            Self::Departing => "departing",
            Self::Terminating => "terminating",
            Self::Killing => "killed",
        }
    }
}
