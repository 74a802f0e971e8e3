//! Workers of a supervisor that died: remembered on disk, killed before anything they ran is run again.
//!
//! The record begins with the boot it belongs to. Each spawn appends a line with the group's id and the time
//! the leader started, which together name a process for ever: a recycled number has another start time.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::process::Pid;

use super::Group;

/// How long we wait for killed leftovers to be gone.
const GONE_WITHIN: Duration = Duration::from_secs(5);
/// The record is rewritten with only what lives when it has grown by so many lines.
const REWRITE_AFTER_LINES: usize = 10_000;

/// The record cannot be kept.
#[derive(Debug, thiserror::Error)]
#[error("cannot keep the record of worker processes in {path}: {source}; make data_dir writable")]
pub struct LeftoversError {
    path: PathBuf,
    source: io::Error,
}

/// The record of process groups in the data directory.
#[derive(Debug)]
pub struct Leftovers {
    path: PathBuf,
    file: File,
    lines: usize,
}

impl Leftovers {
    /// Kills what an earlier process left running, then starts a new record. Returns how many were killed.
    ///
    /// # Errors
    /// When the record cannot be written.
    pub fn kill_and_open(data_dir: &Path) -> Result<(Self, usize), LeftoversError> {
        let path = data_dir.join("worker-groups");
        let killed = kill_recorded(&path);
        let file =
            write_record(&path, &[]).map_err(|source| LeftoversError { path: path.clone(), source })?;
        Ok((Self { path, file, lines: 0 }, killed))
    }

    /// Remembers a group. A failure is reported, not fatal: the worker's own lifeline is EOF on stdin.
    ///
    /// # Errors
    /// When the record cannot be written.
    pub fn remember(&mut self, group: Group) -> Result<(), LeftoversError> {
        self.append(group).map_err(|source| LeftoversError { path: self.path.clone(), source })
    }

    fn append(&mut self, group: Group) -> io::Result<()> {
        let Some(started) = start_time(group.id()) else { return Ok(()) };
        if self.lines >= REWRITE_AFTER_LINES {
            let living = living(&self.path);
            self.file = write_record(&self.path, &living)?;
            self.lines = living.len();
        }
        self.lines += 1;
        writeln!(self.file, "{} {started}", group.id())
    }
}

/// A new record that holds these groups, open for appending.
fn write_record(path: &Path, groups: &[(u32, u64)]) -> io::Result<File> {
    let mut text = format!("{}\n", boot_id());
    for (id, started) in groups {
        text.push_str(&format!("{id} {started}\n"));
    }
    crate::private::write(path, text.as_bytes())?;
    File::options().append(true).open(path)
}

fn boot_id() -> String {
    std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default().trim().to_owned()
}

/// The recorded groups that still have a member.
fn living(path: &Path) -> Vec<(u32, u64)> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let mut lines = text.lines();
    if lines.next() != Some(boot_id().as_str()) {
        return Vec::new();
    }
    lines
        .filter_map(|line| {
            let (id, started) = line.split_once(' ')?;
            Some((id.parse().ok()?, started.parse().ok()?))
        })
        .filter(|&(id, started)| is_living(id, started))
        .collect()
}

/// True while the leader is the same process, or while it is gone and its group is not: the number of a
/// group that has members is not given to a new process.
fn is_living(id: u32, started: u64) -> bool {
    match start_time(id) {
        Some(now) => now == started,
        None => i32::try_from(id).ok().and_then(Pid::from_raw).is_some_and(has_running_member),
    }
}

fn has_running_member(leader: Pid) -> bool {
    rustix::process::test_kill_process_group(leader).is_ok() && !is_zombie(leader)
}

/// A dead leader that its parent has not reaped keeps the group's number, and nothing can be done about it.
fn is_zombie(leader: Pid) -> bool {
    std::path::Path::new(&format!("/proc/{}/stat", leader.as_raw_pid())).exists()
}

fn kill_recorded(path: &Path) -> usize {
    let found = living(path);
    let groups =
        found.iter().filter_map(|(id, _)| Some(Group::led_by(Pid::from_raw(i32::try_from(*id).ok()?)?)));
    groups.for_each(Group::kill);
    let deadline = Instant::now() + GONE_WITHIN;
    while !living(path).is_empty() && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(2));
    }
    found.len()
}

/// When a process started, in clock ticks since boot: field 22 of its stat line. A zombie counts as gone.
fn start_time(pid: u32) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The second field is the program's name in parentheses and may hold anything, so count from its end.
    let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace();
    if fields.next()? == "Z" {
        return None;
    }
    fields.nth(18)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Command, Stdio};

    #[test]
    #[expect(clippy::disallowed_methods, reason = "the test needs a process to leave behind")]
    fn a_recorded_process_is_killed_and_a_stranger_with_its_number_is_not() {
        use std::os::unix::process::CommandExt;
        let folder = tempfile::tempdir().unwrap();
        let start = || Command::new("sleep").arg("60").process_group(0).stdin(Stdio::null()).spawn().unwrap();
        let (mut left, mut stranger) = (start(), start());
        let (mut record, killed) = Leftovers::kill_and_open(folder.path()).unwrap();
        assert_eq!(killed, 0);
        let group = |child: &std::process::Child| Group::led_by(Pid::from_child(child));
        record.remember(group(&left)).unwrap();
        // The same number with another start time is another process.
        writeln!(record.file, "{} 1", stranger.id()).unwrap();
        drop(record);
        let (_, killed) = Leftovers::kill_and_open(folder.path()).unwrap();
        assert_eq!(killed, 1);
        assert!(!left.wait().unwrap().success());
        assert!(stranger.try_wait().unwrap().is_none());
        stranger.kill().unwrap();
        stranger.wait().unwrap();
    }
}
