//! Group commit: outcomes that arrive while a commit runs form the next one. An idle supervisor adds no wait; a busy
//! one gathers for some milliseconds more, because a row in a large group costs the database a third of what it
//! costs in a small one.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use backon::{BackoffBuilder, ExponentialBuilder};
use futures_util::FutureExt as _;
use muster_core::check_invariant;
use muster_core::execution::{Attempt, DeliveryInvariant};
use muster_store::{
    Disposition, ExecutionFailure, ExecutionOutcome, Finalization, FinalizeResult, OutcomeStore, StoreError,
};
use muster_system::vital;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;
use uuid::Uuid;

use super::disk_reserve::{Admission, DiskReserve};
use super::outbox::{OutboxError, OutcomeOutbox};
use super::refused::{RefusedOutcome, RefusedQueue};
use super::spill::{SpillPlace, SpillQueue, SpilledGroup, within};

/// So many outcomes form one transaction at most,
const GROUP_MAX: usize = 256;
/// and so many bytes, unless one alone has more: a statement must be done within its time.
const GROUP_MAX_BYTES: usize = 8 * 1024 * 1024;

/// When so many came while a commit ran, and so many are still to come, more come all the time:
const BUSY: usize = 8;
/// then the next group is gathered for so long at most,
const GATHER: Duration = Duration::from_millis(10);
/// and no longer than some come within this.
const GATHER_STEP: Duration = Duration::from_millis(2);

/// An outcome that is written.
#[derive(Debug)]
pub struct Finalized {
    /// What was asked.
    pub finalization: Finalization,
    /// What became of the row.
    pub verdict: FinalizeResult,
}

/// Hears of every outcome that is written, group by group, in order.
#[async_trait]
pub trait FinalizedSink: std::fmt::Debug + Send + Sync + 'static {
    /// These are committed; the commit took so long.
    async fn finalized(&self, group: Vec<Finalized>, took: Duration);
    /// The store cannot be written; what arrives is kept. Called again with `false` when it can.
    async fn store_unreachable(&self, unreachable: bool);
}

/// How long a store that refused something has to show that it takes other things.
const PROOF_WITHIN: Duration = Duration::from_secs(3);

/// Where outcomes wait on disk.
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

/// Takes outcomes and writes them.
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

/// What is not written yet.
#[derive(Clone, Copy, Debug)]
struct WriteBacklog {
    unwritten: usize,
    /// What an earlier process left is not written yet, or room is not made.
    starting: bool,
}

/// What became of a group.
struct GroupResult {
    outcomes: Vec<Finalization>,
    /// One for each of the outcomes.
    verdicts: Vec<FinalizeResult>,
    /// What was not written, and why.
    locked: Vec<(Finalization, StoreError)>,
}

struct GroupWriter {
    store: Arc<dyn OutcomeStore>,
    sink: Arc<dyn FinalizedSink>,
    backlog: watch::Sender<WriteBacklog>,
    parked: SpillQueue,
    refused: RefusedQueue,
    room: DiskReserve,
}

impl GroupWriter {
    async fn run(mut self, mut outcomes: mpsc::UnboundedReceiver<Finalization>) {
        if !self.parked.is_empty() {
            tracing::info!(count = self.parked.len(), "writing outcomes that an earlier process kept");
            self.recover(&mut outcomes).await;
        } else {
            self.room.make(&self.parked);
        }
        self.try_refused().await;
        self.backlog.send_modify(|backlog| backlog.starting = false);
        let mut group = Vec::with_capacity(GROUP_MAX);
        while !group.is_empty() || self.next(&mut outcomes, &mut group).await {
            self.gather(&mut outcomes, &mut group).await;
            let rest = group.split_off(within(&group, GROUP_MAX_BYTES));
            let group = std::mem::replace(&mut group, rest);
            let started = Instant::now();
            match self.write(group).await {
                Ok(written) => {
                    let count = written.outcomes.len();
                    self.report_group(written.outcomes, written.verdicts, started.elapsed()).await;
                    self.written(count);
                    self.put_aside(written.locked, SpillPlace::Memory);
                }
                // Safe first; whether it is a row or the store is found out there.
                Err((group, error)) => {
                    tracing::debug!(%error, count = group.len(), "outcomes were not committed");
                    self.park(group);
                    self.recover(&mut outcomes).await;
                }
            }
        }
    }

