//! When what was noted is written: each minute once it is over, and the quarter of an hour it is in along with it. Pure.

use jiff::{SignedDuration, Timestamp};

use super::NotedFigures;

const MINUTE_SECONDS: i64 = 60;
/// What a quarter of an hour is in minutes, as the store is told.
pub(crate) const QUARTER_MINUTES: u32 = 15;

/// The minute and the quarter that are not over yet.
#[derive(Debug)]
pub(crate) struct FiguresBook {
    minute: Stretch,
    quarter: Stretch,
}

/// A stretch of time, and what there was in it so far.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Stretch {
    /// How long it is, in minutes.
    pub(crate) minutes: u32,
    /// When it begins.
    pub(crate) begins_at: Timestamp,
    /// What there was.
    pub(crate) noted: NotedFigures,
}

impl FiguresBook {
    /// Begins at this moment.
    pub(crate) fn new(now: Timestamp) -> Self {
        Self { minute: Stretch::around(now, 1), quarter: Stretch::around(now, QUARTER_MINUTES) }
    }

    /// Takes in what there was since the last time, and gives what is to be written.
    pub(crate) fn note(&mut self, now: Timestamp, noted: &NotedFigures) -> Vec<Stretch> {
        self.minute.noted.then(noted);
        if !self.minute.is_over(now) {
            return Vec::new();
        }
        let minute = std::mem::replace(&mut self.minute, Stretch::around(now, 1));
        self.quarter.noted.then(&minute.noted);
        let quarter = self.quarter.clone();
        if self.quarter.is_over(now) {
            self.quarter = Stretch::around(now, QUARTER_MINUTES);
        }
        vec![minute, quarter]
    }

    /// The same of one that ends: what is not over yet is written as far as it went.
    pub(crate) fn note_last(&mut self, now: Timestamp, noted: &NotedFigures) -> Vec<Stretch> {
        let over = self.note(now, noted);
        if !over.is_empty() && self.minute.noted == NotedFigures::default() {
            return over;
        }
        self.quarter.noted.then(&self.minute.noted);
        over.into_iter().chain([self.minute.clone(), self.quarter.clone()]).collect()
    }

    /// How long until the minute is over.
    pub(crate) fn until_written(&self, now: Timestamp) -> SignedDuration {
        SignedDuration::from_secs(self.minute.ends_at_second()) - now.duration_since(Timestamp::UNIX_EPOCH)
    }
}

impl Stretch {
    /// The one that this moment is in.
    fn around(now: Timestamp, minutes: u32) -> Self {
        let seconds = i64::from(minutes) * MINUTE_SECONDS;
        let second = now.as_second().div_euclid(seconds) * seconds;
        let begins_at = Timestamp::from_second(second).unwrap_or(now);
        Self { minutes, begins_at, noted: NotedFigures::default() }
    }

    fn ends_at_second(&self) -> i64 {
        self.begins_at.as_second() + i64::from(self.minutes) * MINUTE_SECONDS
    }

    /// Whether this moment is not in it: also when a clock was set back.
    fn is_over(&self, now: Timestamp) -> bool {
        now < self.begins_at || now.as_second() >= self.ends_at_second()
    }
}

#[cfg(test)]
mod tests {
    use muster_core::execution::Status;

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_100 + second).unwrap()
    }

    fn one() -> NotedFigures {
        let mut noted = NotedFigures::default();
        noted.ended(Status::Success, None);
        noted
    }

    /// As (minutes, since the first, how many ended).
    fn shown(written: &[Stretch]) -> Vec<(u32, i64, u64)> {
        let first = at(0).as_second();
        let ended = |one: &Stretch| one.noted.ended.values().sum();
        written.iter().map(|one| (one.minutes, one.begins_at.as_second() - first, ended(one))).collect()
    }

    #[test]
    fn a_minute_is_written_when_it_is_over_and_its_quarter_with_it() {
        // 1_700_000_100 is a quarter of an hour.
        let mut book = FiguresBook::new(at(5));
        assert_eq!(book.until_written(at(5)), SignedDuration::from_secs(55));
        assert!(book.note(at(30), &one()).is_empty());
        assert_eq!(shown(&book.note(at(60), &one())), [(1, 0, 2), (15, 0, 2)]);
        assert_eq!(shown(&book.note(at(121), &one())), [(1, 60, 1), (15, 0, 3)]);
        assert_eq!(shown(&book.note(at(900), &one())), [(1, 120, 1), (15, 0, 4)]);
        assert_eq!(shown(&book.note(at(960), &one())), [(1, 900, 1), (15, 900, 1)]);
    }

    #[test]
    fn one_that_ends_writes_what_is_not_over() {
        let mut book = FiguresBook::new(at(5));
        assert_eq!(shown(&book.note(at(60), &one())), [(1, 0, 1), (15, 0, 1)]);
        assert_eq!(shown(&book.note_last(at(70), &one())), [(1, 60, 1), (15, 0, 2)]);
        let mut book = FiguresBook::new(at(5));
        assert_eq!(shown(&book.note_last(at(61), &one())), [(1, 0, 1), (15, 0, 1)]);
    }

    #[test]
    fn a_clock_that_is_set_back_begins_anew() {
        let mut book = FiguresBook::new(at(3600));
        assert_eq!(shown(&book.note(at(30), &one())), [(1, 3600, 1), (15, 3600, 1)]);
        assert_eq!(shown(&book.note(at(60), &one())), [(1, 0, 1), (15, 0, 1)]);
    }
}
