//! Stands where RabbitMQ would be in a build without it: whoever asks for it is told, so nothing of this exists ever.

use std::sync::Arc;

use muster_bus::Bus;
use muster_store::{QueueStore, Store};
use muster_system::certificates::ServerAddress;
use tokio::sync::watch;

use super::{
    AmqpError, BrokerHealth, DeadLetter, Inspection, IntakeOptions, LetterChoice, LetterKey, QueueMessages,
    ReplayError, ReplayResult,
};
use crate::Claims;

/// The consumer that this build has not.
#[derive(Debug)]
pub enum RabbitIntake {}

impl RabbitIntake {
    /// Refuses to start.
    ///
    /// # Errors
    /// Always.
    pub fn start<C: Claims>(
        _options: &IntakeOptions,
        _claims: Arc<C>,
        _store: Arc<dyn Store>,
        _bus: Bus,
    ) -> Result<Self, AmqpError> {
        Err(AmqpError::NotBuilt)
    }

    /// The health, which never changes here.
    pub fn health(&self) -> watch::Receiver<BrokerHealth> {
        match *self {}
    }

    /// Does nothing: nothing was consumed.
    pub async fn stop(self) {
        match self {}
    }
}

/// The publisher that this build has not.
#[derive(Debug)]
pub enum QueuePublisher {}

impl QueuePublisher {
    /// Refuses to publish.
    ///
    /// # Errors
    /// Always.
    pub fn new(_broker: impl Into<ServerAddress>, _queue: &str) -> Result<Self, AmqpError> {
        Err(AmqpError::NotBuilt)
    }

    /// Publishes requests.
    ///
    /// # Errors
    /// Never: there is no publisher.
    pub async fn publish<B: AsRef<[u8]>>(&self, _messages: &[B]) -> Result<(), AmqpError> {
        match *self {}
    }
}

/// The reader that this build has not.
#[derive(Debug)]
pub enum QueueReader {}

impl QueueReader {
    /// Refuses to read.
    ///
    /// # Errors
    /// Always.
    pub fn new(_broker: &ServerAddress, _queue: &str) -> Result<Self, AmqpError> {
        Err(AmqpError::NotBuilt)
    }

    /// What is in the queue.
    ///
    /// # Errors
    /// Never: there is no reader.
    pub async fn messages(&self) -> Result<QueueMessages, AmqpError> {
        match *self {}
    }
}

/// The dead letters that this build cannot look after.
#[derive(Debug)]
pub enum DeadLetters {}

impl DeadLetters {
    /// Refuses to connect.
    ///
    /// # Errors
    /// Always.
    pub async fn open(_broker: impl Into<ServerAddress>, _queue: &str) -> Result<Self, AmqpError> {
        Err(AmqpError::NotBuilt)
    }

    /// The queue whose messages they were.
    pub fn queue(&self) -> &str {
        match *self {}
    }

    /// How many there are.
    ///
    /// # Errors
    /// Never: there are no letters.
    pub async fn count(&self) -> Result<Option<u32>, AmqpError> {
        match *self {}
    }

    /// The oldest letters.
    ///
    /// # Errors
    /// Never: there are no letters.
    pub async fn list(&self, _limit: usize) -> Result<Vec<DeadLetter>, AmqpError> {
        match *self {}
    }

    /// Puts letters back in the queue.
    ///
    /// # Errors
    /// Never: there are no letters.
    pub async fn replay(
        &self,
        _only: LetterChoice,
        _store: &dyn QueueStore,
    ) -> Result<ReplayResult, ReplayError> {
        match *self {}
    }

    /// Puts another message in a letter's place.
    ///
    /// # Errors
    /// Never: there are no letters.
    pub async fn replay_as(
        &self,
        _key: LetterKey,
        _message: &[u8],
        _store: &dyn QueueStore,
    ) -> Result<bool, ReplayError> {
        match *self {}
    }

    /// Throws letters away.
    ///
    /// # Errors
    /// Never: there are no letters.
    pub async fn purge(&self, _only: LetterChoice) -> Result<u32, AmqpError> {
        match *self {}
    }
}

/// Looks at the broker.
///
/// # Errors
/// Always: this build has nothing to look with.
pub async fn inspect(_broker: impl Into<ServerAddress>, _queue: &str) -> Result<Inspection, AmqpError> {
    Err(AmqpError::NotBuilt)
}
