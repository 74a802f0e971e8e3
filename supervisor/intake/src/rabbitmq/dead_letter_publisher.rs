//! Dead-lettering: the message goes to the dead-letter exchange with the reason in a header, confirmed by the
//! broker, before it is acknowledged. A nack cannot add headers.

use std::sync::Arc;

use lapin::BasicProperties;
use lapin::types::{AMQPValue, FieldTable};
use lapin::uri::AMQPUri;

use super::REASON_HEADER;
use super::confirmed_publisher::{ConfirmedPublisher, OutgoingMessage};
use super::connect::QueueNames;
use super::delivery::UnusableDelivery;
use super::rows::IntakeRows;

/// A header has a limit; a reason is for a person.
const REASON_MAX_BYTES: usize = 4096;

/// Where unusable messages go.
#[derive(Debug)]
pub(super) struct DeadLetterPublisher {
    line: ConfirmedPublisher,
    rows: Arc<dyn IntakeRows>,
}

/// What became of unusable messages.
#[derive(Debug)]
pub(super) struct DeadLetterResult {
    /// Recorded and dead-lettered: these may be acknowledged.
    pub(super) done: Vec<UnusableDelivery>,
    /// To be tried again.
    pub(super) left: Vec<UnusableDelivery>,
    /// Why some are left.
    pub(super) problem: Option<String>,
}

impl DeadLetterPublisher {
    pub(super) fn new(uri: AMQPUri, names: QueueNames, rows: Arc<dyn IntakeRows>) -> Self {
        Self { line: ConfirmedPublisher::new(uri, names, "dead letters"), rows }
    }

    /// Fails the rows of their executions, where there are none, and dead-letters the messages.
    pub(super) async fn publish(self: Arc<Self>, unusable: Vec<UnusableDelivery>) -> DeadLetterResult {
        let mut dead_lettered =
            DeadLetterResult { done: Vec::with_capacity(unusable.len()), left: Vec::new(), problem: None };
        for unusable in unusable {
            let recorded = match unusable.id {
                Some(id) => self.rows.fail_unusable(id, &unusable.failure, unusable.sync).await,
                None => Ok(()),
            };
            match recorded {
                Ok(()) => dead_lettered.done.push(unusable),
                Err(error) => {
                    dead_lettered.problem = Some(error.to_string());
                    dead_lettered.left.push(unusable);
                }
            }
        }
        let outgoing: Vec<OutgoingMessage<'_>> =
            dead_lettered.done.iter().map(|unusable| self.outgoing(unusable)).collect();
        if let Err(error) = self.line.publish(&outgoing).await {
            dead_lettered.problem = Some(error.to_string());
            dead_lettered.left.append(&mut dead_lettered.done);
        }
        dead_lettered
    }

    fn outgoing<'a>(&self, unusable: &'a UnusableDelivery) -> OutgoingMessage<'a> {
        OutgoingMessage {
            exchange: self.line.names().dead.clone(),
            routing_key: "".into(),
            body: &unusable.message.body,
            properties: with_reason(&unusable.message.properties, &unusable.reason()),
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
