//! The end of an attempt, with all it left: what its record is written from.

use std::time::Duration;

use muster_protocol::{ErrorInfo, JsonBytes, RunMetrics};
use serde_json::value::RawValue;
use uuid::Uuid;

use super::{Attempt, Change, LogLine};

/// How an attempt ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RunEnding {
    /// The function returned this.
    Succeeded {
        /// JSON text, not yet checked.
        result: JsonBytes,
    },
    /// It failed. The kind is the final error_type, the user's own kinds already told from ours.
    Failed {
        /// Why.
        error: ErrorInfo,
    },
    /// The deadline passed.
    TimedOut {
        /// What a person should read: after how long, and how it ended.
        message: String,
    },
    /// Somebody asked for it.
    Cancelled {
        /// What a person should read.
        message: String,
    },
    /// It goes back to be claimed again. The process that may have run it is reaped.
    Released {
        /// Why.
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
    /// Microseconds since the Unix epoch.
    pub at_us: i64,
    /// started, timeout_signalled, cancel_signalled, terminated, killed, left_processes, rerouted.
    pub event: &'static str,
    /// More about it.
    pub detail: Option<Box<RawValue>>,
}

/// The end of an attempt with all it left.
#[derive(Debug)]
pub struct CompletedRun {
    /// Which attempt.
    pub attempt: Attempt,
    /// How it ended.
    pub ending: RunEnding,
    /// From Started to its end; `None` without Started.
    pub duration: Option<Duration>,
    /// What the worker measured.
    pub metrics: Option<RunMetrics>,
    /// When Started was read.
    pub started_at_us: Option<i64>,
    /// When the end was known.
    pub finished_at_us: i64,
    /// Its log, bounded.
    pub logs: Vec<LogLine>,
    /// Whose state it reads and writes, and whose its children are; `None` is the global scope.
    pub organization_id: Option<Uuid>,
    /// What it asked for.
    pub changes: Vec<Change>,
    /// How it got here.
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
            started_at_us: None,
            finished_at_us,
            logs: Vec::new(),
            organization_id: None,
            changes: Vec::new(),
            events: Vec::new(),
        }
    }
}
