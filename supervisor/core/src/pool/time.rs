//! Monotonic time as the pool sees it: a distance from an arbitrary start, given to it from outside.

use std::ops::Add;
use std::time::Duration;

/// A moment on a monotonic clock. The shell maps its `Instant`s to this, a test simply counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PoolTime(Duration);

impl PoolTime {
    /// The moment at which the pool's clock begins.
    pub const START: Self = Self(Duration::ZERO);

    /// The moment `elapsed` after the start.
    pub const fn after_start(elapsed: Duration) -> Self {
        Self(elapsed)
    }

    /// How long after the start this is.
    pub const fn since_start(self) -> Duration {
        self.0
    }

    /// The time from `earlier` to here; zero if `earlier` is in fact later.
    pub fn since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

impl Add<Duration> for PoolTime {
    type Output = Self;

    /// Saturates: a limit of "for ever" may be written as `Duration::MAX`.
    fn add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(duration))
    }
}
