//! What this supervisor holds: every claimed attempt from its claim to its commit.
//!
//! The registry of what is in flight is what leases are renewed for and what cancels are addressed to. An attempt stays in it until
//! its outcome is committed, so that its lease is kept while the database is slow.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use muster_core::execution::{Attempt, RetryOptions};
use muster_protocol::CancelReason;
use muster_store::{Claimed, NewExecution};
use muster_store::{ClaimsUnderWay, UnheldClaims};
use uuid::Uuid;

use super::slots::Slot;

/// One attempt that this supervisor holds.
#[derive(Debug)]
pub struct InFlightAttempt {
    /// The execution as it was asked for.
    pub execution: Arc<NewExecution>,
    /// How many attempts are charged, this one included.
    pub attempts_charged: u32,
    /// How its failures are retried, and who waits for it; known once it is prepared.
    pub terms: OutcomeTerms,
    /// How far the attempt has come here.
    pub phase: InFlightPhase,
}

/// What of a request matters at its end.
#[derive(Clone, Debug, Default)]
pub struct OutcomeTerms {
    /// What the request and the workflow's row say of further attempts.
    pub retry: RetryOptions,
    /// True when somebody waits for the reply.
    pub sync: bool,
    /// The time limit of the run; `None` means no limit.
    pub timeout: Option<Duration>,
    /// The trace context that the run was told, in which its children are submitted.
    pub traceparent: Option<String>,
}

impl OutcomeTerms {
    /// Of an attempt that is not prepared yet, and may never be: perhaps somebody waits for it.
    fn unknown() -> Self {
        Self { sync: true, ..Self::default() }
    }
}

/// How far an attempt has come in this supervisor.
#[derive(Debug)]
pub enum InFlightPhase {
    /// Its configuration is being fetched. A cancel that comes now waits here.
    Preparing {
        /// Given back at the end of the run.
        slot: Slot,
        /// Somebody wants it to end already.
        cancel: Option<(CancelReason, String)>,
    },
    /// The executor has the attempt.
    Submitted {
        /// Given back at the end of the run.
        slot: Slot,
        /// When Started was read, until it is recorded in the row.
        started_at_us: Option<i64>,
        /// When the executor got it, in microseconds since the Unix epoch.
        since_us: i64,
    },
    /// Its outcome waits to be committed.
    Ended,
}

/// All attempts that this supervisor holds.
#[derive(Debug, Default)]
pub struct InFlight {
    held: Mutex<HashMap<Attempt, InFlightAttempt>>,
    claims: Mutex<ClaimsUnderWay>,
}

/// A claim that is under way: from before it is sent until what it brought is taken in.
#[derive(Debug)]
#[must_use = "a claim is under way for as long as this lives"]
pub struct ClaimUnderWay<'a> {
    in_flight: &'a InFlight,
    ticket: u64,
}

impl Drop for ClaimUnderWay<'_> {
    fn drop(&mut self) {
        self.in_flight.claims().end(self.ticket);
    }
}

/// What a request to end an attempt met.
#[derive(Debug, PartialEq, Eq)]
pub enum CancelFound {
    /// The executor has the attempt and must be told.
    Submitted,
    /// It waits until the attempt is prepared, or comes too late.
    Noted,
    /// The attempt is not held here.
    Nothing,
}

impl InFlight {
    /// The map itself. Held for moments only, never across an await.
    pub fn lock(&self) -> MutexGuard<'_, HashMap<Attempt, InFlightAttempt>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn claims(&self) -> MutexGuard<'_, ClaimsUnderWay> {
        self.claims.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A claim begins. Keep what this gives until all of its rows are taken in.
    pub fn claiming(&self) -> ClaimUnderWay<'_> {
        ClaimUnderWay { in_flight: self, ticket: self.claims().begin() }
    }

    /// Which of these rows in our name nobody holds or can still bring.
    pub fn unheld(&self, unheld: &[Attempt], suspects: &mut UnheldClaims) -> Vec<Attempt> {
        let settled = suspects.look(unheld, &self.claims());
        let held = self.lock();
        settled.into_iter().filter(|stray| !held.contains_key(stray)).collect()
    }

    /// Takes a claimed attempt in. False when it is held already: a claim that was read back and the poll's own
    /// may be of the same attempt. The slot goes back then.
    #[must_use]
    pub fn insert(&self, claimed: &Claimed, slot: Slot) -> bool {
        let held = InFlightAttempt {
            execution: Arc::clone(&claimed.execution),
            attempts_charged: claimed.attempts_charged,
            terms: OutcomeTerms::unknown(),
            phase: InFlightPhase::Preparing { slot, cancel: None },
        };
        match self.lock().entry(claimed.attempt) {
            Entry::Occupied(_) => false,
            Entry::Vacant(place) => {
                place.insert(held);
                true
            }
        }
    }

    /// The attempts whose leases must be renewed.
    pub fn attempts(&self) -> Vec<Attempt> {
        self.lock().keys().copied().collect()
    }

    /// The number of attempts that are held.
    pub fn len(&self) -> usize {
        self.lock().len()
    }

    /// True when no attempt is held.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// True while a claimed attempt has not reached the executor.
    pub fn is_preparing(&self) -> bool {
        self.lock().values().any(|held| matches!(held.phase, InFlightPhase::Preparing { .. }))
    }

