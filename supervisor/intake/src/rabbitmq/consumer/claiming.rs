//! From ready deliveries to rows: claimed together when slots are free, left as PENDING rows when none are.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use muster_core::check_invariant;
use muster_core::pool::PoolTime;
use muster_protocol::error_type;
use muster_store::{ExecutionFailure, NewExecution, Submitted};
use uuid::Uuid;

use super::action::{ConsumerAction, ConsumerNotice};
use super::call::PendingCall;
use super::channel::{ConsumerChannel, Consuming, ReadyDelivery};
use super::invariant::ConsumerInvariant;
use super::machine::ConsumerMachine;
use super::prefetch::PREFETCH_MAX;
use crate::ClaimAnswer;

/// At most so many are in one claim.
const CLAIM_MAX: usize = 256;
/// A delivery without a slot for this long becomes a PENDING row.
const HOLD_MAX: Duration = Duration::from_secs(5);
/// The pause after the store did not answer.
const STORE_PAUSE: Duration = Duration::from_millis(500);

/// What the store was asked to write. It is asked one thing at a time.
#[derive(Debug)]
pub(super) enum StoreWrite {
    /// To claim these.
    Claim {
        batch: Vec<ReadyDelivery>,
        /// The deliveries that were open then, if there was a slot for everything that was ready.
        had_slots_for_all: Option<usize>,
    },
    /// To keep these as rows.
    Keep { batch: Vec<ReadyDelivery> },
}

impl StoreWrite {
    pub(super) fn batch(&self) -> &[ReadyDelivery] {
        match self {
            Self::Claim { batch, .. } | Self::Keep { batch } => batch,
        }
    }
}

/// What the answer means for the message.
enum RowAnswer {
    /// A row stands for it.
    Stands,
    /// The execution with this id stands for it, whose idempotency key it has.
    Existing(Uuid),
    /// It cannot be an execution, for this reason.
    Refused(ExecutionFailure),
}

impl ConsumerMachine {
    /// Asks for slots when there is something to do with them: deliveries to claim, or a consumer to open.
    pub(super) fn want_slots(&mut self, now: PoolTime, actions: &mut Vec<ConsumerAction>) {
        if self.slots_wanted_since.is_some() || !self.write.is_idle() || self.store_away_until.is_some() {
            return;
        }
        let Some(channel) = self.connection.open_channel() else { return };
        let most = if !channel.ready.is_empty() {
            CLAIM_MAX
        } else if matches!(channel.consuming, Consuming::Stopped) {
            // More may be ready by the time there are slots; what is not needed goes back then.
            PREFETCH_MAX
        } else {
            return;
        };
        self.slots_wanted_since = Some(now);
        actions.push(ConsumerAction::ReserveSlots { most });
    }

    pub(super) fn abandon_slots(&mut self, actions: &mut Vec<ConsumerAction>) {
        if self.slots_wanted_since.take().is_some() {
            actions.push(ConsumerAction::AbandonSlots);
        }
    }

    /// Slots are there: claims with them, or opens a consumer now that it is known how many there are.
    pub(super) fn slots_reserved(&mut self, slots: usize, actions: &mut Vec<ConsumerAction>) {
        let was_wanted = self.slots_wanted_since.take().is_some();
        let channel = self.connection.open_channel().filter(|_| was_wanted && self.write.is_idle());
        let Some(channel) = channel else {
            return actions.push(ConsumerAction::ReleaseSlots);
        };
        if channel.ready.is_empty() {
            // It only told how many are free. Others may have them while the consumer is opened.
            actions.push(ConsumerAction::ReleaseSlots);
            if matches!(channel.consuming, Consuming::Stopped) {
                let window = channel.prefetch.open(slots);
                channel.consuming = Consuming::Starting;
                actions.push(ConsumerAction::StartConsumer { window });
            }
            return;
        }
        let had_slots_for_all = (slots >= channel.ready.len()).then(|| channel.acks.open());
        let most = slots.min(CLAIM_MAX).min(channel.ready.len());
        let batch: Vec<ReadyDelivery> = channel.ready.drain(..most).collect();
        check_invariant!(
            self.write.is_idle(),
            ConsumerInvariant::OneWrite,
            "a claim begins beside another write"
        );
        actions.push(ConsumerAction::Claim { executions: once_each(&batch) });
        self.write = PendingCall::Waiting(StoreWrite::Claim { batch, had_slots_for_all });
    }

