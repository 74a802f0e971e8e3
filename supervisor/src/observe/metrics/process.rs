//! What the supervisor's own process uses, under the names that all clients of Prometheus give it. Workers are not in it.

use std::sync::atomic::AtomicU64;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};
use rustix::process::{Resource, getrlimit};

/// The process's numbers, as they were when somebody asked.
#[derive(Debug)]
pub(super) struct ProcessMetrics {
    registry: Registry,
    cpu_seconds: Counter<f64, AtomicU64>,
    resident_bytes: Gauge,
    open_files: Gauge,
    open_files_max: Gauge,
    threads: Gauge,
}

/// What `/proc/self/stat` says.
#[derive(Debug, PartialEq)]
struct ProcessUse {
    cpu_ticks: u64,
    threads: i64,
    start_ticks: u64,
    resident_pages: i64,
}

impl ProcessMetrics {
    pub(super) fn new() -> Self {
        let mut metrics = Self {
            registry: Registry::with_prefix("process"),
            cpu_seconds: Counter::default(),
            resident_bytes: Gauge::default(),
            open_files: Gauge::default(),
            open_files_max: Gauge::default(),
            threads: Gauge::default(),
        };
        let registry = &mut metrics.registry;
        let help = "Processor time of the supervisor itself, user and system";
        registry.register_with_unit("cpu", help, Unit::Seconds, metrics.cpu_seconds.clone());
        let help = "Memory of the supervisor itself";
        registry.register_with_unit("resident_memory", help, Unit::Bytes, metrics.resident_bytes.clone());
        registry.register("open_fds", "Descriptors that the supervisor has open", metrics.open_files.clone());
        registry.register("max_fds", "Descriptors that it may have open", metrics.open_files_max.clone());
        registry.register("threads", "Threads of the supervisor", metrics.threads.clone());
        let started: Gauge<f64, AtomicU64> = Gauge::default();
        started.set(started_at_seconds().unwrap_or_default());
        registry.register_with_unit(
            "start_time",
            "When it started, since the Unix epoch",
            Unit::Seconds,
            started,
        );
        metrics
    }

    /// The series, as they are now.
    pub(super) fn now(&self) -> &Registry {
        if let Some(used) = used() {
            let seconds = used.cpu_ticks as f64 / rustix::param::clock_ticks_per_second() as f64;
            self.cpu_seconds.inc_by((seconds - self.cpu_seconds.get()).max(0.0));
            let page = i64::try_from(rustix::param::page_size()).unwrap_or_default();
            self.resident_bytes.set(used.resident_pages.saturating_mul(page));
            self.threads.set(used.threads);
        }
        // The folder is open itself while it is read.
        let open = std::fs::read_dir("/proc/self/fd").map(|entries| entries.count().saturating_sub(1));
        self.open_files.set(open.map_or(-1, |open| i64::try_from(open).unwrap_or(i64::MAX)));
        let allowed = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
        self.open_files_max.set(i64::try_from(allowed).unwrap_or(i64::MAX));
        &self.registry
    }
}

fn used() -> Option<ProcessUse> {
    parse(&std::fs::read_to_string("/proc/self/stat").ok()?)
}

/// The name of the program stands in parentheses, and may hold any sign.
fn parse(stat: &str) -> Option<ProcessUse> {
    let (_, fields) = stat.rsplit_once(')')?;
    // From the third field on, as the manual counts them.
    let fields: Vec<&str> = fields.split_whitespace().collect();
    let number = |place: usize| fields.get(place - 3)?.parse::<u64>().ok();
    Some(ProcessUse {
        cpu_ticks: number(14)? + number(15)?,
        threads: i64::try_from(number(20)?).ok()?,
        start_ticks: number(22)?,
        resident_pages: i64::try_from(number(24)?).ok()?,
    })
}

fn started_at_seconds() -> Option<f64> {
    let since_boot = used()?.start_ticks as f64 / rustix::param::clock_ticks_per_second() as f64;
    let stat = std::fs::read_to_string("/proc/stat").ok()?;
    let booted_at = stat.lines().find_map(|line| line.strip_prefix("btime "))?;
    Some(booted_at.trim().parse::<f64>().ok()? + since_boot)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_program_may_hold_anything() {
        let stat = "7 (a b) S) R 1 7 7 0 -1 4194304 100 0 0 0 250 50 0 0 20 0 9 0 4711 1000 321 18446744073709551615";
        let used = ProcessUse { cpu_ticks: 300, threads: 9, start_ticks: 4711, resident_pages: 321 };
        assert_eq!(parse(stat), Some(used));
        assert_eq!(parse("7 (cat"), None);
    }

    #[test]
    fn this_process_uses_something() {
        let metrics = ProcessMetrics::new();
        metrics.now();
        assert!(metrics.resident_bytes.get() > 1_000_000 && metrics.threads.get() >= 1);
        assert!((3..metrics.open_files_max.get()).contains(&metrics.open_files.get()));
        assert!(started_at_seconds().is_some_and(|at| at > 1_600_000_000.0));
    }
}
