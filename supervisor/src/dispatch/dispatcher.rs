//! The dispatcher between claim and executor: takes claimed attempts in, prepares them, hands them over.

use std::sync::Arc;

use async_trait::async_trait;
use futures_util::StreamExt;
use muster_core::execution::{Attempt, CompletedRun, RunEnding};
use muster_protocol::{CancelReason, ErrorInfo};
use muster_store::{Claimed, ExecutionFailure, NewExecution};
use uuid::Uuid;

use super::in_flight::{CancelFound, InFlight, InFlightPhase, OutcomeTerms};
use super::prewarm_gate::PrewarmGate;
use super::slots::{SlotReservation, Slots};
use crate::executor::{ExecutorHandle, RunSpec, unix_us};
use crate::finalize::{Finalizer, ParentRun, RetryPolicy, finalization};

/// So many attempts are prepared at once.
const PREPARE_AT_ONCE: usize = 32;

/// Turns a claimed request into what a worker is told: looks up the workflow, fetches the configuration, writes the context.
#[async_trait]
pub trait Prepare: Send + Sync + std::fmt::Debug + 'static {
    /// Prepares one attempt: fetches what its run needs to know.
    async fn prepare(
        &self,
        attempt: Attempt,
        execution: &NewExecution,
    ) -> Result<PreparedAttempt, PrepareError>;
}

/// An attempt that can be handed to a worker.
#[derive(Debug)]
pub struct PreparedAttempt {
    /// What the executor and the worker are told of it.
    pub spec: RunSpec,
    /// What matters when its outcome is decided.
    pub terms: OutcomeTerms,
}

/// Why an attempt cannot be handed to a worker.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PrepareError {
    /// The request can never be run: this is its failure.
    #[error("{}", .0.message)]
    Refused(ExecutionFailure),
    /// What it needs is out of reach: the attempt goes back, uncharged.
    #[error("cannot prepare the execution: {0}")]
    Unavailable(String),
}

/// Takes in what was claimed, prepares it and hands it to the executor.
#[derive(Debug)]
pub struct Dispatcher {
    owner: Uuid,
    in_flight: Arc<InFlight>,
    executor: ExecutorHandle,
    finalizer: Finalizer,
    preparer: Arc<dyn Prepare>,
    after_failure: AfterFailure,
    gate: Arc<PrewarmGate>,
}

/// What an execution that ends without success means for those behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AfterFailure {
    /// The others go on.
    GoOn,
    /// Nothing more is started. One that is tried again has not ended; whoever hears of its last end halts then.
    Halt,
}

impl Dispatcher {
    /// A dispatcher in front of an executor.
    pub fn new(
        owner: Uuid,
        in_flight: Arc<InFlight>,
        executor: ExecutorHandle,
        finalizer: Finalizer,
        preparer: Arc<dyn Prepare>,
        after_failure: AfterFailure,
        slots: Arc<Slots>,
    ) -> Arc<Self> {
        let gate = PrewarmGate::new(slots);
        Arc::new(Self { owner, in_flight, executor, finalizer, preparer, after_failure, gate })
    }

    /// The registry of the attempts that are in flight.
    pub fn in_flight(&self) -> &InFlight {
        &self.in_flight
    }

    /// Takes in what was claimed with a reservation, and prepares it in the background, in order. What is held
    /// already is passed over.
    pub fn accept(self: &Arc<Self>, claimed: Vec<Claimed>, mut reservation: SlotReservation) {
        let mut taken = Vec::with_capacity(claimed.len());
        for claimed in claimed {
            let Some(slot) = reservation.take() else {
                tracing::error!(execution_id = %claimed.attempt.execution_id, attempt = claimed.attempt.number, "claimed more than was reserved; its lease will run out");
                continue;
            };
            if self.in_flight.insert(&claimed, slot) {
                taken.push(claimed);
            }
        }
        if taken.is_empty() {
            return;
        }
        let dispatcher = Arc::clone(self);
        tokio::spawn(async move {
            let prepared = futures_util::stream::iter(taken).map(|claimed| {
                let dispatcher = &dispatcher;
                async move {
                    let prepared = dispatcher.preparer.prepare(claimed.attempt, &claimed.execution).await;
                    (claimed.attempt, prepared)
                }
            });
            let mut prepared = prepared.buffered(PREPARE_AT_ONCE).ready_chunks(PREPARE_AT_ONCE);
            while let Some(prepared) = prepared.next().await {
                dispatcher.hand_over(prepared);
            }
        });
    }

