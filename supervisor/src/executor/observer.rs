//! What the rest of the supervisor hears of the executor.

use std::time::Duration;

use futures_util::future::BoxFuture;
use muster_core::execution::{Attempt, Change, CompletedRun, LogLine};
use muster_core::pool::WorkerId;
use uuid::Uuid;

use super::recording::RunRecording;

/// Hears what happens. Every method is called on the executor's thread and must return at once: put the news in
/// a queue and leave.
pub trait ExecutorObserver: Send + Sync + 'static {
    /// The attempt entered user code.
    fn started(&self, attempt: Attempt, worker: WorkerId, at_us: i64);
    /// New lines of its log, for live views; the whole log comes with [`ExecutorObserver::finished`].
    fn logged(&self, attempt: Attempt, lines: &[LogLine]);
    /// How far it is, for live views.
    fn progressed(&self, attempt: Attempt, progress: &RunProgress);
    /// It asked for a change, for watchers; all its changes come with [`ExecutorObserver::finished`].
    fn changed(&self, attempt: Attempt, change: &Change);
    /// The attempt is over, or goes back. The frames that passed come with it, if they are kept.
    fn finished(&self, completed: CompletedRun, recording: Option<RunRecording>);
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
