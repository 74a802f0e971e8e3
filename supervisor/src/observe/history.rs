//! How executions ended here in the last day, by the minute: what a report compares the last quarter of an hour with.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use muster_core::execution::Status;

use crate::api::OutcomeCounts;

/// So many minutes are remembered: a day.
const MINUTES: usize = 24 * 60;
/// So many kinds of failures are told apart in a minute; the others count as failures only.
const KINDS_MAX: usize = 16;

/// How executions ended.
#[derive(Debug)]
pub(super) struct OutcomeHistory {
    begun: Instant,
    minutes: Mutex<VecDeque<Minute>>,
}

#[derive(Debug, Default)]
struct Minute {
    number: u64,
    ended: u64,
    failed: u64,
    kinds: BTreeMap<String, u64>,
}

impl Default for OutcomeHistory {
    fn default() -> Self {
        Self { begun: Instant::now(), minutes: Mutex::default() }
    }
}

impl OutcomeHistory {
    /// An execution of this workflow ended so at this moment.
    pub(super) fn note(&self, now: Instant, workflow: &str, status: Status, error_type: Option<&str>) {
        let number = self.minute_of(now);
        let mut minutes = self.minutes.lock().unwrap_or_else(PoisonError::into_inner);
        if minutes.back().is_none_or(|last| last.number < number) {
            minutes.push_back(Minute { number, ..Minute::default() });
            while minutes.len() > MINUTES {
                minutes.pop_front();
            }
        }
        let Some(minute) = minutes.back_mut() else { return };
        minute.ended += 1;
        if matches!(status, Status::Failed | Status::Timeout) {
            minute.failed += 1;
            let kind = format!("{} of {workflow}", error_type.unwrap_or(status.as_str()));
            if minute.kinds.len() < KINDS_MAX || minute.kinds.contains_key(&kind) {
                *minute.kinds.entry(kind).or_default() += 1;
            }
        }
    }

    /// How they ended in the last so many minutes, the one that has begun among them.
    pub(super) fn within(&self, now: Instant, minutes: u64) -> OutcomeCounts {
        let first = (self.minute_of(now) + 1).saturating_sub(minutes.min(MINUTES as u64));
        let known = self.minutes.lock().unwrap_or_else(PoisonError::into_inner);
        let mut counts = OutcomeCounts::default();
        for minute in known.iter().filter(|minute| minute.number >= first) {
            counts.ended += minute.ended;
            counts.failed += minute.failed;
            for (kind, count) in &minute.kinds {
                *counts.kinds.entry(kind.clone()).or_default() += count;
            }
        }
        counts.keep_most();
        counts
    }

    fn minute_of(&self, now: Instant) -> u64 {
        now.saturating_duration_since(self.begun).as_secs() / 60
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_last_minutes_are_counted_and_a_day_is_remembered() {
        let history = OutcomeHistory::default();
        let at = |minute: u64| history.begun + Duration::from_secs(minute * 60 + 5);
        history.note(at(0), "a", Status::Failed, Some("KeyError"));
        history.note(at(30), "a", Status::Timeout, None);
        history.note(at(31), "b", Status::Success, None);
        history.note(at(31), "b", Status::Cancelled, Some("CancelledError"));
        let quarter = history.within(at(31), 15);
        assert_eq!((quarter.ended, quarter.failed), (3, 1));
        assert_eq!(quarter.kinds, BTreeMap::from([("TIMEOUT of a".to_owned(), 1)]));
        assert_eq!(history.within(at(31), 1).ended, 2);
        let day = history.within(at(31), 24 * 60);
        assert_eq!((day.ended, day.failed), (4, 2));
        for minute in 32..32 + MINUTES as u64 {
            history.note(at(minute), "c", Status::Success, None);
        }
        assert_eq!(history.minutes.lock().unwrap().len(), MINUTES);
        assert_eq!(history.within(at(31 + MINUTES as u64), 24 * 60).failed, 0);
    }

    #[test]
    fn kinds_of_failures_are_bounded() {
        let history = OutcomeHistory::default();
        for number in 0..1000 {
            history.note(history.begun, &format!("w{number}"), Status::Failed, Some("KeyError"));
        }
        let all = history.within(history.begun, 15);
        assert_eq!((all.failed, all.kinds.len()), (1000, OutcomeCounts::KINDS_MAX));
    }
}
