//! What the executor reports, passed on: ends to the finalizer, the rest to live views.
//!
//! Called on the executor's thread, so nothing here waits.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use jiff::Timestamp;
use muster_bus::{Bus, Channel, StatusChange};
use muster_core::execution::{Attempt, Change, CompletedRun, LogLine, Status};
use muster_core::pool::WorkerId;
use muster_store::{Disposition, Finalization, NewExecution, StateStore};
use serde_json::json;
use uuid::Uuid;

use super::in_flight::{InFlight, InFlightPhase};
use super::slots::{IntakeClosed, Slots};
use crate::dispatch::StartHealth;
use crate::executor::{ExecutorObserver, RunProgress, RunRecording};
use crate::finalize::{Finalizer, RetryPolicy, finalization};
use crate::observe::SupervisorMetrics;
use crate::transcripts::{EndedAttempt, TranscriptKeeper};

/// Above so many outcomes that wait to be written nothing more is claimed.
const BACKLOG_MAX: usize = 4096;

/// After so many failed starts in a row nothing more is claimed until one works.
const START_FAILURES_CLOSE: u32 = 3;

/// Passes on what the executor reports.
#[derive(Debug)]
pub(crate) struct RunReporter {
    pub(crate) owner: Uuid,
    pub(crate) in_flight: Arc<InFlight>,
    pub(crate) slots: Arc<Slots>,
    pub(crate) finalizer: Finalizer,
    pub(crate) bus: Bus,
    pub(crate) store: Arc<dyn StateStore>,
    pub(crate) health: Arc<StartHealth>,
    pub(crate) metrics: Arc<SupervisorMetrics>,
    /// How many attempts have ended, for the rate.
    pub(crate) ended: Arc<AtomicUsize>,
    /// Where transcripts are kept, if they are.
    pub(crate) transcripts: Option<Arc<TranscriptKeeper>>,
}

impl RunReporter {
    fn timeout(&self, attempt: Attempt) -> Duration {
        let held = self.in_flight.lock();
        held.get(&attempt).and_then(|held| held.terms.timeout).unwrap_or_default()
    }
}

impl RunReporter {
    /// Keeps the frames of an attempt that ended. One that goes back has not.
    fn transcribe(&self, recording: RunRecording, finalization: &Finalization, execution: &NewExecution) {
        let Some(keeper) = &self.transcripts else { return };
        let (status, failure) = match &finalization.disposition {
            Disposition::Terminal(outcome) => (outcome.status(), outcome.failure()),
            Disposition::Retry { failure, .. } => (Status::Failed, Some(failure)),
            Disposition::Release { .. } => return,
        };
        // Asked of what is recorded: a result that is no JSON is a failure although the worker said Succeeded.
        if !recording.is_wanted(status == Status::Success) {
            return;
        }
        keeper.keep(EndedAttempt {
            attempt: finalization.attempt,
            workflow: execution.workflow_name.clone().unwrap_or_default(),
            status,
            error_type: failure.map(|failure| failure.error_type.clone()),
            error_message: failure.map(|failure| failure.message.clone()),
            recording,
        });
    }
}

impl ExecutorObserver for RunReporter {
    fn started(&self, attempt: Attempt, _worker: WorkerId, at_us: i64) {
        let workflow = {
            let mut held = self.in_flight.lock();
            let Some(held) = held.get_mut(&attempt) else { return };
            if let InFlightPhase::Submitted { started_at_us, since_us, .. } = &mut held.phase {
                *started_at_us = Some(at_us);
                let waited_us = u64::try_from(at_us - *since_us).unwrap_or_default();
                self.metrics.started(Duration::from_micros(waited_us));
            }
            held.execution.workflow_name.clone()
        };
        let at = Timestamp::from_microsecond(at_us).unwrap_or(Timestamp::UNIX_EPOCH);
        let change = StatusChange { workflow, ..StatusChange::new(attempt, Status::Running, at) };
        self.bus.status_changed(&change);
    }

    fn logged(&self, attempt: Attempt, lines: &[LogLine]) {
        self.bus.log_lines(attempt, lines, self.timeout(attempt));
    }

    fn progressed(&self, attempt: Attempt, progress: &RunProgress) {
        let message = json!({
            "type": "progress",
            "execution_id": attempt.execution_id,
            "attempt": attempt.number,
            "current": progress.current,
            "total": progress.total,
            "message": progress.message,
        });
        self.bus.publish(&Channel::Execution(attempt.execution_id), Bytes::from(message.to_string()));
    }

    fn changed(&self, attempt: Attempt, change: &Change) {
        if let Ok(change) = serde_json::to_vec(change) {
            self.bus.change_noted(attempt, Bytes::from(change), self.timeout(attempt));
        }
    }

    fn finished(&self, completed: CompletedRun, recording: Option<RunRecording>) {
        let attempt = completed.attempt;
        self.ended.fetch_add(1, Ordering::Relaxed);
        let (execution, retry) = {
            let mut held = self.in_flight.lock();
            let Some(held) = held.get_mut(&attempt) else { return };
            // The slot goes back here: the next execution may be claimed while this one is written.
            held.phase = InFlightPhase::Ended;
            let retry = RetryPolicy {
                user_attempts: held.terms.user_attempts,
                attempts_charged: held.attempts_charged,
                backoff: held.terms.backoff,
                jitter: fastrand::f64(),
            };
            (Arc::clone(&held.execution), retry)
        };
        match finalization(completed, self.owner, &execution, retry) {
            Some(finalization) => {
                if let Some(recording) = recording {
                    self.transcribe(recording, &finalization, &execution);
                }
                self.finalizer.finalize(finalization);
            }
            None => {
                self.in_flight.remove(attempt);
            }
        }
        if self.finalizer.backlog() > BACKLOG_MAX {
            self.slots.close(IntakeClosed::Backlog);
        }
    }

    fn start_failed(&self, consecutive: u32, message: &str, _retry_in: Duration) {
        self.health.start_failed(consecutive, message);
        if consecutive >= START_FAILURES_CLOSE {
            self.slots.close(IntakeClosed::WorkersFail);
        }
    }

    fn starts_recovered(&self) {
        self.health.starts_recovered();
        self.slots.open(IntakeClosed::WorkersFail);
    }

    fn read_state(
        &self,
        organization: Option<Uuid>,
        key: String,
    ) -> BoxFuture<'static, Result<Option<String>, String>> {
        let store = Arc::clone(&self.store);
        async move {
            let value = store.state(organization, &key).await.map_err(|error| error.to_string())?;
            Ok(value.map(|value| String::from(Box::<str>::from(value))))
        }
        .boxed()
    }
}
