//! Looking after dead letters: list, show, replay, purge.
//!
//! Listing takes the letters out without acknowledging and gives them back by closing the channel, so they
//! stay where they are whatever happens meanwhile.

use std::time::Duration;

use lapin::message::Delivery;
use lapin::options::{BasicAckOptions, BasicGetOptions, QueuePurgeOptions};
use lapin::types::AMQPValue;
use lapin::{BasicProperties, Channel, Connection};
use muster_core::execution::RequestDraft;
use muster_store::QueueStore;
use muster_system::certificates::ServerAddress;
use uuid::Uuid;

use super::connect::{QueueNames, answered, connect, parse};
use super::publisher::QueuePublisher;
use super::topology;
use crate::rabbitmq::REASON_HEADER;
use crate::rabbitmq::{AmqpError, DeadLetter, LetterChoice, LetterKey, ReplayError, ReplayResult};

/// What was taken is back at once, but the broker says so only when all its nodes know.
const BACK_LOOKS: u32 = 40;
/// The pause between two looks whether it is.
const BACK_LOOK_EVERY: Duration = Duration::from_millis(50);

/// A letter that somebody else looks at is out of the queue for a moment: so often it is looked for before it is said that
/// there is none.
const LOOKS_FOR_ONE: u32 = 20;

/// The dead letters of a queue.
#[derive(Debug)]
pub struct DeadLetters {
    connection: Connection,
    publisher: QueuePublisher,
    names: QueueNames,
}

impl DeadLetters {
    /// Connects, and makes nothing: where nobody ever served the queue there are no letters.
    ///
    /// # Errors
    /// When the broker is out of reach or refuses.
    pub async fn open(broker: impl Into<ServerAddress>, queue: &str) -> Result<Self, AmqpError> {
        let broker = broker.into();
        let names = QueueNames::new(queue)?;
        let connection = connect(&parse(&broker)?, "dead letters").await?;
        Ok(Self { connection, publisher: QueuePublisher::new(broker, queue)?, names })
    }

    /// The queue whose messages they were.
    pub fn queue(&self) -> &str {
        self.names.queue.as_str()
    }

    /// How many there are; `None` when there is no queue for them, because nobody ever served theirs.
    ///
    /// # Errors
    /// When the broker is out of reach or refuses.
    pub async fn count(&self) -> Result<Option<u32>, AmqpError> {
        topology::dead_letters(&self.connection, &self.names).await
    }

    /// The oldest `limit` letters.
    ///
    /// # Errors
    /// When the broker is out of reach or refuses.
    pub async fn list(&self, limit: usize) -> Result<Vec<DeadLetter>, AmqpError> {
        if self.count().await?.is_none() {
            return Ok(Vec::new());
        }
        let channel = self.channel().await?;
        let mut letters = Vec::new();
        while letters.len() < limit
            && let Some(delivery) = self.take(&channel).await?
        {
            letters.push(self.letter(letters.len() + 1, &delivery));
        }
        give_back(&channel).await?;
        self.are_back(letters.len()).await?;
        Ok(letters)
    }

    /// Puts letters back in the queue, of those that are there now. The row of an
    /// execution that failed only for want of a usable message is forgotten first; others stay as they are,
    /// and their message will change nothing.
    ///
    /// # Errors
    /// When the broker or the database is out of reach; what was not replayed stays where it is.
    pub async fn replay(
        &self,
        only: LetterChoice,
        store: &dyn QueueStore,
    ) -> Result<ReplayResult, ReplayError> {
        let look = || self.replay_once(only, store);
        until_found(looks_for(only), look, |replayed| replayed.replayed > 0).await
    }

    async fn replay_once(
        &self,
        only: LetterChoice,
        store: &dyn QueueStore,
    ) -> Result<ReplayResult, ReplayError> {
        let channel = self.channel().await?;
        let mut replayed = ReplayResult::default();
        // What comes back while we replay is not replayed again.
        let mut left = self.count().await?.unwrap_or_default();
        while left > 0
            && let Some(delivery) = self.take(&channel).await?
        {
            left -= 1;
            let id = execution_id(&delivery.data);
            if !only.takes(id, LetterKey::of(&delivery.data)) {
                continue;
            }
            if let Some(id) = id
                && store.reopen_unusable(id).await?
            {
                replayed.reopened += 1;
            }
            self.publisher.publish_again(&delivery.data, &delivery.properties).await?;
            let done = channel.basic_ack(delivery.delivery_tag, BasicAckOptions::default());
            answered(done).await.map_err(AmqpError::from)?;
            replayed.replayed += 1;
        }
        give_back(&channel).await?;
        Ok(replayed)
    }

    /// Puts another message in the queue in the place of the first letter of this content, which is gone then. As with
    /// [`replay`](Self::replay) the row of the execution that the new message names is forgotten if it never ran. False: there is
    /// no such letter.
    ///
    /// # Errors
    /// When the broker or the database is out of reach; the letter stays where it is.
    pub async fn replay_as(
        &self,
        key: LetterKey,
        message: &[u8],
        store: &dyn QueueStore,
    ) -> Result<bool, ReplayError> {
        until_found(LOOKS_FOR_ONE, || self.replay_as_once(key, message, store), |found| *found).await
    }

