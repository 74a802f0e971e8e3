//! Dead-lettering: the message goes to the dead-letter exchange with the reason in a header, confirmed by the
//! broker, before it is acknowledged. A nack cannot add headers.

use std::sync::Arc;

use lapin::BasicProperties;
use lapin::types::{AMQPValue, FieldTable, ShortString};

use super::confirmed_publisher::{ConfirmedPublisher, OutgoingMessage};
use super::connect::{BrokerAddress, QueueNames};
use super::delivery::Delivery;
use super::header_size;
use crate::rabbitmq::AmqpError;
use crate::rabbitmq::REASON_HEADER;

/// A header has a limit; a reason is for a person.
const REASON_MAX_BYTES: usize = 4096;
/// What a frame of properties holds beside the headers: its own head and end, and the two properties that are kept.
const BESIDE_HEADERS_BYTES: usize = 1024;

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
    pub(super) fn new(address: BrokerAddress, names: QueueNames) -> Self {
        Self { publisher: ConfirmedPublisher::new(address, names, "dead letters") }
    }

    /// Publishes dead letters, and says of each whether the broker keeps it. After an error that is unknown.
    pub(super) async fn publish(&self, letters: &[DeadLetterDraft]) -> Vec<Result<(), AmqpError>> {
        let frame_max = match self.publisher.frame_max_bytes().await {
            Ok(frame_max) => frame_max,
            Err(error) => return vec![Err(error); letters.len()],
        };
        let outgoing: Vec<_> = letters.iter().map(|letter| self.outgoing(letter, frame_max)).collect();
        self.publisher.publish_each(&outgoing).await
    }

    fn outgoing<'a>(&self, letter: &'a DeadLetterDraft, frame_max: usize) -> OutgoingMessage<'a> {
        OutgoingMessage {
            exchange: self.publisher.names().dead.clone(),
            routing_key: "".into(),
            body: &letter.message.body,
            properties: with_reason(&letter.message.properties, &letter.reason, frame_max),
        }
    }
}

/// What a dead letter keeps of the message's properties. Not its user (the broker checks it), its expiry (a dead
/// letter waits for a person) or headers that would send copies elsewhere.
///
/// All headers of a message are in one frame. Those that leave no room for the reason are left out, the largest first,
/// and the reason names them: a broker takes no larger frame, now or later.
fn with_reason(properties: &BasicProperties, reason: &str, frame_max: usize) -> BasicProperties {
    let kept = properties.headers().iter().flat_map(FieldTable::inner);
    let mut kept: Vec<_> = kept.filter(|(name, _)| !matches!(name.as_str(), "CC" | "BCC")).collect();
    let room = frame_max.saturating_sub(BESIDE_HEADERS_BYTES);
    let reason_max = REASON_MAX_BYTES.min(room / 2);
    let room = room.saturating_sub(reason_max + REASON_HEADER.len());
    let left_out = leave_out(&mut kept, room);
    let mut headers = FieldTable::default();
    for (name, value) in kept {
        headers.insert(name.clone(), value.clone());
    }
    let reason = match left_out.as_slice() {
        [] => reason.to_owned(),
        names => {
            format!("{reason}; headers that leave no room in a frame are left out: {}", names.join(", "))
        }
    };
    headers.insert(REASON_HEADER.into(), AMQPValue::LongString(beginning(&reason, reason_max).into()));
    let mut kept = BasicProperties::default().with_headers(headers);
    if let Some(content_type) = properties.content_type() {
        kept = kept.with_content_type(content_type.clone());
    }
    if let Some(message_id) = properties.message_id() {
        kept = kept.with_message_id(message_id.clone());
    }
    kept
}

/// Takes out the largest headers until the others fit, and names them.
fn leave_out(headers: &mut Vec<(&ShortString, &AMQPValue)>, room: usize) -> Vec<String> {
    let size = |(name, value): &(&ShortString, &AMQPValue)| header_size::of_entry(name, value);
    let mut total: usize = headers.iter().map(size).sum();
    let mut left_out = Vec::new();
    while total > room
        && let Some(largest) = (0..headers.len()).max_by_key(|place| headers.get(*place).map(size))
    {
        let header = headers.remove(largest);
        total -= size(&header);
        left_out.push(format!("{} ({} bytes)", header.0.as_str(), size(&header)));
    }
    left_out
}

fn beginning(text: &str, most_bytes: usize) -> &str {
    let mut end = text.len().min(most_bytes);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(headers: &[(&str, usize)]) -> BasicProperties {
        let mut table = FieldTable::default();
        for (name, bytes) in headers {
            table.insert((*name).into(), AMQPValue::LongString("x".repeat(*bytes).into()));
        }
        BasicProperties::default().with_headers(table)
    }

    fn headers(properties: &BasicProperties) -> Vec<&str> {
        properties.headers().iter().flat_map(|table| table.inner().keys()).map(ShortString::as_str).collect()
    }

    #[test]
    fn the_largest_headers_give_way_to_the_reason_and_are_named_in_it() {
        let properties = filled(&[("small", 10), ("large", 90_000), ("larger", 30_000), ("CC", 5)]);
        let letter = with_reason(&properties, "of no use", 131_072);
        assert_eq!(headers(&letter), ["large", "larger", "small", REASON_HEADER]);
        let letter = with_reason(&properties, "of no use", 65_536);
        assert_eq!(headers(&letter), ["larger", "small", REASON_HEADER]);
        let reason = letter.headers().as_ref().and_then(|table| table.inner().get(REASON_HEADER)).cloned();
        let Some(AMQPValue::LongString(reason)) = reason else { panic!("{reason:?}") };
        let reason = reason.to_string();
        assert!(reason.starts_with("of no use; ") && reason.ends_with(": large (90011 bytes)"), "{reason}");
    }

    #[test]
    fn a_letter_fits_into_the_smallest_frame_a_broker_may_ask_for() {
        let many: Vec<String> = (0..400).map(|number| format!("header-{number}")).collect();
        let many: Vec<(&str, usize)> = many.iter().map(|name| (name.as_str(), 200)).collect();
        let letter = with_reason(&filled(&many), &"é".repeat(5000), 4096);
        let headers = letter.headers().as_ref().map_or(0, header_size::of_table);
        assert!(headers + BESIDE_HEADERS_BYTES <= 4096, "{headers}");
    }
}
