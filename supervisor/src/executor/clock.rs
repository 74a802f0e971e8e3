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
