//! How many messages may be on their way to us: as many as there are slots, and more only while they are
//! used up faster than they come.

/// At most so many.
pub(super) const PREFETCH_MAX: usize = 1024;
/// So many claims in a row must have emptied the window before it grows.
const GROW_AFTER: u32 = 2;

/// The window of the current consumer. A changed one needs a new consumer.
#[derive(Debug, Default)]
pub(super) struct Prefetch {
    size: usize,
    exhausted: u32,
}

impl Prefetch {
    /// The window for a new consumer when so many slots are free.
    pub(super) fn open(&mut self, free: usize) -> u16 {
        self.size = free.clamp(1, PREFETCH_MAX);
        self.exhausted = 0;
        self.current()
    }

    /// Notes a claim that had a slot for everything it held. `open` counts the deliveries not yet closed.
    /// Gives the new window if it should grow.
    pub(super) fn claimed(&mut self, open: usize) -> Option<u16> {
        self.exhausted = if open >= self.size { self.exhausted + 1 } else { 0 };
        if self.exhausted < GROW_AFTER || self.size >= PREFETCH_MAX {
            return None;
        }
        self.exhausted = 0;
        self.size = (self.size * 2).min(PREFETCH_MAX);
        Some(self.current())
    }

    /// Whether deliveries that no slot helps fill this window, and a larger one is allowed.
    pub(super) fn is_blocked_by(&self, held_up: usize) -> bool {
        held_up >= self.size && self.size < PREFETCH_MAX
    }

    /// Gives a new window when deliveries that no slot helps fill this one, so that they do not hold up the rest.
    pub(super) fn blocked_by(&mut self, held_up: usize) -> Option<u16> {
        if !self.is_blocked_by(held_up) {
            return None;
        }
        self.size = (held_up * 2).min(PREFETCH_MAX);
        Some(self.current())
    }

    /// The window.
    pub(super) fn current(&self) -> u16 {
        u16::try_from(self.size).unwrap_or(u16::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_begins_with_the_free_slots_and_grows_only_when_it_is_the_limit() {
        let mut prefetch = Prefetch::default();
        assert_eq!(prefetch.open(2), 2);
        assert_eq!(prefetch.claimed(2), None);
        assert_eq!(prefetch.claimed(1), None);
        assert_eq!(prefetch.claimed(2), None);
        assert_eq!(prefetch.claimed(2), Some(4));
        assert_eq!((0..100).filter_map(|_| prefetch.claimed(9999)).last(), Some(1024));
        assert_eq!(prefetch.open(0), 1);
        assert_eq!((prefetch.blocked_by(0), prefetch.blocked_by(1)), (None, Some(2)));
    }
}
