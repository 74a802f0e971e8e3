//! Runs the lines of a batch: claims them in order as workers come free, and hears how each ended.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use muster_protocol::error_type;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::input::{Input, Line};
use super::output::LineResult;
use crate::bus::Bus;
use crate::execution::Status;
use crate::finalize::{Finalized, Sink};
use crate::service::{Closed, Core, CoreError, Ledger, Parts, Preparer, Slots, claimant};
use crate::settings::Settings;
use crate::store::{Claim, Disposition, NewExecution, Outcome, Store, StoreError, Verdict};

/// So many starts in a row without a Ready, and the batch gives up. (A service never does.)
const GIVE_UP_AFTER: u32 = 5;
/// One claim takes so many lines at most.
const CLAIM_MAX: usize = 128;

/// What a batch is run with.
#[derive(Debug)]
pub struct Batch {
    /// The settings of the pool.
    pub settings: Settings,
    /// Where its records are kept.
    pub store: Arc<dyn Store>,
    /// Go on after a failure.
    pub keep_going: bool,
    /// Cancelled to end the batch early: what runs is cancelled, the rest never starts.
    pub stop: CancellationToken,
}

/// A batch cannot be run.
#[derive(Debug, thiserror::Error)]
pub enum BatchError {
    /// The pool.
    #[error(transparent)]
    Core(#[from] CoreError),
    /// The records.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Runs all lines. `report` is called once for each, with its place in the input, in the order of the ends.
///
/// # Errors
/// When the pool cannot be made or the store fails.
pub async fn run(
    batch: Batch,
    input: Input,
    report: impl FnMut(usize, LineResult),
) -> Result<(), BatchError> {
    let Batch { settings, store, keep_going, stop } = batch;
    let (ledger, slots) = (Arc::new(Ledger::default()), Slots::new(settings.max_workers));
    let (ends, ended) = mpsc::unbounded_channel();
    let bus = Bus::in_process(&settings.key_prefix);
    let parts = Parts {
        claimant: claimant(&settings),
        preparer: Preparer::new(Arc::clone(&store), bus.clone(), settings.execution_timeout),
        store,
        bus,
        ledger: Arc::clone(&ledger),
        slots: Arc::clone(&slots),
        sink: Arc::new(Ends { ledger, slots, ends }),
        leftovers: None,
        give_up_after: Some(GIVE_UP_AFTER),
    };
    let core = Core::start(&settings, parts)?;
    let mut runner = Runner {
        core,
        keep_going,
        places: HashMap::new(),
        queue: VecDeque::new(),
        later: Vec::new(),
        report,
    };
    runner.take(input);
    runner.run(ended, stop).await?;
    runner.core.crew.handle().drain(Duration::ZERO);
    runner.core.settled().await;
    Ok(())
}

/// Passes on what is committed.
#[derive(Debug)]
struct Ends {
    ledger: Arc<Ledger>,
    slots: Arc<Slots>,
    ends: mpsc::UnboundedSender<Finalized>,
}

#[async_trait]
impl Sink for Ends {
    async fn finalized(&self, group: Vec<Finalized>) {
        for finalized in group {
            self.ledger.let_go(finalized.finalization.attempt);
            // The batch hears until every line has ended.
            let _ = self.ends.send(finalized);
        }
        self.slots.open(Closed::Backlog);
    }

    async fn store_unreachable(&self, _unreachable: bool) {}
}

struct Runner<R> {
    core: Core,
    keep_going: bool,
    /// The lines that have not ended, by execution.
    places: HashMap<Uuid, (usize, Arc<NewExecution>)>,
    /// What is to be claimed, in order.
    queue: VecDeque<Arc<NewExecution>>,
    /// What is tried again, and when.
    later: Vec<(Instant, Arc<NewExecution>)>,
    report: R,
}

impl<R: FnMut(usize, LineResult)> Runner<R> {
    fn take(&mut self, input: Input) {
        let mut failed = false;
        for (place, line) in input.lines.into_iter().enumerate() {
            match line {
                Line::Execution(execution) => {
                    self.places.insert(execution.id, (place, Arc::clone(&execution)));
                    self.queue.push_back(execution);
                }
                Line::Bad(result) => {
                    failed = true;
                    (self.report)(place, *result);
                }
            }
        }
        if failed && !self.keep_going {
            self.abandon_queue("an earlier line failed");
        }
    }

    async fn run(
        &mut self,
        mut ended: mpsc::UnboundedReceiver<Finalized>,
        stop: CancellationToken,
    ) -> Result<(), BatchError> {
        let mut stopped = false;
        while !self.places.is_empty() {
            let due = self.later.iter().map(|(at, _)| *at).min();
            tokio::select! {
                biased;
                end = ended.recv() => match end {
                    Some(finalized) => self.hear(finalized),
                    None => return Ok(()),
                },
                () = stop.cancelled(), if !stopped => {
                    stopped = true;
                    self.keep_going = false;
                    self.core.crew.handle().drain_now();
                    self.abandon_queue("the batch was interrupted");
                }
                () = sleep_until(due) => self.requeue_due(),
                reservation = self.core.slots.reserve(CLAIM_MAX.min(self.queue.len())), if !self.queue.is_empty() => {
                    let next: Vec<_> = self.queue.drain(..reservation.count().min(self.queue.len())).collect();
                    let claims = self.core.store.claim(&self.core.claimant, &next).await?;
                    let mut claimed = Vec::with_capacity(claims.len());
                    for (execution, claim) in next.into_iter().zip(claims) {
                        match claim {
                            Claim::Claimed(ours) => claimed.push(ours),
                            Claim::Elsewhere(status) => self.not_ours(&execution, status),
                            Claim::Refused(reason) => self.fail(&execution, &reason),
                        }
                    }
                    self.core.desk.accept(claimed, reservation);
                }
            }
        }
        Ok(())
    }

    fn hear(&mut self, finalized: Finalized) {
        let id = finalized.finalization.attempt.execution_id;
        match finalized.verdict {
            Verdict::Finished { status, error_type } => {
                if let Some((place, execution)) = self.places.remove(&id) {
                    let result = line_result(finalized.finalization, status, error_type, &execution);
                    self.end(place, result);
                }
            }
            Verdict::Requeued => self.try_again(id, &finalized.finalization.disposition),
            Verdict::Superseded => {
                if let Some((_, execution)) = self.places.get(&id).cloned() {
                    self.fail(&execution, "another supervisor took the execution over");
                }
            }
        }
    }

    fn try_again(&mut self, id: Uuid, disposition: &Disposition) {
        let Some((place, execution)) = self.places.get(&id).cloned() else { return };
        let delay = match disposition {
            Disposition::Retry { delay, .. } | Disposition::Release { delay, .. } => *delay,
            Disposition::Terminal(_) => Duration::ZERO,
        };
        if self.keep_going || !self.is_ending() {
            self.later.push((Instant::now() + delay, execution));
        } else {
            self.places.remove(&id);
            self.end(place, cancelled(&execution, "the batch ended before it could be tried again"));
        }
    }

    fn is_ending(&self) -> bool {
        self.core.slots.closed().contains(&Closed::Draining)
    }

    fn requeue_due(&mut self) {
        let now = Instant::now();
        let (due, later) = std::mem::take(&mut self.later).into_iter().partition(|(at, _)| *at <= now);
        self.later = later;
        let due: Vec<(Instant, Arc<NewExecution>)> = due;
        self.queue.extend(due.into_iter().map(|(_, execution)| execution));
    }

    /// A row of this id is in the store already, from an earlier batch, or waits for its time.
    fn not_ours(&mut self, execution: &Arc<NewExecution>, status: Status) {
        if status == Status::Pending {
            self.later.push((Instant::now() + Duration::from_millis(20), Arc::clone(execution)));
        } else {
            self.fail(execution, &format!("an execution with this id is in the store already, as {status}"));
        }
    }

    fn fail(&mut self, execution: &NewExecution, message: &str) {
        let Some((place, execution)) = self.places.remove(&execution.id) else { return };
        self.end(place, unrun(&execution, Status::Failed, error_type::INVALID_REQUEST, message));
    }

    fn end(&mut self, place: usize, result: LineResult) {
        let succeeded = result.status == Status::Success;
        (self.report)(place, result);
        if !succeeded && !self.keep_going && !self.is_ending() {
            // What runs may finish; what waits for a worker comes back released.
            self.core.crew.handle().drain(Duration::MAX);
            self.abandon_queue("an earlier line failed");
        }
    }

    /// Nothing new starts: what was not claimed is CANCELLED.
    fn abandon_queue(&mut self, why: &str) {
        self.core.slots.close(Closed::Draining);
        let later = std::mem::take(&mut self.later).into_iter().map(|(_, execution)| execution);
        let abandoned: Vec<_> = std::mem::take(&mut self.queue).into_iter().chain(later).collect();
        for execution in abandoned {
            if let Some((place, _)) = self.places.remove(&execution.id) {
                (self.report)(place, cancelled(&execution, why));
            }
        }
    }
}

async fn sleep_until(due: Option<Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due).await,
        None => std::future::pending().await,
    }
}

