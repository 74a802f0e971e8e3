//! The end of an attempt, with all it left: what its record is written from.

use std::time::Duration;

use muster_protocol::{ErrorInfo, JsonBytes, RunMetrics};
use serde_json::value::RawValue;
use uuid::Uuid;

use super::{Attempt, Change, EndCause, LogLine};

/// What one attempt came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RunEnding {
    /// The function returned a value.
    Succeeded {
        /// The value, JSON text that nobody has checked yet.
        result: JsonBytes,
    },
    /// It failed. The kind is the final error_type, the user's own kinds already told from ours.
    Failed {
        /// The error that becomes the row's, if no other attempt follows.
        error: ErrorInfo,
    },
    /// The deadline passed before the run ended.
    TimedOut {
        /// What a person should read: after how long, and how it ended.
        message: String,
    },
    /// The run was ended because somebody asked for it.
    Cancelled {
        /// What a person should read about it.
        message: String,
    },
    /// It goes back to be claimed again. The process that may have run it is reaped.
    Released {
        /// Why it goes back, for the events.
        reason: String,
        /// False when user code cannot have been entered, or when we are the ones who leave.
        charged: bool,
    },
    /// Another supervisor owns it: nothing may be written.
    Superseded,
}

/// A step on the way of an attempt, for `execution_events`.
#[derive(Clone, Debug)]
pub struct RunEvent {
    /// The moment it happened, in microseconds since the Unix epoch.
    pub at_us: i64,
    /// started, timeout_signalled, cancel_signalled, terminated, killed, left_processes, worker_died, rerouted.
    pub event: &'static str,
    /// Further facts, a JSON object; `None` when there are none.
    pub detail: Option<Box<RawValue>>,
}

/// The end of an attempt with all it left.
#[derive(Debug)]
pub struct CompletedRun {
    /// The attempt that ended.
    pub attempt: Attempt,
    /// What the attempt came to.
    pub ending: RunEnding,
    /// From Started to its end; `None` without Started.
    pub duration: Option<Duration>,
    /// What the worker measured; `None` when no Finished came.
    pub metrics: Option<RunMetrics>,
    /// What its worker died of; `None` unless it died with the run in hand.
    pub end_cause: Option<Box<EndCause>>,
    /// When Started was read, in microseconds since the Unix epoch; `None` without Started.
    pub started_at_us: Option<i64>,
    /// When the outcome was known, in microseconds since the Unix epoch.
    pub finished_at_us: i64,
    /// The log of the attempt, cut to what is kept of one run.
    pub logs: Vec<LogLine>,
    /// Whose state it reads and writes, and whose its children are; `None` is the global scope.
    pub organization_id: Option<Uuid>,
    /// What the run asked for, to be committed with its outcome.
    pub changes: Vec<Change>,
    /// The steps of the attempt, for `execution_events`.
    pub events: Vec<RunEvent>,
}

impl CompletedRun {
    /// The end of an attempt that no worker has seen.
    pub fn unstarted(attempt: Attempt, ending: RunEnding, finished_at_us: i64) -> Self {
        Self {
            attempt,
            ending,
            duration: None,
            metrics: None,
            end_cause: None,
            started_at_us: None,
            finished_at_us,
            logs: Vec::new(),
            organization_id: None,
            changes: Vec::new(),
            events: Vec::new(),
        }
    }
}
