//! Workers of a supervisor that died: remembered on disk, killed before anything they ran is run again.
//!
//! The record begins with the boot it belongs to. Each spawn appends a line with the group's id and the time
//! the leader started, which together name a process for ever: a recycled number has another start time. The third
//! word is the mark by which all that the worker started is known, wherever it went. The record also says whose the workers
//! are, in the same two numbers: in a copy of the directory of a supervisor that lives they are nobody's orphans.

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::process::Pid;
use uuid::Uuid;

use super::descendants::{ObservedProcess, ProcessTable};
use super::mark::WorkerMark;
use super::{ProcessGroup, ProcessTree};

/// The file in the data directory.
const RECORD: &str = "worker-groups";
/// What is before the id of a record.
const ID_PREFIX: &str = "record ";
/// What is before the number of the supervisor whose workers these are, and the time when it started.
const OWNER_PREFIX: &str = "supervisor ";
/// How long we wait for killed orphaned workers to be gone.
const GONE_WITHIN: Duration = Duration::from_secs(5);
/// The record is rewritten with only what lives when it has grown by so many lines.
const REWRITE_AFTER_LINES: usize = 10_000;

/// The record of started workers cannot be kept.
#[derive(Debug, thiserror::Error)]
#[error("cannot keep the record of worker processes in {path}: {source}; make data_dir writable")]
pub struct OrphanedWorkersError {
    path: PathBuf,
    source: io::Error,
}

/// Whose the workers are that the record of an earlier process names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OrphansFound {
    /// The directory is a copy of one whose supervisor lives: they are that one's, and left alone.
    Anothers,
    /// An earlier supervisor of this directory left them.
    Ours {
        /// How many of them still ran, and were killed.
        killed: usize,
    },
}

/// The record of process groups in the data directory.
#[derive(Debug)]
pub struct OrphanedWorkers {
    path: PathBuf,
    file: File,
    lines: usize,
    id: String,
}

impl OrphanedWorkers {
    /// Whether the directory is a copy of one whose supervisor lives: what the record names is that one's.
    fn are_anothers(data_dir: &Path) -> bool {
        let text = std::fs::read_to_string(data_dir.join(RECORD)).unwrap_or_default();
        // Times of start are told from the boot on: of another boot they say nothing.
        let of_this_boot = text.lines().next() == Some(boot_id().as_str());
        let owner = text
            .lines()
            .filter(|_| of_this_boot)
            .find_map(|line| OrphanRecord::parse(line.strip_prefix(OWNER_PREFIX)?));
        owner.is_some_and(|owner| start_time(owner.id) == Some(owner.started))
    }

    /// Kills what an earlier process left running, unless it is another's, then starts a new record.
    ///
    /// # Errors
    /// When the record cannot be written.
    pub fn kill_and_open(data_dir: &Path) -> Result<(Self, OrphansFound), OrphanedWorkersError> {
        let path = data_dir.join(RECORD);
        let found = match Self::are_anothers(data_dir) {
            true => OrphansFound::Anothers,
            false => OrphansFound::Ours { killed: kill_recorded(&recorded(&path)) },
        };
        let id = Uuid::new_v4().simple().to_string();
        let file = write_record(&path, &id, &[])
            .map_err(|source| OrphanedWorkersError { path: path.clone(), source })?;
        Ok((Self { path, file, lines: 0, id }, found))
    }

    /// Kills what was left by the supervisor whose record has this id. Where another has begun one of its own, it has
    /// done so already.
    pub(super) fn kill_of(data_dir: &Path, id: &str) {
        let path = data_dir.join(RECORD);
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        if text.lines().any(|line| line.strip_prefix(ID_PREFIX) == Some(id)) {
            kill_recorded(&of_this_boot(&text));
        }
    }

