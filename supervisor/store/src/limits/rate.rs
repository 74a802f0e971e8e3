//! How many may start in a period: GCRA, by numbers alone.
//!
//! Starts are as far apart as they would be if they came evenly, and `burst` of them may come early together. So in any period, wherever it
//! begins, at most `count + burst - 1` start; with a burst of 1 never more than `count`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The longest period: 31 days.
const PERIOD_MAX: Duration = Duration::from_secs(31 * 86_400);
/// The shortest time between two starts that is told apart.
const INTERVAL_MIN_US: i64 = 1;
const COUNT_MAX: u32 = 1_000_000;

/// So many starts in a period: `100/60s`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct LimitRate {
    /// How many may start.
    pub count: u32,
    /// In how long.
    pub period: Duration,
}

/// A text that is no rate.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "rate: must be COUNT/PERIOD, as in 100/60s, 5/m or 10/500ms: 1 to 1000000 in at most 31 days, not {0:?}"
)]
pub struct InvalidRate(String);

impl FromStr for LimitRate {
    type Err = InvalidRate;

    fn from_str(text: &str) -> Result<Self, InvalidRate> {
        let invalid = || InvalidRate(text.to_owned());
        let (count, period) = text.split_once('/').ok_or_else(invalid)?;
        let digits = period.bytes().take_while(u8::is_ascii_digit).count();
        let (number, unit) = period.split_at(digits);
        let unit_ms = match unit {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            _ => return Err(invalid()),
        };
        let number: u64 = if number.is_empty() { 1 } else { number.parse().map_err(|_| invalid())? };
        let period = Duration::from_millis(number.checked_mul(unit_ms).ok_or_else(invalid)?);
        let count: u32 = count.parse().map_err(|_| invalid())?;
        if count == 0 || count > COUNT_MAX || period.is_zero() || period > PERIOD_MAX {
            return Err(invalid());
        }
        Ok(Self { count, period })
    }
}

impl fmt::Display for LimitRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let period_ms = self.period.as_millis();
        match period_ms % 1_000 {
            0 => write!(f, "{}/{}s", self.count, period_ms / 1_000),
            _ => write!(f, "{}/{period_ms}ms", self.count),
        }
    }
}

impl TryFrom<String> for LimitRate {
    type Error = InvalidRate;

    fn try_from(text: String) -> Result<Self, InvalidRate> {
        text.parse()
    }
}

impl From<LimitRate> for String {
    fn from(rate: LimitRate) -> Self {
        rate.to_string()
    }
}

/// How a rate stands for one key, at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RateState {
    /// What lies between two starts at least.
    interval_us: i64,
    burst: i64,
    /// When the next start would come if all came evenly.
    next_at_us: i64,
    now_us: i64,
    was_later: bool,
}

impl RateState {
    /// What a rate says, and when its next start would come; `None` of a key that nothing started for.
    pub(crate) fn of(rate: LimitRate, burst: u32, next_at_us: Option<i64>, now_us: i64) -> Self {
        let period_us = i64::try_from(rate.period.as_micros()).unwrap_or(i64::MAX);
        let count = i64::from(rate.count.max(1));
        // Rounded up: never more than the count.
        let interval_us = (period_us / count + i64::from(period_us % count > 0)).max(INTERVAL_MIN_US);
        let burst = i64::from(burst.max(1));
        // A rate that was slower before, or a clock that was set back, holds nobody up for longer than it says now.
        let latest = now_us.saturating_add(interval_us.saturating_mul(burst));
        let noted_us = next_at_us.unwrap_or(now_us);
        let was_later = noted_us > latest;
        Self { interval_us, burst, next_at_us: noted_us.min(latest), now_us, was_later }
    }

    /// True where what is noted of it would hold somebody up for longer: it is to be noted anew, or each look would find
    /// as long to wait as the one before.
    pub(crate) fn was_later(&self) -> bool {
        self.was_later
    }

    /// From when on one may start.
    pub(crate) fn opens_at_us(&self) -> i64 {
        self.next_at_us.saturating_sub(self.interval_us.saturating_mul(self.burst - 1))
    }

