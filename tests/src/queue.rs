//! RabbitMQ as a publisher sees it that knows nothing but the contract.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures_util::StreamExt;
use lapin::options::{
    BasicConsumeOptions, BasicGetOptions, BasicPublishOptions, ConfirmSelectOptions, QueueDeclareOptions,
};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Channel, Confirmation, Connection, ConnectionProperties};
use serde_json::Value;
use uuid::Uuid;

use crate::blocking::block_on;
use crate::{Backends, eventually};

const PERSISTENT: u8 = 2;
/// A broker that was killed may have taken a message, or a request, and never answer.
const ANSWERS_WITHIN: Duration = Duration::from_secs(10);

/// Publishes to the queue of a test, and looks at it.
#[derive(Debug)]
pub struct TestQueue {
    url: String,
    name: String,
    channel: Option<(Connection, Channel)>,
}

impl TestQueue {
    /// Of these backends. Supervisors declare it; publish when one is ready.
    pub fn of(backends: &Backends) -> Self {
        Self { url: backends.amqp_url.clone(), name: backends.queue.clone(), channel: None }
    }

    /// Publishes a message, which names its execution, and waits until the broker has it.
    #[track_caller]
    pub fn publish(&mut self, message: &Value) {
        self.publish_bytes(message.to_string().as_bytes());
    }

    /// Adds an id to a request, publishes it as if that were so many seconds ago, and gives the id.
    #[track_caller]
    pub fn submit_published(&mut self, mut request: Value, seconds_ago: u64) -> String {
        let id = Uuid::now_v7().to_string();
        request["execution_id"] = id.clone().into();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let properties = BasicProperties::default().with_timestamp(now - seconds_ago);
        self.try_publish_as(request.to_string().as_bytes(), properties)
            .unwrap_or_else(|error| panic!("publishing to {}: {error}", self.name));
        id
    }

    /// Publishes a message with the header of this trace.
    #[track_caller]
    pub fn publish_in_trace(&mut self, message: &Value, traceparent: &str) {
        let mut headers = FieldTable::default();
        headers.insert("traceparent".into(), AMQPValue::LongString(traceparent.into()));
        self.try_publish_as(message.to_string().as_bytes(), BasicProperties::default().with_headers(headers))
            .unwrap_or_else(|error| panic!("publishing to {}: {error}", self.name));
    }

    /// Adds an id to a request, publishes it, and gives the id.
    #[track_caller]
    pub fn submit(&mut self, mut request: Value) -> String {
        let id = Uuid::now_v7().to_string();
        request["execution_id"] = id.clone().into();
        self.publish(&request);
        id
    }

    /// Publishes a message of any bytes to the queue.
    #[track_caller]
    pub fn publish_bytes(&mut self, body: &[u8]) {
        self.try_publish(body).unwrap_or_else(|error| panic!("publishing to {}: {error}", self.name));
    }

    /// Publishes anything; the broker may be away. What was not confirmed may have arrived all the same.
    ///
    /// # Errors
    /// When it was not confirmed, or not in time.
    pub fn try_publish(&mut self, body: &[u8]) -> Result<(), lapin::Error> {
        self.try_publish_as(body, BasicProperties::default())
    }

    fn try_publish_as(&mut self, body: &[u8], properties: BasicProperties) -> Result<(), lapin::Error> {
        block_on(answered(async {
            let channel = self.channel().await?;
            let properties = properties.with_delivery_mode(PERSISTENT);
            let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
            let name = self.name.as_str();
            let published = channel.basic_publish("".into(), name.into(), options, body, properties);
            match published.await?.await? {
                Confirmation::Ack(None) => Ok(()),
                refused @ (Confirmation::Ack(Some(_))
                | Confirmation::Nack(_)
                | Confirmation::NotRequested) => {
                    panic!("{name} does not take messages: {refused:?}")
                }
            }
        }))
        .inspect_err(|_| self.channel = None)
    }

    /// How many messages wait, none of them in anybody's hands; nothing when the broker is away.
    pub fn try_depth(&mut self, dead: bool) -> Option<u32> {
        let depth = block_on(answered(async {
            let name = if dead { format!("{}.dead", self.name) } else { self.name.clone() };
            let options = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
            let channel = self.channel().await?;
            let queue = channel.queue_declare(name.into(), options, FieldTable::default()).await?;
            Ok::<_, lapin::Error>(queue.message_count())
        }));
        depth.inspect_err(|_| self.channel = None).ok()
    }

    /// How often the broker delivers a message before it gives up on it. Declaring the queue with another limit is
    /// refused, and the refusal says which it has.
    #[track_caller]
    pub fn delivery_limit(&mut self) -> u64 {
        let refused = block_on(async {
            let mut arguments = FieldTable::default();
            let dead = format!("{}.dead", self.name);
            arguments.insert("x-queue-type".into(), AMQPValue::LongString("quorum".into()));
            arguments.insert("x-dead-letter-exchange".into(), AMQPValue::LongString(dead.into()));
            arguments.insert("x-delivery-limit".into(), AMQPValue::LongInt(1));
            let options = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
            self.channel().await?.queue_declare(self.name.as_str().into(), options, arguments).await.map(drop)
        });
        let Err(refused) = refused else { panic!("{} gives up on a message at once", self.name) };
        let text = refused.to_string();
        let limit = text.split_once("x-delivery-limit").and_then(|(_, text)| text.split_once("current is"));
        let digits = limit.map(|(_, text)| text.trim_start_matches(|letter: char| !letter.is_ascii_digit()));
        let number =
            digits.and_then(|text| text.split(|letter: char| !letter.is_ascii_digit()).next()?.parse().ok());
        number.unwrap_or_else(|| panic!("{}: {text}", self.name))
    }

