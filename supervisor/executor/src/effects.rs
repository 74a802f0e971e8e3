//! What the pool wants done, done: one short arm per effect.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use muster_core::execution::Attempt;
use muster_core::pool::{
    KillCause, PoolEffect, PoolTime, ProtocolViolation, RunFinish, WorkerEvent, WorkerFeatures, WorkerId,
};
use muster_protocol::{CancelReason, LogLevel, ToWorker, feature};
use serde_json::json;

use super::events::ExecutorEvent;
use super::executor_loop::{ExecutorLoop, ExecutorState};
use super::link::WorkerLink;
use super::logs;
use super::recording::RunRecording;
use super::run::ExecutorRun;
use super::starting;
use super::template;

impl ExecutorLoop {
    /// Does one effect of the step that the pool made at `stepped`. Whatever it leads to comes back as an event of its
    /// own, later.
    pub(super) fn apply(self: &Rc<Self>, state: &mut ExecutorState, stepped: PoolTime, effect: PoolEffect) {
        match effect {
            PoolEffect::Spawn { worker, generation, offers_template } => {
                let link = self.new_link(state, worker, generation);
                tokio::task::spawn_local(starting::run_worker(Rc::clone(self), link, offers_template));
            }
            PoolEffect::Fork { worker, template, generation } => {
                let link = self.new_link(state, worker, generation);
                tokio::task::spawn_local(template::run_forked(Rc::clone(self), link, template));
            }
            PoolEffect::TemplateStands { worker, generation } => {
                tracing::info!(%worker, generation, "template stands: workers are made of it from now on");
                self.inherit_workers();
            }
            PoolEffect::TemplateFailed { worker, message, retry_in } => {
                tracing::warn!(%worker, retry_in_ms = whole_ms(retry_in), reason = message, "template failed: until the next one stands each worker loads by itself");
                self.events.tell(ExecutorEvent::TemplateFailed);
            }
            PoolEffect::Welcome { worker, protocol, features } => {
                self.welcome(state, worker, protocol, features)
            }
            PoolEffect::Execute { worker, run, attempt, grace } => {
                self.execute(state, worker, run, attempt, grace)
            }
            PoolEffect::Started { attempt, worker } => {
                let at_us = self.clock.unix_us_at(stepped);
                if let Some(run) = state.runs.get_mut(&attempt) {
                    run.started(at_us, worker);
                }
                self.events.tell_soon(ExecutorEvent::Started { attempt, worker, at_us });
            }
            PoolEffect::Cancel { worker, run, attempt, reason, message, grace } => {
                note(
                    state,
                    attempt,
                    cancel_event(reason),
                    json!({ "worker": worker.to_string(), "message": message }),
                );
                let grace_ms = whole_ms(grace);
                self.send_in_run(state, worker, &ToWorker::Cancel { run, reason, message, grace_ms });
            }
            PoolEffect::Dump { worker, run } => self.send_in_run(state, worker, &ToWorker::Dump { run }),
            PoolEffect::Retire { worker, reason } => self.retire(state, worker, reason),
            PoolEffect::Terminate { worker, cause } => {
                tracing::info!(%worker, ?cause, "terminating worker");
                note_worker(state, worker, "terminated", cause);
                if let Some(link) = state.links.get(&worker) {
                    self.terminate(link);
                }
            }
            PoolEffect::Kill { worker, cause } => {
                tracing::info!(%worker, ?cause, "killing worker");
                note_worker(state, worker, "killed", cause);
                if let Some(link) = state.links.get(&worker) {
                    link.kill();
                }
            }
            PoolEffect::WorkerDied(death) => self.worker_died(state, *death),
            PoolEffect::Finish(finish) => self.finish(state, finish),
            PoolEffect::StartFailed { worker, consecutive, message, retry_in } => {
                tracing::warn!(%worker, consecutive, retry_in_ms = whole_ms(retry_in), reason = message, "worker did not start");
                self.events.tell(ExecutorEvent::StartFailed { consecutive, message });
            }
            PoolEffect::Reloaded { generation } => {
                tracing::info!(generation, "reload finished: workers of the new generation serve")
            }
            PoolEffect::ReloadFailed { worker, generation, message } => {
                tracing::error!(
                    %worker,
                    generation,
                    reason = message,
                    "the new generation cannot start; the old one keeps serving"
                );
            }
            PoolEffect::StartsRecovered => {
                tracing::info!("workers start again");
                self.events.tell(ExecutorEvent::StartsRecovered);
            }
        }
    }

