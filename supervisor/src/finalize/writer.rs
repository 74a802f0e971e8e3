//! Group commit: outcomes that arrive while a commit runs form the next one. An idle supervisor adds no wait; a busy
//! one gathers for some milliseconds more, because a row in a large group costs the database a third of what it
//! costs in a small one.

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use muster_core::check_invariant;
use muster_core::execution::DeliveryInvariant;
use muster_store::{Finalization, FinalizeResult, OutcomeStore, StoreError};
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use super::disk_reserve::DiskReserve;
use super::proof::store_takes_outcomes;
use super::refused::RefusedQueue;
use super::sink::{Finalized, FinalizedSink};
use super::spill::{SpillPlace, SpillQueue, within};

/// How many outcomes one transaction writes at most.
pub(super) const GROUP_MAX: usize = 256;
/// How large the outcomes of one transaction are at most, unless one alone is larger: a statement must be done
/// within its time.
pub(super) const GROUP_MAX_BYTES: usize = 8 * 1024 * 1024;

/// When so many came while a commit ran, and so many are still to come, more come all the time, and the next group
/// is gathered.
const BUSY: usize = 8;
/// How long a group is gathered at most.
const GATHER: Duration = Duration::from_millis(10);
/// How long gathering waits for one more outcome.
const GATHER_STEP: Duration = Duration::from_millis(2);

/// What is not written yet.
#[derive(Clone, Copy, Debug)]
pub(super) struct WriteBacklog {
    pub(super) unwritten: usize,
    /// What an earlier process left is not written yet, or room is not made.
    pub(super) starting: bool,
}

/// What became of a group.
pub(super) struct GroupResult {
    pub(super) outcomes: Vec<Finalization>,
    /// One for each of the outcomes.
    pub(super) verdicts: Vec<FinalizeResult>,
    /// What was not written, and why.
    pub(super) locked: Vec<(Finalization, StoreError)>,
}

/// Writes what the finalizer is given.
pub(super) struct GroupWriter {
    pub(super) store: Arc<dyn OutcomeStore>,
    pub(super) sink: Arc<dyn FinalizedSink>,
    pub(super) backlog: watch::Sender<WriteBacklog>,
    pub(super) parked: SpillQueue,
    pub(super) refused: RefusedQueue,
    pub(super) room: DiskReserve,
}

impl GroupWriter {
    pub(super) async fn run(mut self, mut outcomes: mpsc::UnboundedReceiver<Finalization>) {
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
    pub(super) fn park(&mut self, group: Vec<Finalization>) {
        let (count, before) = (group.len(), self.parked.on_disk());
        self.parked.keep(group);
        self.written(count.min(self.parked.on_disk() - before));
    }

    pub(super) fn written(&self, count: usize) {
        self.backlog.send_modify(|backlog| backlog.unwritten = backlog.unwritten.saturating_sub(count));
    }

    /// Writes outcomes. Those whose rows somebody has locked come back, and the others are written without them. An error
    /// gives all of them back: some may be written, and say so when they are asked for again.
    pub(super) async fn write(
        &self,
        group: Vec<Finalization>,
    ) -> Result<GroupResult, (Vec<Finalization>, StoreError)> {
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
            let aside = |outcome: &Finalization| attempts.contains(&outcome.attempt);
            let (held, free): (Vec<_>, Vec<_>) = outcomes.into_iter().partition(aside);
            outcomes = free;
            let why = || StoreError::Locked { backend, attempts: attempts.clone(), message: message.clone() };
            let found_none = held.is_empty();
            locked.extend(held.into_iter().map(|outcome| (outcome, why())));
            if found_none || !self.refused.has_room(locked.len()) {
                break why();
            }
            if outcomes.is_empty() {
                // A table that is locked is no matter of its rows.
                if store_takes_outcomes(&*self.store).await {
                    return Ok(GroupResult { outcomes, verdicts: Vec::new(), locked });
                }
                break why();
            }
        };
        let all = locked.into_iter().map(|(outcome, _)| outcome).chain(outcomes).collect();
        Err((all, error))
    }

    /// Keeps these with those that are refused.
    pub(super) fn put_aside(&mut self, outcomes: Vec<(Finalization, StoreError)>, from: SpillPlace) {
        let came_from_memory = if from == SpillPlace::Memory { outcomes.len() } else { 0 };
        let before = self.refused.in_memory() + came_from_memory;
        for (outcome, error) in outcomes {
            self.refused.keep(outcome, &error);
        }
        let after = self.refused.in_memory();
        self.backlog
            .send_modify(|backlog| backlog.unwritten = (backlog.unwritten + after).saturating_sub(before));
    }

    /// Tries those again that are due, each by itself. One that is locked still is not waited for.
    async fn try_refused(&mut self) {
        let due = self.refused.take_due();
        let Ok(locked) = self.store.locked(&due).await else { return };
        for outcome in due.into_iter().filter(|outcome| !locked.contains(&outcome.attempt)) {
            let (attempt, started) = (outcome.attempt, Instant::now());
            match self.store.finalize(std::slice::from_ref(&outcome)).await {
                Ok(verdicts) => {
                    let before = self.refused.in_memory();
                    self.refused.forget(attempt);
                    self.report_group(vec![outcome], verdicts, started.elapsed()).await;
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

    pub(super) async fn report_group(
        &self,
        group: Vec<Finalization>,
        verdicts: Vec<FinalizeResult>,
        took: Duration,
    ) {
        let pairs = group.into_iter().zip(verdicts);
        let finalized = pairs.map(|(finalization, verdict)| Finalized { finalization, verdict }).collect();
        self.sink.finalized(finalized, took).await;
    }
}