    pub(super) fn claimed(
        &mut self,
        now: PoolTime,
        answers: Result<Vec<ClaimAnswer>, String>,
        actions: &mut Vec<ConsumerAction>,
    ) {
        let unanswered = |error, waiting| ConsumerNotice::CannotClaim { error, waiting };
        let Some((write, answers)) = self.write_answered(now, answers, unanswered, actions) else { return };
        let StoreWrite::Claim { batch, had_slots_for_all } = write else { return };
        self.written(batch, answers, actions);
        let running = |channel: &&mut ConsumerChannel| matches!(channel.consuming, Consuming::Running);
        let Some(channel) = self.connection.open_channel().filter(running) else { return };
        if let Some(open) = had_slots_for_all
            && let Some(window) = channel.prefetch.claimed(open)
        {
            channel.restart_consumer(window, actions);
        }
    }

    /// Leaves deliveries that waited too long as PENDING rows, which anybody can claim.
    pub(super) fn keep_as_rows(&mut self, now: PoolTime, actions: &mut Vec<ConsumerAction>) {
        if !self.write.is_idle() || self.store_away_until.is_some() {
            return;
        }
        let Some(channel) = self.connection.open_channel() else { return };
        let overdue = channel.ready.iter().take_while(|ready| now.since(ready.since) >= HOLD_MAX).count();
        if overdue > 0 {
            let batch: Vec<ReadyDelivery> = channel.ready.drain(..overdue).collect();
            check_invariant!(
                self.write.is_idle(),
                ConsumerInvariant::OneWrite,
                "deliveries are kept as rows beside another write"
            );
            actions.push(ConsumerAction::KeepAsRows { executions: once_each(&batch) });
            self.write = PendingCall::Waiting(StoreWrite::Keep { batch });
        }
    }

    pub(super) fn kept_as_rows(
        &mut self,
        now: PoolTime,
        answers: Result<Vec<Submitted>, String>,
        actions: &mut Vec<ConsumerAction>,
    ) {
        let unanswered = |error, waiting| ConsumerNotice::CannotKeep { error, waiting };
        let Some((write, answers)) = self.write_answered(now, answers, unanswered, actions) else { return };
        let StoreWrite::Keep { batch } = write else { return };
        actions.push(ConsumerAction::Notify(ConsumerNotice::KeptAsRows { count: batch.len() }));
        self.written(batch, answers, actions);
    }

    /// The write that was under way, with what it means for its messages. Where the store did not answer, its deliveries
    /// are back in front, the store is left alone for a moment, and a person is told: there is nothing more to do.
    fn write_answered<A>(
        &mut self,
        now: PoolTime,
        answers: Result<Vec<A>, String>,
        unanswered: fn(String, usize) -> ConsumerNotice,
        actions: &mut Vec<ConsumerAction>,
    ) -> Option<(StoreWrite, impl Iterator<Item = RowAnswer> + use<A>)>
    where
        RowAnswer: From<A>,
    {
        let write = self.write.answered();
        match answers {
            Ok(answers) => Some((write?, answers.into_iter().map(RowAnswer::from))),
            Err(error) => {
                let waiting = self.hold_back(now, write);
                actions.push(ConsumerAction::Notify(unanswered(error, waiting)));
                None
            }
        }
    }

    /// The store did not answer: puts deliveries back in front, and leaves it alone for a moment.
    fn hold_back(&mut self, now: PoolTime, write: Option<StoreWrite>) -> usize {
        self.store_away_until = Some(now + STORE_PAUSE);
        let batch = match write {
            Some(StoreWrite::Claim { batch, .. } | StoreWrite::Keep { batch }) => batch,
            None => return 0,
        };
        let waiting = batch.len();
        if let Some(channel) = self.connection.open_channel() {
            batch.into_iter().rev().for_each(|ready| channel.ready.push_front(ready));
        }
        waiting
    }

