//! Whether any process was started since a moment, for the price of one small read.
//!
//! The kernel gives out the numbers of processes and threads in turn and shows the last one. While that has not
//! moved nothing was started, by anybody; so what a run may have left need only be looked for when it has.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;

/// Reads the last number that was given out.
#[derive(Debug)]
pub struct SpawnCounter {
    last: Option<CounterSource>,
}

#[derive(Debug)]
enum CounterSource {
    /// `/proc/sys/kernel/ns_last_pid`: the number.
    Alone(File),
    /// `/proc/loadavg`: the number is the fifth word.
    Fifth(File),
}

/// A point in the order of births.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpawnOrder(u32);

impl SpawnCounter {
    /// Opens whatever the kernel has. Where it shows nothing, it is always possible that something was started.
    pub fn open() -> Self {
        let alone = File::open("/proc/sys/kernel/ns_last_pid").map(CounterSource::Alone);
        let sources = [alone, File::open("/proc/loadavg").map(CounterSource::Fifth)];
        let last = sources.into_iter().flatten().find(|source| source.read().is_ok_and(|number| number > 0));
        Self { last }
    }

    /// The last that was born, or `None` when the kernel does not say.
    pub fn last(&self) -> Option<SpawnOrder> {
        self.last.as_ref()?.read().ok().map(SpawnOrder)
    }
}

impl CounterSource {
    fn read(&self) -> io::Result<u32> {
        let mut bytes = [0; 128];
        let (file, word) = match self {
            Self::Alone(file) => (file, 0),
            Self::Fifth(file) => (file, 4),
        };
        let read = file.read_at(&mut bytes, 0)?;
        let text = std::str::from_utf8(&bytes[..read]).map_err(io::Error::other)?;
        let word = text.split_ascii_whitespace().nth(word).unwrap_or_default();
        word.parse().map_err(io::Error::other)
    }
}

impl SpawnOrder {
    /// True for a number that was given out after this one, up to `now`. The numbers begin anew at their end.
    pub(super) fn is_before(self, number: u32, now: Self) -> bool {
        if self.0 <= now.0 { self.0 < number && number <= now.0 } else { number > self.0 || number <= now.0 }
    }

    /// The numbers given out after this one, up to `now`, if they are no more than so many.
    pub(super) fn until(self, now: Self, most: u32) -> Option<std::ops::RangeInclusive<u32>> {
        let count = now.0.checked_sub(self.0)?;
        (count <= most).then(|| self.0 + 1..=now.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_of_births_goes_round() {
        let born = |since, number, now| SpawnOrder(since).is_before(number, SpawnOrder(now));
        assert!(born(10, 11, 12) && born(10, 12, 12));
        assert!(!born(10, 10, 12) && !born(10, 13, 12) && !born(12, 12, 12));
        assert!(born(90, 95, 5) && born(90, 3, 5) && !born(90, 50, 5) && !born(90, 90, 5));
        assert_eq!(SpawnOrder(10).until(SpawnOrder(12), 2), Some(11..=12));
        assert_eq!(SpawnOrder(10).until(SpawnOrder(13), 2), None);
        assert_eq!(SpawnOrder(90).until(SpawnOrder(5), 100), None);
    }

    #[test]
    fn a_thread_that_is_started_moves_it() {
        let births = SpawnCounter::open();
        let before = births.last().unwrap();
        std::thread::spawn(|| {}).join().unwrap();
        let tried = std::iter::repeat_with(|| births.last().unwrap()).take(3);
        assert!(tried.into_iter().any(|now| now != before));
    }
}
