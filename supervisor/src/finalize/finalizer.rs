//! The way in: a handle that takes outcomes, and knows what is not safe yet.

use std::path::Path;
use std::sync::Arc;

use muster_store::{Finalization, OutcomeStore};
use muster_system::vital;
use tokio::sync::{mpsc, watch};

use super::disk_reserve::{Admission, DiskReserve};
use super::outbox::{OutboxError, OutcomeOutbox};
use super::refused::{RefusedOutcome, RefusedQueue};
use super::sink::FinalizedSink;
use super::spill::SpillQueue;
use super::writer::{GroupWriter, WriteBacklog};

/// The files that outcomes wait in while the store is away.
#[derive(Debug)]
pub struct SpillFiles {
    /// While the store is out of reach.
    outbox: OutcomeOutbox,
    /// While it refuses them and takes others.
    refused: OutcomeOutbox,
}

impl SpillFiles {
    /// Opens or makes them in a folder, each of so many bytes at most.
    ///
    /// # Errors
    /// When the disk fails, or one of them is not an outbox.
    pub fn open(folder: &Path, max_bytes: u64) -> Result<Self, OutboxError> {
        let outbox = OutcomeOutbox::open(&folder.join("outbox"), max_bytes)?;
        Ok(Self { outbox, refused: OutcomeOutbox::open(&folder.join("outbox-refused"), max_bytes)? })
    }
}

/// Takes outcomes in, and writes them in groups.
#[derive(Clone, Debug)]
pub struct Finalizer {
    outcomes: mpsc::UnboundedSender<Finalization>,
    backlog: watch::Sender<WriteBacklog>,
    refused: watch::Receiver<Vec<RefusedOutcome>>,
}

impl Finalizer {
    /// Starts the writer. What an earlier process left in the outbox is written first. It runs until every
    /// handle is gone and all it took is written. The outbox keeps room for as many outcomes as the admission let in.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn start(
        store: Arc<dyn OutcomeStore>,
        sink: Arc<dyn FinalizedSink>,
        admission: Arc<dyn Admission>,
        files: Option<SpillFiles>,
    ) -> Result<Self, OutboxError> {
        let (outcomes, received) = mpsc::unbounded_channel();
        let (outbox, refused) = files.map(|files| (files.outbox, files.refused)).unzip();
        let (parked, refused) = (SpillQueue::new(outbox), RefusedQueue::open(refused)?);
        let (backlog, _) = watch::channel(WriteBacklog { unwritten: 0, starting: true });
        let shown = refused.shown();
        let writer = GroupWriter {
            store,
            sink,
            backlog: backlog.clone(),
            parked,
            refused,
            room: DiskReserve::new(admission),
        };
        tokio::spawn(vital::serving("finalizer", writer.run(received)));
        Ok(Self { outcomes, backlog, refused: shown })
    }

    /// The outcomes that the database refuses although it takes others.
    pub fn refused(&self) -> Vec<RefusedOutcome> {
        self.refused.borrow().clone()
    }

    /// Takes an outcome. It returns at once: the pool's thread calls it.
    pub fn finalize(&self, finalization: Finalization) {
        self.backlog.send_modify(|backlog| backlog.unwritten += 1);
        if self.outcomes.send(finalization).is_err() {
            vital::is_gone("finalizer");
        }
    }

    /// How many outcomes are in memory only: neither written nor on disk.
    pub fn backlog(&self) -> usize {
        self.backlog.borrow().unwritten
    }

    /// Returns when all that was taken is safe: written and told to the sink, or in the outbox.
    pub async fn flushed(&self) {
        // The sender lives in this very handle, so the wait cannot fail.
        let _ = self.backlog.subscribe().wait_for(|backlog| backlog.unwritten == 0).await;
    }

    /// Returns when what an earlier process left in the outbox is written, and the admission know whether there is room.
    /// Claim nothing before.
    pub async fn replayed(&self) {
        let _ = self.backlog.subscribe().wait_for(|backlog| !backlog.starting).await;
    }
}
