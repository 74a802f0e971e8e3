//! The one thread that starts processes.
//!
//! PR_SET_PDEATHSIG follows the thread that spawned, so children of a short-lived blocking thread would be
//! killed with it: this thread lives as long as the supervisor. There is no `pre_exec` here, because it
//! would make every spawn fork the supervisor's whole address space instead of using posix_spawn.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use rustix::process::{Pid, PidfdFlags, pidfd_open};
use tokio::sync::oneshot;

use super::{Group, Launch};

/// What we ask a pipe to hold. Unprivileged users share a budget, so less is accepted.
pub const PIPE_BYTES: usize = 256 * 1024;
/// A freshly written executable may still be open for writing in another thread's fork.
const TEXT_BUSY_RETRIES: u32 = 50;
const TEXT_BUSY_WAIT: Duration = Duration::from_millis(2);
/// The kernel should take a worker before it takes the supervisor.
const WORKER_OOM_SCORE: &str = "500";

/// A process just started: its group, its pidfd and our ends of its pipes.
#[derive(Debug)]
pub struct Child {
    /// The process group it leads.
    pub group: Group,
    /// Becomes readable when the process ends.
    pub pidfd: OwnedFd,
    /// We write here.
    pub stdin: OwnedFd,
    /// We read here.
    pub stdout: OwnedFd,
    /// And here.
    pub stderr: OwnedFd,
}

struct Task {
    launch: Arc<Launch>,
    answer: oneshot::Sender<io::Result<Child>>,
}

/// A handle on the spawning thread. The thread ends when the last handle is gone.
#[derive(Clone, Debug)]
pub struct Spawner {
    tasks: mpsc::Sender<Task>,
}

impl Spawner {
    /// Starts the thread.
    ///
    /// # Errors
    /// When the system refuses a thread.
    pub fn start() -> io::Result<Self> {
        let (tasks, received) = mpsc::channel::<Task>();
        std::thread::Builder::new().name("spawner".to_owned()).spawn(move || {
            for task in received {
                // A caller that is gone leaves the child to the drop of its pipes: EOF is its lifeline.
                let _ = task.answer.send(spawn(&task.launch));
            }
        })?;
        Ok(Self { tasks })
    }

    /// Starts a process in a group of its own.
    ///
    /// # Errors
    /// What the system said.
    pub async fn spawn(&self, launch: Arc<Launch>) -> io::Result<Child> {
        let (answer, answered) = oneshot::channel();
        let gone = || io::Error::other("the spawning thread is gone");
        self.tasks.send(Task { launch, answer }).map_err(|_| gone())?;
        answered.await.map_err(|_| gone())?
    }
}

fn spawn(launch: &Launch) -> io::Result<Child> {
    let mut command = Command::new(&launch.program);
    command
        .args(&launch.arguments)
        .env_clear()
        .envs(launch.environment.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0);
    let mut child = start(&mut command)?;
    let missing = || io::Error::other("a pipe of the new process is missing");
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw).ok_or_else(missing)?;
    let group = Group::led_by(pid);
    super::orphans::adopt(child.id());
    let pipes = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let (Some(stdin), Some(stdout), Some(stderr)) = pipes else { return Err(missing()) };
    // The child is not reaped, so its number cannot have been given to another process yet.
    let pidfd = pidfd_open(pid, PidfdFlags::NONBLOCK).inspect_err(|_| {
        group.kill();
        let _ = child.wait();
        super::orphans::release(group.id());
    })?;
    let (stdin, stdout, stderr) = (OwnedFd::from(stdin), OwnedFd::from(stdout), OwnedFd::from(stderr));
    for pipe in [&stdin, &stdout, &stderr] {
        let _ = rustix::pipe::fcntl_setpipe_size(pipe, PIPE_BYTES);
    }
    let _ = std::fs::write(format!("/proc/{}/oom_score_adj", child.id()), WORKER_OOM_SCORE);
    Ok(Child { group, pidfd, stdin, stdout, stderr })
}

#[expect(clippy::disallowed_methods, reason = "this is the one place that spawns")]
fn start(command: &mut Command) -> io::Result<std::process::Child> {
    let mut tries = 0;
    loop {
        match command.spawn() {
            Err(error) if error.kind() == io::ErrorKind::ExecutableFileBusy && tries < TEXT_BUSY_RETRIES => {
                tries += 1;
                std::thread::sleep(TEXT_BUSY_WAIT);
            }
            result => return result,
        }
    }
}
