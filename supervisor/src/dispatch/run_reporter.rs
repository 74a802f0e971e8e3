//! What the executor tells, passed on: ends to the finalizer, the rest to live views.
//!
//! Of one attempt everything is passed on in order. What many lines of one run cost to show holds up no other: they are
//! shown one message at a time, and what else there is comes between. A task of the runtime, so that what takes as long as it is large (JSON for live views, a result to be checked, an
//! error to be masked) keeps nobody's limit waiting. What is very large is looked through on a thread for it, one after
//! another, and what comes behind it goes on meanwhile.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use jiff::Timestamp;
use muster_bus::{Bus, Channel, StatusChange};
use muster_core::execution::{Attempt, Change, Status};
use muster_store::{Disposition, Finalization, NewExecution, ShareBook, StateStore};
use serde_json::json;
use tokio::sync::Semaphore;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use super::in_flight::{InFlight, InFlightPhase};
use super::later_events::{LaterEvent, LaterEvents};
use super::slots::{IntakeClosed, Slots, was_short};
use super::state_reads::answer_state;
use crate::dispatch::StartHealth;
use crate::executor::{
    EndedRun, ExecutorEvent, ExecutorEvents, LiveEvent, RunProgress, RunRecording, StateQuestion,
};
use crate::finalize::{Finalizer, ParentRun, RetryPolicy, finalization};
use crate::observe::SupervisorMetrics;
use crate::transcripts::{EndedAttempt, TranscriptKeeper};

/// Above so many ends that wait to be written nothing more is claimed.
const BACKLOG_MAX: usize = 4096;

/// After so many failed starts in a row nothing more is claimed until one works.
const START_FAILURES_CLOSE: u32 = 3;

/// An end with more than this is looked through on a thread for it.
const LARGE_BYTES: usize = 64 * 1024;

/// Ends that are looked through on a thread for it, one after another.
#[derive(Debug)]
struct LargeEnds {
    runs: TaskTracker,
    turn: Arc<Semaphore>,
}

impl Default for LargeEnds {
    fn default() -> Self {
        Self { runs: TaskTracker::new(), turn: Arc::new(Semaphore::new(1)) }
    }
}

/// Passes on what the executor tells.
#[derive(Debug)]
pub(crate) struct RunReporter {
    pub(crate) owner: Uuid,
    pub(crate) in_flight: Arc<InFlight>,
    /// Where the worker time of organizations is kept.
    pub(crate) shares: ShareBook,
    pub(crate) slots: Arc<Slots>,
    pub(crate) finalizer: Finalizer,
    pub(crate) bus: Bus,
    pub(crate) store: Arc<dyn StateStore>,
    pub(crate) health: Arc<StartHealth>,
    pub(crate) metrics: Arc<SupervisorMetrics>,
    /// How many short runs have ended, for the rate.
    pub(crate) short_ended: Arc<AtomicUsize>,
    /// Where transcripts are kept, if they are.
    pub(crate) transcripts: Option<Arc<TranscriptKeeper>>,
    /// Other supervisors claim from the same store.
    pub(crate) shares_store: bool,
}

impl RunReporter {
    /// Passes on until the executor is gone and all that it told is passed on.
    pub(crate) async fn run(self: Arc<Self>, mut events: ExecutorEvents) {
        let large = LargeEnds::default();
        let (mut taken, mut later) = (Vec::new(), LaterEvents::default());
        loop {
            tokio::select! {
                biased;
                count = events.take(&mut taken) => if count == 0 { break },
                () = tokio::task::yield_now(), if !later.is_empty() => {}
            }
            for event in taken.drain(..) {
                self.pass_on(event, &events, &mut later, &large);
            }
            later.take_turn().for_each(|next| self.pass_on_later(next, &large));
        }
        while !later.is_empty() {
            later.take_turn().for_each(|next| self.pass_on_later(next, &large));
        }
        large.runs.close();
        large.runs.wait().await;
    }

    fn pass_on_later(self: &Arc<Self>, event: LaterEvent, large: &LargeEnds) {
        match event {
            LaterEvent::Live(live) => self.show(live.event()),
            LaterEvent::Finished(ended) => self.ended(ended, large),
        }
    }

    fn pass_on(
        self: &Arc<Self>,
        event: ExecutorEvent,
        events: &ExecutorEvents,
        later: &mut LaterEvents,
        large: &LargeEnds,
    ) {
        match event {
            ExecutorEvent::Started { attempt, worker: _, at_us } => self.started(attempt, at_us),
            ExecutorEvent::Live(live) => later.push(LaterEvent::Live(live)),
            ExecutorEvent::Finished(ended) if events.is_shown_later(ended.attempt()) => {
                later.push(LaterEvent::Finished(ended));
            }
            ExecutorEvent::Finished(ended) => self.ended(ended, large),
            ExecutorEvent::ReadState(question) => self.read_state(question),
            ExecutorEvent::WorkerReady { origin, took } => self.metrics.worker_ready(origin, took),
            ExecutorEvent::TemplateFailed => self.metrics.template_failed(),
            ExecutorEvent::StartFailed { consecutive, message } => self.start_failed(consecutive, &message),
            ExecutorEvent::WorkerDied { kind } => self.metrics.worker_died(kind),
            ExecutorEvent::StartsRecovered => {
                self.health.starts_recovered();
                self.slots.open(IntakeClosed::WorkersFail);
            }
        }
    }

