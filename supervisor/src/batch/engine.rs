//! Runs the lines of a batch: claims them in order as workers come free, and hears how each ended.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use muster_protocol::error_type;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::input::{InputError, Line};
use super::outcome::ResultLine;
use super::queue::Queue;
use crate::bus::Bus;
use crate::execution::Status;
use crate::finalize::{Finalized, Sink};
use crate::service::{
    AfterFailure, Closed, Core, CoreError, Ledger, Parts, Preparer, Reservation, Slots, claimant,
};
use crate::settings::Settings;
use crate::store::{
    Claim, Disposition, Failure, Finalization, NewExecution, Outcome, Store, StoreError, Verdict,
};
use crate::transcripts::Keeper;

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
    /// Where transcripts are kept, if they are.
    pub transcripts: Option<Arc<Keeper>>,
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
    /// The file.
    #[error(transparent)]
    Input(#[from] InputError),
}

/// The lines of a file, as they are read. A reading error is the last item.
pub type Lines = mpsc::Receiver<Result<Line, InputError>>;

/// Reads lines on a thread of their own, so that a slow pipe does not hold up the executions.
pub fn read_lines(lines: impl Iterator<Item = Result<Line, InputError>> + Send + 'static) -> Lines {
    let (sender, receiver) = mpsc::channel(2 * CLAIM_MAX);
    tokio::task::spawn_blocking(move || {
        for line in lines {
            let last = line.is_err();
            if sender.blocking_send(line).is_err() || last {
                return;
            }
        }
    });
    receiver
}

/// Runs all lines. `report` is called once for each, with its place in the input, in the order of the ends.
///
/// # Errors
/// When the pool cannot be made, the store fails or the file cannot be read to its end.
pub async fn run(
    batch: Batch,
    lines: Lines,
    report: impl FnMut(usize, ResultLine),
) -> Result<(), BatchError> {
    let Batch { settings, store, keep_going, transcripts, stop } = batch;
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
        metrics: Arc::default(),
        outbox: None,
        leftovers: None,
        give_up_after: Some(GIVE_UP_AFTER),
        transcripts,
        after_failure: if keep_going { AfterFailure::GoOn } else { AfterFailure::Halt },
    };
    let mut runner = Runner {
        core: Core::start(&settings, parts)?,
        keep_going,
        default_max_attempts: settings.max_attempts,
        places: HashMap::new(),
        queue: Queue::default(),
        later: Vec::new(),
        abandoned: None,
        report,
    };
    let ran = runner.run(lines, ended, stop).await;
    runner.core.crew.handle().drain(Duration::ZERO);
    runner.core.settled().await;
    ran
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
    async fn finalized(&self, group: Vec<Finalized>, _took: Duration) {
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
    default_max_attempts: u32,
    /// The lines that have not ended, by execution.
    places: HashMap<Uuid, (usize, Arc<NewExecution>)>,
    /// What is to be claimed, in order.
    queue: Queue,
    /// What is tried again, and when.
    later: Vec<(Instant, Arc<NewExecution>)>,
    /// Why nothing more is started, once that is so.
    abandoned: Option<&'static str>,
    report: R,
}

impl<R: FnMut(usize, ResultLine)> Runner<R> {
    async fn run(
        &mut self,
        mut lines: Lines,
        mut ended: mpsc::UnboundedReceiver<Finalized>,
        stop: CancellationToken,
    ) -> Result<(), BatchError> {
        let (mut more_lines, mut stopped) = (true, false);
        let mut read = Vec::new();
        while more_lines || !self.places.is_empty() || self.queue.len() > 0 {
            if self.fail_bad_lines() {
                continue;
            }
            let (claimable, due) = (self.queue.claimable(), self.later.iter().map(|(at, _)| *at).min());
            let room = CLAIM_MAX.saturating_sub(self.queue.len());
            tokio::select! {
                biased;
                end = ended.recv() => match end {
                    Some(finalized) => self.hear(finalized),
                    None => return Ok(()),
                },
                () = stop.cancelled(), if !stopped => {
                    stopped = true;
                    self.core.crew.handle().drain_now();
                    self.abandon("the batch was interrupted");
                }
                () = sleep_until(due) => self.requeue_due(),
                count = lines.recv_many(&mut read, room), if more_lines && room > 0 => {
                    more_lines = count > 0;
                    for line in read.drain(..) {
                        self.take(line?);
                    }
                }
                reservation = self.core.slots.reserve(claimable), if claimable > 0 => {
                    self.claim(reservation).await?;
                }
            }
        }
        Ok(())
    }

