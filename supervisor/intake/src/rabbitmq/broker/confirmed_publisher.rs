//! A connection for publishing, on which every message is confirmed.
//!
//! It is never the connection that consumes: a broker that is short of memory or disk stops reading from
//! connections that publish, and acknowledgements must not wait for that.

use std::time::Duration;

use futures_util::future::join_all;
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::types::ShortString;
use lapin::{BasicProperties, Channel, Connection};
use tokio::sync::Mutex;

use super::connect::{BrokerAddress, QueueNames, answered, connect};
use super::topology;
use crate::rabbitmq::AmqpError;

/// So many messages wait for their confirmation at once.
const BATCH: usize = 1000;
/// How long the broker may take to confirm a batch.
const CONFIRM_TIMEOUT: Duration = Duration::from_secs(10);
/// The delivery mode of messages that survive a restart of the broker.
const PERSISTENT: u8 = 2;

/// A message to publish.
#[derive(Debug)]
pub(super) struct OutgoingMessage<'a> {
    pub(super) exchange: ShortString,
    pub(super) routing_key: ShortString,
    pub(super) body: &'a [u8],
    /// Made persistent in any case.
    pub(super) properties: BasicProperties,
}

/// Connects when it is first used, and again after a failure.
#[derive(Debug)]
pub(super) struct ConfirmedPublisher {
    address: BrokerAddress,
    names: QueueNames,
    purpose: &'static str,
    open: Mutex<Option<ConfirmChannel>>,
}

#[derive(Debug)]
struct ConfirmChannel {
    channel: Channel,
    /// Closed when it is dropped.
    connection: Connection,
}

impl ConfirmedPublisher {
    pub(super) fn new(address: BrokerAddress, names: QueueNames, purpose: &'static str) -> Self {
        Self { address, names, purpose, open: Mutex::new(None) }
    }

    pub(super) fn names(&self) -> &QueueNames {
        &self.names
    }

    /// The largest frame that the broker takes. Connects, where that was not done before.
    pub(super) async fn frame_max_bytes(&self) -> Result<usize, AmqpError> {
        let mut open = self.open.lock().await;
        let open = match open.as_ref() {
            Some(open) => open,
            None => open.insert(self.connect().await?),
        };
        // Nothing was agreed on: then there is no bound.
        let agreed = open.connection.configuration().frame_max();
        Ok(if agreed == 0 { usize::MAX } else { agreed as usize })
    }

    /// Publishes messages, in order, and returns when the broker keeps all of them in a queue. After an error
    /// it is unknown which it keeps.
    pub(super) async fn publish(&self, messages: &[OutgoingMessage<'_>]) -> Result<(), AmqpError> {
        for batch in messages.chunks(BATCH) {
            self.publish_each(batch).await.into_iter().collect::<Result<(), AmqpError>>()?;
        }
        Ok(())
    }

    /// Publishes at most [`BATCH`] messages, in order, and says of each whether the broker keeps it in a queue. After an
    /// error that is unknown.
    pub(super) async fn publish_each(&self, messages: &[OutgoingMessage<'_>]) -> Vec<Result<(), AmqpError>> {
        let mut open = self.open.lock().await;
        // A connection that has been idle may have died unseen: one new one is tried.
        let reused = open.is_some();
        let mut results = self.publish_on(&mut open, messages).await;
        if reused && results.iter().any(|result| matches!(result, Err(AmqpError::Unreachable(_)))) {
            *open = None;
            results = self.publish_on(&mut open, messages).await;
        }
        if results.iter().any(Result::is_err) {
            *open = None;
        }
        results
    }

    async fn publish_on(
        &self,
        open: &mut Option<ConfirmChannel>,
        messages: &[OutgoingMessage<'_>],
    ) -> Vec<Result<(), AmqpError>> {
        let open = match open {
            Some(open) => open,
            None => match self.connect().await {
                Ok(connected) => open.insert(connected),
                Err(error) => return vec![Err(error); messages.len()],
            },
        };
        let publish = messages.iter().map(|message| publish_one(&open.channel, message));
        match tokio::time::timeout(CONFIRM_TIMEOUT, join_all(publish)).await {
            Ok(results) => results,
            Err(_) => {
                let reason = "no answer in time; is it short of memory or disk?".to_owned();
                vec![Err(AmqpError::NotConfirmed(reason)); messages.len()]
            }
        }
    }

    async fn connect(&self) -> Result<ConfirmChannel, AmqpError> {
        let connection = connect(&self.address, self.purpose).await?;
        topology::declare(&connection, &self.names).await?;
        let channel = answered(connection.create_channel()).await?;
        answered(channel.confirm_select(ConfirmSelectOptions::default())).await?;
        Ok(ConfirmChannel { channel, connection })
    }
}

async fn publish_one(channel: &Channel, message: &OutgoingMessage<'_>) -> Result<(), AmqpError> {
    let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
    let properties = message.properties.clone().with_delivery_mode(PERSISTENT);
    let (exchange, routing_key) = (message.exchange.clone(), message.routing_key.clone());
    let sent = channel.basic_publish(exchange, routing_key, options, message.body, properties).await?;
    let confirmation = sent.await?;
    if !confirmation.is_ack() {
        return Err(AmqpError::NotConfirmed("the broker would not keep it".to_owned()));
    }
    match confirmation.take_message() {
        None => Ok(()),
        Some(_) => {
            let reason = format!("no queue takes it (exchange {:?})", message.exchange.as_str());
            Err(AmqpError::NotConfirmed(reason))
        }
    }
}
