//! Outcomes that the database does not take while it takes others: a trigger or a constraint of somebody's holds one row
//! back, or a transaction that somebody left open has it locked. Each waits aside, on disk where there is an outbox, and is tried again by itself, so that it neither
//! holds up its peers nor closes the intake.

use std::time::Duration;

use muster_core::execution::Attempt;
use muster_store::{Finalization, StoreError};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use super::outbox::{OutboxError, OutcomeOutbox, Place};

/// With so many the fault is not of single rows any more: the store counts as one that refuses everything.
const REFUSED_MAX: usize = 256;
/// The wait before a refused outcome is tried again; it doubles with each refusal, up to [`AGAIN_MAX`].
const AGAIN_MIN: Duration = Duration::from_secs(1);
/// The longest wait before a refused outcome is tried again.
const AGAIN_MAX: Duration = Duration::from_secs(30);

/// The first wait before an outcome that met a lock is tried again: a lock goes at any moment.
const LOCKED_AGAIN_MIN: Duration = Duration::from_millis(250);
/// The longest wait before an outcome that met a lock is tried again: whoever waits for it has it within about a
/// second.
const LOCKED_AGAIN_MAX: Duration = Duration::from_secs(1);

/// An outcome that the database refuses, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedOutcome {
    /// The attempt whose outcome it is.
    pub attempt: Attempt,
    /// What the database said last.
    pub message: String,
    /// Why it does not take it.
    pub cause: RefusalCause,
    /// How often it was tried by itself.
    pub tries: u32,
}

/// Why the database does not take an outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefusalCause {
    /// It refuses it: somebody must fix something.
    Refused,
    /// Somebody has locked what must be written: it waits for the lock to go.
    Locked,
}

impl RefusalCause {
    /// A lock that no row explains is a trigger's word for a refusal.
    fn of(error: &StoreError, attempt: Attempt) -> Self {
        match error {
            StoreError::Locked { attempts, .. } if attempts.contains(&attempt) => Self::Locked,
            StoreError::Locked { .. }
            | StoreError::Unreachable { .. }
            | StoreError::NoRoom { .. }
            | StoreError::Damaged { .. }
            | StoreError::CommitUnknown { .. }
            | StoreError::Refused { .. }
            | StoreError::StalePlan { .. }
            | StoreError::NotBuilt
            | StoreError::Incompatible { .. }
            | StoreError::Corrupt { .. }
            | StoreError::Failed { .. } => Self::Refused,
        }
    }

    /// Says it to people. ERROR, because one of them must act, only where no lock explains it.
    fn tell(self, attempt: Attempt, error: &StoreError) {
        let (execution_id, attempt) = (attempt.execution_id, attempt.number);
        match self {
            Self::Refused => tracing::error!(%execution_id, attempt, %error,
                "the database refuses to write the outcome of this execution; it is kept and tried again while all \
                 others go on: look for a trigger or a constraint that holds back its row"),
            Self::Locked => tracing::warn!(%execution_id, attempt, %error,
                "somebody has locked the row of this execution, or an entry of state it writes; its outcome is kept and \
                 written when the lock goes, and all others go on: look for a transaction that was left open"),
        }
    }

    /// Waits before the next try: the first, and the longest.
    fn waits(self) -> (Duration, Duration) {
        match self {
            Self::Refused => (AGAIN_MIN, AGAIN_MAX),
            Self::Locked => (LOCKED_AGAIN_MIN, LOCKED_AGAIN_MAX),
        }
    }
}

/// All of them.
#[derive(Debug)]
pub(super) struct RefusedQueue {
    outbox: Option<OutcomeOutbox>,
    waiting: Vec<RetriedOutcome>,
    shown: watch::Sender<Vec<RefusedOutcome>>,
}

#[derive(Debug)]
struct RetriedOutcome {
    attempt: Attempt,
    message: String,
    cause: RefusalCause,
    tries: u32,
    kept: RefusedOutcomes,
    wait: Duration,
    due: Instant,
}

#[derive(Debug)]
enum RefusedOutcomes {
    Disk(Place),
    /// The disk did not take it, or there is no outbox.
    Memory(Box<Finalization>),
}

impl RefusedQueue {
    /// What an earlier process left here is due at once.
    pub(super) fn open(mut outbox: Option<OutcomeOutbox>) -> Result<Self, OutboxError> {
        let mut waiting = Vec::new();
        if let Some(outbox) = &mut outbox {
            for place in outbox.places() {
                waiting.push(RetriedOutcome {
                    attempt: outbox.read(place)?.attempt,
                    message: "refused before the last start".to_owned(),
                    cause: RefusalCause::Refused,
                    tries: 0,
                    kept: RefusedOutcomes::Disk(place),
                    wait: AGAIN_MIN,
                    due: Instant::now(),
                });
            }
        }
        let refused = Self { outbox, waiting, shown: watch::Sender::default() };
        refused.show();
        Ok(refused)
    }

    /// What readiness names.
    pub(super) fn shown(&self) -> watch::Receiver<Vec<RefusedOutcome>> {
        self.shown.subscribe()
    }

    /// True when no more may wait here.
    pub(super) fn is_full(&self) -> bool {
        !self.has_room(1)
    }

    /// True when so many may.
    pub(super) fn has_room(&self, count: usize) -> bool {
        self.waiting.len() + count <= REFUSED_MAX
    }

