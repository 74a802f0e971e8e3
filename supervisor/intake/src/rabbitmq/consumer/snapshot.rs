//! How the consumer stands, in plain numbers: for tests and for people.

use super::channel::Consuming;
use super::connection::{BrokerConnection, ChannelNumber};
use super::machine::ConsumerMachine;

/// The consumer at one moment. Each open delivery is counted at exactly one station.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ConsumerSnapshot {
    /// The channel that is open; `None` while there is none.
    pub channel: Option<ChannelNumber>,
    /// Whether new things may be begun on it.
    pub is_leaving: bool,
    /// Whether the broker was asked for messages and not yet for no more.
    pub is_consuming: bool,
    /// How many messages may be on their way at once.
    pub window: u16,
    /// The number of deliveries that are not acknowledged.
    pub open: usize,
    /// The number of deliveries that are being looked up.
    pub awaiting: usize,
    /// Deliveries that wait for a slot.
    pub ready: usize,
    /// Deliveries the store is asked about.
    pub writing: usize,
    /// Deliveries that wait for the dead letters, or are on their way there.
    pub unusable: usize,
}

impl ConsumerMachine {
    /// Describes the machine as it is.
    pub fn snapshot(&self) -> ConsumerSnapshot {
        let (channel, is_leaving) = match &self.connection {
            BrokerConnection::Open(channel) => (channel, false),
            BrokerConnection::Leaving { channel, .. } => (channel, true),
            BrokerConnection::Waiting { .. }
            | BrokerConnection::Opening(_)
            | BrokerConnection::Closing(_)
            | BrokerConnection::Left => return ConsumerSnapshot::default(),
        };
        let looked_up = [self.records.waiting(), self.rows.waiting()];
        ConsumerSnapshot {
            channel: Some(channel.number),
            is_leaving,
            is_consuming: matches!(channel.consuming, Consuming::Starting | Consuming::Running),
            window: channel.prefetch.current(),
            open: channel.acks.open(),
            awaiting: channel.awaiting.len() + looked_up.into_iter().flatten().map(Vec::len).sum::<usize>(),
            ready: channel.ready.len(),
            writing: self.write.waiting().map_or(0, |write| write.batch().len()),
            unusable: channel.unusable.len() + self.dead_letters.in_call(),
        }
    }
}
