//! A connection with its channel: what it is asked, one after the other, and what it says.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;
use futures_util::{FutureExt as _, StreamExt as _};
use lapin::types::ShortString;
use lapin::{Channel, Connection, Consumer, Event};

use super::requests::{ChannelAnswer, ChannelRequest, acknowledge, cancel, close, consume};
use super::when;
use crate::rabbitmq::AmqpError;
use crate::rabbitmq::broker::delivery::Delivery;
use crate::rabbitmq::broker::published::{published_at, traceparent};
use crate::rabbitmq::consumer::{
    Acknowledgement, ChannelNumber, ConsumerEvent, IncomingMessage, MessageContent,
};

/// So many deliveries are taken from the channel at once.
const DELIVERIES_MAX: usize = 512;

/// See the module.
pub(super) struct OpenChannel {
    number: ChannelNumber,
    queue: ShortString,
    connection: Arc<Connection>,
    channel: Channel,
    /// What the library says of the connection.
    states: BoxStream<'static, Event>,
    consumer: Option<Consumer>,
    /// What is not acknowledged: its bytes are needed if it becomes a dead letter.
    messages: BTreeMap<u64, Arc<Delivery>>,
    requests: VecDeque<ChannelRequest>,
    answering: Option<BoxFuture<'static, ChannelAnswer>>,
    /// What has happened and was not told yet.
    events: VecDeque<ConsumerEvent>,
}

impl OpenChannel {
    pub(super) fn new(
        number: ChannelNumber,
        queue: ShortString,
        connection: Connection,
        channel: Channel,
    ) -> Self {
        let states = connection.events_listener().boxed();
        Self {
            number,
            queue,
            connection: Arc::new(connection),
            channel,
            states,
            consumer: None,
            messages: BTreeMap::new(),
            requests: VecDeque::new(),
            answering: None,
            events: VecDeque::new(),
        }
    }

    /// A message that is not acknowledged.
    pub(super) fn message(&self, tag: u64) -> Option<Arc<Delivery>> {
        self.messages.get(&tag).map(Arc::clone)
    }

    pub(super) fn acknowledge(&mut self, acknowledgements: Vec<Acknowledgement>) {
        for Acknowledgement { tag, multiple } in &acknowledgements {
            if *multiple {
                self.messages = self.messages.split_off(&tag.saturating_add(1));
            } else {
                self.messages.remove(tag);
            }
        }
        self.request(ChannelRequest::Acknowledge(acknowledgements));
    }

    /// Asks something, after what was asked before.
    pub(super) fn request(&mut self, request: ChannelRequest) {
        self.requests.push_back(request);
        self.ask();
    }

    /// Asks what is to be asked next, once the last answer is there.
    fn ask(&mut self) {
        if self.answering.is_some() {
            return;
        }
        let Some(request) = self.requests.pop_front() else { return };
        let channel = self.channel.clone();
        self.answering = Some(match request {
            ChannelRequest::Consume { window } => consume(channel, self.queue.clone(), window).boxed(),
            ChannelRequest::Cancel => cancel(channel, self.consumer.take()).boxed(),
            ChannelRequest::Acknowledge(acknowledgements) => acknowledge(channel, acknowledgements).boxed(),
            ChannelRequest::Close => close(channel, Arc::clone(&self.connection)).boxed(),
        });
    }

    /// What happens next here. Safe to cancel.
    pub(super) async fn next_event(&mut self) -> ConsumerEvent {
        loop {
            if let Some(event) = self.events.pop_front() {
                return event;
            }
            tokio::select! {
                biased;
                error = loss(&mut self.states) => self.lost(&error),
                answer = when(self.answering.as_mut()) => {
                    self.answering = None;
                    self.answered(answer);
                    self.ask();
                }
                delivered = deliveries(&mut self.consumer) => match delivered {
                    Ok(deliveries) => self.delivered(deliveries),
                    Err(error) => {
                        self.consumer = None;
                        self.lost(&error);
                    }
                },
            }
        }
    }

    fn answered(&mut self, answer: ChannelAnswer) {
        let channel = self.number;
        match answer {
            ChannelAnswer::Consuming(consumer) => {
                self.consumer = Some(consumer);
                self.events.push_back(ConsumerEvent::ConsumerStarted { channel });
            }
            ChannelAnswer::Refused(problem) => {
                let reason = AmqpError::Unreachable(problem.clone()).to_string();
                self.events.push_back(ConsumerEvent::ConsumerRefused { channel, problem, reason });
            }
            ChannelAnswer::Cancelled(deliveries) => {
                self.delivered(deliveries);
                self.events.push_back(ConsumerEvent::ConsumerStopped { channel });
            }
            ChannelAnswer::Acknowledged => {}
            ChannelAnswer::Closed => self.events.push_back(ConsumerEvent::ChannelClosed { channel }),
            ChannelAnswer::Failed(error) => self.lost(&error),
        }
    }

    fn lost(&mut self, error: &AmqpError) {
        let reason = error.to_string();
        self.events.push_back(ConsumerEvent::ChannelLost { channel: self.number, reason });
    }

    /// Reads messages, and keeps them until they are acknowledged.
    fn delivered(&mut self, deliveries: Vec<Delivery>) {
        let mut messages = Vec::with_capacity(deliveries.len());
        for delivery in deliveries {
            let mut content = MessageContent::read(&delivery.body);
            if let Some(traceparent) = traceparent(&delivery.properties) {
                content.take_traceparent(traceparent);
            }
            let published_at = published_at(&delivery.properties);
            messages.push(IncomingMessage { tag: delivery.tag, content, published_at });
            self.messages.insert(delivery.tag, Arc::new(delivery));
        }
        self.events.push_back(ConsumerEvent::Delivered { channel: self.number, messages });
    }
}

/// Returns once the connection is lost. Safe to cancel.
async fn loss(states: &mut BoxStream<'static, Event>) -> AmqpError {
    while let Some(state) = states.next().await {
        if let Event::Error(error) = state {
            return error.into();
        }
    }
    AmqpError::Unreachable("the connection was closed".to_owned())
}

/// The next delivery and whatever came with it. Waits for ever without a consumer. Safe to cancel.
async fn deliveries(consumer: &mut Option<Consumer>) -> Result<Vec<Delivery>, AmqpError> {
    let Some(consumer) = consumer else { return std::future::pending().await };
    let ended = || AmqpError::Unreachable("the consumer was cancelled by the broker".to_owned());
    let mut deliveries = vec![consumer.next().await.ok_or_else(ended)??.into()];
    while deliveries.len() < DELIVERIES_MAX {
        match consumer.next().now_or_never() {
            Some(Some(delivery)) => deliveries.push(delivery?.into()),
            // The end of the stream is met again by the next call.
            Some(None) | None => break,
        }
    }
    Ok(deliveries)
}
