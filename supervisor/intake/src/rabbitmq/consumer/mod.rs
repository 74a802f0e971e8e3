//! What the consumer of RabbitMQ decides: a pure state machine, `step(now, event) -> actions`.
//!
//! When to connect, consume, claim, leave messages as rows, dead-letter, acknowledge and leave is decided here and
//! nowhere else. Nothing here knows the AMQP library, reads a clock or awaits: the shell turns what the broker, the
//! store, the cache and the slots say into [`ConsumerEvent`]s, and [`ConsumerAction`]s into calls. `CONSUMER.md` beside this
//! file shows the states and the invariants.

mod acks;
mod action;
mod call;
mod channel;
mod claiming;
mod connection;
mod consuming;
mod content;
mod dead_letters;
mod event;
mod health;
mod invariant;
mod leaving;
mod lookup;
mod machine;
mod prefetch;
mod snapshot;

pub use acks::Acknowledgement;
pub use action::{ConsumerAction, ConsumerNotice, LetterReason, UnrecordedFailure};
pub use connection::ChannelNumber;
pub use content::MessageContent;
pub use event::{ConsumerEvent, IncomingMessage};
pub use health::BrokerHealth;
pub use invariant::ConsumerInvariant;
pub use machine::{ConsumerConfig, ConsumerMachine};
pub use snapshot::ConsumerSnapshot;
