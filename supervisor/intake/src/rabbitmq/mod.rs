//! The service's queue: RabbitMQ.
//!
//! The row is the truth and a message only wakes somebody up, so a message is acknowledged as soon as its
//! claim is committed, or as soon as a row stands for it. Nothing is lost when the broker or the connection
//! goes: what was not acknowledged comes again, and its row says what to do.
//!
//! [`RabbitIntake`] consumes: [`consumer`] decides, and `broker` does what it says, where this build has it. [`QueuePublisher`] submits, and
//! [`DeadLetters`] looks after messages that could not be used.

#[cfg(feature = "rabbitmq")]
mod broker;
#[cfg(not(feature = "rabbitmq"))]
#[path = "without_broker.rs"]
mod broker;
pub mod consumer;
mod error;
mod facts;
mod letter;

pub use broker::{DeadLetters, QueuePublisher, QueueReader, RabbitIntake, inspect};
pub use consumer::BrokerHealth;
pub use error::{AmqpError, ReplayError};
pub use facts::{DeadLetter, Inspection, IntakeOptions, QueueMessages, ReplayResult};
pub use letter::{LetterChoice, LetterKey};

/// The header of a dead letter that says why it is one.
pub const REASON_HEADER: &str = "x-muster-reason";
