//! Group commit: ends that arrive while a commit runs form the next one. No timer, so an idle supervisor
//! adds no wait, and a busy one writes hundreds of rows per transaction.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use backon::{BackoffBuilder, ExponentialBuilder};
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use crate::store::{Finalization, Store, StoreError, Verdict};

/// So many ends form one transaction at most.
const GROUP_MAX: usize = 256;

/// An end that is written.
#[derive(Debug)]
pub struct Finalized {
    /// What was asked.
    pub finalization: Finalization,
    /// What became of the row.
    pub verdict: Verdict,
}

/// Hears of every end that is written, group by group, in order.
#[async_trait]
pub trait Sink: std::fmt::Debug + Send + Sync + 'static {
    /// These are committed; the commit took so long.
    async fn finalized(&self, group: Vec<Finalized>, took: Duration);
    /// The store cannot be written; what arrives is kept. Called again with `false` when it can.
    async fn store_unreachable(&self, unreachable: bool);
}

/// Takes ends and writes them.
#[derive(Clone, Debug)]
pub struct Finalizer {
    ends: mpsc::UnboundedSender<Finalization>,
    backlog: watch::Sender<usize>,
}

impl Finalizer {
    /// Starts the writer. It runs until every handle is gone and all it took is written.
    pub fn start(store: Arc<dyn Store>, sink: Arc<dyn Sink>) -> Self {
        let (ends, received) = mpsc::unbounded_channel();
        let (backlog, _) = watch::channel(0);
        let writer = Writer { store, sink, backlog: backlog.clone() };
        tokio::spawn(writer.run(received));
        Self { ends, backlog }
    }

    /// Takes an end. It returns at once: the pool's thread calls it.
    pub fn finalize(&self, finalization: Finalization) {
        self.backlog.send_modify(|backlog| *backlog += 1);
        // The writer ends only after every handle is gone, so it is there.
        let _ = self.ends.send(finalization);
    }

    /// How many ends wait to be written.
    pub fn backlog(&self) -> usize {
        *self.backlog.borrow()
    }

    /// Returns when all that was taken is written and told to the sink.
    pub async fn flushed(&self) {
        // The sender lives in this very handle, so the wait cannot fail.
        let _ = self.backlog.subscribe().wait_for(|backlog| *backlog == 0).await;
    }
}

struct Writer {
    store: Arc<dyn Store>,
    sink: Arc<dyn Sink>,
    backlog: watch::Sender<usize>,
}

impl Writer {
    async fn run(self, mut ends: mpsc::UnboundedReceiver<Finalization>) {
        let mut group = Vec::with_capacity(GROUP_MAX);
        while ends.recv_many(&mut group, GROUP_MAX).await > 0 {
            let group = std::mem::replace(&mut group, Vec::with_capacity(GROUP_MAX));
            let started = Instant::now();
            let verdicts = self.write(&group).await;
            let took = started.elapsed();
            let written = group.len();
            let finalized = group
                .into_iter()
                .zip(verdicts)
                .map(|(finalization, verdict)| Finalized { finalization, verdict })
                .collect();
            self.sink.finalized(finalized, took).await;
            self.backlog.send_modify(|backlog| *backlog -= written);
        }
    }

    /// Writes a group, again and again until the store has taken it. A commit whose end is unknown is simply
    /// repeated: rows already written say so.
    async fn write(&self, group: &[Finalization]) -> Vec<Verdict> {
        let mut waits = backoff();
        let mut unreachable = false;
        loop {
            match self.store.finalize(group).await {
                Ok(verdicts) => {
                    if unreachable {
                        self.sink.store_unreachable(false).await;
                    }
                    return verdicts;
                }
                Err(error) => {
                    if !std::mem::replace(&mut unreachable, true) {
                        self.sink.store_unreachable(true).await;
                    }
                    report(&error, group.len());
                    tokio::time::sleep(waits.next().unwrap_or(BACKOFF_MAX)).await;
                }
            }
        }
    }
}

const BACKOFF_MAX: Duration = Duration::from_secs(2);

fn backoff() -> impl Iterator<Item = Duration> {
    ExponentialBuilder::default()
        .with_min_delay(Duration::from_millis(50))
        .with_max_delay(BACKOFF_MAX)
        .with_jitter()
        .without_max_times()
        .build()
}

fn report(error: &StoreError, waiting: usize) {
    if error.is_passing() {
        tracing::warn!(%error, waiting, "ends cannot be written yet; they are kept");
    } else {
        tracing::error!(%error, waiting, "the store refuses to write ends; they are kept until it is mended");
    }
}
