//! How many may start in a period: GCRA, by numbers alone.
//!
//! Starts are as far apart as they would be if they came evenly, and `burst` of them may come early together. So in any period, wherever it
//! begins, at most `count + burst - 1` start; with a burst of 1 never more than `count`.

use muster_core::limit::LimitRate;

/// The shortest time between two starts that is told apart.
const INTERVAL_MIN_US: i64 = 1;

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
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

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
