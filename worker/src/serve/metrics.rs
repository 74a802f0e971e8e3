//! What a run cost.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::time::Instant;

use muster_protocol::Metrics;

use crate::trusted::{ResourceUsage, resource_usage};

/// The cost so far, at the beginning of a run.
pub(crate) struct Meter {
    usage: ResourceUsage,
}

impl Meter {
    pub(crate) fn start() -> Self {
        Self { usage: resource_usage() }
    }

    /// The cost since then.
    pub(crate) fn read(&self, started: Instant) -> Metrics {
        let now = resource_usage();
        Metrics {
            wall_us: u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX),
            cpu_user_us: now.cpu_user_us.saturating_sub(self.usage.cpu_user_us),
            cpu_system_us: now.cpu_system_us.saturating_sub(self.usage.cpu_system_us),
            peak_rss_bytes: now.peak_rss_bytes,
        }
    }
}

/// Reads the resident set of this process from a file that stays open.
pub(crate) struct ResidentSet {
    statm: Option<File>,
    page_bytes: u64,
}

impl ResidentSet {
    pub(crate) fn new() -> Self {
        let page_bytes = u64::try_from(rustix::param::page_size()).unwrap_or(4096);
        Self { statm: File::open("/proc/self/statm").ok(), page_bytes }
    }

    /// Its size now; 0 when the system does not tell.
    pub(crate) fn bytes(&self) -> u64 {
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
    fn this_process_has_a_resident_set() {
        assert!(ResidentSet::new().bytes() > 100 * 1024);
    }
}