    fn ended(self: &Arc<Self>, ended: Box<EndedRun>, large: &LargeEnds) {
        if ended.size_bytes() > LARGE_BYTES {
            large.runs.spawn(Arc::clone(self).finish_large(ended, Arc::clone(&large.turn)));
        } else {
            self.finished(*ended);
        }
    }

    async fn finish_large(self: Arc<Self>, ended: Box<EndedRun>, turn: Arc<Semaphore>) {
        // Nobody closes it, so the turn always comes.
        let _turn = turn.acquire().await;
        let _ = tokio::task::spawn_blocking(move || self.finished(*ended)).await;
    }

    fn started(&self, attempt: Attempt, at_us: i64) {
        let execution = {
            let mut held = self.in_flight.lock();
            let Some(held) = held.get_mut(&attempt) else { return };
            if let InFlightPhase::Submitted { started_at_us, since_us, .. } = &mut held.phase {
                *started_at_us = Some(at_us);
                let since_us = waits_since_us(attempt, &held.execution, *since_us);
                let waited_us = u64::try_from(at_us - since_us).unwrap_or_default();
                self.metrics.started(Duration::from_micros(waited_us));
            }
            Arc::clone(&held.execution)
        };
        self.shares.started(attempt, execution.organization_id, at_us);
        let (workflow, organization_id) = (execution.workflow_name.clone(), execution.organization_id);
        let at = Timestamp::from_microsecond(at_us).unwrap_or(Timestamp::UNIX_EPOCH);
        let running = StatusChange::new(attempt, Status::Running, at);
        let change = StatusChange { workflow, organization_id, ..running };
        self.bus.status_changed(&change);
    }

    fn show(&self, live: &LiveEvent) {
        let attempt = live.attempt();
        match live {
            LiveEvent::Logged(_, lines) => self.bus.log_lines(attempt, lines, self.timeout(attempt)),
            LiveEvent::Progressed(_, progress) => self.progressed(attempt, progress),
            LiveEvent::Changed(_, change, secrets) => {
                let shown = Change::clone(change).masked(secrets);
                if let Ok(shown) = serde_json::to_vec(&shown) {
                    self.bus.change_noted(attempt, Bytes::from(shown), self.timeout(attempt));
                }
            }
        }
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

    fn finished(&self, ended: EndedRun) {
        let attempt = ended.attempt();
        self.shares.ended(attempt, ended.finished_at_us());
        let declared = ended.declared_retry();
        let Some((execution, retry, traceparent)) = self.in_flight.lock().get(&attempt).map(|held| {
            let retry = RetryPolicy {
                stated: held.terms.retry.clone(),
                declared,
                attempts_charged: held.attempts_charged,
                others_may_know: self.shares_store,
                jitter: fastrand::f64(),
            };
            (Arc::clone(&held.execution), retry, held.terms.traceparent.clone())
        }) else {
            return;
        };
        let (completed, recording) = ended.complete();
        self.short_ended.fetch_add(usize::from(was_short(&completed)), Ordering::Relaxed);
        let parent = ParentRun { execution: &execution, traceparent };
        let outcome = finalization(completed, self.owner, &parent, retry);
        // The slot goes back here: the next execution may be claimed while this one is written.
        if let Some(held) = self.in_flight.lock().get_mut(&attempt) {
            held.phase = InFlightPhase::Ended;
        }
        match outcome {
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

    /// Keeps the frames of an attempt that ended. One that goes back has not.
    fn transcribe(&self, recording: RunRecording, finalization: &Finalization, execution: &NewExecution) {
        let Some(keeper) = &self.transcripts else { return };
        let (status, failure) = match &finalization.disposition {
            Disposition::Terminal(outcome) => (outcome.status(), outcome.failure()),
            Disposition::Retry { failure, .. } => (Status::Failed, Some(failure)),
            Disposition::Release { .. } | Disposition::UnknownHere { .. } => return,
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

    fn start_failed(&self, consecutive: u32, message: &str) {
        self.health.start_failed(consecutive, message);
        if consecutive >= START_FAILURES_CLOSE {
            self.slots.close(IntakeClosed::WorkersFail);
        }
    }

    fn read_state(&self, question: StateQuestion) {
        let store = Arc::clone(&self.store);
        tokio::spawn(async move { answer_state(&*store, question).await });
    }

    fn timeout(&self, attempt: Attempt) -> Duration {
        let held = self.in_flight.lock();
        held.get(&attempt).and_then(|held| held.terms.timeout).unwrap_or_default()
    }
}

/// Since when an attempt waits that the executor got at that moment: the first one since its message was published, if
/// that says so and its clock was not ahead of ours.
fn waits_since_us(attempt: Attempt, execution: &NewExecution, given_us: i64) -> i64 {
    let published = execution.published_at.filter(|_| attempt.number == 1);
    published.map_or(given_us, |at| at.as_microsecond().min(given_us))
}
