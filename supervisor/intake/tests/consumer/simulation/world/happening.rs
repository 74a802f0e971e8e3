//! What will happen in a world, and the connection as the consumer's shell has it.

use std::collections::BTreeMap;
use std::sync::Arc;

use muster_core::pool::PoolTime;
use muster_intake::rabbitmq::consumer::{Acknowledgement, ChannelNumber, ConsumerEvent, UnrecordedFailure};
use muster_store::NewExecution;
use uuid::Uuid;

use super::troubles::Trouble;

/// Something that will happen.
#[derive(Debug)]
pub(super) enum Happening {
    Command,
    Fixed(Trouble),
    /// It reaches the broker, on this channel.
    AtBroker(ChannelNumber, Request),
    /// It reaches the consumer, from this channel.
    FromBroker(ChannelNumber, ConsumerEvent),
    /// Messages reach the consumer: their tags and numbers.
    Delivery(ChannelNumber, Vec<(u64, usize)>),
    SlotsMayBeFree,
    RunEnds,
    Answer(Call),
}

/// What the consumer asks of the broker.
#[derive(Debug)]
pub(super) enum Request {
    Open,
    Consume { window: u16 },
    Cancel,
    Acknowledge(Acknowledgement),
    Close,
}

/// What the consumer asks of others.
#[derive(Debug)]
pub(super) enum Call {
    Claim(Vec<Arc<NewExecution>>),
    Keep(Vec<Arc<NewExecution>>),
    Records(Vec<Uuid>),
    Rows(Vec<Uuid>),
    Failures(Vec<UnrecordedFailure>),
    /// The letters by the numbers of their messages.
    Letters(Vec<usize>),
}

/// The connection as the consumer's shell has it.
#[derive(Debug)]
pub(super) struct Shell {
    pub(super) number: ChannelNumber,
    pub(super) is_open: bool,
    pub(super) consumer: ShellConsumer,
    /// What was delivered and is not acknowledged: by tag, the message and since when.
    pub(super) open: BTreeMap<u64, (usize, PoolTime)>,
    /// The consumer was told that it is lost, or refused.
    pub(super) may_be_dropped: bool,
    pub(super) is_closing: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ShellConsumer {
    None,
    Starting,
    Running,
    Stopping,
}
