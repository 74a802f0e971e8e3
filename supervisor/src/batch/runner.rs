//! The running of a batch: lines are claimed in order as workers come free, and each has its result once.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::OptionFuture;
use muster_core::execution::Status;
use muster_protocol::error_type;
use muster_store::{
    Claim, Disposition, ExecutionFailure, ExecutionOutcome, Finalization, FinalizeResult, NewExecution,
};
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::error::BatchError;
use super::given_up::{Abandoned, GivenUp, LineState};
use super::input::InputLine;
use super::lines::InputLines;
use super::outcome::{ReportResults, ResultLine};
use super::queue::{BatchQueue, CLAIM_MAX};
use super::store::BatchStore;
use crate::dispatch::{IntakeClosed, SlotReservation};
use crate::finalize::{Finalized, RefusalCause};
use crate::service::Core;

/// How often a batch looks for outcomes that the store refuses.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How often a refused outcome is tried by itself before its line fails: some ten seconds.
const TRIES_MAX: u32 = 3;

/// What ends a batch early.
pub(super) struct StopSignals {
    /// What runs is cancelled, and nothing more starts.
    pub(super) running: CancellationToken,
    /// No more lines are taken.
    pub(super) reading: CancellationToken,
}

/// A line that has not ended.
struct BatchLine {
    /// The place of its result.
    place: usize,
    execution: Arc<NewExecution>,
    state: LineState,
}

pub(super) struct BatchRunner<'a, R> {
    pub(super) core: Core,
    store: Arc<dyn BatchStore>,
    keep_going: bool,
    default_max_attempts: u32,
    /// The lines that have not ended, by execution.
    places: HashMap<Uuid, BatchLine>,
    /// What is to be claimed, in order.
    queue: BatchQueue,
    /// What is tried again, and when.
    later: Vec<(Instant, Arc<NewExecution>)>,
    /// Why nothing more is started, once that is so.
    abandoned: Option<Abandoned>,
    /// Lines that are given up, until the store was told so.
    given_up: Vec<(usize, Arc<NewExecution>, GivenUp)>,
    /// The store does not take the end of some line.
    pub(super) gave_up: bool,
    report: &'a mut R,
}

impl<'a, R: ReportResults> BatchRunner<'a, R> {
    pub(super) fn new(
        core: Core,
        store: Arc<dyn BatchStore>,
        keep_going: bool,
        default_max_attempts: u32,
        report: &'a mut R,
    ) -> Self {
        Self {
            core,
            store,
            keep_going,
            default_max_attempts,
            places: HashMap::new(),
            queue: BatchQueue::default(),
            later: Vec::new(),
            abandoned: None,
            given_up: Vec::new(),
            gave_up: false,
            report,
        }
    }

    /// Runs all lines. One that cannot be read is their end: what stands before it runs, then it is the error.
    pub(super) async fn run(
        &mut self,
        mut lines: InputLines,
        mut ended: mpsc::UnboundedReceiver<Finalized>,
        stop: StopSignals,
    ) -> Result<(), BatchError> {
        let (mut more_lines, mut unreadable) = (true, None);
        let mut read = Vec::new();
        let mut look = tokio::time::interval(LOOK_EVERY);
        loop {
            self.end_given_up().await;
            if !more_lines && self.places.is_empty() && self.queue.len() == 0 {
                break;
            }
            if self.fail_bad_lines() {
                continue;
            }
            let due = self.later.iter().map(|(at, _)| *at).min();
            let (room, claimable) = if self.report.is_full() {
                (0, if self.oldest_is_queued() { 1 } else { 0 })
            } else {
                (CLAIM_MAX.saturating_sub(self.queue.len()), self.queue.claimable())
            };
            tokio::select! {
                biased;
                end = ended.recv() => match end {
                    Some(finalized) => self.on_finalized(finalized),
                    None => break,
                },
                () = stop.running.cancelled(), if self.abandoned != Some(Abandoned::Interrupted) => {
                    self.abandon(Abandoned::Interrupted);
                    self.core.prepared().await;
                    self.core.executor.handle().force();
                }
                () = stop.reading.cancelled(), if more_lines && !lines.is_closed() => {
                    // What was read already has its results still.
                    lines.close();
                    unreadable = unreadable.or(Some(BatchError::Stopped));
                }
                _ = look.tick() => self.give_up_refused(),
                Some(()) = OptionFuture::from(due.map(tokio::time::sleep_until)) => self.requeue_due(),
                count = lines.recv_many(&mut read, room), if more_lines && room > 0 => {
                    more_lines = count > 0;
                    for line in read.drain(..) {
                        match line {
                            Ok(line) => self.take(line),
                            Err(error) => unreadable = Some(error.into()),
                        }
                    }
                }
                reservation = self.core.slots.reserve(claimable), if claimable > 0 => {
                    self.claim(reservation).await?;
                }
            }
        }
        unreadable.map_or(Ok(()), Err)
    }