    /// When the oldest message was published whose execution was claimed from it and has not started yet.
    pub fn published_first(&self) -> Option<Timestamp> {
        let waits = |held: &InFlightAttempt| match held.phase {
            InFlightPhase::Preparing { .. } | InFlightPhase::Submitted { started_at_us: None, .. } => true,
            InFlightPhase::Submitted { started_at_us: Some(_), .. } | InFlightPhase::Ended => false,
        };
        let held = self.lock();
        let waiting = held.iter().filter(|(attempt, held)| attempt.number == 1 && waits(held));
        waiting.filter_map(|(_, held)| held.execution.published_at).min()
    }

    /// The latest attempt at an execution that we hold, if any. An earlier one may still wait to be committed.
    pub fn attempt_at(&self, execution_id: Uuid) -> Option<Attempt> {
        let held = self.lock();
        let of_it = held.keys().filter(|attempt| attempt.execution_id == execution_id);
        of_it.max_by_key(|attempt| attempt.number).copied()
    }

    /// Notes a cancel where it will be seen.
    pub fn cancel(&self, attempt: Attempt, reason: CancelReason, message: &str) -> CancelFound {
        let mut held = self.lock();
        let Some(held) = held.get_mut(&attempt) else { return CancelFound::Nothing };
        match &mut held.phase {
            InFlightPhase::Preparing { cancel, .. } => {
                cancel.get_or_insert_with(|| (reason, message.to_owned()));
                CancelFound::Noted
            }
            InFlightPhase::Submitted { .. } => CancelFound::Submitted,
            InFlightPhase::Ended => CancelFound::Noted,
        }
    }

    /// Its outcome is committed, or is not ours to commit.
    pub fn remove(&self, attempt: Attempt) -> Option<InFlightAttempt> {
        self.lock().remove(&attempt)
    }
}

#[cfg(test)]
mod tests {
    use muster_core::execution::ExecutionRequest;

    use super::*;
    use crate::dispatch::Slots;

    fn claimed() -> Claimed {
        let id = Uuid::from_u128(1);
        let request = format!(r#"{{"execution_id":"{id}","workflow":"w"}}"#);
        Claimed {
            attempt: Attempt::new(id, 1),
            attempts_charged: 1,
            execution: Arc::new(NewExecution::of(&ExecutionRequest::parse(request.as_bytes()).unwrap(), 3)),
        }
    }

    #[tokio::test]
    async fn what_was_claimed_while_a_renewal_was_under_way_is_no_stray() {
        let (in_flight, slots, mut suspects) = (InFlight::default(), Slots::new(1), UnheldClaims::default());
        let claimed = claimed();
        let stray = [claimed.attempt];
        let claiming = in_flight.claiming();
        assert_eq!(in_flight.unheld(&stray, &mut suspects), [], "its answer may be on its way");
        assert!(in_flight.insert(&claimed, slots.reserve(1).await.take().unwrap()));
        drop(claiming);
        assert_eq!(in_flight.unheld(&stray, &mut suspects), [], "it was taken in meanwhile");
        in_flight.remove(claimed.attempt);
        assert_eq!(in_flight.unheld(&stray, &mut suspects), stray);
    }

    #[tokio::test]
    async fn a_message_has_waited_since_it_was_published_until_its_code_is_entered() {
        let (in_flight, slots) = (InFlight::default(), Slots::new(3));
        let mut reservation = slots.reserve(3).await;
        let at = |seconds: i64| Timestamp::from_second(1_700_000_000 + seconds).unwrap();
        for (number, published) in [(1, Some(at(5))), (2, Some(at(0))), (3, None)] {
            let Claimed { execution, .. } = claimed();
            let execution = NewExecution::clone(&execution).published_at(published);
            let attempt = Attempt::new(Uuid::from_u128(number), if number == 2 { 2 } else { 1 });
            let claimed = Claimed { attempt, attempts_charged: 1, execution: Arc::new(execution) };
            assert!(in_flight.insert(&claimed, reservation.take().unwrap()));
        }
        assert_eq!(in_flight.published_first(), Some(at(5)), "a second attempt waits since the first ended");
        in_flight.lock().get_mut(&Attempt::new(Uuid::from_u128(1), 1)).unwrap().phase = InFlightPhase::Ended;
        assert_eq!(in_flight.published_first(), None);
    }

    #[tokio::test]
    async fn an_attempt_is_taken_in_once_and_the_second_slot_goes_back() {
        let (in_flight, slots) = (InFlight::default(), Slots::new(2));
        let claimed = claimed();
        let mut reservation = slots.reserve(2).await;
        assert!(in_flight.insert(&claimed, reservation.take().unwrap()));
        in_flight.cancel(claimed.attempt, CancelReason::User, "not any more");
        assert!(!in_flight.insert(&claimed, reservation.take().unwrap()));
        assert_eq!((in_flight.len(), slots.free()), (1, 1));
        let held = in_flight.remove(claimed.attempt).unwrap();
        assert!(
            matches!(held.phase, InFlightPhase::Preparing { cancel: Some(_), .. }),
            "it is the first: {held:?}"
        );
    }
}
