//! What the rest of the supervisor hears of the executor.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use muster_core::execution::{Attempt, Change, LogLine, Secrets};
use muster_core::pool::{RunEnding, RunFinish, WorkerId};
use serde_json::value::RawValue;
use uuid::Uuid;

use super::clock::unix_us;
use super::recording::RunRecording;

/// Hears what happens. Every method is called on the executor's thread and must return at once: put the news in
/// a queue and leave.
pub trait ExecutorObserver: Send + Sync + 'static {
    /// The attempt entered user code.
    fn started(&self, attempt: Attempt, worker: WorkerId, at_us: i64);
    /// New lines of its log, for live views; the whole log comes with [`Observer::finished`].
    fn logged(&self, attempt: Attempt, lines: &[LogLine]);
    /// How far it is, for live views.
    fn progressed(&self, attempt: Attempt, progress: &RunProgress);
    /// It asked for a change, for watchers; all its changes come with [`Observer::finished`].
    fn changed(&self, attempt: Attempt, change: &Change);
    /// The attempt is over, or goes back.
    fn finished(&self, completed: CompletedRun);
    /// Workers cannot be started.
    fn start_failed(&self, consecutive: u32, message: &str, retry_in: Duration);
    /// Workers can be started again.
    fn starts_recovered(&self);
    /// The committed value of a key in an organization's state, as JSON text.
    fn read_state(
        &self,
        organization: Option<Uuid>,
        key: String,
    ) -> BoxFuture<'static, Result<Option<String>, String>>;
}

/// How far a run is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RunProgress {
    /// So many are done,
    pub current: u64,
    /// of so many; 0 means unknown.
    pub total: u64,
    /// A word about it.
    pub message: String,
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
    /// How it ended.
    pub finish: RunFinish,
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
    /// The frames that passed, if they are kept.
    pub recording: Option<RunRecording>,
    /// What people must not read.
    pub secrets: Arc<Secrets>,
}

impl CompletedRun {
    /// The end of an attempt that no worker has seen.
    pub fn unstarted(attempt: Attempt, ending: RunEnding) -> Self {
        Self {
            finish: RunFinish { attempt, ending, worker: None, duration: None, metrics: None },
            started_at_us: None,
            finished_at_us: unix_us(),
            logs: Vec::new(),
            organization_id: None,
            changes: Vec::new(),
            events: Vec::new(),
            recording: None,
            secrets: Arc::default(),
        }
    }
}
