//! Which walls a worker gets, and how that is written into an argument of the helper.
//!
//! One line for each fact, `key value`. What the helper does not understand it refuses: a wall that is asked for and
//! skipped would be a hole that nobody sees.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
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

    fn parse(word: &[u8]) -> Option<Self> {
        [Self::Off, Self::Scoped, Self::Strict].into_iter().find(|level| level.as_str().as_bytes() == word)
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
    /// Files and folders that it may read and execute; of use under [`ConfinementLevel::Strict`] only, as the next two.
    pub readable: Vec<PathBuf>,
    /// Files and folders that it may do anything with.
    pub writable: Vec<PathBuf>,
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

/// A plan that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the plan of walls has a line that is not understood: {line:?}; start the supervisor again, its executable was replaced"
)]
pub struct PlanError {
    /// The line.
    pub line: String,
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
            ports: Vec::new(),
        }
    }

    /// The plan as an argument.
    pub fn print(&self) -> OsString {
        let mut text = PlanText::default();
        text.line("level", self.level.as_str().as_bytes());
        if let Some(score) = self.oom_score {
            text.line("oom_score", score.to_string().as_bytes());
        }
        if let Some(user) = &self.user {
            let numbers = [user.uid, user.gid].into_iter().chain(user.groups.iter().copied());
            let words: Vec<String> = numbers.map(|number| number.to_string()).collect();
            text.line("user", words.join(" ").as_bytes());
        }
        for (name, value) in self.limits.named() {
            if let Some(value) = value {
                text.line("limit", format!("{name} {value}").as_bytes());
            }
        }
        for (key, paths) in [("read", &self.readable), ("write", &self.writable)] {
            for path in paths {
                text.line(key, path.as_os_str().as_bytes());
            }
        }
        for port in &self.ports {
            text.line("port", port.to_string().as_bytes());
        }
        OsString::from_vec(text.0)
    }

    /// Reads what [`print`](Self::print) wrote.
    ///
    /// # Errors
    /// The first line that is not understood.
    pub fn parse(text: &OsStr) -> Result<Self, PlanError> {
        let mut plan = Self::of(ConfinementLevel::Strict);
        for line in text.as_bytes().split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            plan.read_line(line)
                .ok_or_else(|| PlanError { line: String::from_utf8_lossy(line).into_owned() })?;
        }
        Ok(plan)
    }

    fn read_line(&mut self, line: &[u8]) -> Option<()> {
        let space = line.iter().position(|byte| *byte == b' ')?;
        let (key, value) = (&line[..space], &line[space + 1..]);
        match key {
            b"level" => self.level = ConfinementLevel::parse(value)?,
            b"oom_score" => self.oom_score = Some(number(value)?),
            b"user" => self.user = Some(user(value)?),
            b"limit" => {
                let (name, value) = std::str::from_utf8(value).ok()?.split_once(' ')?;
                self.limits.set(name, value.parse().ok()?).then_some(())?;
            }
            b"read" => self.readable.push(path(value)),
            b"write" => self.writable.push(path(value)),
            b"port" => self.ports.push(number(value)?),
            _ => return None,
        }
        Some(())
    }
}

fn user(value: &[u8]) -> Option<WorkerUser> {
    let mut numbers = value.split(|byte| *byte == b' ').map(number);
    let (uid, gid) = (numbers.next()??, numbers.next()??);
    Some(WorkerUser { uid, gid, groups: numbers.collect::<Option<_>>()? })
}

fn path(value: &[u8]) -> PathBuf {
    PathBuf::from(OsStr::from_bytes(value))
}

/// The lines of a plan.
#[derive(Default)]
struct PlanText(Vec<u8>);

impl PlanText {
    /// A line break in a path would begin another fact, so such a path is no fact at all: a rule less, never one more.
    fn line(&mut self, key: &str, value: &[u8]) {
        if value.contains(&b'\n') {
            return;
        }
        self.0.extend_from_slice(key.as_bytes());
        self.0.push(b' ');
        self.0.extend_from_slice(value);
        self.0.push(b'\n');
    }
}

fn number<T: std::str::FromStr>(value: &[u8]) -> Option<T> {
    std::str::from_utf8(value).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_printed_is_read_again() {
        for level in [ConfinementLevel::Off, ConfinementLevel::Scoped, ConfinementLevel::Strict] {
            let bare = ConfinementPlan::of(level);
            assert_eq!(ConfinementPlan::parse(&bare.print()), Ok(bare.clone()));
            let full = ConfinementPlan {
                oom_score: Some(-400),
                user: Some(WorkerUser { uid: 900_000, gid: 900_001, groups: vec![4, 27] }),
                limits: ResourceLimits {
                    processes: Some(64),
                    files: None,
                    file_size_mb: Some(1),
                    address_space_mb: Some(4096),
                },
                readable: vec!["/usr".into(), "/a folder with blanks".into()],
                writable: vec![OsStr::from_bytes(b"/not \xff UTF-8").into()],
                ports: vec![443, 65535],
                ..bare
            };
            assert_eq!(ConfinementPlan::parse(&full.print()), Ok(full));
        }
    }

    #[test]
    fn a_path_never_becomes_another_line() {
        let plan = ConfinementPlan {
            readable: vec!["/srv/a\nwrite /".into(), "/usr".into()],
            ..ConfinementPlan::of(ConfinementLevel::Strict)
        };
        let read = ConfinementPlan::parse(&plan.print()).unwrap();
        assert_eq!((read.readable, read.writable), (vec!["/usr".into()], Vec::<PathBuf>::new()));
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        for text in [
            "level",
            "level tight",
            "oom_score many",
            "moat 1",
            "user 1",
            "limit oxen 2",
            "port 65536",
            "level off\nbridge up",
        ] {
            assert!(ConfinementPlan::parse(OsStr::new(text)).is_err(), "{text}");
        }
        let error = ConfinementPlan::parse(OsStr::new("level off\nbridge up")).unwrap_err();
        assert!(error.to_string().contains("bridge up"), "{error}");
    }
}