    fn take(&mut self, line: InputLine) {
        let request = match line.request {
            Ok(request) => request,
            Err(bad) if self.keep_going || self.abandoned.is_some() => {
                return self.end(line.index, ResultLine::bad(bad));
            }
            Err(bad) => return self.queue.push_bad(line.index, bad),
        };
        let execution = Arc::new(NewExecution::of(&request, self.default_max_attempts));
        if let Some(why) = self.abandoned {
            self.report.take(line.index, LineState::Unclaimed.give_up(why).line(&execution));
            return;
        }
        let new =
            BatchLine { place: line.index, execution: Arc::clone(&execution), state: LineState::Unclaimed };
        self.places.insert(execution.id, new);
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

    /// True when what all results wait for is itself waiting to be claimed. What waits to be tried again stands first.
    fn oldest_is_queued(&self) -> bool {
        let oldest = self.places.values().min_by_key(|line| line.place);
        oldest.is_some_and(|line| self.queue.holds(line.execution.id))
    }

    async fn claim(&mut self, reservation: SlotReservation) -> Result<(), BatchError> {
        let next = self.queue.take(reservation.count());
        let claims = self.store.claim_lines(&self.core.claimant, &next).await?;
        let mut claimed = Vec::with_capacity(claims.len());
        for (execution, claim) in next.into_iter().zip(claims) {
            self.advance(execution.id, LineState::claimed);
            match claim {
                Claim::Claimed(ours) => claimed.push(ours),
                Claim::Elsewhere(status) => self.not_ours(&execution, status),
                Claim::Refused(reason) => self.fail(execution.id, &reason),
                // Lines with a key are refused as they are read.
                Claim::Existing { id, .. } | Claim::KeyReused { id } => {
                    self.fail(execution.id, &format!("its idempotency_key belongs to execution {id}"));
                }
            }
        }
        self.core.dispatcher.accept(claimed, reservation);
        Ok(())
    }

    /// Notes how far a line has come.
    fn advance(&mut self, id: Uuid, step: impl FnOnce(LineState) -> LineState) {
        if let Some(line) = self.places.get_mut(&id) {
            line.state = step(std::mem::replace(&mut line.state, LineState::Unclaimed));
        }
    }

    fn on_finalized(&mut self, finalized: Finalized) {
        let id = finalized.finalization.attempt.execution_id;
        match finalized.verdict {
            FinalizeResult::Finished { status, error_type } => {
                self.report.submitted(finalized.finalization.children.len());
                if let Some(BatchLine { place, execution, .. }) = self.places.remove(&id) {
                    let result = ResultLine::finished(finalized.finalization, status, error_type, &execution);
                    self.end(place, result);
                }
            }
            FinalizeResult::Requeued => self.try_again(id, &finalized.finalization),
            FinalizeResult::Superseded => self.fail(id, "another supervisor took the execution over"),
        }
    }

    /// A line whose outcome the store refuses again and again while it takes others ends as failed: whoever reads the
    /// results must not wait for somebody to fix the store.
    fn give_up_refused(&mut self) {
        for refused in self.core.refused() {
            let given_up = refused.cause == RefusalCause::Refused && refused.tries >= TRIES_MAX;
            let Some(BatchLine { place, execution, .. }) =
                given_up.then(|| self.places.remove(&refused.attempt.execution_id)).flatten()
            else {
                continue;
            };
            tracing::error!(execution_id = %refused.attempt.execution_id, attempt = refused.attempt.number, error = refused.message,
                "the store refuses the outcome of this execution; its line fails, and its row stays RUNNING: look for a \
                 trigger or a constraint that holds it back");
            self.gave_up = true;
            self.core.dispatcher.in_flight().remove(refused.attempt);
            let message = format!("it ran, and the database refuses its outcome: {}", refused.message);
            let failure = ExecutionFailure::new(error_type::RESULT_NOT_STORABLE, message);
            let workflow = execution.workflow_name.clone().unwrap_or_default();
            let line = ResultLine::never_ran(execution.id, workflow, Status::Failed, failure);
            self.end(place, ResultLine { attempt: refused.attempt.number, ..line });
        }
    }

    fn try_again(&mut self, id: Uuid, finalization: &Finalization) {
        self.advance(id, |state| state.after(finalization));
        let Some(line) = self.places.get(&id) else { return };
        let execution = Arc::clone(&line.execution);
        let delay = match &finalization.disposition {
            Disposition::Retry { delay, .. }
            | Disposition::Release { delay, .. }
            | Disposition::UnknownHere { delay, .. } => *delay,
            Disposition::Terminal(_) => Duration::ZERO,
        };
        match self.abandoned {
            None => self.later.push((Instant::now() + delay, execution)),
            Some(why) => self.give_up(id, why),
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
            self.fail(
                execution.id,
                &format!("an execution with this id is in the store already, as {status}"),
            );
        }
    }

    fn fail(&mut self, id: Uuid, message: &str) {
        if let Some(BatchLine { place, execution, .. }) = self.places.remove(&id) {
            let failure = ExecutionFailure::new(error_type::INVALID_REQUEST, message);
            let workflow = execution.workflow_name.clone().unwrap_or_default();
            self.end(place, ResultLine::never_ran(execution.id, workflow, Status::Failed, failure));
        }
    }

    fn end(&mut self, place: usize, result: ResultLine) {
        let succeeded = result.status == Status::Success;
        self.report.take(place, result);
        if !succeeded && !self.keep_going && self.abandoned.is_none() {
            // What runs may finish; what waits for a worker comes back released.
            self.core.executor.handle().halt();
            self.abandon(Abandoned::Failure);
        }
    }

    /// Nothing new starts: what is not with a worker is given up, now or when it comes back.
    fn abandon(&mut self, why: Abandoned) {
        self.abandoned = Some(why);
        self.core.slots.close(IntakeClosed::Draining);
        let (waiting, bad_lines) = self.queue.clear();
        let later = std::mem::take(&mut self.later).into_iter().map(|(_, execution)| execution);
        for execution in waiting.into_iter().chain(later) {
            self.give_up(execution.id, why);
        }
        for (place, bad) in bad_lines {
            self.report.take(place, ResultLine::bad(bad));
        }
    }

    fn give_up(&mut self, id: Uuid, why: Abandoned) {
        if let Some(BatchLine { place, execution, state }) = self.places.remove(&id) {
            self.given_up.push((place, execution, state.give_up(why)));
        }
    }

    /// Ends the rows of what is given up, so that nobody runs it who opens the record later, and then says so.
    async fn end_given_up(&mut self) {
        let given_up = std::mem::take(&mut self.given_up);
        let with_row = given_up.iter().filter(|(_, _, given_up)| given_up.has_row);
        let rows: Vec<(Uuid, ExecutionOutcome)> =
            with_row.map(|(_, execution, given_up)| (execution.id, given_up.outcome.clone())).collect();
        if !rows.is_empty() && self.store.give_up_lines(&rows).await.is_err() {
            // Perhaps it refuses but one of them.
            for row in &rows {
                if let Err(error) = self.store.give_up_lines(std::slice::from_ref(row)).await {
                    tracing::error!(execution_id = %row.0, %error,
                        "the batch gave up an execution whose row still waits: whoever serves the record next runs it, \
                         unless it is cancelled before");
                }
            }
        }
        for (place, execution, given_up) in given_up {
            self.report.take(place, given_up.line(&execution));
        }
    }
}