    /// How many would be lost with this process.
    pub(super) fn in_memory(&self) -> usize {
        self.waiting.iter().filter(|waiting| matches!(waiting.kept, RefusedOutcomes::Memory(_))).count()
    }

    /// Takes an outcome that the database refuses.
    pub(super) fn keep(&mut self, outcome: Finalization, error: &StoreError) {
        let attempt = outcome.attempt;
        let cause = RefusalCause::of(error, attempt);
        cause.tell(attempt, error);
        let kept = self.store(outcome);
        let wait = cause.waits().0;
        let due = Instant::now() + wait;
        self.waiting.push(RetriedOutcome {
            attempt,
            message: error.to_string(),
            cause,
            tries: 0,
            kept,
            wait,
            due,
        });
        self.show();
    }

    fn store(&mut self, outcome: Finalization) -> RefusedOutcomes {
        let appended = self.outbox.as_mut().map(|outbox| {
            let appended = tokio::task::block_in_place(|| outbox.append(std::slice::from_ref(&outcome)));
            appended.map(|()| outbox.places().last().copied())
        });
        match appended {
            Some(Ok(Some(place))) => RefusedOutcomes::Disk(place),
            Some(Err(error)) => {
                tracing::error!(%error, execution_id = %outcome.attempt.execution_id, attempt = outcome.attempt.number,
                    "an outcome is kept in memory only; do not stop this process");
                RefusedOutcomes::Memory(Box::new(outcome))
            }
            Some(Ok(None)) | None => RefusedOutcomes::Memory(Box::new(outcome)),
        }
    }

    /// Returns when one of them is to be tried again.
    pub(super) async fn due(&self) {
        match self.waiting.iter().map(|waiting| waiting.due).min() {
            Some(due) => sleep_until(due).await,
            None => std::future::pending().await,
        }
    }

    /// Those that are to be tried now.
    pub(super) fn take_due(&mut self) -> Vec<Finalization> {
        let now = Instant::now();
        let mut taken = Vec::new();
        for waiting in self.waiting.iter_mut().filter(|waiting| waiting.due <= now) {
            waiting.put_off(now);
            match (&waiting.kept, &mut self.outbox) {
                (RefusedOutcomes::Memory(outcome), _) => taken.push((**outcome).clone()),
                (RefusedOutcomes::Disk(place), Some(outbox)) => {
                    match tokio::task::block_in_place(|| outbox.read(*place)) {
                        Ok(outcome) => taken.push(outcome),
                        Err(error) => {
                            tracing::error!(%error, "a kept outcome cannot be read back; trying again");
                        }
                    }
                }
                (RefusedOutcomes::Disk(_), None) => {}
            }
        }
        taken
    }

    /// It is refused again.
    pub(super) fn again(&mut self, attempt: Attempt, error: &StoreError) {
        tracing::debug!(execution_id = %attempt.execution_id, attempt = attempt.number, %error, "still refused");
        let Some(waiting) = self.waiting.iter_mut().find(|waiting| waiting.attempt == attempt) else {
            return;
        };
        waiting.message = error.to_string();
        waiting.tries = waiting.tries.saturating_add(1);
        let cause = RefusalCause::of(error, attempt);
        if cause != waiting.cause {
            cause.tell(attempt, error);
        }
        waiting.is_because(cause);
        // Somebody may have made room.
        if let (RefusedOutcomes::Memory(outcome), Some(outbox)) = (&waiting.kept, &mut self.outbox)
            && tokio::task::block_in_place(|| outbox.append(std::slice::from_ref(outcome))).is_ok()
            && let Some(place) = outbox.places().last()
        {
            waiting.kept = RefusedOutcomes::Disk(*place);
        }
        self.show();
    }

    /// The store has it.
    pub(super) fn forget(&mut self, attempt: Attempt) {
        let Some(index) = self.waiting.iter().position(|waiting| waiting.attempt == attempt) else { return };
        let waiting = self.waiting.remove(index);
        if let (RefusedOutcomes::Disk(place), Some(outbox)) = (waiting.kept, &mut self.outbox)
            && let Err(error) = tokio::task::block_in_place(|| outbox.forget_place(place))
        {
            tracing::warn!(%error, "an outcome that is written may be replayed after a restart, which changes nothing");
        }
        tracing::info!(execution_id = %attempt.execution_id, attempt = attempt.number, "the database took an outcome that it had refused before");
        self.show();
    }

    fn show(&self) {
        let shown = self.waiting.iter().map(|waiting| RefusedOutcome {
            attempt: waiting.attempt,
            message: waiting.message.clone(),
            cause: waiting.cause,
            tries: waiting.tries,
        });
        self.shown.send_replace(shown.collect());
    }
}

impl RetriedOutcome {
    fn put_off(&mut self, now: Instant) {
        self.due = now + self.wait.mul_f64(1.0 + 0.25 * fastrand::f64());
        self.wait = (self.wait * 2).min(self.cause.waits().1);
    }

    /// Another cause has waits of its own, from the next try on.
    fn is_because(&mut self, cause: RefusalCause) {
        if std::mem::replace(&mut self.cause, cause) != cause {
            self.wait = cause.waits().0;
            self.put_off(Instant::now());
        }
    }
}
