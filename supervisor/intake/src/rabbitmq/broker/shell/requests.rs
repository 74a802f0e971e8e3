//! What a channel is asked, and its answers.

use std::sync::Arc;

use futures_util::StreamExt as _;
use lapin::options::{BasicAckOptions, BasicCancelOptions, BasicConsumeOptions, BasicQosOptions};
use lapin::types::{FieldTable, ShortString};
use lapin::{Channel, Connection, Consumer};

use crate::rabbitmq::AmqpError;
use crate::rabbitmq::broker::connect::answered;
use crate::rabbitmq::broker::delivery::Delivery;
use crate::rabbitmq::consumer::Acknowledgement;

/// What a channel is asked.
#[derive(Debug)]
pub(super) enum ChannelRequest {
    Consume { window: u16 },
    Cancel,
    Acknowledge(Vec<Acknowledgement>),
    Close,
}

/// What became of a request.
pub(super) enum ChannelAnswer {
    Consuming(Consumer),
    /// There is no consumer: what readiness says of it.
    Refused(String),
    /// The consumer has ended, and this was on its way.
    Cancelled(Vec<Delivery>),
    Acknowledged,
    Closed,
    Failed(AmqpError),
}

pub(super) async fn consume(channel: Channel, queue: ShortString, window: u16) -> ChannelAnswer {
    match open_consumer(&channel, queue.clone(), window).await.map_err(AmqpError::from) {
        Ok(consumer) => ChannelAnswer::Consuming(consumer),
        Err(AmqpError::Unreachable(reason)) => ChannelAnswer::Refused(format!(
            "no consumer on queue {queue} was confirmed ({reason}); a quorum queue without a leader does not answer: \
             see `rabbitmq-queues quorum_status {queue}`"
        )),
        Err(
            refused @ (AmqpError::Url(_)
            | AmqpError::Certificate(_)
            | AmqpError::NotBuilt
            | AmqpError::QueueName(_)
            | AmqpError::Stream(_)
            | AmqpError::Refused(_)
            | AmqpError::NotConfirmed(_)),
        ) => ChannelAnswer::Refused(format!("no consumer on queue {queue}: {refused}")),
    }
}

async fn open_consumer(channel: &Channel, queue: ShortString, window: u16) -> Result<Consumer, lapin::Error> {
    answered(channel.basic_qos(window, BasicQosOptions::default())).await?;
    let options = BasicConsumeOptions::default();
    answered(channel.basic_consume(queue, "".into(), options, FieldTable::default())).await
}

/// Ends the consumer and takes in what was on its way. It stays open: the channel has it.
pub(super) async fn cancel(channel: Channel, consumer: Option<Consumer>) -> ChannelAnswer {
    let Some(mut consumer) = consumer else { return ChannelAnswer::Cancelled(Vec::new()) };
    let cancelled = channel.basic_cancel(consumer.tag(), BasicCancelOptions::default());
    if let Err(error) = answered(cancelled).await {
        return ChannelAnswer::Failed(error.into());
    }
    let mut deliveries = Vec::new();
    while let Some(delivery) = consumer.next().await {
        match delivery {
            Ok(delivery) => deliveries.push(delivery.into()),
            Err(error) => return ChannelAnswer::Failed(error.into()),
        }
    }
    ChannelAnswer::Cancelled(deliveries)
}

pub(super) async fn acknowledge(channel: Channel, acknowledgements: Vec<Acknowledgement>) -> ChannelAnswer {
    for Acknowledgement { tag, multiple } in acknowledgements {
        let options = BasicAckOptions { multiple };
        if let Err(error) = answered(channel.basic_ack(tag, options)).await {
            return ChannelAnswer::Failed(error.into());
        }
    }
    ChannelAnswer::Acknowledged
}

/// Closes the channel, which puts what is open on it back in its place, and the connection. A broker that does not
/// answer has forgotten us all the same.
pub(super) async fn close(channel: Channel, connection: Arc<Connection>) -> ChannelAnswer {
    let _ = answered(channel.close(200, "leaving".into())).await;
    let _ = answered(connection.close(200, "done".into())).await;
    ChannelAnswer::Closed
}
