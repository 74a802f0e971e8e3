//! The channel: opening and ending the consumer, taking deliveries, acknowledging.

use std::time::Duration;

use futures_util::{FutureExt as _, StreamExt as _};
use lapin::Consumer;
use lapin::options::{
    BasicAckOptions, BasicCancelOptions, BasicConsumeOptions, BasicNackOptions, BasicQosOptions,
};
use lapin::types::FieldTable;

use super::super::connect::{AmqpError, answered};
use super::ConsumerSession;
use crate::Claims;
use crate::rabbitmq::delivery::Delivery;

/// So many deliveries are taken from the channel at once.
const ARRIVE_MAX: usize = 512;
/// How long leaving waits for dead letters that are on their way.
const LEAVE_PATIENCE: Duration = Duration::from_secs(3);

impl<C: Claims> ConsumerSession<'_, C> {
    pub(super) async fn consume(&mut self, window: u16) -> Result<(), AmqpError> {
        match self.open_consumer(window).await {
            Ok(consumer) => self.consumer = Some(consumer),
            Err(error) => {
                let queue = &self.shared.names.queue;
                let problem = match AmqpError::from(error) {
                    AmqpError::Unreachable(reason) => format!(
                        "no consumer on queue {queue} was confirmed ({reason}); a quorum queue without a leader does \
                         not answer: see `rabbitmq-queues quorum_status {queue}`"
                    ),
                    refused @ (AmqpError::Url(_)
                    | AmqpError::QueueName(_)
                    | AmqpError::Refused(_)
                    | AmqpError::NotConfirmed(_)) => format!("no consumer on queue {queue}: {refused}"),
                };
                self.shared.health.send_modify(|health| health.consume_problem = Some(problem.clone()));
                return Err(AmqpError::Unreachable(problem));
            }
        }
        let was_confirmed = self.shared.health.borrow().confirmed;
        if !was_confirmed {
            tracing::info!(queue = %self.shared.names.queue, "rabbitmq is connected; consuming");
        }
        self.shared.health.send_if_modified(|health| {
            let before = (health.confirmed, health.consuming);
            (health.confirmed, health.consuming, health.consume_problem) = (true, true, None);
            before != (true, true)
        });
        Ok(())
    }

    async fn open_consumer(&mut self, window: u16) -> Result<Consumer, lapin::Error> {
        answered(self.channel.basic_qos(window, BasicQosOptions::default())).await?;
        let queue = self.shared.names.queue.clone();
        let options = BasicConsumeOptions::default();
        answered(self.channel.basic_consume(queue, "".into(), options, FieldTable::default())).await
    }

    /// Ends the consumer and takes in what was on its way. It stays open: the channel has it.
    pub(super) async fn stop_consuming(&mut self) -> Result<(), AmqpError> {
        let Some(mut consumer) = self.consumer.take() else { return Ok(()) };
        answered(self.channel.basic_cancel(consumer.tag(), BasicCancelOptions::default())).await?;
        let mut messages = Vec::new();
        while let Some(delivery) = consumer.next().await {
            messages.push(message(delivery?));
        }
        self.shared.health.send_if_modified(|health| std::mem::replace(&mut health.consuming, false));
        self.arrive(messages).await;
        Ok(())
    }

    pub(super) async fn acknowledge(&mut self, tags: Vec<u64>) -> Result<(), AmqpError> {
        let count = tags.len() as u64;
        self.send_acks(tags).await?;
        self.shared.health.send_if_modified(|health| {
            health.taken += count;
            false
        });
        Ok(())
    }

    pub(super) async fn send_acks(&mut self, tags: impl IntoIterator<Item = u64>) -> Result<(), AmqpError> {
        for ack in self.acks.acknowledge(tags) {
            let options = BasicAckOptions { multiple: ack.multiple };
            answered(self.channel.basic_ack(ack.tag, options)).await?;
        }
        Ok(())
    }

    /// Gives back what was not claimed and closes the channel.
    pub(super) async fn leave(&mut self) -> Result<(), AmqpError> {
        if let Some(consumer) = self.consumer.take() {
            answered(self.channel.basic_cancel(consumer.tag(), BasicCancelOptions::default())).await?;
        }
        // Half-dead_lettered messages would come back and be dead_lettered twice.
        if let Some(dead_lettering) = self.dead_lettering.take()
            && let Ok(dead_lettered) = tokio::time::timeout(LEAVE_PATIENCE, dead_lettering).await
        {
            self.forget(dead_lettered).await?;
        }
        if self.acks.open() > 0 {
            let everything = BasicNackOptions { multiple: true, requeue: true };
            answered(self.channel.basic_nack(0, everything)).await?;
        }
        answered(self.channel.close(200, "leaving".into())).await?;
        Ok(())
    }
}

/// The next delivery and whatever came with it. Waits for ever without a consumer.
pub(super) async fn deliveries(consumer: &mut Option<Consumer>) -> Result<Vec<Delivery>, AmqpError> {
    let Some(consumer) = consumer else { return std::future::pending().await };
    let ended = || AmqpError::Unreachable("the consumer was cancelled by the broker".to_owned());
    let mut messages = vec![message(consumer.next().await.ok_or_else(ended)??)];
    while messages.len() < ARRIVE_MAX {
        match consumer.next().now_or_never() {
            Some(Some(delivery)) => messages.push(message(delivery?)),
            // The end of the stream is met again by the next call.
            Some(None) | None => break,
        }
    }
    Ok(messages)
}

fn message(delivery: lapin::message::Delivery) -> Delivery {
    Delivery { tag: delivery.delivery_tag, body: delivery.data, properties: delivery.properties }
}
