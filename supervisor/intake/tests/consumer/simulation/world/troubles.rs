//! What comes and what breaks, at random.

use std::time::Duration;

use muster_core::execution::Status;
use uuid::Uuid;

use super::super::message::{Kind, Message};
use super::{Climate, Happening, World};
use crate::simulator::{ms, pick};

/// Something that breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    /// The connection ends, seen at once or by its missing heartbeats.
    ConnectionLost,
    /// The broker ends the consumer.
    ConsumerCancelled,
    /// Nobody gets a connection.
    BrokerAway,
    /// Nobody gets a consumer.
    ConsumersRefused,
    /// Nothing can be published.
    BrokerBlocked,
    /// The store does not answer.
    StoreAway,
    /// The cache does not answer.
    CacheAway,
    /// Somebody else has all slots, so many.
    SlotsTaken(usize),
    /// Another supervisor takes messages.
    OthersTake,
}

pub(super) const ALL: [Trouble; 9] = [
    Trouble::ConnectionLost,
    Trouble::ConsumerCancelled,
    Trouble::BrokerAway,
    Trouble::ConsumersRefused,
    Trouble::BrokerBlocked,
    Trouble::StoreAway,
    Trouble::CacheAway,
    Trouble::SlotsTaken(0),
    Trouble::OthersTake,
];

impl Trouble {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::ConnectionLost => "connection lost",
            Self::ConsumerCancelled => "consumer cancelled",
            Self::BrokerAway => "broker away",
            Self::ConsumersRefused => "consumers refused",
            Self::BrokerBlocked => "broker blocked",
            Self::StoreAway => "store away",
            Self::CacheAway => "cache away",
            Self::SlotsTaken(_) => "slots taken",
            Self::OthersTake => "others take",
        }
    }
}

impl World {
    pub(super) fn command(&mut self) {
        if self.commands_left == 0 {
            return self.end_of_troubles();
        }
        self.commands_left -= 1;
        let wait = if self.rng.bool() { ms(&mut self.rng, 0, 50) } else { ms(&mut self.rng, 0, 4_000) };
        self.schedule(wait, Happening::Command);
        if self.rng.u8(..) < 150 {
            let count = if self.rng.u8(..) < 30 { 40 } else { self.rng.usize(1..=5) };
            self.publish_some(count);
        } else {
            match self.climate {
                Climate::Rough => self.any_trouble(),
                Climate::Fair => self.begins(Trouble::SlotsTaken(0)),
            }
        }
    }

    pub(super) fn publish_some(&mut self, count: usize) {
        for _ in 0..count {
            let earlier: Vec<Uuid> = self.messages.iter().rev().take(3).map(|message| message.id).collect();
            let earlier = earlier.get(self.rng.usize(0..3)).copied();
            let number = self.messages.len();
            let message = Message::draw(&mut self.rng, number, earlier);
            if message.kind == Kind::MinimalWithRow {
                self.store.rows.insert(message.id, Status::Pending);
            }
            if let Some(from) = message.record_at(&mut self.rng, self.now) {
                self.cache.put(message.id, from);
            }
            self.note(|| format!("           .. message {number} is {message:?}"));
            self.open_messages += 1;
            self.open_poison += usize::from(message.is_poison);
            self.messages.push(message);
            self.broker.queue.push_back(number);
        }
        self.pump();
    }

    pub(super) fn any_trouble(&mut self) {
        let trouble = pick(&mut self.rng, &ALL);
        self.begins(trouble);
    }

    fn begins(&mut self, trouble: Trouble) {
        self.meet(trouble.name());
        self.note(|| format!("           .. {}", trouble.name()));
        let mut lasts = trouble;
        match trouble {
            Trouble::ConnectionLost => return self.lose_connection(),
            Trouble::ConsumerCancelled => {
                let number = self.broker.channel.as_mut().map(|channel| {
                    channel.consumer = None;
                    channel.number
                });
                if let Some(number) = number {
                    self.loses(number, Duration::from_millis(5), "cancelled by the broker");
                }
                return;
            }
            Trouble::OthersTake => return self.others_take(),
            Trouble::BrokerAway => {
                self.broker.is_away = true;
                self.lose_connection();
            }
            Trouble::ConsumersRefused => self.broker.refuses_consumers = true,
            Trouble::BrokerBlocked => self.broker.is_blocked = true,
            Trouble::StoreAway => {
                self.store.is_away = true;
                self.store_trouble = self.now;
            }
            Trouble::CacheAway => self.cache.is_away = true,
            Trouble::SlotsTaken(_) => lasts = Trouble::SlotsTaken(self.slots.take_all()),
        }
        let for_long = ms(&mut self.rng, 1, 15_000);
        self.schedule(for_long, Happening::Fixed(lasts));
    }

    fn lose_connection(&mut self) {
        let Some(number) = self.broker.channel.as_ref().map(|channel| channel.number) else { return };
        self.broker.end(number);
        let is_unseen = self.rng.u8(..) < 60;
        let seen_in = if is_unseen { ms(&mut self.rng, 0, 20_000) } else { ms(&mut self.rng, 0, 10) };
        self.loses(number, seen_in, "the connection is lost");
    }

    /// Another supervisor takes from the queue what has a row or gets one.
    fn others_take(&mut self) {
        for _ in 0..self.rng.usize(1..=3) {
            let Some(number) = self.broker.queue.front().copied() else { return };
            let message = &self.messages[number];
            if matches!(message.kind, Kind::Whole | Kind::MinimalWithRow | Kind::MinimalWithRecord) {
                self.broker.queue.pop_front();
                self.store.rows.insert(message.id, Status::Running);
                self.forget_message(number);
            }
        }
    }

    pub(super) fn fixed(&mut self, trouble: Trouble) {
        self.note(|| format!("           .. no more {}", trouble.name()));
        match trouble {
            Trouble::ConnectionLost | Trouble::ConsumerCancelled | Trouble::OthersTake => {}
            Trouble::BrokerAway => self.broker.is_away = false,
            Trouble::ConsumersRefused => self.broker.refuses_consumers = false,
            Trouble::BrokerBlocked => self.broker.is_blocked = false,
            Trouble::StoreAway => {
                self.store.is_away = false;
                self.store_trouble = self.now;
            }
            Trouble::CacheAway => self.cache.is_away = false,
            Trouble::SlotsTaken(slots) => {
                self.slots.give_back(slots);
                self.give_slots();
            }
        }
    }

    /// From here on everything works, but for single calls.
    fn end_of_troubles(&mut self) {
        let trouble =
            [Trouble::BrokerAway, Trouble::ConsumersRefused, Trouble::BrokerBlocked, Trouble::StoreAway];
        trouble.into_iter().chain([Trouble::CacheAway]).for_each(|trouble| self.fixed(trouble));
        self.ended_at = Some(self.now);
    }
}
