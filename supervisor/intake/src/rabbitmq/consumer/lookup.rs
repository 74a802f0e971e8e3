//! From a delivery to something that can be claimed: what a message leaves out is in its row or its pending
//! record.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use jiff::Timestamp;
use muster_core::execution::RequestDraft;
use muster_core::pool::PoolTime;
use muster_protocol::error_type;
use muster_store::{ExecutionFailure, NewExecution};
use uuid::Uuid;

use super::action::{ConsumerAction, ConsumerNotice};
use super::channel::{ConsumerChannel, ReadyDelivery, UnusableDelivery};
use super::connection::{BrokerConnection, ChannelNumber};
use super::content::MessageContent;
use super::event::IncomingMessage;
use super::machine::{ConsumerConfig, ConsumerMachine};

/// A pending record may come this much later than its message.
const RECORD_PATIENCE: Duration = Duration::from_secs(5);
/// How often a record or a row that was not found is asked for again.
const ASK_EVERY: Duration = Duration::from_millis(200);

/// A delivery that is looked up.
#[derive(Debug)]
pub(super) struct AwaitingRecord {
    pub(super) tag: u64,
    pub(super) id: Uuid,
    pub(super) draft: Box<RequestDraft>,
    pub(super) published_at: Option<Timestamp>,
    pub(super) lookup: Lookup,
    /// When somebody is asked next.
    pub(super) due: PoolTime,
}

/// What is asked for next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lookup {
    /// The pending record, for the first time.
    First,
    /// The row. Whoever submits writes it before the message, so one answer is enough.
    Row,
    /// The pending record again, since there is no row.
    Record {
        /// How long the cache has answered, and held no record.
        missed: Duration,
        /// When it last answered so; `None` if it could not be asked since.
        missed_at: Option<PoolTime>,
    },
}

impl Lookup {
    /// Asked of the cache, not of the store.
    fn is_for_record(self) -> bool {
        match self {
            Self::First | Self::Record { .. } => true,
            Self::Row => false,
        }
    }

    /// It has been asked for in vain.
    pub(super) fn is_waiting(self) -> bool {
        match self {
            Self::Row | Self::Record { .. } => true,
            Self::First => false,
        }
    }
}

/// What the cache says about one record.
#[derive(Clone, Copy, Debug)]
enum RecordAnswer<'a> {
    Found(&'a Bytes),
    Missing,
    OutOfReach,
}

impl ConsumerMachine {
    pub(super) fn delivered(&mut self, now: PoolTime, number: ChannelNumber, messages: Vec<IncomingMessage>) {
        match &mut self.connection {
            BrokerConnection::Open(channel) if channel.number == number => {
                messages.into_iter().for_each(|message| channel.take_in(now, message));
            }
            // It only counts as open: leaving gives it back.
            BrokerConnection::Leaving { channel, .. } if channel.number == number => {
                messages.iter().for_each(|message| channel.acks.delivered(message.tag));
            }
            BrokerConnection::Open(_)
            | BrokerConnection::Leaving { .. }
            | BrokerConnection::Waiting { .. }
            | BrokerConnection::Opening(_)
            | BrokerConnection::Closing(_)
            | BrokerConnection::Left => {}
        }
    }

    /// Asks for the records and rows that are due.
    pub(super) fn look_up(&mut self, now: PoolTime, actions: &mut Vec<ConsumerAction>) {
        let Some(channel) = self.connection.open_channel() else { return };
        if self.records.is_idle() {
            let due = channel.take_due(now, Lookup::is_for_record);
            if !due.is_empty() {
                actions.push(ConsumerAction::ReadRecords { ids: due.iter().map(|one| one.id).collect() });
                self.records = super::call::PendingCall::Waiting(due);
            }
        }
        if self.rows.is_idle() {
            let due = channel.take_due(now, |lookup| !lookup.is_for_record());
            if !due.is_empty() {
                actions.push(ConsumerAction::ReadRows { ids: due.iter().map(|one| one.id).collect() });
                self.rows = super::call::PendingCall::Waiting(due);
            }
        }
    }

    pub(super) fn records_read(&mut self, now: PoolTime, records: Option<Vec<Option<Bytes>>>) {
        self.cache_is_away = records.is_none();
        let (Some(asked), Some(channel)) = (self.records.answered(), self.connection.open_channel()) else {
            return;
        };
        for (index, awaiting) in asked.into_iter().enumerate() {
            let answer = match &records {
                None => RecordAnswer::OutOfReach,
                Some(records) => match records.get(index).and_then(Option::as_ref) {
                    Some(record) => RecordAnswer::Found(record),
                    None => RecordAnswer::Missing,
                },
            };
            channel.record_read(now, awaiting, answer, &self.config);
        }
    }

    pub(super) fn rows_read(
        &mut self,
        now: PoolTime,
        rows: Vec<Result<Option<NewExecution>, String>>,
        actions: &mut Vec<ConsumerAction>,
    ) {
        let (Some(asked), Some(channel)) = (self.rows.answered(), self.connection.open_channel()) else {
            return;
        };
        let mut rows = rows.into_iter();
        for awaiting in asked {
            let row = rows.next().unwrap_or_else(|| Err("no answer".to_owned()));
            let (lookup, due) = match row {
                Ok(Some(row)) => {
                    channel.becomes_ready(now, awaiting.tag, row);
                    continue;
                }
                Ok(None) => (Lookup::Record { missed: Duration::ZERO, missed_at: None }, now + ASK_EVERY),
                Err(error) => {
                    actions.push(ConsumerAction::Notify(ConsumerNotice::WaitsForStore { error }));
                    (Lookup::Row, now + ASK_EVERY)
                }
            };
            channel.awaiting.push(AwaitingRecord { lookup, due, ..awaiting });
        }
    }

