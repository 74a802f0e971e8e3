//! The service's queue: RabbitMQ.
//!
//! The row is the truth and a message only wakes somebody up, so a message is acknowledged as soon as its
//! claim is committed, or as soon as a row stands for it. Nothing is lost when the broker or the connection
//! goes: what was not acknowledged comes again, and its row says what to do.
//!
//! [`RabbitIntake`] consumes: [`consumer`] decides, and [`shell`] does what it says. [`QueuePublisher`] submits, and
//! [`DeadLetters`] looks after messages that could not be used.

mod confirmed_publisher;
mod connect;
pub mod consumer;
mod dead_letter_publisher;
mod dead_letters;
mod delivery;
mod greeting;
mod intake;
mod publisher;
mod rows;
mod shell;
mod topology;

#[cfg(test)]
mod test_broker;
#[cfg(test)]
mod tests;

pub use connect::AmqpError;
pub use consumer::BrokerHealth;
pub use dead_letters::{DeadLetter, DeadLetters, ReplayError, ReplayResult};
pub use intake::{IntakeOptions, RabbitIntake};
pub use publisher::QueuePublisher;
pub use topology::{Inspection, inspect};

/// The header of a dead letter that says why it is one.
pub const REASON_HEADER: &str = "x-muster-reason";