fn cancelled(execution: &NewExecution, why: &str) -> LineResult {
    unrun(execution, Status::Cancelled, error_type::CANCELLED, &format!("not run: {why}"))
}

fn unrun(execution: &NewExecution, status: Status, error_type: &str, message: &str) -> LineResult {
    LineResult {
        execution_id: execution.id,
        workflow: execution.workflow_name.clone(),
        status,
        result: None,
        error_type: Some(error_type.to_owned()),
        error_message: Some(message.to_owned()),
        duration_ms: None,
        attempt: 0,
    }
}

fn line_result(
    finalization: crate::store::Finalization,
    status: Status,
    error_type: Option<String>,
    execution: &NewExecution,
) -> LineResult {
    let (result, message) = match finalization.disposition {
        Disposition::Terminal(Outcome::Success { result }) if status == Status::Success => {
            (Some(result), None)
        }
        Disposition::Terminal(outcome) => (None, outcome.failure().map(|failure| failure.message.clone())),
        Disposition::Retry { failure, .. } => (None, Some(failure.message)),
        Disposition::Release { reason, .. } => (None, Some(reason)),
    };
    LineResult {
        execution_id: execution.id,
        workflow: execution.workflow_name.clone(),
        status,
        result,
        error_message: message.or_else(|| error_type.clone()),
        error_type,
        duration_ms: finalization.duration_ms,
        attempt: finalization.attempt.number,
    }
}
