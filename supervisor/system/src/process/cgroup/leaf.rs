//! The control group of one worker.

use std::io;
use std::os::fd::OwnedFd;
use std::path::PathBuf;

use rustix::fs::{CWD, Mode, OFlags, openat};
use rustix::process::Pid;

/// A group in which a worker is, and all that it ever started.
#[derive(Debug)]
pub(in crate::process) struct WorkerLeaf {
    folder: PathBuf,
}

/// What a group says of the memory of those who were in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LeafMemory {
    /// The kernel ended one of them because the group was at its limit.
    pub ran_out: bool,
    /// The most they held together, in bytes.
    pub peak_bytes: Option<u64>,
    /// The limit, in bytes.
    pub limit_bytes: Option<u64>,
}

impl WorkerLeaf {
    pub(super) fn make(folder: PathBuf) -> io::Result<Self> {
        std::fs::create_dir(&folder)?;
        Ok(Self { folder })
    }

    /// A descriptor of it, for a process that is made in it.
    pub(in crate::process) fn open(&self) -> io::Result<OwnedFd> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(openat(CWD, &self.folder, flags, Mode::empty())?)
    }

    /// The list of its processes, in which a process that writes a zero joins.
    pub(in crate::process) fn open_list(&self) -> io::Result<OwnedFd> {
        let flags = OFlags::WRONLY | OFlags::CLOEXEC;
        Ok(openat(CWD, self.folder.join("cgroup.procs"), flags, Mode::empty())?)
    }

    /// Moves a process into it. What that starts from now on is in it too.
    pub(in crate::process) fn place(&self, process: Pid) -> io::Result<()> {
        std::fs::write(self.folder.join("cgroup.procs"), process.as_raw_pid().to_string())
    }

    /// The numbers of all who live in it.
    pub(in crate::process) fn members(&self) -> Vec<u32> {
        self.read("cgroup.procs").lines().filter_map(|line| line.parse().ok()).collect()
    }

    /// Ends all who are in it, and whoever they start meanwhile.
    pub(in crate::process) fn kill(&self) {
        if let Err(error) = self.write("cgroup.kill", "1") {
            tracing::debug!(leaf = %self.folder.display(), %error, "control group cannot be killed");
        }
    }

    /// What it says of memory, where there is a controller for it.
    pub(in crate::process) fn memory(&self) -> LeafMemory {
        let events = self.read("memory.events");
        let kills =
            events.lines().find_map(|line| line.strip_prefix("oom_kill ")?.trim().parse::<u64>().ok());
        let number = |name| self.read(name).trim().parse().ok();
        LeafMemory {
            ran_out: kills.is_some_and(|kills| kills > 0),
            peak_bytes: number("memory.peak"),
            limit_bytes: number("memory.max"),
        }
    }

    pub(super) fn write(&self, name: &str, value: &str) -> io::Result<()> {
        std::fs::write(self.folder.join(name), value)
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.folder.join(name)).unwrap_or_default()
    }

    /// Removes it, if nobody lives in it. What is left of it is removed with all of them.
    pub(in crate::process) fn remove(&self) {
        let _ = std::fs::remove_dir(&self.folder);
    }
}
