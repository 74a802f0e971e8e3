//! A supervisor that is measured: what it costs, and its end.

use std::process::Child;

/// The supervisor under measurement, killed at the end.
pub(crate) struct MeasuredSupervisor(Child);

impl MeasuredSupervisor {
    /// Takes over one that was started.
    pub(crate) fn of(child: Child) -> Self {
        Self(child)
    }

    /// How it ended, once it has.
    pub(crate) fn ended(&mut self) -> std::io::Result<Option<std::process::ExitStatus>> {
        self.0.try_wait()
    }

    /// Of the supervisor alone.
    pub(crate) fn own_cpu_seconds(&self) -> f64 {
        seconds(ticks(self.0.id()))
    }

    /// Of the supervisor and its living workers.
    pub(crate) fn cpu_seconds(&self) -> f64 {
        let id = self.0.id();
        let children = std::fs::read_to_string(format!("/proc/{id}/task/{id}/children")).unwrap_or_default();
        let threads = std::fs::read_dir(format!("/proc/{id}/task")).into_iter().flatten().flatten();
        let of_threads =
            threads.filter_map(|thread| std::fs::read_to_string(thread.path().join("children")).ok());
        let mut pids: Vec<u32> =
            of_threads.chain([children]).flat_map(|text| numbers(&text)).chain([id]).collect();
        pids.sort_unstable();
        pids.dedup();
        seconds(pids.into_iter().map(ticks).sum())
    }
}

fn seconds(ticks: u64) -> f64 {
    ticks as f64 / rustix::param::clock_ticks_per_second() as f64
}

fn numbers(text: &str) -> Vec<u32> {
    text.split_ascii_whitespace().filter_map(|number| number.parse().ok()).collect()
}

/// The processor time of a process with all its threads, in ticks of the system's clock.
fn ticks(pid: u32) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let fields = stat.rsplit_once(')').map_or("", |(_, rest)| rest).split_ascii_whitespace().skip(11).take(2);
    fields.filter_map(|text| text.parse::<u64>().ok()).sum()
}

impl Drop for MeasuredSupervisor {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
