//! A supervisor that is measured: its start, what it costs, and its end.

use std::path::Path;
use std::process::{Child, Command, Stdio};

/// The supervisor under measurement, killed at the end.
pub(crate) struct MeasuredSupervisor(Child);

impl MeasuredSupervisor {
    /// Starts the one of these binaries with two workers, its data in `folder`.
    #[expect(clippy::disallowed_methods, reason = "the bench runs the binary as a user does")]
    pub(crate) fn start(
        binaries: &Path,
        folder: &Path,
        arguments: &[&str],
        environment: &[(String, String)],
    ) -> anyhow::Result<Self> {
        let child = Command::new(binaries.join("supervisor"))
            .args(["run", "--min-workers", "2", "--max-workers", "2", "--log-level", "error"])
            .args(["--worker-env", "MUSTER_CONFORMANCE=1"])
            .args(arguments)
            .arg("--data-dir")
            .arg(folder.join("data"))
            .envs(environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(folder.join("log"))?)
            .spawn()?;
        Ok(Self(child))
    }

    /// How it ended, once it has.
    pub(crate) fn ended(&mut self) -> std::io::Result<Option<std::process::ExitStatus>> {
        self.0.try_wait()
    }

    /// Of the supervisor alone.
    pub(crate) fn own_cpu_seconds(&self) -> f64 {
        seconds(ticks(self.0.id(), OWN))
    }

    /// Of the supervisor and its living workers.
    pub(crate) fn cpu_seconds(&self) -> f64 {
        let id = self.0.id();
        seconds(children(id).into_iter().chain([id]).map(|pid| ticks(pid, OWN)).sum())
    }
}

/// Of a process, its living children, and those that it has seen end.
pub(crate) fn cpu_seconds_of(pid: u32) -> f64 {
    let of_children: u64 = children(pid).into_iter().map(|pid| ticks(pid, OWN)).sum();
    seconds(of_children + ticks(pid, OWN) + ticks(pid, ENDED_CHILDREN))
}

/// Of those that this process started and has seen end, and of theirs.
pub(crate) fn cpu_seconds_of_ended_children() -> f64 {
    seconds(ticks(std::process::id(), ENDED_CHILDREN))
}

fn children(id: u32) -> Vec<u32> {
    let threads = std::fs::read_dir(format!("/proc/{id}/task")).into_iter().flatten().flatten();
    let of_threads =
        threads.filter_map(|thread| std::fs::read_to_string(thread.path().join("children")).ok());
    let mut pids: Vec<u32> = of_threads.flat_map(|text| numbers(&text)).collect();
    pids.sort_unstable();
    pids.dedup();
    pids
}

fn seconds(ticks: u64) -> f64 {
    ticks as f64 / rustix::param::clock_ticks_per_second() as f64
}

fn numbers(text: &str) -> Vec<u32> {
    text.split_ascii_whitespace().filter_map(|number| number.parse().ok()).collect()
}

/// Where `/proc/PID/stat` has the processor time of a process with all its threads, behind its name.
const OWN: usize = 11;
/// Where it has that of children that ended.
const ENDED_CHILDREN: usize = 13;

/// In ticks of the system's clock.
fn ticks(pid: u32, at: usize) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let fields = stat.rsplit_once(')').map_or("", |(_, rest)| rest).split_ascii_whitespace().skip(at).take(2);
    fields.filter_map(|text| text.parse::<u64>().ok()).sum()
}

impl Drop for MeasuredSupervisor {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
