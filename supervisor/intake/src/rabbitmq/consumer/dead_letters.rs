//! What can never be used: the failure of its execution is recorded, the message goes to the dead-letter exchange
//! with the reason in a header and is confirmed, and only then it is acknowledged. Everything else goes on meanwhile.

use std::collections::VecDeque;
use std::time::Duration;

use muster_core::pool::PoolTime;

use super::action::{ConsumerAction, ConsumerNotice, LetterReason, UnrecordedFailure};
use super::call::PendingCall;
use super::channel::UnusableDelivery;
use super::machine::ConsumerMachine;

/// The pause after something could not be dead-lettered.
const DEAD_LETTER_PAUSE: Duration = Duration::from_secs(1);
/// At most so many go at once.
pub(super) const DEAD_LETTER_MAX: usize = 1000;

/// What is under way to the dead letters.
#[derive(Debug, Default)]
pub(super) struct DeadLetterQueue {
    pub(super) call: PendingCall<DeadLettering>,
    /// They could not be dead-lettered: nothing is tried before this.
    retry_at: Option<PoolTime>,
}

/// How far a batch is.
#[derive(Debug)]
pub(super) enum DeadLettering {
    /// Failures are being recorded: of all that have none yet and name an execution.
    Recording(Vec<UnusableDelivery>),
    /// The messages are being published.
    Publishing(Vec<UnusableDelivery>),
}

impl DeadLettering {
    pub(super) fn batch(&self) -> &[UnusableDelivery] {
        match self {
            Self::Recording(batch) | Self::Publishing(batch) => batch,
        }
    }
}

impl DeadLetterQueue {
    pub(super) fn in_call(&self) -> usize {
        self.call.waiting().map_or(0, |dead_lettering| dead_lettering.batch().len())
    }

    /// When the next try is due.
    pub(super) fn deadline(&self) -> Option<PoolTime> {
        self.retry_at.filter(|_| self.call.is_idle())
    }
}

impl UnusableDelivery {
    /// The failure that is to be recorded before the message goes.
    fn unrecorded(&self) -> Option<UnrecordedFailure> {
        let execution_id = self.execution_id.filter(|_| !self.recorded)?;
        Some(UnrecordedFailure { execution_id, failure: self.failure.clone(), sync: self.sync })
    }
}

impl ConsumerMachine {
    /// Sends what cannot be used on its way, without waiting for it.
    pub(super) fn dead_letter(&mut self, now: PoolTime, actions: &mut Vec<ConsumerAction>) {
        if !self.dead_letters.call.is_idle() {
            return;
        }
        if self.dead_letters.retry_at.is_some_and(|at| at > now) {
            return;
        }
        self.dead_letters.retry_at = None;
        let Some(channel) = self.connection.open_channel() else { return };
        let batch: Vec<UnusableDelivery> = channel.unusable.drain(..batch_size(&channel.unusable)).collect();
        let failures: Vec<UnrecordedFailure> =
            batch.iter().filter_map(UnusableDelivery::unrecorded).collect();
        if failures.is_empty() {
            return self.publish_dead_letters(batch, actions);
        }
        actions.push(ConsumerAction::RecordFailures(failures));
        self.dead_letters.call = PendingCall::Waiting(DeadLettering::Recording(batch));
    }

    pub(super) fn failures_recorded(
        &mut self,
        now: PoolTime,
        results: Vec<Result<(), String>>,
        actions: &mut Vec<ConsumerAction>,
    ) {
        let Some(DeadLettering::Recording(batch)) = self.dead_letters.call.answered() else { return };
        let tried = batch.len();
        let mut results = results.into_iter();
        let (mut recorded, mut left, mut problem) = (Vec::with_capacity(tried), Vec::new(), None);
        for mut delivery in batch {
            let result = match delivery.unrecorded() {
                Some(_) => results.next().unwrap_or_else(|| Err("no answer".to_owned())),
                None => Ok(()),
            };
            match result {
                Ok(()) => {
                    delivery.recorded = delivery.execution_id.is_some();
                    recorded.push(delivery);
                }
                Err(error) => {
                    problem = Some(error);
                    left.push(delivery);
                }
            }
        }
        if let Some(problem) = problem {
            self.are_left(now, tried, left, problem, actions);
        }
        self.publish_dead_letters(recorded, actions);
    }

    fn publish_dead_letters(&mut self, batch: Vec<UnusableDelivery>, actions: &mut Vec<ConsumerAction>) {
        if batch.is_empty() {
            return;
        }
        let letter =
            |delivery: &UnusableDelivery| LetterReason { tag: delivery.tag, reason: delivery.reason() };
        actions.push(ConsumerAction::PublishDeadLetters(batch.iter().map(letter).collect()));
        self.dead_letters.call = PendingCall::Waiting(DeadLettering::Publishing(batch));
    }

    /// Acknowledges what is among the dead letters now.
    pub(super) fn dead_letters_published(
        &mut self,
        now: PoolTime,
        results: Vec<Result<(), String>>,
        actions: &mut Vec<ConsumerAction>,
    ) {
        let Some(DeadLettering::Publishing(batch)) = self.dead_letters.call.answered() else { return };
        let tried = batch.len();
        let mut results = results.into_iter();
        let (mut done, mut left, mut problem) = (Vec::with_capacity(tried), Vec::new(), None);
        for delivery in batch {
            match results.next().unwrap_or_else(|| Err("no answer".to_owned())) {
                Ok(()) => {
                    let (execution_id, reason) = (delivery.execution_id, delivery.reason());
                    let notice = ConsumerNotice::DeadLettered { execution_id, reason };
                    actions.push(ConsumerAction::Notify(notice));
                    done.push(delivery.tag);
                }
                Err(error) => {
                    problem = Some(error);
                    left.push(delivery);
                }
            }
        }
        self.health.dead_lettered += done.len() as u64;
        match problem {
            Some(problem) => self.are_left(now, tried, left, problem, actions),
            // What was left when failures could not be recorded is still a problem.
            None if self.dead_letters.retry_at.is_some() => {}
            None => self.health.dead_letter_problem = None,
        }
        let Some(channel) = self.connection.live_channel() else { return };
        let acknowledgements = channel.settle(done);
        if !acknowledgements.is_empty() {
            actions.push(ConsumerAction::Acknowledge(acknowledgements));
        }
    }

    /// Puts what could not be dead-lettered behind the rest, to be tried again.
    fn are_left(
        &mut self,
        now: PoolTime,
        tried: usize,
        left: Vec<UnusableDelivery>,
        problem: String,
        actions: &mut Vec<ConsumerAction>,
    ) {
        let notice = ConsumerNotice::CannotDeadLetter { problem: problem.clone(), waiting: left.len() };
        actions.push(ConsumerAction::Notify(notice));
        self.health.dead_letter_problem = Some(problem);
        self.dead_letters.retry_at = Some(now + DEAD_LETTER_PAUSE);
        let together_max = (tried / 2).max(1);
        if let Some(channel) = self.connection.live_channel() {
            channel.unusable.extend(left.into_iter().map(|one| UnusableDelivery { together_max, ..one }));
        }
    }
}

/// How many go at once: as many as each of them may go with.
fn batch_size(unusable: &VecDeque<UnusableDelivery>) -> usize {
    let mut most = DEAD_LETTER_MAX;
    let fits = unusable.iter().enumerate().take_while(|(before, one)| {
        most = most.min(one.together_max);
        *before < most
    });
    fits.count()
}
