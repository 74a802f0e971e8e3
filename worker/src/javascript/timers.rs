//! Timers of one execution: what is due, and when the next one will be.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashSet};
use std::time::{Duration, Instant};

/// Longer waits than this are as good as for ever, and do not overflow a clock.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 3600);

/// Timers that have not fired.
#[derive(Debug, Default)]
pub(crate) struct RealmTimers {
    last: u32,
    queue: BinaryHeap<Reverse<(Instant, u32)>>,
    live: HashSet<u32>,
}

impl RealmTimers {
    /// Starts one; gives its id.
    pub(crate) fn start(&mut self, now: Instant, delay: Duration) -> u32 {
        self.last = self.last.wrapping_add(1);
        self.queue.push(Reverse((now + delay.min(LONGEST), self.last)));
        self.live.insert(self.last);
        self.last
    }

    /// Stops one.
    pub(crate) fn stop(&mut self, id: u32) {
        self.live.remove(&id);
    }

    /// The next one that is due, in the order of their times.
    pub(crate) fn pop_due(&mut self, now: Instant) -> Option<u32> {
        self.drop_stopped();
        let Reverse((due, id)) = *self.queue.peek()?;
        if due > now {
            return None;
        }
        self.queue.pop();
        self.live.remove(&id);
        Some(id)
    }

    /// When the next one is due.
    pub(crate) fn next_due(&mut self) -> Option<Instant> {
        self.drop_stopped();
        self.queue.peek().map(|Reverse((due, _))| *due)
    }

    fn drop_stopped(&mut self) {
        while self.queue.peek().is_some_and(|Reverse((_, id))| !self.live.contains(id)) {
            self.queue.pop();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timers_fire_in_the_order_of_their_times_and_stopped_ones_never() {
        let now = Instant::now();
        let mut timers = RealmTimers::default();
        let late = timers.start(now, Duration::from_millis(20));
        let stopped = timers.start(now, Duration::from_millis(5));
        let early = timers.start(now, Duration::from_millis(10));
        let as_early = timers.start(now, Duration::from_millis(10));
        timers.stop(stopped);

        assert_eq!(timers.next_due(), Some(now + Duration::from_millis(10)));
        assert_eq!(timers.pop_due(now), None);
        let later = now + Duration::from_millis(30);
        let mut fired = Vec::new();
        while let Some(id) = timers.pop_due(later) {
            fired.push(id);
        }
        assert_eq!(fired, [early, as_early, late]);
        assert_eq!(timers.next_due(), None);
        timers.start(now, Duration::MAX);
    }
}
