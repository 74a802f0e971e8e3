//! What callers give and are given, whether or not this build has RabbitMQ.

use std::time::Duration;

use muster_system::certificates::ServerAddress;
use serde::Serialize;
use uuid::Uuid;

use super::letter::LetterKey;

/// The settings of the consumer.
#[derive(Clone, Debug)]
pub struct IntakeOptions {
    /// The broker, at `amqp://…` or `amqps://…`.
    pub broker: ServerAddress,
    /// The name of the queue to consume.
    pub queue: String,
    /// For requests that do not say how many attempts they may have.
    pub default_max_attempts: u32,
    /// How long the idempotency key of a request is remembered that does not say.
    pub idempotency: Duration,
}

/// What a look at the broker found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inspection {
    /// What the broker calls itself. `None` over TLS, where its greeting is not ours to read.
    pub version: Option<String>,
    /// Queues and exchanges that are not there yet: a consumer makes them.
    pub missing: Vec<String>,
    /// The number of messages that wait in the queue.
    pub messages: u32,
    /// The number of supervisors that consume right now.
    pub consumers: u32,
    /// The number of dead letters.
    pub dead: u32,
    /// Queues that exist with other arguments than ours, and what to do about it.
    pub differences: Vec<String>,
}

/// How many messages wait in the broker.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct QueueMessages {
    /// Messages that were delivered to nobody yet.
    pub ready: u32,
    /// The number of dead letters.
    pub dead: u32,
}

/// A message that could not be used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DeadLetter {
    /// Its place in the queue, from 1. It changes when others before it leave.
    pub number: usize,
    /// The queue that it was published to.
    pub queue: String,
    /// What it is called, made of its content.
    pub key: LetterKey,
    /// Which execution it was meant for, if that can be read.
    pub execution_id: Option<Uuid>,
    /// Why the message is among the dead letters.
    pub reason: String,
    /// The message itself; bytes that are no UTF-8 are replaced.
    pub message: String,
}

/// What became of the dead letters that were replayed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ReplayResult {
    /// The number of messages that are back in the queue.
    pub replayed: usize,
    /// How many of them had a row that had failed for want of a usable message, and is gone now.
    pub reopened: usize,
}