    /// Acknowledges what has a row now. What the database refuses goes to the dead letters.
    ///
    /// The same execution twice in a batch is asked for once. The twin of one that was refused is asked for
    /// by itself: it may say something else.
    fn written(
        &mut self,
        batch: Vec<ReadyDelivery>,
        answers: impl Iterator<Item = RowAnswer>,
        actions: &mut Vec<ConsumerAction>,
    ) {
        let Some(channel) = self.connection.live_channel() else { return };
        let ids: Vec<Uuid> = once_each(&batch).iter().map(|execution| execution.id).collect();
        let mut answers: HashMap<Uuid, RowAnswer> = ids.into_iter().zip(answers).collect();
        let (mut done, mut again) = (Vec::with_capacity(batch.len()), Vec::new());
        for ready in batch {
            let id = ready.execution.id;
            match answers.get(&id) {
                Some(RowAnswer::Stands) => done.push(ready.tag),
                Some(RowAnswer::Existing(existing)) => {
                    done.push(ready.tag);
                    if *existing != id && is_sync(&ready.execution) {
                        actions.push(ConsumerAction::ReplyWith { execution_id: id, existing: *existing });
                    }
                }
                Some(RowAnswer::Refused(failure)) => {
                    channel.reject(ready.tag, id, failure.clone(), is_sync(&ready.execution));
                    answers.remove(&id);
                }
                None => again.push(ready),
            }
        }
        again.into_iter().rev().for_each(|ready| channel.ready.push_front(ready));
        self.health.taken += done.len() as u64;
        let acknowledgements = channel.settle(done);
        if !acknowledgements.is_empty() {
            actions.push(ConsumerAction::Acknowledge(acknowledgements));
        }
    }

    /// When something here is due by itself.
    pub(super) fn write_deadline(&self, oldest_ready: Option<PoolTime>) -> Option<PoolTime> {
        match self.store_away_until {
            Some(until) => Some(until),
            None if self.write.is_idle() => oldest_ready.map(|since| since + HOLD_MAX),
            None => None,
        }
    }
}

/// The executions of a batch, each once, in order.
fn once_each(batch: &[ReadyDelivery]) -> Vec<Arc<NewExecution>> {
    let mut seen = HashSet::with_capacity(batch.len());
    let first = batch.iter().filter(|ready| seen.insert(ready.execution.id));
    first.map(|ready| Arc::clone(&ready.execution)).collect()
}

/// Somebody waits for the reply to this request.
fn is_sync(execution: &NewExecution) -> bool {
    execution.read_request().is_ok_and(|request| request.sync)
}

fn not_storable(reason: String) -> ExecutionFailure {
    ExecutionFailure::new(error_type::INVALID_REQUEST, reason)
}

fn limit_reached(limit: &str) -> ExecutionFailure {
    ExecutionFailure::new(error_type::LIMIT_REACHED, format!("limit {limit:?} is full"))
}

fn key_reused(id: Uuid) -> ExecutionFailure {
    let message = format!(
        "its idempotency_key belongs to execution {id}, which has another workflow or other parameters: give another key"
    );
    ExecutionFailure::new(error_type::IDEMPOTENCY_KEY_REUSED, message)
}

impl From<ClaimAnswer> for RowAnswer {
    fn from(answer: ClaimAnswer) -> Self {
        match answer {
            ClaimAnswer::Taken | ClaimAnswer::Elsewhere(_) => Self::Stands,
            ClaimAnswer::Existing(id) => Self::Existing(id),
            ClaimAnswer::KeyReused(id) => Self::Refused(key_reused(id)),
            ClaimAnswer::Refused(reason) => Self::Refused(not_storable(reason)),
        }
    }
}

impl From<Submitted> for RowAnswer {
    fn from(answer: Submitted) -> Self {
        match answer {
            Submitted::Inserted | Submitted::Exists(_) => Self::Stands,
            Submitted::Existing { id, .. } => Self::Existing(id),
            Submitted::KeyReused { id } => Self::Refused(key_reused(id)),
            Submitted::LimitReached { limit, .. } => Self::Refused(limit_reached(&limit)),
            Submitted::Refused(reason) => Self::Refused(not_storable(reason)),
        }
    }
}
