//! How much of one run is shown live: what a person or a program can follow, and no more, so that a run that writes without
//! end does not take the processors with being shown. The whole log comes with the outcome.

use std::time::{Duration, Instant};

/// What a run may show at once.
const BURST_BYTES: u64 = 4 * 1024 * 1024;
/// What it may show in each second after that: some 6,000 short lines.
const BYTES_PER_SECOND: u64 = 1024 * 1024;

/// What one run has shown lately.
#[derive(Debug, Default)]
pub(super) struct LiveShare {
    used_bytes: u64,
    /// As of when; before anything was shown there is none.
    at: Option<Instant>,
}

impl LiveShare {
    /// True when it may show something.
    pub(super) fn has_room(&mut self, now: Instant) -> bool {
        let forgotten = forgotten_bytes(now.saturating_duration_since(*self.at.get_or_insert(now)));
        if forgotten > 0 {
            self.used_bytes = self.used_bytes.saturating_sub(forgotten);
            self.at = Some(now);
        }
        self.used_bytes < BURST_BYTES
    }

    /// So much is shown.
    pub(super) fn use_up(&mut self, bytes: usize) {
        self.used_bytes = self.used_bytes.saturating_add(u64::try_from(bytes).unwrap_or(u64::MAX));
    }
}

/// What a run may show more after such a time.
fn forgotten_bytes(time: Duration) -> u64 {
    let bytes = time.as_micros() * u128::from(BYTES_PER_SECOND) / 1_000_000;
    u64::try_from(bytes).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_shown_whole_and_what_never_ends_in_part() {
        let begun = Instant::now();
        let mut share = LiveShare::default();
        let mut shown = |ms: u64, messages: usize| {
            let now = begun + Duration::from_millis(ms);
            let mut has_shown = || share.has_room(now).then(|| share.use_up(64 * 1024)).is_some();
            (0..messages).filter(|_| has_shown()).count()
        };
        assert_eq!(shown(0, 1_000), 64, "a burst");
        assert_eq!(shown(1_000, 1_000), 16, "a second later a second's part");
        assert_eq!((1_001..=2_000).map(|ms| shown(ms, 100)).sum::<usize>(), 16, "however often it is asked");
        assert_eq!(shown(60_000, 1_000), 64, "a burst again");
    }
}
