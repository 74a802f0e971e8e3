//! How many messages wait in the broker: for people and metrics, so never on the consumer's connection.

use lapin::Connection;
use lapin::options::QueueDeclareOptions;
use lapin::types::{FieldTable, ShortString};
use muster_system::certificates::ServerAddress;
use tokio::sync::Mutex;

use super::connect::{BrokerAddress, QueueNames, answered, connect, is_absent, parse};
use crate::rabbitmq::{AmqpError, QueueMessages};

/// Asks the broker about a queue. Connects when it is first asked, and stays connected.
#[derive(Debug)]
pub struct QueueReader {
    address: BrokerAddress,
    names: QueueNames,
    connection: Mutex<Option<Connection>>,
}

impl QueueReader {
    /// A reader of this queue.
    ///
    /// # Errors
    /// When the address or the name cannot be used.
    pub fn new(broker: &ServerAddress, queue: &str) -> Result<Self, AmqpError> {
        Ok(Self { address: parse(broker)?, names: QueueNames::new(queue)?, connection: Mutex::default() })
    }

    /// What is in the queue and among its dead letters right now.
    ///
    /// # Errors
    /// When the broker is out of reach or refuses.
    pub async fn messages(&self) -> Result<QueueMessages, AmqpError> {
        let mut kept = self.connection.lock().await;
        let connection = match kept.take() {
            Some(connection) if connection.status().connected() => connection,
            Some(_) | None => connect(&self.address, "queue length").await?,
        };
        let ready = count(&connection, &self.names.queue).await?;
        let dead = count(&connection, &self.names.dead).await?;
        *kept = Some(connection);
        Ok(QueueMessages { ready, dead })
    }
}

/// The number of messages that wait in a queue; none in one that is not there.
async fn count(connection: &Connection, name: &ShortString) -> Result<u32, AmqpError> {
    let channel = answered(connection.create_channel()).await?;
    let options = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
    let asked = channel.queue_declare(name.clone(), options, FieldTable::default());
    match answered(asked).await {
        Ok(queue) => {
            answered(channel.close(200, "read".into())).await?;
            Ok(queue.message_count())
        }
        // The broker has closed the channel.
        Err(error) if is_absent(&error) => Ok(0),
        Err(error) => Err(error.into()),
    }
}
