//! The consumer on its channel: opened when slots are free, ended when none are, opened anew with another window.

use std::time::Duration;

use muster_core::pool::PoolTime;

use super::action::{ConsumerAction, ConsumerNotice};
use super::channel::{ConsumerChannel, Consuming};
use super::connection::{BrokerConnection, ChannelNumber};
use super::machine::ConsumerMachine;

/// How long no slot may be free before we stop taking deliveries.
const NO_SLOT_GRACE: Duration = Duration::from_millis(50);
/// How long deliveries that no slot helps may fill the window before it grows.
const BLOCKED_GRACE: Duration = Duration::from_millis(50);

impl ConsumerMachine {
    pub(super) fn consumer_started(&mut self, number: ChannelNumber, actions: &mut Vec<ConsumerAction>) {
        let is_leaving = matches!(self.connection, BrokerConnection::Leaving { .. });
        let channel = self.connection.live_channel().filter(|channel| channel.number == number);
        let Some(channel) = channel else { return };
        if !matches!(channel.consuming, Consuming::Starting) {
            return;
        }
        channel.consuming = Consuming::Running;
        if is_leaving {
            return channel.stop_consumer(actions);
        }
        if !self.health.confirmed {
            actions.push(ConsumerAction::Notify(ConsumerNotice::Consuming));
        }
        (self.health.confirmed, self.health.consuming) = (true, true);
        self.health.consume_problem = None;
    }

    pub(super) fn consumer_refused(&mut self, number: ChannelNumber, problem: String) {
        if self.connection.number() == Some(number) {
            self.health.consume_problem = Some(problem);
        }
    }

    pub(super) fn consumer_stopped(&mut self, number: ChannelNumber, actions: &mut Vec<ConsumerAction>) {
        let channel = self.connection.live_channel().filter(|channel| channel.number == number);
        let Some(channel) = channel else { return };
        self.health.consuming = false;
        channel.consuming = match channel.consuming {
            Consuming::Stopping { then: Some(window) } => {
                actions.push(ConsumerAction::StartConsumer { window });
                Consuming::Starting
            }
            Consuming::Stopping { then: None }
            | Consuming::Running
            | Consuming::Starting
            | Consuming::Stopped => Consuming::Stopped,
        };
    }

    /// Ends the consumer when no slot is free or the store is away, and widens its window when it is blocked.
    pub(super) fn look_after_consumer(&mut self, now: PoolTime, actions: &mut Vec<ConsumerAction>) {
        let no_slot = self.slots_wanted_since.is_some_and(|since| now.since(since) >= NO_SLOT_GRACE);
        let is_to_stop = no_slot || self.store_away_until.is_some();
        let held_up = self.held_up_count();
        let Some(channel) = self.connection.open_channel() else { return };
        if is_to_stop {
            channel.blocked_since = None;
            return channel.stop_consumer(actions);
        }
        if !matches!(channel.consuming, Consuming::Running) || !channel.prefetch.is_blocked_by(held_up) {
            channel.blocked_since = None;
            return;
        }
        let since = *channel.blocked_since.get_or_insert(now);
        if now.since(since) >= BLOCKED_GRACE
            && let Some(window) = channel.prefetch.blocked_by(held_up)
        {
            channel.blocked_since = None;
            channel.restart_consumer(window, actions);
        }
    }

    /// How many deliveries wait for something that no slot can give: their record, or the dead letters.
    fn held_up_count(&self) -> usize {
        let BrokerConnection::Open(channel) = &self.connection else { return 0 };
        self.awaiting_count() + channel.unusable.len() + self.dead_letters.in_call()
    }

    /// When something here is due by itself.
    pub(super) fn consumer_deadline(&self, channel: &ConsumerChannel) -> Option<PoolTime> {
        if !matches!(channel.consuming, Consuming::Running) {
            return None;
        }
        let no_slot = self.slots_wanted_since.map(|since| since + NO_SLOT_GRACE);
        let blocked = channel.blocked_since.map(|since| since + BLOCKED_GRACE);
        no_slot.into_iter().chain(blocked).min()
    }
}

impl ConsumerChannel {
    /// Ends the consumer for good, or until a slot is free.
    pub(super) fn stop_consumer(&mut self, actions: &mut Vec<ConsumerAction>) {
        match self.consuming {
            Consuming::Running => {
                actions.push(ConsumerAction::StopConsumer);
                self.consuming = Consuming::Stopping { then: None };
            }
            Consuming::Stopping { .. } => self.consuming = Consuming::Stopping { then: None },
            // One that is being started is ended once it is.
            Consuming::Starting | Consuming::Stopped => {}
        }
    }

    /// Ends the consumer to start one with another window: a changed window reaches only new consumers.
    pub(super) fn restart_consumer(&mut self, window: u16, actions: &mut Vec<ConsumerAction>) {
        match self.consuming {
            Consuming::Running => {
                actions.push(ConsumerAction::StopConsumer);
                self.consuming = Consuming::Stopping { then: Some(window) };
            }
            // It is opened with a window of its own.
            Consuming::Starting | Consuming::Stopped | Consuming::Stopping { .. } => {}
        }
    }
}
