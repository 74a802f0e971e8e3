//! The executor from outside its thread.

use std::time::Duration;

use muster_core::execution::Attempt;
use muster_core::pool::{PoolConfig, PoolSnapshot, WorkerId};
use muster_protocol::CancelReason;
use serde::Serialize;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::link::AnnouncedIdentity;
use super::run_spec::RunSpec;
use super::worker_spec::WorkerSpec;

/// What the thread is asked to do.
#[derive(Debug)]
pub(super) enum ExecutorCommand {
    Submit(Vec<RunSpec>),
    Cancel { attempt: Attempt, reason: CancelReason, message: String },
    Resize { min_workers: usize, max_workers: usize },
    Recycle(WorkerId),
    RecycleAll,
    Reload { spec: WorkerSpec, config: PoolConfig },
    Drain { grace: Duration },
    Halt,
    DrainNow,
    Snapshot(oneshot::Sender<ExecutorSnapshot>),
}

/// The pool as it is, with what the workers said of themselves.
#[derive(Clone, Debug, Serialize)]
pub struct ExecutorSnapshot {
    /// The pool as it was at that moment.
    #[serde(flatten)]
    pub pool: PoolSnapshot,
    /// What each worker said of itself.
    pub identities: Vec<WorkerIdentity>,
}

/// What a worker said of itself.
#[derive(Clone, Debug, Serialize)]
pub struct WorkerIdentity {
    /// The worker that announced it.
    pub worker: WorkerId,
    /// What the worker said of itself.
    #[serde(flatten)]
    pub identity: AnnouncedIdentity,
}

/// Talks to the executor from any thread. A handle outlives the executor harmlessly: what is asked then is dropped.
#[derive(Clone, Debug)]
pub struct ExecutorHandle {
    pub(super) commands: mpsc::UnboundedSender<ExecutorCommand>,
}

impl ExecutorHandle {
    /// Hands over claimed attempts, together and in order. The outcome of each is told, whatever happens.
    pub fn submit(&self, specs: Vec<RunSpec>) {
        if !specs.is_empty() {
            self.send(ExecutorCommand::Submit(specs));
        }
    }

    /// Asks for an attempt to end.
    pub fn cancel(&self, attempt: Attempt, reason: CancelReason, message: impl Into<String>) {
        self.send(ExecutorCommand::Cancel { attempt, reason, message: message.into() });
    }

    /// Sets new bounds for the pool.
    pub fn resize(&self, min_workers: usize, max_workers: usize) {
        self.send(ExecutorCommand::Resize { min_workers, max_workers });
    }

    /// Replaces one worker, after the run it has.
    pub fn recycle(&self, worker: WorkerId) {
        self.send(ExecutorCommand::Recycle(worker));
    }

    /// Replaces every worker that exists now.
    pub fn recycle_all(&self) {
        self.send(ExecutorCommand::RecycleAll);
    }

    /// Replaces all workers by ones started with new spec, once one such worker has become Ready.
    pub fn reload(&self, spec: WorkerSpec, config: PoolConfig) {
        self.send(ExecutorCommand::Reload { spec, config });
    }

    /// Leaves: nothing waiting is started, running executions may go on for `grace`.
    pub fn drain(&self, grace: Duration) {
        self.send(ExecutorCommand::Drain { grace });
    }

    /// Starts nothing more, and releases what waits and what still comes. What runs goes on; a drain ends it all.
    pub fn halt(&self) {
        self.send(ExecutorCommand::Halt);
    }

    /// Leaves now: what runs is cancelled.
    pub fn force(&self) {
        self.send(ExecutorCommand::DrainNow);
    }

    /// The pool as it is, or `None` when the executor is gone.
    pub async fn snapshot(&self) -> Option<ExecutorSnapshot> {
        let (answer, answered) = oneshot::channel();
        self.send(ExecutorCommand::Snapshot(answer));
        answered.await.ok()
    }

    fn send(&self, command: ExecutorCommand) {
        // The thread is watched, so it is gone only after a drain, when nothing is left that a command could be about.
        if self.commands.send(command).is_err() {
            tracing::debug!("a command came after the executor had drained");
        }
    }
}

/// The running executor. It ends after a drain.
#[derive(Debug)]
pub struct Executor {
    pub(super) handle: ExecutorHandle,
    pub(super) ended: CancellationToken,
}

impl Executor {
    /// Makes a handle to command the executor with.
    pub fn handle(&self) -> ExecutorHandle {
        self.handle.clone()
    }

    /// Returns when it has drained: no worker lives and nothing is in its hands.
    pub async fn ended(&self) {
        self.ended.cancelled().await;
    }
}
