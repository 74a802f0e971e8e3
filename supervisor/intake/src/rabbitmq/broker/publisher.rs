//! Submitting through the broker.

use lapin::BasicProperties;
use muster_system::certificates::ServerAddress;

use super::confirmed_publisher::{ConfirmedPublisher, OutgoingMessage};
use super::connect::{QueueNames, parse};
use super::published::{in_trace_of, published_now};
use crate::rabbitmq::AmqpError;

/// Publishes requests to the queue. It connects when it is first used, and again after a failure.
#[derive(Debug)]
pub struct QueuePublisher {
    line: ConfirmedPublisher,
}

impl QueuePublisher {
    /// A publisher for this queue. Connects to nothing yet.
    ///
    /// # Errors
    /// When the URL or the name cannot be used.
    pub fn new(broker: impl Into<ServerAddress>, queue: &str) -> Result<Self, AmqpError> {
        let address = parse(&broker.into())?;
        Ok(Self { line: ConfirmedPublisher::new(address, QueueNames::new(queue)?, "publisher") })
    }

    /// Publishes requests (the text of queue messages), in order, and returns when the broker keeps all of
    /// them. After an error it is unknown which it keeps; the same may be published again, since an
    /// execution's id makes it one.
    ///
    /// # Errors
    /// When the broker is out of reach, or does not confirm in time.
    pub async fn publish<B: AsRef<[u8]>>(&self, messages: &[B]) -> Result<(), AmqpError> {
        let outgoing: Vec<OutgoingMessage<'_>> =
            messages.iter().map(|body| self.outgoing(body.as_ref(), BasicProperties::default())).collect();
        self.line.publish(&outgoing).await
    }

    /// Publishes a request again that came with these properties.
    pub(super) async fn publish_again(
        &self,
        message: &[u8],
        before: &BasicProperties,
    ) -> Result<(), AmqpError> {
        let properties = in_trace_of(BasicProperties::default(), before);
        self.line.publish(&[self.outgoing(message, properties)]).await
    }

    fn outgoing<'a>(&self, body: &'a [u8], properties: BasicProperties) -> OutgoingMessage<'a> {
        let properties = properties.with_content_type("application/json".into());
        OutgoingMessage {
            exchange: "".into(),
            routing_key: self.line.names().queue.clone(),
            body,
            properties: published_now(properties),
        }
    }
}