    /// How many deliveries have been looked up in vain so far.
    pub(super) fn awaiting_count(&self) -> usize {
        let BrokerConnection::Open(channel) = &self.connection else { return 0 };
        let calls = self.records.waiting().into_iter().chain(self.rows.waiting());
        let all = calls.flatten().chain(&channel.awaiting);
        all.filter(|awaiting| awaiting.lookup.is_waiting()).count()
    }

    /// Readiness and the log say how many messages can run only when the cache is back.
    pub(super) fn tell_waiting(&mut self, actions: &mut Vec<ConsumerAction>) {
        let count = if self.cache_is_away { self.awaiting_count() } else { 0 };
        let before = std::mem::replace(&mut self.health.waiting_for_records, count);
        let notice = match (before, count) {
            (0, 1..) => ConsumerNotice::WaitsForRecords { count },
            (1.., 0) => ConsumerNotice::RecordsAreBack,
            (0, 0) | (1.., 1..) => return,
        };
        actions.push(ConsumerAction::Notify(notice));
    }
}

impl ConsumerChannel {
    fn take_in(&mut self, now: PoolTime, message: IncomingMessage) {
        let IncomingMessage { tag, content, published_at } = message;
        self.acks.delivered(tag);
        match content {
            MessageContent::Named { execution_id: id, draft } => {
                self.awaiting.push(AwaitingRecord {
                    tag,
                    id,
                    draft,
                    published_at,
                    lookup: Lookup::First,
                    due: now,
                });
            }
            MessageContent::Unusable { execution_id, failure } => {
                self.unusable.push_back(UnusableDelivery::new(tag, execution_id, failure, false));
            }
        }
    }

    fn take_due(&mut self, now: PoolTime, is_wanted: impl Fn(Lookup) -> bool) -> Vec<AwaitingRecord> {
        self.awaiting.extract_if(.., |one| one.due <= now && is_wanted(one.lookup)).collect()
    }

    fn record_read(
        &mut self,
        now: PoolTime,
        one: AwaitingRecord,
        answer: RecordAnswer<'_>,
        config: &ConsumerConfig,
    ) {
        let (is_minimal, has_parameters) = (one.draft.is_minimal(), one.draft.has_parameters());
        let lookup = match (answer, one.lookup) {
            (RecordAnswer::Found(record), _) => return self.complete(now, one, Some(record), config),
            (RecordAnswer::Missing, _) if !is_minimal => return self.complete(now, one, None, config),
            // With the cache out of reach nobody knows what the record would have added.
            (RecordAnswer::OutOfReach, _) if !is_minimal && has_parameters => {
                return self.complete(now, one, None, config);
            }
            (RecordAnswer::Missing | RecordAnswer::OutOfReach, Lookup::First | Lookup::Row) => {
                return self.awaiting.push(AwaitingRecord { lookup: Lookup::Row, due: now, ..one });
            }
            (RecordAnswer::Missing, Lookup::Record { missed, missed_at }) => {
                let missed = missed + missed_at.map_or(Duration::ZERO, |at| now.since(at));
                if missed > RECORD_PATIENCE {
                    return self.record_never_came(one);
                }
                Lookup::Record { missed, missed_at: Some(now) }
            }
            // Out of reach: that is no evidence that there is none.
            (RecordAnswer::OutOfReach, Lookup::Record { missed, .. }) => {
                Lookup::Record { missed, missed_at: None }
            }
        };
        self.awaiting.push(AwaitingRecord { lookup, due: now + ASK_EVERY, ..one });
    }

    fn record_never_came(&mut self, one: AwaitingRecord) {
        let AwaitingRecord { tag, id, draft, .. } = one;
        let reason = format!("the message says nothing but its id, and there is no pending record for {id}");
        let failure = ExecutionFailure::new(error_type::PENDING_NOT_FOUND, reason);
        self.reject(tag, id, failure, draft.is_sync());
    }

    fn complete(
        &mut self,
        now: PoolTime,
        one: AwaitingRecord,
        record: Option<&Bytes>,
        config: &ConsumerConfig,
    ) {
        let AwaitingRecord { tag, id, draft, published_at, .. } = one;
        let sync = draft.is_sync();
        let draft = match record.map(|record| RequestDraft::parse(record)) {
            None => *draft,
            Some(Ok(record)) => draft.or(record),
            Some(Err(error)) => {
                return self.reject_invalid(tag, id, format!("pending record: {error}"), sync);
            }
        };
        let sync = sync || draft.is_sync();
        match draft.into_request() {
            Ok(request) => {
                let execution = NewExecution::of(&request, config.default_max_attempts);
                let execution = execution.remembered_for(config.idempotency).published_at(published_at);
                self.becomes_ready(now, tag, execution.in_queue(&config.queue));
            }
            Err(error) => self.reject_invalid(tag, id, error.problems.join("; "), sync),
        }
    }

    fn becomes_ready(&mut self, now: PoolTime, tag: u64, execution: NewExecution) {
        self.ready.push_back(ReadyDelivery { tag, execution: Arc::new(execution), since: now });
    }

    fn reject_invalid(&mut self, tag: u64, id: Uuid, reason: String, sync: bool) {
        self.reject(tag, id, ExecutionFailure::new(error_type::INVALID_REQUEST, reason), sync);
    }

    pub(super) fn reject(&mut self, tag: u64, id: Uuid, failure: ExecutionFailure, sync: bool) {
        self.unusable.push_back(UnusableDelivery::new(tag, Some(id), failure, sync));
    }
}
