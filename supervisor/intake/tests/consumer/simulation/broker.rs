//! A broker with one queue and at most one channel on it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use muster_intake::rabbitmq::consumer::{Acknowledgement, ChannelNumber, ConsumerInvariant};

use crate::simulator::require;

/// Messages go by their number, in the order they were published.
#[derive(Debug, Default)]
pub(crate) struct Broker {
    pub(crate) queue: VecDeque<usize>,
    pub(crate) channel: Option<BrokerChannel>,
    /// Nobody gets a connection.
    pub(crate) is_away: bool,
    /// Nobody gets a consumer.
    pub(crate) refuses_consumers: bool,
    /// It reads nothing from connections that publish.
    pub(crate) is_blocked: bool,
}

/// A channel as the broker sees it.
#[derive(Debug)]
pub(crate) struct BrokerChannel {
    pub(crate) number: ChannelNumber,
    last_tag: u64,
    pub(crate) unacknowledged: BTreeMap<u64, usize>,
    pub(crate) consumer: Option<BrokerConsumer>,
}

/// A consumer as the broker sees it. The window counts what was delivered to this one.
#[derive(Debug)]
pub(crate) struct BrokerConsumer {
    window: usize,
    tags: BTreeSet<u64>,
}

impl Broker {
    pub(crate) fn open(&mut self, number: ChannelNumber) {
        let channel = BrokerChannel { number, last_tag: 0, unacknowledged: BTreeMap::new(), consumer: None };
        assert!(self.channel.replace(channel).is_none(), "a second channel beside one that lives");
    }

    pub(crate) fn channel(&mut self, number: ChannelNumber) -> Option<&mut BrokerChannel> {
        self.channel.as_mut().filter(|channel| channel.number == number)
    }

    pub(crate) fn consume(&mut self, number: ChannelNumber, window: u16) {
        if let Some(channel) = self.channel(number) {
            channel.consumer = Some(BrokerConsumer { window: usize::from(window), tags: BTreeSet::new() });
        }
    }

    /// Sends what the window allows.
    pub(crate) fn deliver(&mut self) -> Vec<(u64, usize)> {
        let Some(channel) = &mut self.channel else { return Vec::new() };
        let Some(consumer) = &mut channel.consumer else { return Vec::new() };
        let mut sent = Vec::new();
        while consumer.tags.len() < consumer.window
            && let Some(message) = self.queue.pop_front()
        {
            channel.last_tag += 1;
            consumer.tags.insert(channel.last_tag);
            channel.unacknowledged.insert(channel.last_tag, message);
            sent.push((channel.last_tag, message));
        }
        sent
    }

    /// Forgets what is acknowledged, and says what that was. On a channel that is gone nothing is.
    pub(crate) fn acknowledge(&mut self, number: ChannelNumber, ack: Acknowledgement) -> Vec<usize> {
        let Some(channel) = self.channel(number) else { return Vec::new() };
        let is_known = channel.unacknowledged.contains_key(&ack.tag);
        require(is_known, ConsumerInvariant::AckOnce, || format!("the broker does not know tag {}", ack.tag));
        let from = if ack.multiple { 0 } else { ack.tag };
        let tags: Vec<u64> = channel.unacknowledged.range(from..=ack.tag).map(|(tag, _)| *tag).collect();
        if let Some(consumer) = &mut channel.consumer {
            consumer.tags.retain(|tag| !tags.contains(tag));
        }
        tags.iter().filter_map(|tag| channel.unacknowledged.remove(tag)).collect()
    }

    /// The channel ends: what was not acknowledged goes back to the front, in its order.
    pub(crate) fn end(&mut self, number: ChannelNumber) {
        if let Some(channel) = self.channel.take_if(|channel| channel.number == number) {
            channel.unacknowledged.into_values().rev().for_each(|message| self.queue.push_front(message));
        }
    }
}
