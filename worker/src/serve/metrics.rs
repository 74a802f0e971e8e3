//! What a run cost.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::time::{Duration, Instant};

use muster_protocol::RunMetrics;

use crate::trusted::{ResourceUsage, resource_usage};

/// Reads what this process costs, between two points of its life. One reading ends a run and begins the next.
pub(crate) struct Meter {
    last: ResourceUsage,
    resident: ResidentSet,
}

impl Meter {
    pub(crate) fn new() -> Self {
        Self { last: resource_usage(), resident: ResidentSet::new() }
    }

    /// What happened since the last reading was not a run's.
    pub(crate) fn restart(&mut self) {
        self.last = resource_usage();
    }

    /// The cost of the run that ends now, and the resident set after it.
    pub(crate) fn read(&mut self, started: Instant) -> (RunMetrics, u64) {
        let now = resource_usage();
        let metrics = RunMetrics {
            wall_us: u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX),
            cpu_user_us: now.cpu_user_us.saturating_sub(self.last.cpu_user_us),
            cpu_system_us: now.cpu_system_us.saturating_sub(self.last.cpu_system_us),
            peak_rss_bytes: now.peak_rss_bytes,
        };
        self.last = now;
        (metrics, self.resident.bytes(now.peak_rss_bytes))
    }
}

/// The resident set of this process, from a file that stays open. Reading it costs as much as a short run, so
/// a value that cannot have changed for the worse is used again for a moment.
struct ResidentSet {
    statm: Option<File>,
    page_bytes: u64,
    known: Option<KnownRss>,
}

#[derive(Clone, Copy)]
struct KnownRss {
    bytes: u64,
    at: Instant,
    peak_bytes: u64,
}

/// How long a value is used again, while the peak stays where it was.
const KNOWN_FOR: Duration = Duration::from_millis(10);

impl ResidentSet {
    fn new() -> Self {
        let page_bytes = u64::try_from(rustix::param::page_size()).unwrap_or(4096);
        Self { statm: File::open("/proc/self/statm").ok(), page_bytes, known: None }
    }

    /// Its size now; 0 when the system does not tell.
    fn bytes(&mut self, peak_bytes: u64) -> u64 {
        match self.known {
            Some(known) if known.peak_bytes == peak_bytes && known.at.elapsed() < KNOWN_FOR => known.bytes,
            Some(_) | None => {
                let bytes = self.read();
                self.known = Some(KnownRss { bytes, at: Instant::now(), peak_bytes });
                bytes
            }
        }
    }

    fn read(&self) -> u64 {
        let mut text = [0_u8; 64];
        let read = self.statm.as_ref().and_then(|statm| statm.read_at(&mut text, 0).ok()).unwrap_or(0);
        let pages = text[..read]
            .split(u8::is_ascii_whitespace)
            .nth(1)
            .and_then(|field| std::str::from_utf8(field).ok())
            .and_then(|field| field.parse::<u64>().ok());
        pages.unwrap_or(0) * self.page_bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_resident_set_is_read_again_when_the_peak_has_moved() {
        let mut resident = ResidentSet::new();
        let first = resident.bytes(1);
        assert!(first > 100 * 1024, "{first}");
        resident.known = Some(KnownRss { bytes: 7, at: Instant::now() + KNOWN_FOR, peak_bytes: 1 });
        assert_eq!(resident.bytes(1), 7, "the peak is where it was");
        assert!(resident.bytes(2) > 100 * 1024, "the peak has moved");
    }
}
