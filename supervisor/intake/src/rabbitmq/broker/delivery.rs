//! A message as the broker delivered it.

use lapin::BasicProperties;

/// A message that is not acknowledged yet.
#[derive(Debug)]
pub(super) struct Delivery {
    /// What acknowledges it on its channel.
    pub(super) tag: u64,
    /// Its bytes.
    pub(super) body: Vec<u8>,
    /// Its AMQP properties.
    pub(super) properties: BasicProperties,
}

impl From<lapin::message::Delivery> for Delivery {
    fn from(delivery: lapin::message::Delivery) -> Self {
        Self { tag: delivery.delivery_tag, body: delivery.data, properties: delivery.properties }
    }
}
