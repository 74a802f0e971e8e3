//! Rows in our name that we do not hold: when they may be given back.
//!
//! The list a renewal is made with is old by the time of its answer, and a claim may be committed while its answer
//! is still on its way (for as long as this process is frozen, if need be). So a row that nobody seems to hold is
//! given back only when every claim that was under way when it was seen has been taken in, and it is not held even
//! then.

use std::collections::{BTreeSet, HashMap};

use muster_core::execution::Attempt;

/// The claims that have been sent and are not taken in yet, in the order in which they began.
#[derive(Debug, Default)]
pub struct ClaimsUnderWay {
    next: u64,
    tickets: BTreeSet<u64>,
}

impl ClaimsUnderWay {
    /// Notes that a claim begins, and gives its number.
    pub fn begin(&mut self) -> u64 {
        let ticket = self.next;
        self.next += 1;
        self.tickets.insert(ticket);
        ticket
    }

    /// Its rows are taken in, or it brought none.
    pub fn end(&mut self, ticket: u64) {
        self.tickets.remove(&ticket);
    }

    /// The first that has not begun yet: all that may have been written up to now began before it.
    fn next(&self) -> u64 {
        self.next
    }

    /// True when all that began before this one are over.
    fn over_before(&self, ticket: u64) -> bool {
        self.tickets.first().is_none_or(|oldest| *oldest >= ticket)
    }
}

/// The rows that nobody seems to hold, with the claims that could still bring them: those before this one.
#[derive(Debug, Default)]
pub struct UnheldClaims(HashMap<Attempt, u64>);

impl UnheldClaims {
    /// What a renewal found, now. Gives those that no claim can bring any more; ask then whether they are held, and
    /// not before: a claim is over only after its rows are.
    pub fn look(&mut self, unheld: &[Attempt], claims: &ClaimsUnderWay) -> Vec<Attempt> {
        self.0.retain(|attempt, _| unheld.contains(attempt));
        let mut settled = Vec::new();
        for stray in unheld {
            let before = *self.0.entry(*stray).or_insert_with(|| claims.next());
            if claims.over_before(before) {
                settled.push(*stray);
            }
        }
        settled
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    fn attempt(number: u128) -> Attempt {
        Attempt::new(Uuid::from_u128(number), 1)
    }

    #[test]
    fn a_row_waits_for_the_claims_that_may_have_written_it_and_for_no_later_ones() {
        let (mut claims, mut suspects) = (ClaimsUnderWay::default(), UnheldClaims::default());
        let slow = claims.begin();
        assert_eq!(suspects.look(&[attempt(1)], &claims), [], "its claim may be the one under way");
        let later = claims.begin();
        claims.end(slow);
        assert_eq!(suspects.look(&[attempt(1), attempt(2)], &claims), [attempt(1)]);
        claims.end(later);
        assert_eq!(suspects.look(&[attempt(2)], &claims), [attempt(2)]);
        assert_eq!(suspects.0.len(), 1, "what is no stray any more is forgotten");
    }

    #[test]
    fn without_a_claim_under_way_nothing_is_waited_for() {
        assert_eq!(UnheldClaims::default().look(&[attempt(1)], &ClaimsUnderWay::default()), [attempt(1)]);
    }
}