    /// Gives to the executor what could be prepared, in order, and ends the others.
    fn hand_over(&self, prepared: Vec<(Attempt, Result<PreparedAttempt, PrepareError>)>) {
        let mut ready = Vec::with_capacity(prepared.len());
        for (attempt, prepared) in prepared {
            match prepared {
                Ok(prepared) => {
                    self.gate.succeeded();
                    ready.push((attempt, prepared));
                }
                Err(PrepareError::Refused(failure)) => {
                    if self.after_failure == AfterFailure::Halt {
                        self.submit(std::mem::take(&mut ready));
                        self.executor.halt();
                    }
                    let error = ErrorInfo::new(failure.error_type, failure.message);
                    self.end_unstarted(attempt, RunEnding::Failed { error });
                }
                Err(error @ PrepareError::Unavailable(_)) => {
                    tracing::warn!(execution_id = %attempt.execution_id, attempt = attempt.number, %error, "execution goes back");
                    self.gate.failed();
                    let reason = error.to_string();
                    self.end_unstarted(attempt, RunEnding::Released { reason, charged: false });
                }
            }
        }
        self.submit(ready);
    }

    /// Submits attempts, but those of which a cancel came first.
    fn submit(&self, ready: Vec<(Attempt, PreparedAttempt)>) {
        let (mut specs, mut cancelled) = (Vec::with_capacity(ready.len()), Vec::new());
        let mut in_flight = self.in_flight.lock();
        for (attempt, PreparedAttempt { mut spec, terms }) in ready {
            let Some(held) = in_flight.get_mut(&attempt) else { continue };
            spec.attempts_charged = held.attempts_charged;
            spec.failure_halts = self.after_failure == AfterFailure::Halt;
            held.terms = terms;
            match std::mem::replace(&mut held.phase, InFlightPhase::Ended) {
                InFlightPhase::Preparing { slot, cancel: None } => {
                    held.phase = InFlightPhase::Submitted { slot, started_at_us: None, since_us: unix_us() };
                    specs.push(spec);
                }
                InFlightPhase::Preparing { cancel: Some((reason, message)), .. } => {
                    cancelled.push((attempt, ending_before_start(reason, message)));
                }
                // An attempt is prepared once.
                InFlightPhase::Submitted { .. } | InFlightPhase::Ended => {}
            }
        }
        // Under the lock, so that a cancel finds an attempt in the executor or here, never between.
        self.executor.submit(specs);
        drop(in_flight);
        for (attempt, ending) in cancelled {
            self.end_unstarted(attempt, ending);
        }
    }

    /// Ends an attempt that never reached the executor.
    fn end_unstarted(&self, attempt: Attempt, ending: RunEnding) {
        let Some((execution, retry)) = self.in_flight.lock().get_mut(&attempt).map(|held| {
            held.phase = InFlightPhase::Ended;
            let retry = RetryPolicy {
                attempts_charged: held.attempts_charged,
                jitter: fastrand::f64(),
                ..RetryPolicy::default()
            };
            (Arc::clone(&held.execution), retry)
        }) else {
            return;
        };
        let completed = CompletedRun::unstarted(attempt, ending, unix_us());
        // What never ran submitted nothing.
        let parent = ParentRun { execution: &execution, traceparent: None };
        match finalization(completed, self.owner, &parent, retry) {
            Some(finalization) => self.finalizer.finalize(finalization),
            None => {
                self.in_flight.remove(attempt);
            }
        }
    }

    /// Ends an attempt that somebody wants to end, or that made room for another: then it is said for what.
    pub fn cancel_wanted(&self, attempt: Attempt, made_room: Option<&str>) {
        self.cancel(attempt, CancelReason::User, made_room.unwrap_or("cancelled on request"));
    }

    /// Wants an attempt to end, wherever it is. One we do not hold is somebody else's.
    pub fn cancel(&self, attempt: Attempt, reason: CancelReason, message: &str) {
        match self.in_flight.cancel(attempt, reason, message) {
            CancelFound::Submitted => self.executor.cancel(attempt, reason, message),
            CancelFound::Noted | CancelFound::Nothing => {}
        }
    }
}

/// What a cancel means for an attempt no worker has seen.
fn ending_before_start(reason: CancelReason, message: String) -> RunEnding {
    match reason {
        CancelReason::User => RunEnding::Cancelled { message },
        CancelReason::Shutdown | CancelReason::Timeout => {
            RunEnding::Released { reason: message, charged: false }
        }
        CancelReason::LeaseLost => RunEnding::Superseded,
    }
}
