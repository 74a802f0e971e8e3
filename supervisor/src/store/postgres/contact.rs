//! How long the server has answered without a break.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Since when. A supervisor that was cut off has no right to judge whose lease ran out: the others may have
/// been cut off too, and get the time of a lease to renew.
#[derive(Debug, Default)]
pub(super) struct Contact(Mutex<Option<Instant>>);

impl Contact {
    /// The server answered.
    pub(super) fn heard(&self, now: Instant) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(now);
    }

    /// It did not.
    pub(super) fn lost(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// For how long it has answered; zero while it does not.
    pub(super) fn duration(&self, now: Instant) -> Duration {
        let since = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        since.map_or(Duration::ZERO, |since| now.saturating_duration_since(since))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rule_12_contact_counts_from_the_first_answer_after_a_break() {
        let contact = Contact::default();
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(contact.duration(at(9)), Duration::ZERO);
        contact.heard(at(10));
        contact.heard(at(15));
        assert_eq!(contact.duration(at(15)), Duration::from_secs(5));
        contact.lost();
        assert_eq!(contact.duration(at(20)), Duration::ZERO);
        contact.heard(at(30));
        assert_eq!(contact.duration(at(31)), Duration::from_secs(1));
    }
}