    fn welcome(
        self: &Rc<Self>,
        state: &ExecutorState,
        worker: WorkerId,
        protocol: u16,
        features: WorkerFeatures,
    ) {
        let Some(link) = state.links.get(&worker) else { return };
        // Its own generation's: the newest may be one that cannot start.
        let spec = &link.spec;
        link.features.set(features);
        if !features.template {
            // Nothing will go over its channel.
            link.template.take();
        }
        let welcome = ToWorker::Welcome {
            protocol,
            worker_id: worker.to_string(),
            features: feature_names(features),
            max_frame_bytes: muster_protocol::limits::FRAME_MAX_BYTES as u32,
            log_level: spec.log_level,
            config: spec.welcome_config.clone(),
        };
        self.send(state, worker, &welcome);
    }

    fn execute(
        self: &Rc<Self>,
        state: &mut ExecutorState,
        worker: WorkerId,
        run: u32,
        attempt: Attempt,
        grace: Duration,
    ) {
        let (Some(link), Some(held)) = (state.links.get(&worker), state.runs.get(&attempt)) else { return };
        link.begin_run(run, attempt, &self.births);
        let spec = &held.spec;
        // What the code declares may be known only now: it was prepared while no worker was there.
        let described = self.descriptions.of(&spec.workflow, &spec.source);
        let assignment = spec.assignment(described.as_deref());
        state.pool.refine(worker, assignment);
        let secrets = link.add_secrets(&spec.secrets);
        let execute = ToWorker::Execute {
            run,
            execution_id: attempt.execution_id.to_string(),
            attempt: attempt.number,
            workflow: spec.workflow.clone(),
            source: spec.source.clone(),
            params: spec.params.clone(),
            context: spec.context.clone(),
            timeout_ms: assignment
                .timeout
                .map_or(0, |timeout| u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX)),
            grace_ms: whole_ms(grace),
        };
        self.send(state, worker, &execute);
        let transcribe = state.specs.newest.transcribe;
        let identity = state.links.get(&worker).map(|link| Arc::clone(&link.identity.borrow()));
        if let Some(held) = state.runs.get_mut(&attempt) {
            held.described = described;
            // The frame is written, so it need not be copied to be kept.
            let identity = identity.unwrap_or_default();
            held.recording = RunRecording::begin(transcribe, execute, identity, Arc::clone(&secrets));
            held.mask_by(secrets);
        }
    }

    fn retire(self: &Rc<Self>, state: &ExecutorState, worker: WorkerId, reason: String) {
        let Some(link) = state.links.get(&worker) else { return };
        tracing::debug!(%worker, reason, "retiring worker");
        // One that knows that its only run is over leaves when its stdin ends.
        let is_spent = link.spec.serves_once && !link.known_runs.borrow().is_empty();
        if link.features.get().drain && !is_spent {
            self.send(state, worker, &ToWorker::Drain { reason, grace_ms: 0 });
        }
        link.outgoing.borrow_mut().close();
    }

    fn finish(self: &Rc<Self>, state: &mut ExecutorState, finish: RunFinish) {
        let Some(run) = state.runs.remove(&finish.attempt) else { return };
        for link in finish.worker.iter().filter_map(|worker| state.links.get(worker)) {
            // What the worker says of this run from here on belongs to nobody.
            if link.run.get().is_some_and(|(_, attempt)| attempt == finish.attempt) {
                link.run.set(None);
            }
        }
        self.events.tell_end(run.end(finish), state.pool.waiting());
    }

    /// Writes a message about the run a worker holds, and keeps it with the run's other frames.
    pub(super) fn send_in_run(
        self: &Rc<Self>,
        state: &mut ExecutorState,
        worker: WorkerId,
        message: &ToWorker,
    ) {
        self.send(state, worker, message);
        let held = state.links.get(&worker).and_then(|link| link.run.get());
        if let Some(run) = held.and_then(|(_, attempt)| state.runs.get_mut(&attempt))
            && let Some(recording) = &mut run.recording
        {
            recording.sent(message);
        }
    }

    /// Writes a message to a worker. One that cannot be spelled for this worker ends it, not the supervisor.
    pub(super) fn send(self: &Rc<Self>, state: &ExecutorState, worker: WorkerId, message: &ToWorker) {
        let Some(link) = state.links.get(&worker) else { return };
        let Err(error) = link.send(message) else { return };
        let message = format!("{} cannot be sent to this worker: {error}", message.name());
        let engine = Rc::clone(self);
        tokio::task::spawn_local(async move {
            engine.worker(worker, WorkerEvent::Violation(ProtocolViolation::Broken { message }));
        });
    }

    /// Adds a remark to the log of a run.
    pub(super) fn remark(&self, attempt: Attempt, level: LogLevel, message: String) {
        if let Some(run) = self.state.borrow_mut().runs.get_mut(&attempt) {
            let line = logs::remarked(level, message, &run.secrets);
            self.log(run, [line]);
        }
    }
}

