//! What starts one process: its pipes, its place, its walls, and the program.

use std::cell::Cell;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::{AsFd as _, AsRawFd as _, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

use rustix::pipe::{PipeFlags, fcntl_setpipe_size, pipe_with};
use rustix::process::{
    Pid, PidfdFlags, WaitId, WaitIdOptions, dumpable_behavior, pidfd_open, set_dumpable_behavior, waitid,
};

use super::cgroup::WorkerLeaf;
use super::exec_arguments::ExecArguments;
use super::mark::{MARK_ENV, WorkerMark};
use super::prepared_child::PreparedChild;
use super::spawner::{PIPE_BYTES, SpawnedChild};
use super::vfork::{self, ChildStack};
use super::{GroupLimits, Launch, ProcessGroup, ProcessTree, WorkerBelongings, WorkerLeaves};
use crate::confinement::{ConfinementLevel, PreparedWalls, SpareDomain};

/// A freshly written executable may still be open for writing in another thread's fork.
const TEXT_BUSY_RETRIES: u32 = 50;
const TEXT_BUSY_WAIT: Duration = Duration::from_millis(2);
/// The kernel should take a worker before it takes the supervisor, whose own score may be raised already.
const WORKER_OOM_SCORE_ABOVE_OURS: i32 = 500;
const OOM_SCORE_MAX: i32 = 1000;
/// A child that executes its program is given so long to be open to us.
const OOM_SCORE_TRIES: u32 = 200;
const OOM_SCORE_WAIT: Duration = Duration::from_micros(100);

/// Starts processes, one after another.
pub(super) struct Starter {
    stack: ChildStack,
    oom_score: i32,
    leaves: Option<Arc<WorkerLeaves>>,
    spare_domain: SpareDomain,
}

impl Starter {
    /// Each process gets a leaf of its own, where there are some.
    pub(super) fn new(leaves: Option<Arc<WorkerLeaves>>) -> Self {
        let ours = std::fs::read_to_string("/proc/self/oom_score_adj").ok();
        let (stack, oom_score) = (ChildStack::new(), worker_oom_score(ours.as_deref()));
        Self { stack, oom_score, leaves, spare_domain: SpareDomain::default() }
    }

    /// Does what the next process would wait for.
    pub(super) fn prepare_next(&mut self, launch: &Launch) {
        let walls = launch.confinement.as_ref().filter(|walls| walls.plan.level >= ConfinementLevel::Strict);
        if let Some(walls) = walls {
            self.spare_domain.refill(&walls.plan);
        }
    }

    /// Starts one. It inherits a descriptor besides, if it is given one with the variable that tells it the number.
    pub(super) fn spawn(
        &mut self,
        launch: &Launch,
        inherited: Option<(&'static str, OwnedFd)>,
    ) -> io::Result<SpawnedChild> {
        if !launch.program.is_absolute() {
            // It was looked for where programs are, and a file of its name in this folder is not it.
            return Err(io::ErrorKind::NotFound.into());
        }
        let mark = WorkerMark::new();
        let belongings = WorkerBelongings::of(launch)?;
        let walls = launch.confinement.as_ref().map(|confinement| {
            let plan = belongings.plan(launch, &confinement.plan, self.oom_score);
            PreparedWalls::prepare(&plan, &mut self.spare_domain)
        });
        let (their_stdin, stdin) = pipe_with(PipeFlags::CLOEXEC)?;
        let (stdout, their_stdout) = pipe_with(PipeFlags::CLOEXEC)?;
        let (stderr, their_stderr) = pipe_with(PipeFlags::CLOEXEC)?;
        for pipe in [&stdin, &stdout, &stderr] {
            let _ = fcntl_setpipe_size(pipe, PIPE_BYTES);
        }
        let mut variables = belongings.variables(launch);
        variables.push((MARK_ENV, mark.value().to_owned()));
        if let Some((variable, descriptor)) = &inherited {
            variables.push((variable, descriptor.as_raw_fd().to_string().into()));
        }
        let mut child = PreparedChild {
            program: arguments_of(launch, &variables)?,
            streams: Some([their_stdin.as_fd(), their_stdout.as_fd(), their_stderr.as_fd()]),
            inherited: inherited.as_ref().map(|(_, descriptor)| descriptor.as_fd()),
            joins: None,
            walls: walls.transpose().map_err(io::Error::other)?,
            failure: Cell::new(None),
            has_joined: Cell::new(false),
        };
        // What a template has loaded is all its workers' memory.
        let leaf = self.leaf(Some(&launch.group_limits).filter(|_| inherited.is_none()));
        let started = unless_busy(|| self.start(&mut child, leaf.as_ref()));
        let (pid, is_in_leaf) = started.inspect_err(|_| leaf.iter().for_each(WorkerLeaf::remove))?;
        let group = ProcessGroup::led_by(pid);
        super::child_reaper::adopt(group.id());
        // The child is not reaped, so its number cannot have been given to another process yet.
        let pidfd = pidfd_open(pid, PidfdFlags::NONBLOCK).inspect_err(|_| super::abandon(group))?;
        if child.walls.as_ref().is_none_or(PreparedWalls::leaves_oom_score) {
            set_oom_score(group.id(), self.oom_score);
        }
        let family = ProcessTree::of(group, mark);
        match leaf {
            Some(leaf) if is_in_leaf => family.is_in(leaf),
            Some(leaf) => leaf.remove(),
            None => {}
        }
        Ok(SpawnedChild { group, family, pidfd, stdin, stdout, stderr, belongings })
    }

    /// Moves a worker that somebody else has made into a leaf of its own.
    pub(super) fn settle(&self, family: &ProcessTree, limits: &GroupLimits) {
        if let Some(leaf) = self.leaf(Some(limits)) {
            family.settle(leaf);
        }
    }

    fn leaf(&self, limits: Option<&GroupLimits>) -> Option<WorkerLeaf> {
        let made = self.leaves.as_ref()?.leaf(limits);
        made.inspect_err(|error| tracing::debug!(%error, "worker has no control group of its own")).ok()
    }

    /// Makes the process in its leaf, where the system can do that: to move it later would wait for every process of the
    /// machine that is just starting another. Else it joins before its program begins. Gives whether it is in it.
    fn start(&mut self, child: &mut PreparedChild<'_>, leaf: Option<&WorkerLeaf>) -> io::Result<(Pid, bool)> {
        child.joins = None;
        if let Some(folder) = leaf.and_then(|leaf| leaf.open().ok()) {
            match self.make(child, Some(folder.as_fd())) {
                Ok(pid) => return Ok((pid, true)),
                Err(error) if child.failure.get().is_some() => return Err(error),
                // No such system call, or a filter that hides it.
                Err(error) => tracing::trace!(%error, "no process can be made in its control group"),
            }
        }
        child.joins = leaf.and_then(|leaf| leaf.open_list().ok());
        let pid = self.make(child, None)?;
        Ok((pid, child.has_joined.get()))
    }

    fn make(&mut self, child: &PreparedChild<'_>, group: Option<BorrowedFd<'_>>) -> io::Result<Pid> {
        child.failure.set(None);
        let (dumpable, changes_user) =
            (dumpable_behavior(), child.walls.as_ref().is_some_and(PreparedWalls::changes_user));
        let made = vfork::start(&mut self.stack, child, group);
        if let (Ok(dumpable), true) = (dumpable, changes_user) {
            // A process that becomes another user has the system decide anew who may read its memory, which was ours.
            let _ = set_dumpable_behavior(dumpable);
        }
        let pid = made?;
        let Some(failure) = child.failure.get() else { return Ok(pid) };
        // It ends by itself; who reaps what others left may have been faster.
        let _ = waitid(WaitId::Pid(pid), WaitIdOptions::EXITED);
        Err(child.error_of(failure))
    }
}

/// The program with its arguments, and its environment with what is this process's own.
fn arguments_of(launch: &Launch, own: &[(&'static str, OsString)]) -> io::Result<ExecArguments> {
    let is_own = |name: &OsStr| own.iter().any(|(known, _)| name == *known);
    let all = launch.environment.iter().map(|(name, value)| (name.as_os_str(), value.as_os_str()));
    let own = own.iter().map(|(name, value)| (OsStr::new(*name), value.as_os_str()));
    let program = launch.program.as_os_str();
    ExecArguments::new(
        program,
        std::iter::once(program).chain(launch.arguments.iter().map(OsString::as_os_str)),
        all.filter(|(name, _)| !is_own(name)).chain(own),
    )
}

/// We are not dumpable, and a child is like us until it has all but executed its program: its files are
/// root's for that moment, which may last longer than the spawn. One that stays so (its program may not be read) is
/// left with our score.
fn set_oom_score(pid: u32, score: i32) {
    let path = format!("/proc/{pid}/oom_score_adj");
    for _ in 0..OOM_SCORE_TRIES {
        match std::fs::write(&path, score.to_string()) {
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                std::thread::sleep(OOM_SCORE_WAIT);
            }
            Ok(()) | Err(_) => return,
        }
    }
}

/// The score of a worker of a supervisor with this score.
fn worker_oom_score(ours: Option<&str>) -> i32 {
    let ours: i32 = ours.and_then(|score| score.trim().parse().ok()).unwrap_or(0);
    (ours + WORKER_OOM_SCORE_ABOVE_OURS).min(OOM_SCORE_MAX)
}

/// Tries again for a while as long as the executable is being written.
fn unless_busy<T>(mut start: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    let mut tries = 0;
    loop {
        match start() {
            Err(error) if error.kind() == io::ErrorKind::ExecutableFileBusy && tries < TEXT_BUSY_RETRIES => {
                tries += 1;
                std::thread::sleep(TEXT_BUSY_WAIT);
            }
            result => return result,
        }
    }
}

#[cfg(test)]
mod tests;
