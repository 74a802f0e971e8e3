//! The consumer itself: its parts and its entrance.

use std::sync::Arc;
use std::time::Duration;

use muster_core::pool::PoolTime;

use super::action::ConsumerAction;
use super::call::PendingCall;
use super::channel::ConsumerChannel;
use super::claiming::StoreWrite;
use super::connection::{BrokerConnection, ChannelNumber, Reconnects};
use super::dead_letters::DeadLetterQueue;
use super::event::ConsumerEvent;
use super::health::BrokerHealth;
use super::lookup::AwaitingRecord;

/// The numbers the consumer works with.
#[derive(Clone, Debug)]
pub struct ConsumerConfig {
    /// The queue it consumes: what its messages make rows of waits there, unless a message names another.
    pub queue: Arc<str>,
    /// How many attempts a request may have that does not say.
    pub default_max_attempts: u32,
    /// How long the idempotency key of a request is remembered that does not say.
    pub idempotency: Duration,
    /// Where the jitter of reconnecting comes from: the machine draws no randomness of its own.
    pub jitter_seed: u64,
}

/// The consumer: when to connect, consume, claim, dead-letter, acknowledge and leave.
///
/// Feed it what happens with [`ConsumerMachine::step`] and do what it says, in order; call it again no later than at
/// [`ConsumerMachine::next_deadline`] with [`ConsumerEvent::Tick`]. It begins with the first step. It never blocks,
/// never panics, and ignores what concerns channels that are gone.
#[derive(Debug)]
pub struct ConsumerMachine {
    pub(super) config: ConsumerConfig,
    pub(super) connection: BrokerConnection,
    pub(super) last_channel: ChannelNumber,
    pub(super) reconnects: Reconnects,
    pub(super) health: BrokerHealth,
    /// Since when slots are waited for.
    pub(super) slots_wanted_since: Option<PoolTime>,
    pub(super) write: PendingCall<StoreWrite>,
    pub(super) records: PendingCall<Vec<AwaitingRecord>>,
    pub(super) rows: PendingCall<Vec<AwaitingRecord>>,
    pub(super) dead_letters: DeadLetterQueue,
    /// The store did not answer: nothing is claimed or kept before this.
    pub(super) store_away_until: Option<PoolTime>,
    /// The cache did not answer when it was last asked.
    pub(super) cache_is_away: bool,
    latest: PoolTime,
}

impl ConsumerMachine {
    /// A consumer that is not connected yet.
    pub fn new(config: ConsumerConfig, now: PoolTime) -> Self {
        Self {
            connection: BrokerConnection::Waiting { until: now },
            last_channel: ChannelNumber::default(),
            reconnects: Reconnects::new(config.jitter_seed),
            config,
            health: BrokerHealth::connecting(),
            slots_wanted_since: None,
            write: PendingCall::Idle,
            records: PendingCall::Idle,
            rows: PendingCall::Idle,
            dead_letters: DeadLetterQueue::default(),
            store_away_until: None,
            cache_is_away: false,
            latest: now,
        }
    }

    /// Something happened; what is to be done about it is appended to `actions`, in order.
    pub fn step(&mut self, now: PoolTime, event: ConsumerEvent, actions: &mut Vec<ConsumerAction>) {
        let now = now.max(self.latest);
        self.latest = now;
        match event {
            ConsumerEvent::Tick => {}
            ConsumerEvent::ChannelOpened { channel, differences } => {
                self.channel_opened(channel, differences, actions);
            }
            ConsumerEvent::ChannelLost { channel, reason } => {
                self.channel_lost(now, channel, reason, actions);
            }
            ConsumerEvent::ConsumerStarted { channel } => self.consumer_started(channel, actions),
            ConsumerEvent::ConsumerRefused { channel, problem, reason } => {
                self.consumer_refused(channel, problem);
                self.channel_lost(now, channel, reason, actions);
            }
            ConsumerEvent::ConsumerStopped { channel } => self.consumer_stopped(channel, actions),
            ConsumerEvent::Delivered { channel, messages } => self.delivered(now, channel, messages),
            ConsumerEvent::SlotsReserved { slots } => self.slots_reserved(slots, actions),
            ConsumerEvent::Claimed(answers) => self.claimed(now, answers, actions),
            ConsumerEvent::KeptAsRows(answers) => self.kept_as_rows(now, answers, actions),
            ConsumerEvent::RecordsRead(records) => self.records_read(now, records),
            ConsumerEvent::RowsRead(rows) => self.rows_read(now, rows, actions),
            ConsumerEvent::FailuresRecorded(results) => self.failures_recorded(now, results, actions),
            ConsumerEvent::DeadLettersPublished(results) => {
                self.dead_letters_published(now, results, actions);
            }
            ConsumerEvent::Leave => self.leave(now, actions),
            ConsumerEvent::ChannelClosed { channel } => self.channel_closed(channel),
        }
        self.finish_step(now, actions);
    }

    /// Begins what can be begun now, and what is due.
    fn finish_step(&mut self, now: PoolTime, actions: &mut Vec<ConsumerAction>) {
        if self.store_away_until.is_some_and(|until| until <= now) {
            self.store_away_until = None;
        }
        self.connect(now, actions);
        self.look_up(now, actions);
        self.tell_waiting(actions);
        self.dead_letter(now, actions);
        self.keep_as_rows(now, actions);
        self.want_slots(now, actions);
        self.look_after_consumer(now, actions);
        self.close_when_done(now, actions);
    }

    /// How the consumer is: for readiness.
    pub fn health(&self) -> &BrokerHealth {
        &self.health
    }

    /// When to call [`ConsumerMachine::step`] with [`ConsumerEvent::Tick`] at the latest.
    pub fn next_deadline(&self) -> Option<PoolTime> {
        match &self.connection {
            BrokerConnection::Waiting { until } => Some(*until),
            BrokerConnection::Open(channel) => self.channel_deadline(channel),
            BrokerConnection::Leaving { until, .. } => {
                self.dead_letters.call.waiting().map(|_| *until).filter(|until| *until > self.latest)
            }
            BrokerConnection::Opening(_) | BrokerConnection::Closing(_) | BrokerConnection::Left => None,
        }
    }

    fn channel_deadline(&self, channel: &ConsumerChannel) -> Option<PoolTime> {
        let lookups = channel.awaiting.iter().map(|awaiting| awaiting.due).filter(|due| *due > self.latest);
        let dead_letters = self.dead_letters.deadline().filter(|_| !channel.unusable.is_empty());
        let write = self.write_deadline(channel.ready.front().map(|ready| ready.since));
        let others = [dead_letters, write, self.consumer_deadline(channel)];
        lookups.chain(others.into_iter().flatten()).min()
    }
}