    fn take(&mut self, line: Line) {
        let request = match line.request {
            Ok(request) => request,
            Err(bad) if self.keep_going || self.abandoned.is_some() => {
                return self.end(line.index, ResultLine::bad(bad));
            }
            Err(bad) => return self.queue.push_bad(line.index, bad),
        };
        let execution = Arc::new(NewExecution::of(&request, self.default_max_attempts));
        if let Some(why) = self.abandoned {
            (self.report)(line.index, cancelled(&execution, why));
            return;
        }
        self.places.insert(execution.id, (line.index, Arc::clone(&execution)));
        self.queue.push(execution);
    }

    /// Without `--keep-going` a bad line ends the batch when its turn comes: all before it has ended. True if
    /// one did.
    fn fail_bad_lines(&mut self) -> bool {
        if self.places.len() > self.queue.executions() {
            return false;
        }
        let Some((place, bad)) = self.queue.take_bad() else { return false };
        self.end(place, ResultLine::bad(bad));
        true
    }

    async fn claim(&mut self, reservation: Reservation) -> Result<(), BatchError> {
        let next = self.queue.take(reservation.count());
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
        Ok(())
    }

    fn hear(&mut self, finalized: Finalized) {
        let id = finalized.finalization.attempt.execution_id;
        match finalized.verdict {
            Verdict::Finished { status, error_type } => {
                if let Some((place, execution)) = self.places.remove(&id) {
                    let result = finished(finalized.finalization, status, error_type, &execution);
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
        let Some((_, execution)) = self.places.get(&id) else { return };
        let execution = Arc::clone(execution);
        let delay = match disposition {
            Disposition::Retry { delay, .. } | Disposition::Release { delay, .. } => *delay,
            Disposition::Terminal(_) => Duration::ZERO,
        };
        match self.abandoned {
            None => self.later.push((Instant::now() + delay, execution)),
            Some(why) => self.give_back(&execution, why),
        }
    }

    fn requeue_due(&mut self) {
        let now = Instant::now();
        let (due, later) = std::mem::take(&mut self.later).into_iter().partition(|(at, _)| *at <= now);
        self.later = later;
        let due: Vec<(Instant, Arc<NewExecution>)> = due;
        for (_, execution) in due {
            self.queue.push_again(execution);
        }
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
        if let Some((place, execution)) = self.places.remove(&execution.id) {
            let failure = Failure::new(error_type::INVALID_REQUEST, message);
            self.end(place, ResultLine::never_ran(execution.id, name(&execution), Status::Failed, failure));
        }
    }

    fn end(&mut self, place: usize, result: ResultLine) {
        let succeeded = result.status == Status::Success;
        (self.report)(place, result);
        if !succeeded && !self.keep_going && self.abandoned.is_none() {
            // What runs may finish; what waits for a worker comes back released.
            self.core.crew.handle().halt();
            self.abandon("an execution before it failed");
        }
    }

    /// Nothing new starts: what is not with a worker is CANCELLED, now or when it comes back.
    fn abandon(&mut self, why: &'static str) {
        self.abandoned = Some(why);
        self.core.slots.close(Closed::Draining);
        let (waiting, bad_lines) = self.queue.clear();
        let later = std::mem::take(&mut self.later).into_iter().map(|(_, execution)| execution);
        for execution in waiting.into_iter().chain(later) {
            self.give_back(&execution, why);
        }
        for (place, bad) in bad_lines {
            (self.report)(place, ResultLine::bad(bad));
        }
    }

    fn give_back(&mut self, execution: &NewExecution, why: &str) {
        if let Some((place, execution)) = self.places.remove(&execution.id) {
            (self.report)(place, cancelled(&execution, why));
        }
    }
}

async fn sleep_until(due: Option<Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due).await,
        None => std::future::pending().await,
    }
}

fn name(execution: &NewExecution) -> String {
    execution.workflow_name.clone().unwrap_or_default()
}

fn cancelled(execution: &NewExecution, why: &str) -> ResultLine {
    let failure = Failure::new(error_type::CANCELLED, format!("not run: {why}"));
    ResultLine::never_ran(execution.id, name(execution), Status::Cancelled, failure)
}

fn finished(
    finalization: Finalization,
    status: Status,
    error_type: Option<String>,
    execution: &NewExecution,
) -> ResultLine {
    let (result, message) = match finalization.disposition {
        Disposition::Terminal(Outcome::Success { result }) if status == Status::Success => {
            (Some(result), None)
        }
        Disposition::Terminal(outcome) => (None, outcome.failure().map(|failure| failure.message.clone())),
        Disposition::Retry { failure, .. } => (None, Some(failure.message)),
        Disposition::Release { reason, .. } => (None, Some(reason)),
    };
    ResultLine {
        execution_id: Some(execution.id),
        workflow: execution.workflow_name.clone(),
        status,
        result,
        error_message: message.or_else(|| error_type.clone()),
        error_type,
        duration_ms: finalization.duration_ms,
        attempt: finalization.attempt.number,
    }
}
