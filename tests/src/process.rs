//! Processes as the kernel sees them, read from `/proc`: who lives, whose child, how many descriptors.

use std::fs;
use std::path::{Path, PathBuf};

use rustix::process::{Pid, Resource, Rlimit, Signal, getrlimit, prlimit};

/// The number of a process.
pub type ProcessId = u32;

/// Every process there is.
fn all() -> Vec<ProcessId> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}

/// The fields of `/proc/PID/stat` after the name: the state first, then the parent.
fn stat(process: ProcessId) -> Option<Vec<String>> {
    let text = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    let (_, fields) = text.rsplit_once(')')?;
    Some(fields.split_whitespace().map(str::to_owned).collect())
}

/// True while the process runs: a zombie does not.
pub fn is_alive(process: ProcessId) -> bool {
    stat(process).is_some_and(|fields| fields.first().is_some_and(|state| state != "Z" && state != "X"))
}

/// The living children of a process.
pub fn children(parent: ProcessId) -> Vec<ProcessId> {
    children_of(parent).filter(|child| is_alive(*child)).collect()
}

/// The dead children of a process that it has not reaped.
pub fn zombies(parent: ProcessId) -> Vec<ProcessId> {
    children_of(parent).filter(|child| !is_alive(*child)).collect()
}

fn children_of(parent: ProcessId) -> impl Iterator<Item = ProcessId> {
    let parent = parent.to_string();
    all()
        .into_iter()
        .filter(move |process| stat(*process).is_some_and(|fields| fields.get(1) == Some(&parent)))
}

/// The living processes whose working directory is `folder` or below it. Whatever a supervisor starts
/// inherits its working directory, however it daemonizes itself away.
pub fn in_folder(folder: &Path) -> Vec<ProcessId> {
    let inside = |process: &ProcessId| {
        let directory = fs::read_link(format!("/proc/{process}/cwd"));
        directory.is_ok_and(|directory| directory.starts_with(folder)) && is_alive(*process)
    };
    all().into_iter().filter(inside).collect()
}

/// The command line, for messages.
pub fn command_line(process: ProcessId) -> String {
    let bytes = fs::read(format!("/proc/{process}/cmdline")).unwrap_or_default();
    String::from_utf8_lossy(&bytes).replace('\0', " ").trim_end().to_owned()
}

/// What the open descriptors point to.
pub fn descriptors(process: ProcessId) -> Vec<PathBuf> {
    let entries = fs::read_dir(format!("/proc/{process}/fd")).into_iter().flatten().flatten();
    entries.filter_map(|entry| fs::read_link(entry.path()).ok()).collect()
}

/// The signals that it ignores: a bit for each, the lowest for signal 1.
///
/// # Panics
/// When the process is gone.
pub fn ignored_signals(process: ProcessId) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    ignored
        .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .unwrap_or_else(|| panic!("process {process} has no mask of ignored signals"))
}

/// How many threads it has.
pub fn threads(process: ProcessId) -> usize {
    fs::read_dir(format!("/proc/{process}/task")).map_or(0, Iterator::count)
}

/// Its resident set, in bytes; 0 when it is gone.
pub fn resident_bytes(process: ProcessId) -> u64 {
    memory(process, "VmRSS:")
}

/// The most that was ever resident of it, in bytes; 0 when it is gone.
pub fn peak_bytes(process: ProcessId) -> u64 {
    memory(process, "VmHWM:")
}

fn memory(process: ProcessId, name: &str) -> u64 {
    let text = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    let kibibytes = line.and_then(|line| line.trim().trim_end_matches("kB").trim().parse::<u64>().ok());
    kibibytes.unwrap_or(0) * 1024
}

/// Sends a signal to one process. One that is gone already is no fault.
pub fn signal(process: ProcessId, signal: Signal) {
    if let Some(pid) = pid_of(process) {
        match rustix::process::kill_process(pid, signal) {
            Ok(()) | Err(rustix::io::Errno::SRCH) => {}
            Err(error) => panic!("{signal:?} to process {process}: {error}"),
        }
    }
}

/// Bounds the files one process writes.
pub fn limit_files(process: ProcessId, bytes: u64) {
    let limit = Rlimit { current: Some(bytes), maximum: None };
    // Without a number it would be our own limit.
    let pid = pid_of(process).unwrap_or_else(|| panic!("no process {process}"));
    if let Err(error) = prlimit(Some(pid), Resource::Fsize, limit) {
        panic!("limiting the files of process {process}: {error}");
    }
}

/// Bounds the descriptors one process opens.
pub fn limit_descriptors(process: ProcessId, descriptors: u64) {
    let limit = Rlimit { current: Some(descriptors), maximum: getrlimit(Resource::Nofile).maximum };
    let pid = pid_of(process).unwrap_or_else(|| panic!("no process {process}"));
    if let Err(error) = prlimit(Some(pid), Resource::Nofile, limit) {
        panic!("limiting the descriptors of process {process}: {error}");
    }
}

fn pid_of(process: ProcessId) -> Option<Pid> {
    i32::try_from(process).ok().and_then(Pid::from_raw)
}
