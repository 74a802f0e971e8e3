//! What the shell holds of one attempt from its submission to its end.

use std::sync::Arc;
use std::time::Duration;

use muster_core::execution::{Attempt, Change, CompletedRun, RunEnding, RunEvent, Secrets};
use muster_core::pool::RunFinish;
use muster_protocol::{CallResult, DeclaredRetry};
use serde::Serialize;
use serde_json::value::to_raw_value;
use uuid::Uuid;

use super::changes::PendingChanges;
use super::clock::unix_us;
use super::logs::RunLogs;
use super::recording::RunRecording;
use super::run_spec::RunSpec;
use super::showing::ShownRun;
use crate::descriptions::DescribedWorkflow;

/// The detail of the event that every execution has: written without a detour over a map.
#[derive(Serialize)]
struct StartedBy {
    worker: String,
    /// Whose state and configuration it has.
    #[serde(skip_serializing_if = "Option::is_none")]
    organization_id: Option<Uuid>,
}

/// One attempt in the executor's hands.
#[derive(Debug)]
pub(super) struct ExecutorRun {
    pub(super) spec: RunSpec,
    pub(super) logs: RunLogs,
    pub(super) shown: ShownRun,
    pub(super) changes: PendingChanges,
    pub(super) calls_in_flight: usize,
    pub(super) recording: Option<RunRecording>,
    /// What must not be read of it: its own secrets, and all its worker was given before.
    pub(super) secrets: Arc<Secrets>,
    /// What the code declared when it was given to its worker.
    pub(super) described: Option<Arc<DescribedWorkflow>>,
    started_at_us: Option<i64>,
    events: Vec<RunEvent>,
}

impl ExecutorRun {
    pub(super) fn new(spec: RunSpec) -> Self {
        Self {
            logs: RunLogs::new(),
            shown: ShownRun::default(),
            secrets: Arc::clone(&spec.secrets),
            spec,
            changes: PendingChanges::default(),
            calls_in_flight: 0,
            recording: None,
            described: None,
            started_at_us: None,
            events: Vec::new(),
        }
    }

    /// It is given to a worker that knows these.
    pub(super) fn mask_by(&mut self, secrets: Arc<Secrets>) {
        self.secrets = secrets;
    }

    /// User code is entered. What was needed only to hand the attempt to another worker is let go.
    pub(super) fn started(&mut self, at_us: i64, worker: impl std::fmt::Display) {
        self.started_at_us = Some(at_us);
        self.spec.params = muster_protocol::JsonBytes::NONE;
        self.spec.context = muster_protocol::JsonBytes::NONE;
        let organization_id = self.spec.organization_id;
        self.note_at(at_us, "started", &StartedBy { worker: worker.to_string(), organization_id });
    }

    /// Remembers a step on the way.
    pub(super) fn note(&mut self, event: &'static str, detail: serde_json::Value) {
        self.note_at(unix_us(), event, &detail);
    }

    fn note_at(&mut self, at_us: i64, event: &'static str, detail: &impl Serialize) {
        let detail = to_raw_value(detail).ok();
        self.events.push(RunEvent { at_us, event, detail });
    }

    /// It is over.
    pub(super) fn end(mut self, finish: RunFinish) -> EndedRun {
        let finished_at_us = self.finished_at(finish.observed);
        if let (Some(started_at_us), Some(duration)) = (&mut self.started_at_us, finish.duration) {
            // Where Started was read late it began as much earlier; its end would lie in the future else.
            *started_at_us = finished_at_us.saturating_sub(whole_us(duration));
        }
        EndedRun { run: self, finish, finished_at_us }
    }

    /// A started run ended as long after its start as was seen, whatever the time of day is now; one that never started
    /// ends now.
    fn finished_at(&self, observed: Option<Duration>) -> i64 {
        match (self.started_at_us, observed) {
            (Some(started), Some(observed)) => started.saturating_add(whole_us(observed)),
            (Some(_) | None, _) => unix_us(),
        }
    }
}

fn whole_us(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

/// An attempt that is over, as the executor held it.
#[derive(Debug)]
pub struct EndedRun {
    run: ExecutorRun,
    finish: RunFinish,
    finished_at_us: i64,
}

impl EndedRun {
    /// The attempt that ended.
    pub fn attempt(&self) -> Attempt {
        self.finish.attempt
    }

    /// When it ended, in microseconds since the Unix epoch.
    pub fn finished_at_us(&self) -> i64 {
        self.finished_at_us
    }

    /// How the code wants it to be tried again.
    pub fn declared_retry(&self) -> DeclaredRetry {
        self.run.described.as_ref().map_or_else(DeclaredRetry::default, |it| it.declared.retry.clone())
    }

    /// How much of it must be looked through before it can be recorded.
    pub fn size_bytes(&self) -> usize {
        let ending = match &self.finish.ending {
            RunEnding::Succeeded { result } => result.0.len(),
            RunEnding::Failed { error } => error.message.len() + error.stack.len(),
            RunEnding::TimedOut { message }
            | RunEnding::Cancelled { message }
            | RunEnding::Released { reason: message, .. } => message.len(),
            RunEnding::Superseded => 0,
        };
        ending + self.run.changes.size_bytes()
    }

    /// The outcome, and the frames that passed, if they are kept. Takes as long as there is text to be masked, so it is
    /// not for the executor's thread.
    pub fn complete(self) -> (CompletedRun, Option<RunRecording>) {
        let Self { run, finish, finished_at_us } = self;
        let RunFinish { attempt, mut ending, worker: _, duration, observed: _, metrics, end_cause } = finish;
        mask(&mut ending, &run.secrets);
        let completed = CompletedRun {
            attempt,
            ending,
            duration,
            metrics,
            end_cause,
            started_at_us: run.started_at_us,
            finished_at_us,
            logs: run.logs.into_lines(),
            organization_id: run.spec.organization_id,
            changes: run.changes.into_list(),
            events: run.events,
        };
        (completed, run.recording)
    }
}

/// What people will read of an outcome holds no secret of the run.
fn mask(ending: &mut RunEnding, secrets: &Secrets) {
    if secrets.is_empty() {
        return;
    }
    match ending {
        RunEnding::Failed { error } => secrets.mask_error(error),
        RunEnding::TimedOut { message }
        | RunEnding::Cancelled { message }
        | RunEnding::Released { reason: message, .. } => secrets.mask_in(message),
        RunEnding::Succeeded { .. } | RunEnding::Superseded => {}
    }
}

/// What a call leads to.
#[derive(Debug)]
pub(super) enum CallAnswer {
    /// The reply is known.
    Now(CallResult),
    /// The reply is known, and this change is new.
    Changed(CallResult, Arc<Change>),
    /// The committed state must be read first.
    ReadState {
        /// Which key.
        key: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run_spec::samples::any_spec;

    /// Started was read when the run was nearly over, so what its worker measured is longer than what was seen.
    #[test]
    fn a_run_that_was_read_late_began_earlier_and_ended_when_it_did() {
        let (started_at_us, ms) = (1_795_939_660_000_000, Duration::from_millis);
        let spec = any_spec();
        let finish = RunFinish {
            attempt: spec.attempt,
            ending: RunEnding::Superseded,
            worker: None,
            duration: Some(ms(180)),
            observed: Some(ms(20)),
            metrics: None,
            end_cause: None,
        };
        let mut run = ExecutorRun::new(spec);
        run.started(started_at_us, "a fake");
        let (completed, _) = run.end(finish).complete();
        assert_eq!(completed.finished_at_us, started_at_us + 20_000);
        assert_eq!(completed.started_at_us, Some(started_at_us - 160_000));
    }
}