    async fn replay_as_once(
        &self,
        key: LetterKey,
        message: &[u8],
        store: &dyn QueueStore,
    ) -> Result<bool, ReplayError> {
        if self.count().await?.is_none() {
            return Ok(false);
        }
        let channel = self.channel().await?;
        let mut found = None;
        while found.is_none()
            && let Some(delivery) = self.take(&channel).await?
        {
            found = Some(delivery).filter(|delivery| LetterKey::of(&delivery.data) == key);
        }
        if let Some(letter) = &found {
            if let Some(id) = execution_id(message) {
                store.reopen_unusable(id).await?;
            }
            self.publisher.publish_again(message, &letter.properties).await?;
            let done = channel.basic_ack(letter.delivery_tag, BasicAckOptions::default());
            answered(done).await.map_err(AmqpError::from)?;
        }
        give_back(&channel).await?;
        Ok(found.is_some())
    }

    /// Throws letters away, and says how many there were.
    ///
    /// # Errors
    /// When the broker is out of reach or refuses.
    pub async fn purge(&self, only: LetterChoice) -> Result<u32, AmqpError> {
        until_found(looks_for(only), || self.purge_once(only), |purged| *purged > 0).await
    }

    async fn purge_once(&self, only: LetterChoice) -> Result<u32, AmqpError> {
        let Some(mut left) = self.count().await? else { return Ok(0) };
        let channel = self.channel().await?;
        if only == LetterChoice::All {
            let purged = channel.queue_purge(self.names.dead.clone(), QueuePurgeOptions::default());
            return Ok(answered(purged).await?);
        }
        let mut purged = 0;
        while left > 0
            && let Some(delivery) = self.take(&channel).await?
        {
            left -= 1;
            if only.takes(execution_id(&delivery.data), LetterKey::of(&delivery.data)) {
                let done = channel.basic_ack(delivery.delivery_tag, BasicAckOptions::default());
                answered(done).await?;
                purged += 1;
            }
        }
        give_back(&channel).await?;
        Ok(purged)
    }

    /// Waits until so many are in the queue again, for a moment: whoever counts or takes them next must find them.
    async fn are_back(&self, letters: usize) -> Result<(), AmqpError> {
        for _ in 0..BACK_LOOKS {
            if self.count().await?.is_none_or(|count| count as usize >= letters) {
                break;
            }
            tokio::time::sleep(BACK_LOOK_EVERY).await;
        }
        Ok(())
    }

    async fn channel(&self) -> Result<Channel, AmqpError> {
        Ok(answered(self.connection.create_channel()).await?)
    }

    async fn take(&self, channel: &Channel) -> Result<Option<Delivery>, AmqpError> {
        let taken = channel.basic_get(self.names.dead.clone(), BasicGetOptions::default());
        let taken = answered(taken).await?;
        Ok(taken.map(|message| message.delivery))
    }

    fn letter(&self, number: usize, delivery: &Delivery) -> DeadLetter {
        DeadLetter {
            number,
            queue: self.queue().to_owned(),
            key: LetterKey::of(&delivery.data),
            execution_id: execution_id(&delivery.data),
            reason: reason(&delivery.properties),
            message: String::from_utf8_lossy(&delivery.data).into_owned(),
        }
    }
}

/// Looks so often, unless something is found before; gives what the last look came to.
async fn until_found<T, E, F: Future<Output = Result<T, E>>>(
    looks: u32,
    mut look: impl FnMut() -> F,
    is_found: impl Fn(&T) -> bool,
) -> Result<T, E> {
    for _ in 1..looks {
        let answer = look().await?;
        if is_found(&answer) {
            return Ok(answer);
        }
        tokio::time::sleep(BACK_LOOK_EVERY).await;
    }
    look().await
}

/// How often letters are looked for, if none is found: who wants all of them means those that are there.
fn looks_for(only: LetterChoice) -> u32 {
    if only == LetterChoice::All { 1 } else { LOOKS_FOR_ONE }
}

/// Closes the channel: what was taken and not acknowledged goes back to its place.
async fn give_back(channel: &Channel) -> Result<(), AmqpError> {
    Ok(answered(channel.close(200, "seen".into())).await?)
}

fn execution_id(body: &[u8]) -> Option<Uuid> {
    RequestDraft::parse(body).ok().and_then(|draft| draft.execution_id)
}

/// Our header, or what the broker itself noted when it gave up.
fn reason(properties: &BasicProperties) -> String {
    let headers = properties.headers().as_ref();
    let ours = headers.and_then(|headers| headers.inner().get(REASON_HEADER));
    match ours {
        Some(AMQPValue::LongString(text)) => text.to_string(),
        Some(_) | None => match headers.and_then(|headers| headers.inner().get("x-first-death-reason")) {
            Some(AMQPValue::LongString(text)) => format!("dead-lettered by rabbitmq: {text}"),
            Some(_) | None => "unknown".to_owned(),
        },
    }
}
