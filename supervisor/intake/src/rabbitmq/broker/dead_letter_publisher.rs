//! Dead-lettering: the message goes to the dead-letter exchange with the reason in a header, confirmed by the
//! broker, before it is acknowledged. A nack cannot add headers.

use std::sync::Arc;

use lapin::BasicProperties;
use lapin::types::{AMQPValue, FieldTable};
use lapin::uri::AMQPUri;

use super::confirmed_publisher::{ConfirmedPublisher, OutgoingMessage};
use super::connect::QueueNames;
use super::delivery::Delivery;
use crate::rabbitmq::AmqpError;
use crate::rabbitmq::REASON_HEADER;

/// A header has a limit; a reason is for a person.
const REASON_MAX_BYTES: usize = 4096;

/// Where unusable messages go.
#[derive(Debug)]
pub(super) struct DeadLetterPublisher {
    publisher: ConfirmedPublisher,
}

/// A message that goes to the dead letters.
#[derive(Debug)]
pub(super) struct DeadLetterDraft {
    pub(super) message: Arc<Delivery>,
    /// Why, for the header.
    pub(super) reason: String,
}

impl DeadLetterPublisher {
    pub(super) fn new(uri: AMQPUri, names: QueueNames) -> Self {
        Self { publisher: ConfirmedPublisher::new(uri, names, "dead letters") }
    }

    /// Publishes dead letters, and says of each whether the broker keeps it. After an error that is unknown.
    pub(super) async fn publish(&self, letters: &[DeadLetterDraft]) -> Vec<Result<(), AmqpError>> {
        let outgoing: Vec<OutgoingMessage<'_>> = letters.iter().map(|letter| self.outgoing(letter)).collect();
        self.publisher.publish_each(&outgoing).await
    }

    fn outgoing<'a>(&self, letter: &'a DeadLetterDraft) -> OutgoingMessage<'a> {
        OutgoingMessage {
            exchange: self.publisher.names().dead.clone(),
            routing_key: "".into(),
            body: &letter.message.body,
            properties: with_reason(&letter.message.properties, &letter.reason),
        }
    }
}

/// What a dead letter keeps of the message's properties. Not its user (the broker checks it), its expiry (a dead
/// letter waits for a person) or headers that would send copies elsewhere.
fn with_reason(properties: &BasicProperties, reason: &str) -> BasicProperties {
    let mut headers = FieldTable::default();
    let kept = properties.headers().iter().flat_map(FieldTable::inner);
    for (name, value) in kept.filter(|(name, _)| !matches!(name.as_str(), "CC" | "BCC")) {
        headers.insert(name.clone(), value.clone());
    }
    let mut end = reason.len().min(REASON_MAX_BYTES);
    while !reason.is_char_boundary(end) {
        end -= 1;
    }
    headers.insert(REASON_HEADER.into(), AMQPValue::LongString(reason[..end].into()));
    let mut kept = BasicProperties::default().with_headers(headers);
    if let Some(content_type) = properties.content_type() {
        kept = kept.with_content_type(content_type.clone());
    }
    if let Some(message_id) = properties.message_id() {
        kept = kept.with_message_id(message_id.clone());
    }
    kept
}
