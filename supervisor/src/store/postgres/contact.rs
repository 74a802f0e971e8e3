//! How long the server has answered without a break.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// A supervisor that has a slot for what it might take over asks every second. A longer silence means that this
/// process did not run, or the host was suspended: the others may not have run either.
const SILENCE_MAX: Duration = Duration::from_secs(3);

/// Since when. A supervisor that was cut off has no right to judge whose lease ran out: the others may have
/// been cut off too, and get the time of a lease to renew.
#[derive(Debug, Default)]
pub(super) struct Contact(Mutex<Option<Unbroken>>);

#[derive(Clone, Copy, Debug)]
struct Unbroken {
    since: Instant,
    last: Instant,
}

impl Unbroken {
    /// The contact as it stands now: none after a silence.
    fn still(self, now: Instant) -> Option<Self> {
        (now.saturating_duration_since(self.last) <= SILENCE_MAX).then_some(self)
    }
}

impl Contact {
    /// The server answered.
    pub(super) fn heard(&self, now: Instant) {
        let mut contact = self.lock();
        let since = contact.and_then(|unbroken| unbroken.still(now)).map_or(now, |unbroken| unbroken.since);
        *contact = Some(Unbroken { since, last: now });
    }

    /// It did not.
    pub(super) fn lost(&self) {
        *self.lock() = None;
    }

    /// For how long it has answered; zero while it does not.
    pub(super) fn duration(&self, now: Instant) -> Duration {
        let unbroken = self.lock().and_then(|unbroken| unbroken.still(now));
        unbroken.map_or(Duration::ZERO, |unbroken| now.saturating_duration_since(unbroken.since))
    }

    fn lock(&self) -> MutexGuard<'_, Option<Unbroken>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
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
        for second in 10..=15 {
            contact.heard(at(second));
        }
        assert_eq!(contact.duration(at(15)), Duration::from_secs(5));
        contact.lost();
        assert_eq!(contact.duration(at(20)), Duration::ZERO);
        contact.heard(at(30));
        assert_eq!(contact.duration(at(31)), Duration::from_secs(1));
    }

    #[test]
    fn rule_12_a_supervisor_that_stood_still_begins_anew() {
        let contact = Contact::default();
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        (0..=10).for_each(|second| contact.heard(at(second)));
        assert_eq!(
            contact.duration(at(20)),
            Duration::ZERO,
            "it was suspended, and nobody has answered since"
        );
        contact.heard(at(20));
        assert_eq!(contact.duration(at(21)), Duration::from_secs(1));
    }
}
