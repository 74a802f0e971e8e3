//! For how long our own writes have worked without a break.
//!
//! A supervisor that cannot write has no right to judge whose lease ran out: the others could not write either. So
//! only a write that was answered in time counts, and anything else ends the time that was counted.

use std::time::Duration;

use tokio::time::Instant;

/// We write about every second. A longer silence means that this process did not run, or the host was suspended: the
/// others may not have run either.
const SILENCE_MAX: Duration = Duration::from_secs(3);

/// A write that waited for longer met something that the writes of others waited for too.
pub(crate) const WAIT_MAX: Duration = Duration::from_secs(1);

/// What became of a write of our own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// It was written, after this long.
    Wrote {
        /// From asking to the answer.
        waited: Duration,
    },
    /// The database refused it, whatever the reason: it is read-only, the statement took too long.
    Refused,
    /// There was no answer.
    Nothing,
}

/// Since when our writes have worked.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Contact(Option<UnbrokenContact>);

#[derive(Clone, Copy, Debug)]
struct UnbrokenContact {
    since: Instant,
    last: Instant,
}

impl Contact {
    /// What a write of our own gave, now.
    pub(crate) fn observe(&mut self, answer: Answer, now: Instant) {
        self.0 = match answer {
            Answer::Wrote { waited } if waited <= WAIT_MAX => {
                let since = self.still(now).map_or(now, |unbroken| unbroken.since);
                Some(UnbrokenContact { since, last: now })
            }
            // It works again, from now on.
            Answer::Wrote { .. } => Some(UnbrokenContact { since: now, last: now }),
            Answer::Refused | Answer::Nothing => None,
        };
    }

    /// For how long they have worked; zero while they do not.
    pub(crate) fn duration(&self, now: Instant) -> Duration {
        self.still(now).map_or(Duration::ZERO, |unbroken| now.saturating_duration_since(unbroken.since))
    }

    /// True when the last write worked, and not long ago.
    pub(crate) fn works(&self, now: Instant) -> bool {
        self.still(now).is_some()
    }

    fn still(&self, now: Instant) -> Option<UnbrokenContact> {
        self.0.filter(|unbroken| now.saturating_duration_since(unbroken.last) <= SILENCE_MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUICK: Answer = Answer::Wrote { waited: Duration::from_millis(2) };

    #[test]
    fn rule_12_contact_counts_from_the_first_write_after_a_break() {
        for broken in [Answer::Refused, Answer::Nothing] {
            let (mut contact, start) = (Contact::default(), Instant::now());
            let at = |seconds| start + Duration::from_secs(seconds);
            assert_eq!(contact.duration(at(9)), Duration::ZERO);
            (10..=15).for_each(|second| contact.observe(QUICK, at(second)));
            assert_eq!(contact.duration(at(15)), Duration::from_secs(5));
            contact.observe(broken, at(16));
            assert!(!contact.works(at(16)) && contact.duration(at(16)).is_zero(), "{broken:?} is no contact");
            contact.observe(QUICK, at(17));
            assert_eq!(contact.duration(at(18)), Duration::from_secs(1));
        }
    }

    #[test]
    fn rule_12_a_write_that_had_to_wait_counts_from_its_answer() {
        let (mut contact, start) = (Contact::default(), Instant::now());
        let at = |millis| start + Duration::from_millis(millis);
        contact.observe(QUICK, at(0));
        contact.observe(Answer::Wrote { waited: Duration::from_millis(1100) }, at(1900));
        assert_eq!(contact.duration(at(2000)), Duration::from_millis(100));
    }

    #[test]
    fn rule_12_a_supervisor_that_stood_still_begins_anew() {
        let (mut contact, start) = (Contact::default(), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        (0..=10).for_each(|second| contact.observe(QUICK, at(second)));
        assert!(contact.duration(at(20)).is_zero(), "it was suspended, and has written nothing since");
        contact.observe(QUICK, at(20));
        assert_eq!(contact.duration(at(21)), Duration::from_secs(1));
    }
}