    /// Waits for outcomes, and sees to their room meanwhile. False when every handle is gone.
    async fn next(
        &mut self,
        outcomes: &mut mpsc::UnboundedReceiver<Finalization>,
        group: &mut Vec<Finalization>,
    ) -> bool {
        loop {
            tokio::select! {
                count = outcomes.recv_many(group, GROUP_MAX) => return count > 0,
                () = self.room.due() => self.room.make(&self.parked),
                () = self.refused.due() => self.try_refused().await,
            }
        }
    }

    /// Fills up a group while outcomes come fast. Nobody is woken for each of them meanwhile. Callers who all wait for
    /// the outcomes in this group send nothing new before it is written, so nothing is gathered for them.
    async fn gather(
        &self,
        outcomes: &mut mpsc::UnboundedReceiver<Finalization>,
        group: &mut Vec<Finalization>,
    ) {
        let until = Instant::now() + GATHER;
        while (BUSY..GROUP_MAX).contains(&group.len())
            && self.room.admission.inside() >= BUSY
            && Instant::now() < until
        {
            tokio::time::sleep(GATHER_STEP).await;
            let more = outcomes.recv_many(group, GROUP_MAX - group.len()).now_or_never();
            if more.unwrap_or(0) == 0 {
                return;
            }
        }
    }

    /// Keeps outcomes where they are safe; what only memory holds still counts as unwritten.
    fn park(&mut self, group: Vec<Finalization>) {
        let (count, before) = (group.len(), self.parked.on_disk());
        self.parked.keep(group);
        self.written(count.min(self.parked.on_disk() - before));
    }

    fn written(&self, count: usize) {
        self.backlog.send_modify(|backlog| backlog.unwritten = backlog.unwritten.saturating_sub(count));
    }

    /// Tries again and again until the store has taken all that is parked; keeps what arrives meanwhile. A
    /// commit whose outcome is unknown is simply repeated: rows already written say so. What the store refuses while
    /// it takes other outcomes is found by halves, and goes aside.
    async fn recover(&mut self, outcomes: &mut mpsc::UnboundedReceiver<Finalization>) {
        let mut waits = backoff();
        let (mut most, mut suspect, mut away) = (GROUP_MAX, None, false);
        while !self.parked.is_empty() {
            let Some(SpilledGroup { outcomes: group, from }) = self.parked.oldest(most, GROUP_MAX_BYTES)
            else {
                self.keep_for(waits.next().unwrap_or(BACKOFF_MAX), outcomes).await;
                continue;
            };
            let (count, started) = (group.len(), Instant::now());
            match self.write(group).await {
                Ok(written) => {
                    waits = backoff();
                    most = (most * 2).min(GROUP_MAX);
                    self.put_aside(written.locked, from);
                    self.parked.forget(count, from);
                    let told = written.outcomes.len();
                    self.report_group(written.outcomes, written.verdicts, started.elapsed()).await;
                    if from == SpillPlace::Memory {
                        self.written(told);
                    }
                }
                Err((group, error)) if !self.refused.is_full() && self.store_takes_ends().await => {
                    match &group[..] {
                        [end] if suspect == Some(end.attempt) => {
                            self.put_aside(vec![(end.clone(), error)], from);
                            self.parked.forget(1, from);
                        }
                        // A moment may have refused it, such as a lock that is gone: it is tried once more.
                        [end] => suspect = Some(end.attempt),
                        _ => most = count.div_ceil(2),
                    }
                }
                Err((_, error)) => {
                    if !std::mem::replace(&mut away, true) {
                        self.sink.store_unreachable(true).await;
                    }
                    report(&error, self.parked.len());
                    let safe = self.parked.keep_memory_on_disk();
                    self.written(safe);
                    self.keep_for(waits.next().unwrap_or(BACKOFF_MAX), outcomes).await;
                }
            }
        }
        // Emptying the file gave back what was set aside.
        self.room.make(&self.parked);
        if away {
            self.sink.store_unreachable(false).await;
        }
    }

