//! The one thread that starts processes.
//!
//! PR_SET_PDEATHSIG follows the thread that spawned, so children of a short-lived blocking thread would be
//! killed with it: this thread lives as long as the supervisor. Nothing of std's is used to start them, because its
//! `pre_exec` would make every spawn fork the supervisor's whole address space, and another program that puts up the
//! walls before it becomes the worker would be one more to execute ([`super::vfork`]).

use std::io;
use std::os::fd::OwnedFd;
use std::sync::{Arc, mpsc};

use tokio::sync::oneshot;

use super::starter::Starter;
use super::{ForkChannel, GroupLimits, Launch, ProcessGroup, ProcessTree, WorkerBelongings, WorkerLeaves};
use crate::vital;

/// What we ask a pipe to hold. Unprivileged users share a budget, so less is accepted.
pub const PIPE_BYTES: usize = 256 * 1024;

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

enum SpawnerTask {
    Spawn(SpawnTask),
    /// Move a worker that somebody else has made into a leaf of its own, and say when that is done.
    Settle(ProcessTree, GroupLimits, oneshot::Sender<()>),
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
        std::thread::Builder::new().name("spawner".to_owned()).spawn(move || {
            let watched = vital::guard("spawner");
            let mut starter = Starter::new(leaves);
            for task in received {
                if vital::is_struck("spawner") {
                    return;
                }
                match task {
                    // A caller that is gone leaves the child to the drop of its pipes: EOF is its lifeline.
                    SpawnerTask::Spawn(task) => {
                        drop(task.answer.send(starter.spawn(&task.launch, task.inherited)));
                        starter.prepare_next(&task.launch);
                    }
                    SpawnerTask::Settle(family, limits, settled) => {
                        starter.settle(&family, &limits);
                        // Whoever asked may be gone.
                        let _ = settled.send(());
                    }
                }
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
    pub async fn settle(&self, family: ProcessTree, limits: GroupLimits) {
        let (told, settled) = oneshot::channel();
        // Without the thread nothing is started any more, and the supervisor ends.
        if self.tasks.send(SpawnerTask::Settle(family, limits, told)).is_ok() {
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