    /// What tells this record from every other.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Remembers a group. A failure is reported, not fatal: the worker's own lifeline is EOF on stdin.
    ///
    /// # Errors
    /// When the record cannot be written.
    pub fn remember(&mut self, family: &ProcessTree) -> Result<(), OrphanedWorkersError> {
        self.append(family).map_err(|source| OrphanedWorkersError { path: self.path.clone(), source })
    }

    fn append(&mut self, family: &ProcessTree) -> io::Result<()> {
        let id = family.group().id();
        let Some(started) = family.started() else { return Ok(()) };
        if self.lines >= REWRITE_AFTER_LINES {
            let living = living(&self.path);
            self.file = write_record(&self.path, &self.id, &living)?;
            self.lines = living.len();
        }
        self.lines += 1;
        // In one write: a line that is torn names nobody.
        let line = format!("{}\n", OrphanRecord { id, started, mark: Some(family.mark().clone()) });
        self.file.write_all(line.as_bytes())
    }
}

/// A line of the record: one worker.
#[derive(Debug)]
struct OrphanRecord {
    id: u32,
    started: u64,
    /// None in the record of an older version.
    mark: Option<WorkerMark>,
}

impl OrphanRecord {
    fn parse(line: &str) -> Option<Self> {
        let mut words = line.split_ascii_whitespace();
        let (id, started) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
        Some(Self { id, started, mark: words.next().map(WorkerMark::noted) })
    }

    /// True while the leader is the same process, or while it is gone and its group is not: the number of a
    /// group that has members is not given to a new process.
    fn is_living(&self) -> bool {
        match start_time(self.id) {
            Some(now) => now == self.started,
            None => i32::try_from(self.id).ok().and_then(Pid::from_raw).is_some_and(has_running_member),
        }
    }
}

impl std::fmt::Display for OrphanRecord {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mark = self.mark.as_ref().map_or("", WorkerMark::as_str);
        write!(f, "{} {} {mark}", self.id, self.started)
    }
}

/// A new record that holds these workers, open for appending. An older version passes over the lines with its id and its
/// owner.
fn write_record(path: &Path, id: &str, lines: &[OrphanRecord]) -> io::Result<File> {
    let mut text = format!("{}\n{ID_PREFIX}{id}\n", boot_id());
    let owner = std::process::id();
    if let Some(started) = start_time(owner) {
        text.push_str(&format!("{OWNER_PREFIX}{owner} {started}\n"));
    }
    for line in lines {
        text.push_str(&format!("{line}\n"));
    }
    crate::private::write(path, text.as_bytes())?;
    File::options().append(true).open(path)
}

/// Another one each time the host is booted; empty where the system does not tell.
pub(super) fn boot_id() -> String {
    std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default().trim().to_owned()
}

/// The recorded workers whose groups still have a member.
fn living(path: &Path) -> Vec<OrphanRecord> {
    recorded(path).into_iter().filter(OrphanRecord::is_living).collect()
}

/// The workers that were recorded since the machine started.
fn recorded(path: &Path) -> Vec<OrphanRecord> {
    of_this_boot(&std::fs::read_to_string(path).unwrap_or_default())
}

fn of_this_boot(text: &str) -> Vec<OrphanRecord> {
    let mut lines = text.lines();
    if lines.next() != Some(boot_id().as_str()) {
        return Vec::new();
    }
    lines.filter_map(OrphanRecord::parse).collect()
}

fn has_running_member(leader: Pid) -> bool {
    rustix::process::test_kill_process_group(leader).is_ok() && !is_zombie(leader)
}

/// A dead leader that its parent has not reaped keeps the group's number, and nothing can be done about it.
fn is_zombie(leader: Pid) -> bool {
    std::path::Path::new(&format!("/proc/{}/stat", leader.as_raw_pid())).exists()
}

