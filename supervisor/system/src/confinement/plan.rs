//! Which walls a worker gets.

use std::path::PathBuf;

/// How much of the system a worker is kept from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ConfinementLevel {
    /// Nothing: a worker may do what its user may.
    Off,
    /// A worker reaches no process but its own, and has no privileges.
    Scoped,
    /// Besides, files, connections, system calls and resources are bounded.
    Strict,
}

impl ConfinementLevel {
    /// As it is written in settings.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Scoped => "scoped",
            Self::Strict => "strict",
        }
    }
}

/// The walls of one process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfinementPlan {
    /// A wall that cannot be had is left out below [`ConfinementLevel::Strict`], and ends the start there.
    pub level: ConfinementLevel,
    /// The score by which the kernel chooses whom to end when memory runs out.
    pub oom_score: Option<i32>,
    /// Who it runs as, where that is not the supervisor's user.
    pub user: Option<WorkerUser>,
    /// What it may use.
    pub limits: ResourceLimits,
    /// Files and folders that it may read and execute; of use under [`ConfinementLevel::Strict`] only, as the next three.
    pub readable: Vec<PathBuf>,
    /// Files and folders that it may do anything with.
    pub writable: Vec<PathBuf>,
    /// Files and folders that it may do anything with, and no other worker.
    pub own: Vec<PathBuf>,
    /// The TCP ports that it may connect to.
    pub ports: Vec<u16>,
}

/// A user by its numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkerUser {
    /// The user.
    pub uid: u32,
    /// Its group.
    pub gid: u32,
    /// Its other groups.
    pub groups: Vec<u32>,
}

/// What one worker may use of the machine; `None` is as much as the supervisor may.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ResourceLimits {
    /// Processes and threads of its user, not of the worker alone.
    pub processes: Option<u64>,
    /// Open files of one process.
    pub files: Option<u64>,
    /// The largest file, in MiB.
    pub file_size_mb: Option<u64>,
    /// The addresses of one process, in MiB.
    pub address_space_mb: Option<u64>,
}

impl ResourceLimits {
    /// What the limits are called, in settings too, with their values.
    pub fn named(&self) -> [(&'static str, Option<u64>); 4] {
        let Self { processes, files, file_size_mb, address_space_mb } = *self;
        [
            ("processes", processes),
            ("files", files),
            ("file_size_mb", file_size_mb),
            ("address_space_mb", address_space_mb),
        ]
    }

    /// Sets the limit of this name; false when there is none.
    pub fn set(&mut self, name: &str, value: u64) -> bool {
        let limit = match name {
            "processes" => &mut self.processes,
            "files" => &mut self.files,
            "file_size_mb" => &mut self.file_size_mb,
            "address_space_mb" => &mut self.address_space_mb,
            _ => return false,
        };
        *limit = Some(value);
        true
    }
}

impl ConfinementPlan {
    /// A plan of this level with nothing more.
    pub fn of(level: ConfinementLevel) -> Self {
        Self {
            level,
            oom_score: None,
            user: None,
            limits: ResourceLimits::default(),
            readable: Vec::new(),
            writable: Vec::new(),
            own: Vec::new(),
            ports: Vec::new(),
        }
    }
}
