//! The connection to the broker: none, being made, or open with a channel.

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;

use super::channel::OpenChannel;
use super::requests::ChannelRequest;
use crate::rabbitmq::AmqpError;
use crate::rabbitmq::broker::connect::{BrokerAddress, QueueNames, answered, connect};
use crate::rabbitmq::broker::dead_letter_publisher::DeadLetterDraft;
use crate::rabbitmq::broker::topology;
use crate::rabbitmq::consumer::{Acknowledgement, ChannelNumber, ConsumerEvent, LetterReason};

/// See the module.
pub(super) enum BrokerLink {
    None,
    Opening { number: ChannelNumber, opening: BoxFuture<'static, Result<OpenedLink, AmqpError>> },
    Open(Box<OpenChannel>),
}

/// A channel, and what is not as we would have made it.
pub(super) struct OpenedLink {
    channel: Box<OpenChannel>,
    differences: Vec<String>,
}

impl BrokerLink {
    /// Connects, declares the queues and opens a channel.
    pub(super) fn open(number: ChannelNumber, address: BrokerAddress, names: QueueNames) -> Self {
        let opening = async move {
            let connection = connect(&address, "intake").await?;
            let differences = topology::declare(&connection, &names).await?;
            let channel = answered(connection.create_channel()).await?;
            let channel = Box::new(OpenChannel::new(number, names.queue, connection, channel));
            Ok(OpenedLink { channel, differences })
        };
        Self::Opening { number, opening: opening.boxed() }
    }

    /// What happens next here. Safe to cancel.
    pub(super) async fn next_event(&mut self) -> ConsumerEvent {
        let (number, opened) = match self {
            Self::None => return std::future::pending().await,
            Self::Open(channel) => return channel.next_event().await,
            Self::Opening { number, opening } => (*number, opening.await),
        };
        match opened {
            Ok(OpenedLink { channel, differences }) => {
                *self = Self::Open(channel);
                ConsumerEvent::ChannelOpened { channel: number, differences }
            }
            Err(error) => {
                *self = Self::None;
                ConsumerEvent::ChannelLost { channel: number, reason: error.to_string() }
            }
        }
    }

    /// Asks something of the channel, after what it was asked before.
    pub(super) fn request(&mut self, request: ChannelRequest) {
        if let Some(channel) = self.channel() {
            channel.request(request);
        }
    }

    pub(super) fn acknowledge(&mut self, acknowledgements: Vec<Acknowledgement>) {
        if let Some(channel) = self.channel() {
            channel.acknowledge(acknowledgements);
        }
    }

    /// The messages that go to the dead letters, each with its reason, in order.
    pub(super) fn letters(&mut self, reasons: Vec<LetterReason>) -> Vec<DeadLetterDraft> {
        let Some(channel) = self.channel() else { return Vec::new() };
        let letter = |LetterReason { tag, reason }| {
            channel.message(tag).map(|message| DeadLetterDraft { message, reason })
        };
        reasons.into_iter().map_while(letter).collect()
    }

    fn channel(&mut self) -> Option<&mut OpenChannel> {
        match self {
            Self::Open(channel) => Some(channel),
            Self::None | Self::Opening { .. } => None,
        }
    }
}
