//! One channel, and where each delivery that is open on it stands.
//!
//! A delivery passes these stations: it is looked up; it is *ready* and waits for a slot; it is claimed together with
//! others; it is acknowledged. One that is ready for too long is left as a PENDING row instead, for whoever has a slot
//! first. One that can never be used goes to the dead letters. It is moved from station to station, so it is in one of
//! them at a time; while somebody is asked about it, it is in that [call](super::call).

use std::collections::VecDeque;
use std::sync::Arc;

use muster_core::pool::PoolTime;
use muster_store::{ExecutionFailure, NewExecution};
use uuid::Uuid;

use super::acks::{Acknowledgement, Acks};
use super::connection::ChannelNumber;
use super::dead_letters::DEAD_LETTER_MAX;
use super::lookup::AwaitingRecord;
use super::prefetch::Prefetch;

/// See the module.
#[derive(Debug)]
pub(super) struct ConsumerChannel {
    pub(super) number: ChannelNumber,
    pub(super) acks: Acks,
    pub(super) consuming: Consuming,
    pub(super) prefetch: Prefetch,
    /// Deliveries that are looked up.
    pub(super) awaiting: Vec<AwaitingRecord>,
    /// Deliveries that wait for a slot, the longest wait first.
    pub(super) ready: VecDeque<ReadyDelivery>,
    /// Deliveries that wait for the dead letters.
    pub(super) unusable: VecDeque<UnusableDelivery>,
    /// Since when deliveries that no slot helps fill the window.
    pub(super) blocked_since: Option<PoolTime>,
}

/// Whether messages come.
#[derive(Debug)]
pub(super) enum Consuming {
    /// None come.
    Stopped,
    /// The broker was asked for them.
    Starting,
    /// They come.
    Running,
    /// The broker was asked for no more. Then a consumer with this window is started.
    Stopping { then: Option<u16> },
}

/// A delivery that can be claimed.
#[derive(Debug)]
pub(super) struct ReadyDelivery {
    pub(super) tag: u64,
    pub(super) execution: Arc<NewExecution>,
    pub(super) since: PoolTime,
}

/// A delivery that can never be used.
#[derive(Debug)]
pub(super) struct UnusableDelivery {
    pub(super) tag: u64,
    /// The execution it was meant for, if it names one.
    pub(super) execution_id: Option<Uuid>,
    pub(super) failure: ExecutionFailure,
    /// Whether somebody waits for the reply.
    pub(super) sync: bool,
    /// Whether the failure is in the execution's row.
    pub(super) recorded: bool,
    /// How many may go to the dead letters together with it: halved by each failure, so that one that can never go
    /// does not hold up the others.
    pub(super) together_max: usize,
}

impl UnusableDelivery {
    pub(super) fn new(tag: u64, execution_id: Option<Uuid>, failure: ExecutionFailure, sync: bool) -> Self {
        Self { tag, execution_id, failure, sync, recorded: false, together_max: DEAD_LETTER_MAX }
    }

    /// The text of the header that says why.
    pub(super) fn reason(&self) -> String {
        format!("{}: {}", self.failure.error_type, self.failure.message)
    }
}

impl ConsumerChannel {
    pub(super) fn new(number: ChannelNumber) -> Self {
        Self {
            number,
            acks: Acks::default(),
            consuming: Consuming::Stopped,
            prefetch: Prefetch::default(),
            awaiting: Vec::new(),
            ready: VecDeque::new(),
            unusable: VecDeque::new(),
            blocked_since: None,
        }
    }

    /// The acknowledgements that close these deliveries and no other.
    pub(super) fn settle(&mut self, tags: impl IntoIterator<Item = u64>) -> Vec<Acknowledgement> {
        self.acks.settle(tags)
    }
}
