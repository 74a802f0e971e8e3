//! What the consumer is told.

use bytes::Bytes;
use jiff::Timestamp;
use muster_store::{NewExecution, Submitted};

use super::connection::ChannelNumber;
use super::content::MessageContent;
use crate::ClaimAnswer;

/// Something happened. What concerns a channel that is gone changes nothing.
#[derive(Debug)]
pub enum ConsumerEvent {
    /// Time has passed: see [`super::ConsumerMachine::next_deadline`].
    Tick,
    /// A connection stands, the queues are declared and a channel is open.
    ChannelOpened {
        /// The number it was asked for with.
        channel: ChannelNumber,
        /// Queues and exchanges that are not as we would have made them.
        differences: Vec<String>,
    },
    /// The connection or the channel is gone, was never made, or the broker has cancelled the consumer.
    ChannelLost {
        /// The channel that is lost.
        channel: ChannelNumber,
        /// What happened, for a person.
        reason: String,
    },
    /// The broker has confirmed the consumer.
    ConsumerStarted {
        /// The channel on which messages are delivered now.
        channel: ChannelNumber,
    },
    /// The broker would not have a consumer, or did not answer.
    ConsumerRefused {
        /// The channel it was asked for on.
        channel: ChannelNumber,
        /// What readiness says about it.
        problem: String,
        /// Why there is no connection from now on.
        reason: String,
    },
    /// The consumer has ended as it was asked to, and what was on its way has been delivered.
    ConsumerStopped {
        /// The channel on which nothing is delivered any more.
        channel: ChannelNumber,
    },
    /// Messages came in this order.
    Delivered {
        /// The channel they came on.
        channel: ChannelNumber,
        /// The messages, at least one.
        messages: Vec<IncomingMessage>,
    },
    /// Slots are ours: they are used or given back in this step.
    SlotsReserved {
        /// The number of slots that are reserved for us.
        slots: usize,
    },
    /// The claim ended. The answers are in the order of the executions.
    Claimed(Result<Vec<ClaimAnswer>, String>),
    /// Leaving messages as rows ended. The answers are in the order of the executions.
    KeptAsRows(Result<Vec<Submitted>, String>),
    /// The cache has answered, in the order of the ids; `None` when it is out of reach.
    RecordsRead(Option<Vec<Option<Bytes>>>),
    /// The store has answered, in the order of the ids: what a claim of an existing row may be asked with.
    RowsRead(Vec<Result<Option<NewExecution>, String>>),
    /// The failures of unusable messages were recorded or not, in the order they were given.
    FailuresRecorded(Vec<Result<(), String>>),
    /// The broker keeps the dead letters or not, in the order they were given. After an error it is unknown.
    DeadLettersPublished(Vec<Result<(), String>>),
    /// Finish what is under way and give back the rest.
    Leave,
    /// The channel and its connection are closed, as they were asked to.
    ChannelClosed {
        /// The channel that is closed.
        channel: ChannelNumber,
    },
}

/// One message that the broker delivered.
#[derive(Debug)]
pub struct IncomingMessage {
    /// What acknowledges it on its channel.
    pub tag: u64,
    /// What the body says.
    pub content: MessageContent,
    /// When it was published, as far as it says so.
    pub published_at: Option<Timestamp>,
}