impl ExecutorLoop {
    /// For a worker that is about to be asked for.
    fn new_link(&self, state: &mut ExecutorState, worker: WorkerId, generation: u64) -> Rc<WorkerLink> {
        let link = WorkerLink::new(worker, state.specs.of(generation), generation);
        link.born_after.set(self.births.last());
        state.links.insert(worker, Rc::clone(&link));
        link
    }
}

fn note(state: &mut ExecutorState, attempt: Attempt, event: &'static str, detail: serde_json::Value) {
    if let Some(run) = state.runs.get_mut(&attempt) {
        run.note(event, detail);
    }
}

/// Notes a signal in the events of the run the worker holds, if it holds one.
fn note_worker(state: &mut ExecutorState, worker: WorkerId, event: &'static str, cause: KillCause) {
    let held = state.links.get(&worker).and_then(|link| link.run.get());
    if let Some((_, attempt)) = held {
        note(state, attempt, event, json!({ "worker": worker.to_string(), "cause": format!("{cause:?}") }));
    }
}

fn cancel_event(reason: CancelReason) -> &'static str {
    match reason {
        CancelReason::User => "cancel_signalled",
        CancelReason::Timeout => "timeout_signalled",
        CancelReason::Shutdown => "shutdown_signalled",
        CancelReason::LeaseLost => "lease_lost",
    }
}

fn feature_names(features: WorkerFeatures) -> Vec<String> {
    let WorkerFeatures { log, progress, call, cancel, ping, drain, dump, template, describe } = features;
    [
        (log, feature::LOG),
        (progress, feature::PROGRESS),
        (call, feature::CALL),
        (cancel, feature::CANCEL),
        (ping, feature::PING),
        (drain, feature::DRAIN),
        (dump, feature::DUMP),
        (template, feature::TEMPLATE),
        (describe, feature::DESCRIBE),
    ]
    .into_iter()
    .filter(|(has, _)| *has)
    .map(|(_, name)| name.to_owned())
    .collect()
}

/// A duration on the wire: whole milliseconds, rounded up so that a grace is never cut to none.
fn whole_ms(duration: Duration) -> u32 {
    u32::try_from(duration.as_micros().div_ceil(1000)).unwrap_or(u32::MAX)
}

impl ExecutorState {
    /// The run an attempt is, while it is in the executor's hands.
    pub(super) fn run_mut(&mut self, attempt: Attempt) -> Option<&mut ExecutorRun> {
        self.runs.get_mut(&attempt)
    }
}
