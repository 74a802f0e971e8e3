//! Leaving: what is under way is finished, and the rest goes back to its place in the queue.
//!
//! It goes back by closing the channel. A nack would put it at the end of a quorum queue that has no delivery limit.

use std::time::Duration;

use muster_core::pool::PoolTime;

use super::action::ConsumerAction;
use super::connection::{BrokerConnection, ChannelNumber};
use super::machine::ConsumerMachine;

/// How long leaving waits for dead letters that are on their way: half-done ones would come again, and go there twice.
const LEAVE_PATIENCE: Duration = Duration::from_secs(3);

impl ConsumerMachine {
    pub(super) fn leave(&mut self, now: PoolTime, actions: &mut Vec<ConsumerAction>) {
        self.connection = match std::mem::replace(&mut self.connection, BrokerConnection::Left) {
            BrokerConnection::Waiting { .. } | BrokerConnection::Left => BrokerConnection::Left,
            BrokerConnection::Opening(_) => {
                actions.push(ConsumerAction::DropChannel);
                BrokerConnection::Left
            }
            BrokerConnection::Open(mut channel) => {
                self.abandon_slots(actions);
                channel.stop_consumer(actions);
                BrokerConnection::Leaving { channel, until: now + LEAVE_PATIENCE }
            }
            already @ (BrokerConnection::Leaving { .. } | BrokerConnection::Closing(_)) => already,
        };
    }

    /// Closes the channel once nothing is under way whose end must be acknowledged on it.
    pub(super) fn close_when_done(&mut self, now: PoolTime, actions: &mut Vec<ConsumerAction>) {
        let BrokerConnection::Leaving { channel, until } = &self.connection else { return };
        let dead_letters_are_awaited = self.dead_letters.call.waiting().is_some() && now < *until;
        if self.write.waiting().is_none() && !dead_letters_are_awaited {
            self.connection = BrokerConnection::Closing(channel.number);
            self.forget_channel(actions);
            actions.push(ConsumerAction::CloseChannel);
        }
    }

    pub(super) fn channel_closed(&mut self, number: ChannelNumber) {
        if matches!(self.connection, BrokerConnection::Closing(closing) if closing == number) {
            self.connection = BrokerConnection::Left;
        }
    }

    /// Whether it has left, and nothing it has begun is under way. A claim is never broken off.
    pub fn is_finished(&self) -> bool {
        matches!(self.connection, BrokerConnection::Left) && self.write.is_idle()
    }
}