fn kill_recorded(all: &[OrphanRecord]) -> usize {
    let living = || all.iter().filter(|line| line.is_living());
    let marks: HashSet<&WorkerMark> = all.iter().filter_map(|line| line.mark.as_ref()).collect();
    let groups =
        living().filter_map(|line| Pid::from_raw(i32::try_from(line.id).ok()?)).map(ProcessGroup::led_by);
    let groups: Vec<ProcessGroup> = groups.collect();
    let strayed = strayed(&marks, &groups);
    for group in &groups {
        group.kill();
    }
    strayed.iter().for_each(super::process_tree::kill);
    let deadline = Instant::now() + GONE_WITHIN;
    let is_left = || living().next().is_some() || !self::strayed(&marks, &[]).is_empty();
    while is_left() && Instant::now() < deadline {
        self::strayed(&marks, &[]).iter().for_each(super::process_tree::kill);
        std::thread::sleep(Duration::from_millis(2));
    }
    groups.len() + strayed.len()
}

/// What workers with these marks started and what is in none of these groups.
fn strayed(marks: &HashSet<&WorkerMark>, groups: &[ProcessGroup]) -> Vec<ObservedProcess> {
    if marks.is_empty() {
        return Vec::new();
    }
    let mut strayed = ProcessTable::read().into_living();
    strayed.retain(|seen| {
        let is_grouped = groups.iter().any(|group| group.id() == seen.group);
        !is_grouped && WorkerMark::read(seen.pid).is_some_and(|mark| marks.contains(&mark))
    });
    strayed
}

/// When a process started, in clock ticks since boot. A zombie counts as gone.
fn start_time(pid: u32) -> Option<u64> {
    ObservedProcess::read(pid).filter(|seen| !seen.is_dead).map(|seen| seen.started)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::mark::MARK_ENV;
    use std::process::{Command, Stdio};

    #[test]
    #[expect(clippy::disallowed_methods, reason = "the test needs a process to leave behind")]
    fn what_was_recorded_is_killed_wherever_it_went_and_a_stranger_with_its_number_is_not() {
        use std::os::unix::process::CommandExt;
        let folder = tempfile::tempdir().unwrap();
        let mark = WorkerMark::new();
        let start = |name: &str| {
            let mut command = Command::new("sleep");
            command.arg("60").process_group(0).stdin(Stdio::null()).env(name, mark.value()).spawn().unwrap()
        };
        // One left the group of the worker that started it.
        let (mut left, mut strayed, mut stranger) = (start("NO_MARK"), start(MARK_ENV), start("NO_MARK"));
        let (mut record, found) = OrphanedWorkers::kill_and_open(folder.path()).unwrap();
        assert_eq!(found, OrphansFound::Ours { killed: 0 });
        let group = |child: &std::process::Child| ProcessGroup::led_by(Pid::from_child(child));
        record.remember(&ProcessTree::of(group(&left), mark.clone())).unwrap();
        // The same number with another start time is another process.
        writeln!(record.file, "{} 1", stranger.id()).unwrap();
        drop(record);
        // We live, and so does whoever the record names as its owner: to a supervisor with a copy they are no orphans.
        let path = folder.path().join(RECORD);
        let text = std::fs::read_to_string(&path).unwrap();
        let (_, found) = OrphanedWorkers::kill_and_open(folder.path()).unwrap();
        assert_eq!((found, left.try_wait().unwrap()), (OrphansFound::Anothers, None));
        // The same of one that is gone: its number has another process.
        let gone: String = text
            .lines()
            .map(|line| match line.starts_with(OWNER_PREFIX) {
                true => format!("{OWNER_PREFIX}{} 1\n", std::process::id()),
                false => format!("{line}\n"),
            })
            .collect();
        std::fs::write(&path, gone).unwrap();
        let (_, found) = OrphanedWorkers::kill_and_open(folder.path()).unwrap();
        assert_eq!(found, OrphansFound::Ours { killed: 2 });
        assert!(!left.wait().unwrap().success() && !strayed.wait().unwrap().success());
        assert!(stranger.try_wait().unwrap().is_none());
        stranger.kill().unwrap();
        stranger.wait().unwrap();
    }
}
