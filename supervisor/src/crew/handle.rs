//! The crew from outside its thread.

use std::time::Duration;

use muster_protocol::CancelReason;
use serde::Serialize;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::link::Identity;
use super::order::Order;
use super::thread::Gear;
use crate::execution::Attempt;
use crate::pool::{PoolConfig, PoolSnapshot, WorkerId};

/// What the thread is asked to do.
#[derive(Debug)]
pub(super) enum Command {
    Submit(Box<Order>),
    Cancel { attempt: Attempt, reason: CancelReason, message: String },
    Resize { min_workers: usize, max_workers: usize },
    Recycle(WorkerId),
    RecycleAll,
    Reload { gear: Gear, config: PoolConfig },
    Drain { grace: Duration },
    Halt,
    DrainNow,
    Snapshot(oneshot::Sender<CrewSnapshot>),
}

/// The pool as it is, with what the workers said of themselves.
#[derive(Clone, Debug, Serialize)]
pub struct CrewSnapshot {
    /// The pool's own view.
    #[serde(flatten)]
    pub pool: PoolSnapshot,
    /// What each worker said of itself.
    pub identities: Vec<WorkerIdentity>,
}

/// What a worker said of itself.
#[derive(Clone, Debug, Serialize)]
pub struct WorkerIdentity {
    /// Which worker.
    pub worker: WorkerId,
    /// What it said.
    #[serde(flatten)]
    pub identity: Identity,
}

/// Talks to the crew from any thread. A handle outlives the crew harmlessly: what is asked then is dropped.
#[derive(Clone, Debug)]
pub struct CrewHandle {
    pub(super) commands: mpsc::UnboundedSender<Command>,
}

impl CrewHandle {
    /// Hands over a claimed attempt. Its end is told to the observer, whatever happens.
    pub fn submit(&self, order: Order) {
        self.tell(Command::Submit(Box::new(order)));
    }

    /// Wants an attempt to end.
    pub fn cancel(&self, attempt: Attempt, reason: CancelReason, message: impl Into<String>) {
        self.tell(Command::Cancel { attempt, reason, message: message.into() });
    }

    /// Sets new bounds.
    pub fn resize(&self, min_workers: usize, max_workers: usize) {
        self.tell(Command::Resize { min_workers, max_workers });
    }

    /// Replaces one worker.
    pub fn recycle(&self, worker: WorkerId) {
        self.tell(Command::Recycle(worker));
    }

    /// Replaces all workers of today.
    pub fn recycle_all(&self) {
        self.tell(Command::RecycleAll);
    }

    /// Replaces all workers by ones started with new gear, once one such worker has become Ready.
    pub fn reload(&self, gear: Gear, config: PoolConfig) {
        self.tell(Command::Reload { gear, config });
    }

    /// Leaves: nothing waiting is started, running executions may go on for `grace`.
    pub fn drain(&self, grace: Duration) {
        self.tell(Command::Drain { grace });
    }

    /// Starts nothing more, and releases what waits and what still comes. What runs goes on; a drain ends it all.
    pub fn halt(&self) {
        self.tell(Command::Halt);
    }

    /// Leaves now: what runs is cancelled.
    pub fn drain_now(&self) {
        self.tell(Command::DrainNow);
    }

    /// The pool as it is, or `None` when the crew is gone.
    pub async fn snapshot(&self) -> Option<CrewSnapshot> {
        let (answer, answered) = oneshot::channel();
        self.tell(Command::Snapshot(answer));
        answered.await.ok()
    }

    fn tell(&self, command: Command) {
        // The thread is watched, so it is gone only after a drain, when nothing is left that a command could be about.
        if self.commands.send(command).is_err() {
            tracing::debug!("a command came after the crew had drained");
        }
    }
}

/// The running crew. It ends after a drain.
#[derive(Debug)]
pub struct Crew {
    pub(super) handle: CrewHandle,
    pub(super) ended: CancellationToken,
}

impl Crew {
    /// A handle on it.
    pub fn handle(&self) -> CrewHandle {
        self.handle.clone()
    }

    /// Returns when it has drained: no worker lives and nothing is in its hands.
    pub async fn ended(&self) {
        self.ended.cancelled().await;
    }
}