    /// Makes the queue as a stream, before a supervisor makes it as it should be.
    #[track_caller]
    pub fn declare_stream(&mut self) {
        let declared = block_on(async {
            let mut arguments = FieldTable::default();
            arguments.insert("x-queue-type".into(), AMQPValue::LongString("stream".into()));
            let options = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
            self.channel().await?.queue_declare(self.name.as_str().into(), options, arguments).await.map(drop)
        });
        declared.unwrap_or_else(|error| panic!("making the stream {}: {error}", self.name));
    }

    /// Waits until so many messages wait in the queue.
    #[track_caller]
    pub fn has_depth(&mut self, depth: u32, within: Duration) {
        eventually(&format!("{depth} messages in {}", self.name), within, || {
            self.try_depth(false) == Some(depth)
        });
    }

    /// Waits until so many dead letters wait.
    #[track_caller]
    pub fn has_dead_letters(&mut self, count: u32, within: Duration) {
        eventually(&format!("{count} dead letters of {}", self.name), within, || {
            self.try_depth(true) == Some(count)
        });
    }

    /// The dead letters, oldest first, each with the reason in its header. They stay where they are.
    #[track_caller]
    pub fn dead_letters(&mut self) -> Vec<(String, Vec<u8>)> {
        let letters = block_on(async {
            let name = format!("{}.dead", self.name);
            // A channel of its own: closing it puts back what was taken.
            self.channel().await?;
            let Some((connection, _)) = &self.channel else { return Ok(Vec::new()) };
            let channel = connection.create_channel().await?;
            let mut letters = Vec::new();
            while let Some(got) = channel.basic_get(name.as_str().into(), BasicGetOptions::default()).await? {
                letters.push((reason(&got.delivery.properties), got.delivery.data));
            }
            channel.close(200, "seen".into()).await?;
            Ok::<_, lapin::Error>(letters)
        });
        letters.unwrap_or_else(|error| panic!("the dead letters of {}: {error}", self.name))
    }

    /// Takes a message out of a queue of its own and does not acknowledge it.
    #[track_caller]
    pub fn hold_a_message(&mut self) -> HeldMessage {
        let held = block_on(async {
            let connection = Connection::connect(&self.url, ConnectionProperties::default()).await?;
            let channel = connection.create_channel().await?;
            let name = format!("{}.held", self.name);
            let options = QueueDeclareOptions { exclusive: true, ..QueueDeclareOptions::default() };
            channel.queue_declare(name.as_str().into(), options, FieldTable::default()).await?;
            let (to, properties) = (BasicPublishOptions::default(), BasicProperties::default());
            channel.basic_publish("".into(), name.as_str().into(), to, b"held", properties).await?.await?;
            let (tag, options) = ("holds".into(), BasicConsumeOptions::default());
            let mut consumer =
                channel.basic_consume(name.as_str().into(), tag, options, FieldTable::default()).await?;
            consumer.next().await.transpose()?;
            Ok::<_, lapin::Error>(HeldMessage { _connection: connection, channel })
        });
        held.unwrap_or_else(|error| panic!("holding a message: {error}"))
    }

    /// The channel, opened again when it was lost.
    async fn channel(&mut self) -> Result<Channel, lapin::Error> {
        if let Some((_, channel)) = self.channel.as_ref().filter(|(_, channel)| channel.status().connected())
        {
            return Ok(channel.clone());
        }
        let connection = Connection::connect(&self.url, ConnectionProperties::default()).await?;
        let channel = connection.create_channel().await?;
        channel.confirm_select(ConfirmSelectOptions::default()).await?;
        self.channel = Some((connection, channel.clone()));
        Ok(channel)
    }
}

/// What the broker answers, or that it did not.
async fn answered<T>(asked: impl Future<Output = Result<T, lapin::Error>>) -> Result<T, lapin::Error> {
    let late = |_| Err(std::io::Error::from(std::io::ErrorKind::TimedOut).into());
    tokio::time::timeout(ANSWERS_WITHIN, asked).await.unwrap_or_else(late)
}

/// A message in the hands of a consumer that does nothing about it.
#[derive(Debug)]
pub struct HeldMessage {
    _connection: Connection,
    channel: Channel,
}

impl HeldMessage {
    /// True once the broker has closed the channel.
    pub fn is_closed(&self) -> bool {
        !self.channel.status().connected()
    }
}

/// Why a message was dead-lettered.
fn reason(properties: &BasicProperties) -> String {
    let header = properties.headers().as_ref().and_then(|headers| headers.inner().get("x-muster-reason"));
    match header {
        Some(AMQPValue::LongString(reason)) => reason.to_string(),
        other => format!("{other:?}"),
    }
}
