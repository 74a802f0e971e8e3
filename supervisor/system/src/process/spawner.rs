//! The one thread that starts processes.
//!
//! PR_SET_PDEATHSIG follows the thread that spawned, so children of a short-lived blocking thread would be
//! killed with it: this thread lives as long as the supervisor. There is no `pre_exec` here, because it
//! would make every spawn fork the supervisor's whole address space instead of using posix_spawn.

use std::ffi::OsStr;
use std::io;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use rustix::fs::Access;
use rustix::io::FdFlags;
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use tokio::sync::oneshot;

use super::mark::{MARK_ENV, WorkerMark};
use super::{ForkChannel, Launch, ProcessGroup, ProcessTree, WorkerBelongings, WorkerLeaves};
use crate::confinement::{HELPER_PROGRAM, HELPER_WORD};
use crate::vital;

/// What we ask a pipe to hold. Unprivileged users share a budget, so less is accepted.
pub const PIPE_BYTES: usize = 256 * 1024;
/// A freshly written executable may still be open for writing in another thread's fork.
const TEXT_BUSY_RETRIES: u32 = 50;
const TEXT_BUSY_WAIT: Duration = Duration::from_millis(2);
/// The kernel should take a worker before it takes the supervisor, whose own score may be raised already.
const WORKER_OOM_SCORE_ABOVE_OURS: i32 = 500;
const OOM_SCORE_MAX: i32 = 1000;
/// A child that executes its program is given so long to be open to us.
const OOM_SCORE_TRIES: u32 = 40;
const OOM_SCORE_WAIT: Duration = Duration::from_micros(500);

/// A process just started: its group, its pidfd and our ends of its pipes.
#[derive(Debug)]
pub struct SpawnedChild {
    /// The process group that the child leads.
    pub group: ProcessGroup,
    /// The process and all it will ever start.
    pub family: ProcessTree,
    /// Becomes readable when the process ends.
    pub pidfd: OwnedFd,
    /// The end of the child's stdin that we write to.
    pub stdin: OwnedFd,
    /// The end of the child's stdout that we read from.
    pub stdout: OwnedFd,
    /// The end of the child's stderr that we read from.
    pub stderr: OwnedFd,
    /// What it has of its own.
    pub belongings: WorkerBelongings,
}

/// What the helper is called in a list of processes, for the moment that it is there.
const HELPER_NAME: &str = "supervisor";

enum SpawnerTask {
    Spawn(SpawnTask),
    /// Move a worker that somebody else has made into a leaf of its own, and say when that is done.
    Settle(ProcessTree, oneshot::Sender<()>),
}

struct SpawnTask {
    launch: Arc<Launch>,
    /// What the child inherits besides, with the variable that tells it the number.
    inherited: Option<(&'static str, OwnedFd)>,
    answer: oneshot::Sender<io::Result<SpawnedChild>>,
}

/// A handle on the spawning thread. The thread ends when the last handle is gone.
#[derive(Clone, Debug)]
pub struct Spawner {
    tasks: mpsc::Sender<SpawnerTask>,
}

impl Spawner {
    /// Starts the thread.
    ///
    /// # Errors
    /// When the system refuses a thread.
    pub fn start() -> io::Result<Self> {
        Self::with_leaves(None)
    }

    /// Starts the thread. Each process gets a leaf of its own, where there are some.
    ///
    /// # Errors
    /// When the system refuses a thread.
    pub fn with_leaves(leaves: Option<Arc<WorkerLeaves>>) -> io::Result<Self> {
        let (tasks, received) = mpsc::channel::<SpawnerTask>();
        let oom_score = worker_oom_score(std::fs::read_to_string("/proc/self/oom_score_adj").ok().as_deref());
        std::thread::Builder::new().name("spawner".to_owned()).spawn(move || {
            let watched = vital::guard("spawner");
            for task in received {
                if vital::is_struck("spawner") {
                    return;
                }
                let (family, is_limited, settled) = match task {
                    SpawnerTask::Settle(family, settled) => (Some(family), true, Some(settled)),
                    SpawnerTask::Spawn(task) => {
                        // What a template has loaded is all its workers' memory.
                        let is_limited = task.inherited.is_none();
                        let spawned = spawn(&task.launch, task.inherited, oom_score);
                        let family = spawned.as_ref().ok().map(|child| child.family.clone());
                        // A caller that is gone leaves the child to the drop of its pipes: EOF is its lifeline.
                        let _ = task.answer.send(spawned);
                        (family, is_limited, None)
                    }
                };
                // The system may take long to move a process. Nobody waits for that of one that is only starting.
                if let (Some(leaves), Some(family)) = (&leaves, family)
                    && let Err(error) = family.settle(leaves, is_limited)
                {
                    tracing::debug!(%error, "worker has no control group of its own");
                }
                // Whoever asked may be gone.
                let _ = settled.map(|settled| settled.send(()));
            }
            watched.done();
        })?;
        Ok(Self { tasks })
    }

    /// Starts a process in a group of its own.
    ///
    /// # Errors
    /// What the system said.
    pub async fn spawn(&self, launch: Arc<Launch>) -> io::Result<SpawnedChild> {
        self.spawn_with(launch, None).await
    }

    /// Moves a worker that a template has made into a leaf of its own. It could take a run at once, and what that starts
    /// before the move would stay behind: so its frames wait for this.
    pub async fn settle(&self, family: ProcessTree) {
        let (told, settled) = oneshot::channel();
        // Without the thread nothing is started any more, and the supervisor ends.
        if self.tasks.send(SpawnerTask::Settle(family, told)).is_ok() {
            let _ = settled.await;
        }
    }

