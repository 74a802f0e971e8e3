//! The desk between claim and crew: takes claimed attempts in, prepares them, hands them over.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::StreamExt;
use muster_protocol::{CancelReason, ErrorInfo};
use uuid::Uuid;

use super::ledger::{CancelMet, Ledger, Phase, Terms};
use super::prewarm_gate::PrewarmGate;
use super::slots::{Reservation, Slots};
use crate::crew::{Completed, CrewHandle, Order, unix_us};
use crate::execution::Attempt;
use crate::finalize::{Finalizer, RetryPolicy, finalization};
use crate::pool::Ending;
use crate::store::{Claimed, Failure, NewExecution};

/// So many attempts are prepared at once.
const PREPARE_AT_ONCE: usize = 32;

/// Turns a claimed request into an order: looks up the workflow, fetches the configuration, writes the context.
#[async_trait]
pub trait Prepare: Send + Sync + std::fmt::Debug + 'static {
    /// Prepares one attempt.
    async fn prepare(&self, attempt: Attempt, execution: &NewExecution) -> Result<Prepared, PrepareError>;
}

/// An attempt that can be handed to a worker.
#[derive(Debug)]
pub struct Prepared {
    /// What the worker is told.
    pub order: Order,
    /// What matters at its end.
    pub terms: Terms,
}

/// Why an attempt cannot be handed to a worker.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PrepareError {
    /// The request can never be run: this is its failure.
    #[error("{}", .0.message)]
    Refused(Failure),
    /// What it needs is out of reach: the attempt goes back, uncharged.
    #[error("cannot prepare the execution: {0}")]
    Unavailable(String),
}

/// Takes in, prepares, hands over.
#[derive(Debug)]
pub struct Desk {
    owner: Uuid,
    ledger: Arc<Ledger>,
    crew: CrewHandle,
    finalizer: Finalizer,
    preparer: Arc<dyn Prepare>,
    after_failure: AfterFailure,
    gate: Arc<PrewarmGate>,
}

/// What an execution that ends without success means for those behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AfterFailure {
    /// Nothing.
    GoOn,
    /// Nothing more is started. One that is tried again has not ended; whoever hears of its last end halts then.
    Halt,
}

impl Desk {
    /// A desk in front of a crew.
    pub fn new(
        owner: Uuid,
        ledger: Arc<Ledger>,
        crew: CrewHandle,
        finalizer: Finalizer,
        preparer: Arc<dyn Prepare>,
        after_failure: AfterFailure,
        slots: Arc<Slots>,
    ) -> Arc<Self> {
        let gate = PrewarmGate::new(slots);
        Arc::new(Self { owner, ledger, crew, finalizer, preparer, after_failure, gate })
    }

    /// What is held.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Takes in what was claimed with a reservation, and prepares it in the background, in order. What is held
    /// already is passed over.
    pub fn accept(self: &Arc<Self>, claimed: Vec<Claimed>, mut reservation: Reservation) {
        let mut taken = Vec::with_capacity(claimed.len());
        for claimed in claimed {
            let Some(slot) = reservation.take() else {
                tracing::error!(attempt = %claimed.attempt, "claimed more than was reserved; its lease will run out");
                continue;
            };
            if self.ledger.take_in(&claimed, slot) {
                taken.push(claimed);
            }
        }
        if taken.is_empty() {
            return;
        }
        let desk = Arc::clone(self);
        tokio::spawn(async move {
            let prepared = futures_util::stream::iter(taken).map(|claimed| {
                let desk = &desk;
                async move {
                    let prepared = desk.preparer.prepare(claimed.attempt, &claimed.execution).await;
                    (claimed.attempt, prepared)
                }
            });
            let mut prepared = prepared.buffered(PREPARE_AT_ONCE);
            while let Some((attempt, prepared)) = prepared.next().await {
                desk.hand_over(attempt, prepared);
            }
        });
    }

    /// Gives a prepared attempt to the crew, unless a cancel came first.
    fn hand_over(&self, attempt: Attempt, prepared: Result<Prepared, PrepareError>) {
        let ending = match prepared {
            Ok(Prepared { mut order, terms }) => {
                self.gate.succeeded();
                let mut ledger = self.ledger.lock();
                let Some(held) = ledger.get_mut(&attempt) else { return };
                let is_last = terms.user_attempts.is_none_or(|attempts| held.attempts_charged >= attempts);
                order.halts = is_last && self.after_failure == AfterFailure::Halt;
                held.terms = terms;
                match std::mem::replace(&mut held.phase, Phase::Ended) {
                    Phase::Preparing { slot, cancel: None } => {
                        held.phase = Phase::Submitted { slot, started_at_us: None, since_us: unix_us() };
                        // Under the lock, so that a cancel finds the attempt in the crew or here, never between.
                        self.crew.submit(order);
                        return;
                    }
                    Phase::Preparing { cancel: Some((reason, message)), .. } => {
                        ending_before_start(reason, message)
                    }
                    // An attempt is prepared once.
                    Phase::Submitted { .. } | Phase::Ended => return,
                }
            }
            Err(PrepareError::Refused(failure)) => {
                if self.after_failure == AfterFailure::Halt {
                    self.crew.halt();
                }
                Ending::Failed { error: ErrorInfo::new(failure.error_type, failure.message) }
            }
            Err(error @ PrepareError::Unavailable(_)) => {
                tracing::warn!(%attempt, %error, "execution goes back");
                self.gate.failed();
                Ending::Released { reason: error.to_string(), charged: false }
            }
        };
        self.end_unstarted(attempt, ending);
    }

    /// Ends an attempt that never reached the crew.
    fn end_unstarted(&self, attempt: Attempt, ending: Ending) {
        let Some((execution, retry)) = self.ledger.lock().get_mut(&attempt).map(|held| {
            held.phase = Phase::Ended;
            let retry = RetryPolicy {
                user_attempts: None,
                attempts_charged: held.attempts_charged,
                backoff: Some(Duration::from_secs(1)),
                jitter: fastrand::f64(),
            };
            (Arc::clone(&held.execution), retry)
        }) else {
            return;
        };
        let completed = Completed::unstarted(attempt, ending);
        match finalization(completed, self.owner, &execution, retry) {
            Some(finalization) => self.finalizer.finalize(finalization),
            None => {
                self.ledger.let_go(attempt);
            }
        }
    }

    /// Wants an attempt to end, wherever it is. One we do not hold is somebody else's.
    pub fn cancel(&self, attempt: Attempt, reason: CancelReason, message: &str) {
        match self.ledger.cancel(attempt, reason, message) {
            CancelMet::Submitted => self.crew.cancel(attempt, reason, message),
            CancelMet::Noted | CancelMet::Nothing => {}
        }
    }
}

/// What a cancel means for an attempt no worker has seen.
fn ending_before_start(reason: CancelReason, message: String) -> Ending {
    match reason {
        CancelReason::User => Ending::Cancelled { message },
        CancelReason::Shutdown | CancelReason::Timeout => {
            Ending::Released { reason: message, charged: false }
        }
        CancelReason::LeaseLost => Ending::Superseded,
    }
}
