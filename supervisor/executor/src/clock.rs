//! The two clocks: a monotonic one for every decision, the wall clock for what people read.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use muster_core::pool::PoolTime;

/// The monotonic clock of one executor.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    started: Instant,
}

impl Clock {
    pub(super) fn start() -> Self {
        Self { started: Instant::now() }
    }

    pub(super) fn now(self) -> PoolTime {
        PoolTime::after_start(self.started.elapsed())
    }

    /// The time of day at a pool time that has been, in microseconds since the Unix epoch. The pool counts how long a
    /// run takes from its own step; the time of day when its effect is done is later, and with the duration on top an
    /// end would lie in the future.
    pub(super) fn unix_us_at(self, time: PoolTime) -> i64 {
        let now_us = unix_us();
        let ago = self.now().since(time);
        now_us.saturating_sub(i64::try_from(ago.as_micros()).unwrap_or(i64::MAX))
    }

    /// The moment of a pool time, for a timer.
    pub(super) fn instant(self, time: PoolTime) -> Instant {
        self.started + time.since_start()
    }
}

/// The time of day, in microseconds since the Unix epoch.
pub fn unix_us() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_time_of_day_of_a_step_lies_as_far_back_as_the_step() {
        let lasted = Duration::from_millis(40);
        let clock = Clock { started: Instant::now().checked_sub(lasted).unwrap() };
        let before = unix_us();
        let stepped = clock.unix_us_at(PoolTime::after_start(Duration::ZERO));
        assert!(stepped < before - 39_000, "{stepped} is not 40 ms before {before}");
    }
}