    /// Starts a process that may be a template: the number of its end of the channel is in a variable of this name.
    ///
    /// # Errors
    /// What the system said.
    pub async fn spawn_with_channel(
        &self,
        launch: Arc<Launch>,
        variable: &'static str,
    ) -> io::Result<(SpawnedChild, ForkChannel)> {
        let (channel, theirs) = ForkChannel::pair()?;
        let child = self.spawn_with(launch, Some((variable, theirs))).await?;
        Ok((child, channel))
    }

    async fn spawn_with(
        &self,
        launch: Arc<Launch>,
        inherited: Option<(&'static str, OwnedFd)>,
    ) -> io::Result<SpawnedChild> {
        let (answer, answered) = oneshot::channel();
        let gone = || io::Error::other("the spawning thread is gone");
        let task = SpawnTask { launch, inherited, answer };
        self.tasks.send(SpawnerTask::Spawn(task)).map_err(|_| gone())?;
        answered.await.map_err(|_| gone())?
    }
}

fn spawn(
    launch: &Launch,
    inherited: Option<(&'static str, OwnedFd)>,
    oom_score: i32,
) -> io::Result<SpawnedChild> {
    let mark = WorkerMark::new();
    let belongings = WorkerBelongings::of(launch)?;
    let mut command = command_of(launch, &belongings, oom_score)?;
    command
        .env_clear()
        .envs(launch.environment.iter().map(|(name, value)| (name, value)))
        .envs(belongings.variables(launch))
        .env(MARK_ENV, mark.value())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0);
    if let Some((variable, descriptor)) = &inherited {
        // Nobody else starts a process meanwhile: this is the only thread that does.
        rustix::io::fcntl_setfd(descriptor, FdFlags::empty())?;
        command.env(variable, descriptor.as_raw_fd().to_string());
    }
    let mut child = unless_busy(|| start(&mut command))?;
    let missing = || io::Error::other("a pipe of the new process is missing");
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw).ok_or_else(missing)?;
    let group = ProcessGroup::led_by(pid);
    super::child_reaper::adopt(child.id());
    let pipes = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let (Some(stdin), Some(stdout), Some(stderr)) = pipes else { return Err(missing()) };
    // The child is not reaped, so its number cannot have been given to another process yet.
    let pidfd = pidfd_open(pid, PidfdFlags::NONBLOCK).inspect_err(|_| super::abandon(group))?;
    let (stdin, stdout, stderr) = (OwnedFd::from(stdin), OwnedFd::from(stdout), OwnedFd::from(stderr));
    for pipe in [&stdin, &stdout, &stderr] {
        let _ = rustix::pipe::fcntl_setpipe_size(pipe, PIPE_BYTES);
    }
    if launch.confinement.is_none() {
        set_oom_score(child.id(), oom_score);
    }
    Ok(SpawnedChild { group, family: ProcessTree::of(group, mark), pidfd, stdin, stdout, stderr, belongings })
}

/// The program and its arguments, or the helper that puts walls around itself and then becomes it.
fn command_of(launch: &Launch, belongings: &WorkerBelongings, oom_score: i32) -> io::Result<Command> {
    let Some(confinement) = &launch.confinement else {
        let mut command = Command::new(&launch.program);
        command.args(&launch.arguments);
        return Ok(command);
    };
    // The helper is always there to be started, so what is wrong with the program is looked for here.
    rustix::fs::access(&launch.program, Access::EXEC_OK)?;
    let plan = belongings.plan(launch, &confinement.plan, oom_score);
    let mut command = Command::new(HELPER_PROGRAM);
    command.arg0(HELPER_NAME).args([OsStr::new(HELPER_WORD), &plan.print()]).arg(&launch.program);
    command.args(&launch.arguments);
    Ok(command)
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

#[expect(clippy::disallowed_methods, reason = "this is the one place that spawns")]
fn start(command: &mut Command) -> io::Result<std::process::Child> {
    command.spawn()
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
mod tests {
    use super::*;

    #[test]
    fn a_worker_is_taken_before_the_supervisor_whatever_score_that_has() {
        assert_eq!(worker_oom_score(Some("0\n")), 500);
        assert_eq!(worker_oom_score(Some("-900\n")), -400);
        assert_eq!(worker_oom_score(Some("300\n")), 800);
        assert_eq!(worker_oom_score(Some("1000\n")), 1000);
        assert_eq!(worker_oom_score(None), 500);
    }

    #[test]
    fn an_executable_that_is_being_written_is_tried_again() {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("fresh");
        std::fs::copy("/bin/true", &program).unwrap();
        let mut writer = Some(std::fs::File::options().append(true).open(&program).unwrap());
        let mut busy = 0;
        let started = unless_busy(|| {
            let started = start(&mut Command::new(&program));
            busy += u32::from(started.is_err());
            if busy == 3 {
                writer = None;
            }
            started
        });
        assert!(started.unwrap().wait().unwrap().success());
        assert_eq!(busy, 3);
    }

    #[test]
    fn an_executable_that_stays_open_for_writing_is_an_error_that_says_so() {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("fresh");
        std::fs::copy("/bin/true", &program).unwrap();
        let _writer = std::fs::File::options().append(true).open(&program).unwrap();
        let error = unless_busy(|| start(&mut Command::new(&program))).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ExecutableFileBusy);
    }
}
