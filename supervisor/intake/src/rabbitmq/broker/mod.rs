//! All that speaks with the broker.

mod confirmed_publisher;
mod connect;
mod dead_letter_publisher;
mod dead_letters;
mod delivery;
mod greeting;
mod header_size;
mod intake;
mod published;
mod publisher;
mod queue_reader;
mod rows;
mod shell;
mod topology;

#[cfg(test)]
mod permission_tests;
#[cfg(test)]
mod test_broker;
#[cfg(test)]
mod tests;

pub use dead_letters::DeadLetters;
pub use intake::RabbitIntake;
pub use publisher::QueuePublisher;
pub use queue_reader::QueueReader;
pub use topology::inspect;
