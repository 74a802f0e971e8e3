//! What waits in RabbitMQ, as far as the broker said.

use std::sync::Arc;
use std::time::Duration;

use muster_intake::rabbitmq::{QueueMessages, QueueReader};

use super::database_status::StatusQuestion;
use crate::api::{BrokerQueueView, BrokerView};

/// A number that is older says nothing any more.
const NUMBER_FOR: Duration = Duration::from_secs(10);

/// The queues that are consumed, and what is asked of them again and again.
#[derive(Debug)]
pub(super) struct BrokerStatus(Vec<QueueStatus>);

#[derive(Debug)]
struct QueueStatus {
    queue: String,
    reader: Arc<QueueReader>,
    messages: StatusQuestion<QueueMessages>,
}

impl BrokerStatus {
    /// Knows nothing yet of these queues.
    pub(super) fn of(readers: Vec<(String, QueueReader)>) -> Self {
        let status = |(queue, reader)| QueueStatus {
            queue,
            reader: Arc::new(reader),
            messages: StatusQuestion::default(),
        };
        Self(readers.into_iter().map(status).collect())
    }

    /// What is known.
    pub(super) async fn view(&self) -> BrokerView {
        let views = self.0.iter().map(QueueStatus::view);
        BrokerView { queues: futures_util::future::join_all(views).await }
    }
}

impl QueueStatus {
    async fn view(&self) -> BrokerQueueView {
        let reader = Arc::clone(&self.reader);
        let look = self.messages.look(async move { reader.messages().await }).await;
        let messages = match look.answer {
            Some(Ok(messages)) if look.age < NUMBER_FOR => Some(messages),
            Some(_) | None => None,
        };
        BrokerQueueView {
            queue: self.queue.clone(),
            ready: messages.map(|messages| messages.ready),
            dead: messages.map(|messages| messages.dead),
        }
    }
}