    /// Writes outcomes. Those whose rows somebody has locked come back, and the others are written without them. An error
    /// gives all of them back: some may be written, and say so when they are asked for again.
    async fn write(&self, group: Vec<Finalization>) -> Result<GroupResult, (Vec<Finalization>, StoreError)> {
        let (mut outcomes, mut locked) = (group, Vec::new());
        let error = loop {
            let error = match self.store.finalize(&outcomes).await {
                Ok(verdicts) => {
                    let (given, answered) = (outcomes.len(), verdicts.len());
                    check_invariant!(
                        given == answered,
                        DeliveryInvariant::FencedWrite,
                        "{answered} verdicts for {given} outcomes"
                    );
                    return Ok(GroupResult { outcomes, verdicts, locked });
                }
                Err(error) => error,
            };
            let StoreError::Locked { backend, attempts, message } = error else { break error };
            let aside = |end: &Finalization| attempts.contains(&end.attempt);
            let (held, free): (Vec<_>, Vec<_>) = outcomes.into_iter().partition(aside);
            outcomes = free;
            let why = || StoreError::Locked { backend, attempts: attempts.clone(), message: message.clone() };
            let found_none = held.is_empty();
            locked.extend(held.into_iter().map(|end| (end, why())));
            if found_none || !self.refused.has_room(locked.len()) {
                break why();
            }
            if outcomes.is_empty() {
                // A table that is locked is no matter of its rows.
                if self.store_takes_ends().await {
                    return Ok(GroupResult { outcomes, verdicts: Vec::new(), locked });
                }
                break why();
            }
        };
        let all = locked.into_iter().map(|(end, _)| end).chain(outcomes).collect();
        Err((all, error))
    }

    /// Whether the store takes outcomes at all, shown by one of an execution that is not there. It changes no row.
    async fn store_takes_ends(&self) -> bool {
        let nobody = nobody();
        let written = self.store.finalize(std::slice::from_ref(&nobody));
        matches!(tokio::time::timeout(PROOF_WITHIN, written).await, Ok(Ok(_)))
    }

    /// Keeps these with those that are refused.
    fn put_aside(&mut self, outcomes: Vec<(Finalization, StoreError)>, from: SpillPlace) {
        let came_from_memory = if from == SpillPlace::Memory { outcomes.len() } else { 0 };
        let before = self.refused.in_memory() + came_from_memory;
        for (end, error) in outcomes {
            self.refused.keep(end, &error);
        }
        let after = self.refused.in_memory();
        self.backlog
            .send_modify(|backlog| backlog.unwritten = (backlog.unwritten + after).saturating_sub(before));
    }

    /// Tries those again that are due, each by itself. One that is locked still is not waited for.
    async fn try_refused(&mut self) {
        let due = self.refused.take_due();
        let Ok(locked) = self.store.locked(&due).await else { return };
        for end in due.into_iter().filter(|end| !locked.contains(&end.attempt)) {
            let (attempt, started) = (end.attempt, Instant::now());
            match self.store.finalize(std::slice::from_ref(&end)).await {
                Ok(verdicts) => {
                    let before = self.refused.in_memory();
                    self.refused.forget(attempt);
                    self.report_group(vec![end], verdicts, started.elapsed()).await;
                    self.written(before - self.refused.in_memory());
                }
                Err(error) => {
                    let before = self.refused.in_memory();
                    self.refused.again(attempt, &error);
                    self.written(before - self.refused.in_memory());
                }
            }
        }
    }

    /// Waits, and parks what arrives meanwhile.
    async fn keep_for(&mut self, wait: Duration, outcomes: &mut mpsc::UnboundedReceiver<Finalization>) {
        let deadline = Instant::now() + wait;
        let mut group = Vec::new();
        loop {
            tokio::select! {
                () = tokio::time::sleep_until(deadline) => return,
                count = outcomes.recv_many(&mut group, GROUP_MAX) => {
                    if count == 0 {
                        return tokio::time::sleep_until(deadline).await;
                    }
                    self.park(std::mem::take(&mut group));
                }
            }
        }
    }

    async fn report_group(&self, group: Vec<Finalization>, verdicts: Vec<FinalizeResult>, took: Duration) {
        let pairs = group.into_iter().zip(verdicts);
        let finalized = pairs.map(|(finalization, verdict)| Finalized { finalization, verdict }).collect();
        self.sink.finalized(finalized, took).await;
    }
}

/// The end of an attempt that never was.
fn nobody() -> Finalization {
    Finalization {
        attempt: Attempt::new(Uuid::now_v7(), 1),
        owner: Uuid::now_v7(),
        disposition: Disposition::Terminal(ExecutionOutcome::Failed(ExecutionFailure::new("Nobody", ""))),
        started_at: None,
        completed_at: jiff::Timestamp::now(),
        duration_ms: None,
        metrics: None,
        logs: Vec::new(),
        changes: Vec::new(),
        children: Vec::new(),
        events: Vec::new(),
    }
}

/// Soon after the return of a store that was away its outcomes are written, and the intake opens again.
const BACKOFF_MAX: Duration = Duration::from_millis(500);

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
        tracing::warn!(%error, waiting, "cannot commit outcomes; kept in the outbox, retrying");
    } else {
        tracing::error!(%error, waiting, "the database refuses outcomes; they are kept until it is fixed");
    }
}
