//! How much of one run is shown live: what a person or a program can follow, and no more, so that a run that writes without
//! end does not take the processors with being shown. The whole log comes with the outcome.

use std::time::{Duration, Instant};

use super::live::LiveEvent;

/// What a run may show at once.
const BURST_BYTES: u64 = 4 * 1024 * 1024;
/// What it may show in each second after that: some 6,000 short lines.
const BYTES_PER_SECOND: u64 = 1024 * 1024;

/// What one run has shown lately.
#[derive(Debug)]
pub(super) struct LiveShare {
    used_bytes: u64,
    at: Instant,
}

impl LiveShare {
    /// A run that has shown nothing yet.
    pub(super) fn new(now: Instant) -> Self {
        Self { used_bytes: 0, at: now }
    }

    /// True when it may show so much, which counts then.
    pub(super) fn take(&mut self, bytes: usize, now: Instant) -> bool {
        let forgotten = forgotten_bytes(now.saturating_duration_since(self.at));
        if forgotten > 0 {
            self.used_bytes = self.used_bytes.saturating_sub(forgotten);
            self.at = now;
        }
        let may_show = self.used_bytes < BURST_BYTES;
        if may_show {
            self.used_bytes = self.used_bytes.saturating_add(u64::try_from(bytes).unwrap_or(u64::MAX));
        }
        may_show
    }
}

/// What a run may show more after such a time.
fn forgotten_bytes(time: Duration) -> u64 {
    let bytes = time.as_micros() * u128::from(BYTES_PER_SECOND) / 1_000_000;
    u64::try_from(bytes).unwrap_or(u64::MAX)
}

/// What a run has shown, and what it said last where that was left out.
#[derive(Debug)]
pub(super) struct ShownRun {
    pub(super) share: LiveShare,
    pub(super) left_out: Option<LiveEvent>,
}

impl ShownRun {
    /// One that has shown nothing yet.
    pub(super) fn new(now: Instant) -> Self {
        Self { share: LiveShare::new(now), left_out: None }
    }

    /// What was left out, with its size, if it may be shown by now.
    pub(super) fn take_left_out(&mut self, now: Instant) -> Option<(LiveEvent, usize)> {
        let bytes = self.left_out.as_ref()?.size_bytes();
        let may_show = self.share.take(bytes, now);
        self.left_out.take_if(|_| may_show).map(|live| (live, bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_shown_whole_and_what_never_ends_in_part() {
        let begun = Instant::now();
        let mut share = LiveShare::new(begun);
        let mut shown = |ms: u64, messages: usize| {
            let now = begun + Duration::from_millis(ms);
            (0..messages).filter(|_| share.take(64 * 1024, now)).count()
        };
        assert_eq!(shown(0, 1_000), 64, "a burst");
        assert_eq!(shown(1_000, 1_000), 16, "a second later a second's part");
        assert_eq!((1_001..=2_000).map(|ms| shown(ms, 100)).sum::<usize>(), 16, "however often it is asked");
        assert_eq!(shown(60_000, 1_000), 64, "a burst again");
    }
}