    /// How many may start now.
    pub(crate) fn room(&self) -> u32 {
        let early = self.now_us.saturating_sub(self.opens_at_us());
        if early < 0 {
            return 0;
        }
        u32::try_from((early / self.interval_us + 1).min(self.burst)).unwrap_or(u32::MAX)
    }

    /// One starts.
    pub(crate) fn start(&mut self) {
        self.next_at_us = self.next_at_us.max(self.now_us).saturating_add(self.interval_us);
    }

    /// When the next start would come if all came evenly.
    pub(crate) fn next_at_us(&self) -> i64 {
        self.next_at_us
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_rate_is_read_and_written() {
        let read = |text: &str| text.parse::<LimitRate>().map(|rate| rate.to_string());
        for (text, same) in
            [("100/60s", "100/60s"), ("5/m", "5/60s"), ("1/2h", "1/7200s"), ("10/500ms", "10/500ms")]
        {
            assert_eq!(read(text).unwrap(), same);
        }
        for text in
            ["", "5", "5/", "0/s", "-1/s", "5/0s", "5/60", "5/32d", "5/s s", "x/s", "5/99999999999999999999s"]
        {
            assert!(read(text).is_err(), "{text}");
        }
    }

    /// When each of those that ask at these moments starts, at the earliest; in between others may be asked in vain.
    fn starts(rate: LimitRate, burst: u32, asked: &[i64]) -> Vec<i64> {
        let (mut next, mut starts) = (None, Vec::new());
        for now in asked {
            let mut state = RateState::of(rate, burst, next, *now);
            if state.room() > 0 {
                state.start();
                next = Some(state.next_at_us());
                starts.push(*now);
            }
        }
        starts
    }

    proptest! {
        #[test]
        fn in_no_period_start_more_than_may(
            count in 1_u32..20,
            burst in 1_u32..5,
            period_ms in 1_u64..2_000,
            gaps in prop::collection::vec(0_i64..200_000, 1..300),
        ) {
            let rate = LimitRate { count, period: Duration::from_millis(period_ms) };
            let asked: Vec<i64> = gaps.iter().scan(0, |at, gap| { *at += gap; Some(*at) }).collect();
            let starts = starts(rate, burst, &asked);
            let period_us = i64::try_from(rate.period.as_micros()).unwrap();
            for (index, first) in starts.iter().enumerate() {
                let within = starts[index..].iter().take_while(|at| **at < first + period_us).count();
                prop_assert!(within <= (count + burst - 1) as usize, "{within} of {rate} from {first}: {starts:?}");
            }
        }

        #[test]
        fn whoever_waits_starts_at_the_moment_that_was_told(
            count in 1_u32..20,
            burst in 1_u32..5,
            period_ms in 1_u64..2_000,
            before in prop::collection::vec(0_i64..50_000, 0..50),
        ) {
            let rate = LimitRate { count, period: Duration::from_millis(period_ms) };
            let (mut next, mut now) = (None, 0);
            for gap in before {
                now += gap;
                let mut state = RateState::of(rate, burst, next, now);
                if state.room() > 0 {
                    state.start();
                    next = Some(state.next_at_us());
                }
            }
            let state = RateState::of(rate, burst, next, now);
            let opens_at = state.opens_at_us();
            prop_assert_eq!(state.room() > 0, opens_at <= now);
            prop_assert!(opens_at - now <= state.interval_us, "nobody waits longer than from one start to the next");
            if opens_at > now {
                prop_assert_eq!(RateState::of(rate, burst, next, opens_at - 1).room(), 0);
                prop_assert_eq!(RateState::of(rate, burst, next, opens_at).room(), 1);
            }
        }

        #[test]
        fn as_many_start_at_once_as_there_is_room_for(count in 1_u32..20, burst in 1_u32..9, ago in 0_i64..5_000_000) {
            let rate = LimitRate { count, period: Duration::from_secs(1) };
            let mut state = RateState::of(rate, burst, Some(0), ago);
            let room = state.room();
            prop_assert!(room <= burst);
            for _ in 0..room {
                prop_assert!(state.room() > 0);
                state.start();
            }
            prop_assert_eq!(state.room(), 0);
        }
    }
}
