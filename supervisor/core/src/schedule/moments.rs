//! The moments that a line of cron names in a time zone.
//!
//! A line with hours of its own names times on the wall: one that does not exist that day comes at the first instant after
//! the gap, and one that comes twice comes once, at the first. A line whose hour is `*` or a step of it follows the running
//! clock: each minute that passes and reads as the line says.

use jiff::civil::{Date, DateTime};
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{SignedDuration, Timestamp, ToSpan as _};

use super::Cron;

/// How far ahead is looked. February 29 on a given weekday comes every 28 years, or 40 across a century.
const DAYS_AHEAD: usize = 45 * 366;
const MINUTE: SignedDuration = SignedDuration::from_secs(60);

/// A line in its time zone.
#[derive(Clone, Debug)]
pub struct ScheduleTimes {
    cron: Cron,
    zone: TimeZone,
}

impl ScheduleTimes {
    /// A line in this time zone.
    pub fn new(cron: Cron, zone: TimeZone) -> Self {
        Self { cron, zone }
    }

    /// The time zone of the line.
    pub fn zone(&self) -> &TimeZone {
        &self.zone
    }

    /// The first moment after this one. `None` only at the end of time.
    pub fn next_after(&self, after: Timestamp) -> Option<Timestamp> {
        if self.cron.follows_clock { self.next_running(after) } else { self.next_on_the_wall(after) }
    }

    /// The latest moment from `first` on that is not after `until`, if `first` is one.
    pub fn latest(&self, first: Timestamp, until: Timestamp) -> Option<Timestamp> {
        if first > until {
            return None;
        }
        for hours in [2, 50, 32 * 24, 367 * 24] {
            let from = until.checked_sub(SignedDuration::from_hours(hours)).ok()?;
            if from <= first {
                break;
            }
            if let Some(next) = self.next_after(from).filter(|next| *next <= until) {
                return Some(self.last_from(next, until));
            }
        }
        Some(self.last_from(first, until))
    }

    fn last_from(&self, mut moment: Timestamp, until: Timestamp) -> Timestamp {
        while let Some(next) = self.next_after(moment).filter(|next| *next <= until) {
            moment = next;
        }
        moment
    }

    fn next_on_the_wall(&self, after: Timestamp) -> Option<Timestamp> {
        // What a day names may lie on the next one, after a gap at midnight.
        let mut date = self.zone.to_datetime(after).date().yesterday().ok()?;
        for _ in 0..DAYS_AHEAD {
            let named = self.names(date).then(|| self.first_on(date, after)).flatten();
            if named.is_some() {
                return named;
            }
            date = self.next_date(date)?;
        }
        None
    }

    fn names(&self, date: Date) -> bool {
        self.cron.has_day(date.month(), date.day(), date.weekday().to_sunday_zero_offset())
    }

    /// The next day, or the first of the next month when the line does not name this one.
    fn next_date(&self, date: Date) -> Option<Date> {
        if self.cron.has_month(date.month()) {
            return date.tomorrow().ok();
        }
        date.first_of_month().checked_add(1.month()).ok()
    }

    fn first_on(&self, date: Date, after: Timestamp) -> Option<Timestamp> {
        let hours = (0..24_i8).filter(|hour| self.cron.has_hour(*hour));
        hours
            .flat_map(|hour| {
                (0..60_i8).filter(|minute| self.cron.has_minute(*minute)).map(move |minute| (hour, minute))
            })
            .filter_map(|(hour, minute)| self.instant(date.at(hour, minute, 0, 0)))
            .find(|moment| *moment > after)
    }

    /// When the clock on the wall shows this, or first shows something later.
    fn instant(&self, wall: DateTime) -> Option<Timestamp> {
        match self.zone.to_ambiguous_timestamp(wall).offset() {
            AmbiguousOffset::Unambiguous { offset } => offset.to_timestamp(wall).ok(),
            AmbiguousOffset::Fold { before, .. } => before.to_timestamp(wall).ok(),
            AmbiguousOffset::Gap { before, .. } => {
                // Read with the offset from before it is after the change, by less than the gap is long.
                let inside =
                    before.to_timestamp(wall).ok()?.checked_add(SignedDuration::from_nanos(1)).ok()?;
                self.zone.preceding(inside).next().map(|change| change.timestamp())
            }
        }
    }

    fn next_running(&self, after: Timestamp) -> Option<Timestamp> {
        let seconds = after.as_second().div_euclid(60).checked_add(1)?.checked_mul(60)?;
        let mut moment = Timestamp::from_second(seconds).ok()?;
        let end = moment.checked_add(SignedDuration::from_hours(24 * DAYS_AHEAD as i64)).ok()?;
        while moment < end {
            let wall = self.zone.to_datetime(moment);
            let minutes = if !self.names(wall.date()) {
                (24 - i64::from(wall.hour())) * 60 - i64::from(wall.minute())
            } else if !self.cron.has_hour(wall.hour()) {
                60 - i64::from(wall.minute())
            } else if !self.cron.has_minute(wall.minute()) {
                1
            } else {
                return Some(moment);
            };
            moment = self.ahead(moment, minutes)?;
        }
        None
    }

    /// So many minutes on, but not past a change of the clock: what is read after it is not known before.
    fn ahead(&self, moment: Timestamp, minutes: i64) -> Option<Timestamp> {
        let target = moment.checked_add(MINUTE.checked_mul(i32::try_from(minutes).ok()?)?).ok()?;
        if minutes == 1 {
            return Some(target);
        }
        let change = self.zone.following(moment).next().map(|change| change.timestamp());
        Some(change.filter(|change| *change < target).map_or(target, |change| {
            let whole = change.as_second().div_euclid(60) * 60;
            Timestamp::from_second(whole).unwrap_or(change).max(moment.checked_add(MINUTE).unwrap_or(target))
        }))
    }
}
