//! A process that outlives a supervisor which is killed, and ends what its workers left: also where no other supervisor
//! starts.
//!
//! It is the supervisor's own executable, waits at the end of a pipe and does nothing as long as that is open. It is
//! nobody's child and in nobody's session, and its environment is empty. A supervisor that ends in order dismisses it.

use std::cell::Cell;
use std::ffi::OsStr;
use std::io::{self, Read as _};
use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{WaitId, WaitIdOptions, setsid, waitid};

use super::OrphanedWorkers;
use super::cgroup::WorkerLeaves;
use super::exec_arguments::ExecArguments;
use super::prepared_child::{ChildFailure, PreparedChild};
use super::vfork::{self, ChildStack};

/// The executable of this process: a file that was replaced meanwhile is still the one that runs.
const PROGRAM: &str = "/proc/self/exe";
/// What it is called in a list of processes.
const NAME: &str = "supervisor";
/// Its first argument; what it guards comes after it.
const WORD: &str = "guard";
/// Workers leave by themselves within two seconds after the end of their stdin.
const LEAVE_BY_THEMSELVES: Duration = Duration::from_secs(3);
/// What a supervisor says that ends in order.
const DISMISSED: u8 = b'd';

/// Only a program that has looked whether it is to be the guard may start itself as one.
static MAY_START: AtomicBool = AtomicBool::new(false);

/// What is ended after a supervisor that was killed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Guarded {
    /// Its part of the control groups.
    pub leaves: Option<PathBuf>,
    /// Its data directory, and the id of its record of workers in it.
    pub record: Option<(PathBuf, String)>,
}

/// The supervisor's end of the pipe. Dropping it dismisses the guard.
#[derive(Debug)]
pub struct Guard {
    pipe: OwnedFd,
}

impl Guard {
    /// Starts a guard. Process 1 of a container needs none: all others end with it.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(guarded: &Guarded) -> io::Result<Option<Self>> {
        let is_needed = guarded.leaves.is_some() || guarded.record.is_some();
        if !is_needed || std::process::id() == 1 || !MAY_START.load(Ordering::Relaxed) {
            return Ok(None);
        }
        let (theirs, pipe) = pipe_with(PipeFlags::CLOEXEC)?;
        let nothing = OwnedFd::from(std::fs::File::options().read(true).write(true).open("/dev/null")?);
        let (record, id) = guarded.record.as_ref().map_or((Path::new(""), ""), |(path, id)| (path, id));
        let leaves = guarded.leaves.as_deref().unwrap_or(Path::new(""));
        let number = theirs.as_raw_fd().to_string();
        let words = [NAME, WORD, &number].map(OsStr::new);
        let words = words.into_iter().chain([leaves.as_os_str(), record.as_os_str(), OsStr::new(id)]);
        let child = PreparedChild {
            program: ExecArguments::new(OsStr::new(PROGRAM), words, std::iter::empty())?,
            streams: Some([nothing.as_fd(); 3]),
            inherited: Some(theirs.as_fd()),
            joins: None,
            walls: None,
            failure: Cell::new(None),
            has_joined: Cell::new(false),
        };
        let pid = vfork::start(&mut ChildStack::new(), &child, None)?;
        // It leaves at once, and what it leaves behind is the guard.
        let _ = waitid(WaitId::Pid(pid), WaitIdOptions::EXITED);
        match child.failure.get() {
            Some(ChildFailure::Execute(errno) | ChildFailure::SetUp(errno)) => Err(errno.into()),
            Some(ChildFailure::Walls(_)) | None => Ok(Some(Self { pipe })),
        }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        // One that was killed guards nothing any more.
        let _ = rustix::io::write(&self.pipe, &[DISMISSED]);
    }
}

/// When the arguments of this process ask for the guard, it is one until nothing is left to guard, and gives the code to
/// leave with. `None` when something else was asked for. Call it first of all in `main`.
pub fn guard_if_asked() -> Option<ExitCode> {
    let mut arguments = std::env::args_os().skip(1);
    if arguments.next().as_deref() != Some(OsStr::new(WORD)) {
        MAY_START.store(true, Ordering::Relaxed);
        return None;
    }
    let mut next = || arguments.next().unwrap_or_default();
    let (pipe, leaves, data_dir, id) = (next(), next(), next(), next());
    let Some(pipe) = pipe.to_str().and_then(|number| number.parse().ok()).and_then(inherited) else {
        return Some(ExitCode::FAILURE);
    };
    let path = |word: std::ffi::OsString| Some(PathBuf::from(word)).filter(|path| path.is_absolute());
    let record = path(data_dir).zip(id.into_string().ok().filter(|id| !id.is_empty()));
    if leave_parent() {
        guard(pipe, &Guarded { leaves: path(leaves), record });
    }
    Some(ExitCode::SUCCESS)
}

fn guard(mut pipe: std::fs::File, guarded: &Guarded) {
    let mut said = [0];
    if matches!(pipe.read(&mut said), Ok(1)) && said[0] == DISMISSED {
        return;
    }
    std::thread::sleep(LEAVE_BY_THEMSELVES);
    if let Some(leaves) = &guarded.leaves {
        WorkerLeaves::end_in(leaves);
    }
    if let Some((data_dir, id)) = &guarded.record {
        OrphanedWorkers::kill_of(data_dir, id);
    }
}

/// Becomes a process of its own, nobody's child. False in the one that is to end.
#[expect(unsafe_code, reason = "std does not fork, and neither does rustix")]
fn leave_parent() -> bool {
    // A folder that others may want to be rid of is not held.
    let _ = std::env::set_current_dir("/");
    // SAFETY: this process has one thread, as at the beginning of `main`.
    let is_child = unsafe { libc::fork() } == 0;
    is_child && setsid().is_ok()
}

/// The descriptor with this number, which this process was given.
#[expect(unsafe_code, reason = "a descriptor that is inherited has a number and no Rust owner")]
fn inherited(number: i32) -> Option<std::fs::File> {
    use std::os::fd::FromRawFd as _;
    // SAFETY: nothing was opened by this process yet, so whatever has this number was inherited and is nobody's.
    (number > 2).then(|| unsafe { std::fs::File::from_raw_fd(number) })
}
