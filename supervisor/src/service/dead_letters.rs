//! Dead letters, each time over a connection of its own: they are rarely asked for, and what is taken out of the queue to be
//! looked at goes back when the connection ends.

use muster_intake::rabbitmq::{AmqpError, DeadLetters, ReplayError};

use super::supervisor::Supervisor;
use crate::api::{
    DeadLetterAction, DeadLettersMovedView, DeadLettersView, ServiceError, letter_view, moved_view,
};

impl Supervisor {
    pub(super) async fn listed_dead_letters(
        &self,
        queue: Option<String>,
        limit: usize,
    ) -> Result<DeadLettersView, ServiceError> {
        let queue = self.queue_of_letters(queue)?;
        let letters = self.dead_letters_of(&queue).await?.list(limit).await.map_err(failure)?;
        Ok(DeadLettersView { queue, letters: letters.into_iter().map(letter_view).collect() })
    }

    pub(super) async fn moved_dead_letters(
        &self,
        queue: Option<String>,
        action: DeadLetterAction,
    ) -> Result<DeadLettersMovedView, ServiceError> {
        let dead = self.dead_letters_of(&self.queue_of_letters(queue)?).await?;
        match action {
            DeadLetterAction::Replay(choice) => {
                Ok(moved_view(dead.replay(choice, &*self.store).await.map_err(replay_failure)?))
            }
            DeadLetterAction::ReplayAs(key, message) => {
                let replayed = dead.replay_as(key, message.as_bytes(), &*self.store).await;
                match replayed.map_err(replay_failure)? {
                    true => Ok(DeadLettersMovedView { replayed: 1, ..DeadLettersMovedView::default() }),
                    false => Err(ServiceError::NotFound(format!("no dead letter has the key {key}"))),
                }
            }
            DeadLetterAction::Purge(choice) => {
                let purged = dead.purge(choice).await.map_err(failure)?;
                Ok(DeadLettersMovedView { purged, ..DeadLettersMovedView::default() })
            }
        }
    }

    /// The one that was named, which must be served here: another's letters are another's business.
    fn queue_of_letters(&self, queue: Option<String>) -> Result<String, ServiceError> {
        let served = self.started_with.served_queues();
        match queue {
            None => Ok(served.first().cloned().unwrap_or_default()),
            Some(queue) if served.contains(&queue) => Ok(queue),
            Some(queue) => Err(ServiceError::NotFound(format!(
                "queue {queue:?} is not served here; there are {}",
                served.join(", ")
            ))),
        }
    }

    async fn dead_letters_of(&self, queue: &str) -> Result<DeadLetters, ServiceError> {
        let Some(url) = &self.started_with.amqp_url else {
            let message = "there are no dead letters without RabbitMQ (amqp_url); executions of the embedded queue that could \
                           not run are among those that FAILED";
            return Err(ServiceError::NotFound(message.to_owned()));
        };
        DeadLetters::open(self.started_with.server(url), queue).await.map_err(failure)
    }
}

fn failure(error: AmqpError) -> ServiceError {
    ServiceError::Unavailable(error.to_string())
}

fn replay_failure(error: ReplayError) -> ServiceError {
    match error {
        ReplayError::Amqp(error) => failure(error),
        ReplayError::Store(error) => error.into(),
    }
}
