//! The queue, the dead-letter exchange and the dead-letter queue.

use lapin::options::{ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable, ShortString};
use lapin::{Channel, Connection, ExchangeKind, Queue};

use super::connect::{AmqpError, QueueNames, answered, connect, is_mismatch, parse};

/// A message is delivered so often before the broker gives up on it. High: a supervisor that dies is no
/// message's fault, and attempts are counted in the row.
const DELIVERY_LIMIT: i32 = 1_000_000;

/// What a look at the broker found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inspection {
    /// Messages that wait.
    pub messages: u32,
    /// Supervisors that consume right now.
    pub consumers: u32,
    /// Dead letters.
    pub dead: u32,
    /// Queues that exist with other arguments than ours, and what to do about it.
    pub differences: Vec<String>,
}

/// Declares the topology and says how it is. For `doctor`.
///
/// # Errors
/// When the broker is out of reach or refuses.
pub async fn inspect(url: &str, queue: &str) -> Result<Inspection, AmqpError> {
    let names = QueueNames::new(queue)?;
    let connection = connect(&parse(url)?, "doctor").await?;
    let declared = declare(&connection, &names).await?;
    let inspection = Inspection {
        messages: declared.queue.message_count(),
        consumers: declared.queue.consumer_count(),
        dead: declared.dead_letters(),
        differences: declared.differences,
    };
    answered(connection.close(200, "done".into())).await?;
    Ok(inspection)
}

/// The topology as it is after [`declare`].
pub(super) struct Declared {
    queue: Queue,
    dead: Queue,
    /// What is not as we would have made it.
    pub(super) differences: Vec<String>,
}

impl Declared {
    /// How many dead letters there were.
    pub(super) fn dead_letters(&self) -> u32 {
        self.dead.message_count()
    }
}

/// Makes sure that exchange and queues exist. One that exists with other arguments is used as it is.
pub(super) async fn declare(connection: &Connection, names: &QueueNames) -> Result<Declared, AmqpError> {
    let mut differences = Vec::new();
    declare_exchange(connection, &names.dead, &mut differences).await?;
    let dead = declare_queue(connection, &names.dead, quorum(), &mut differences).await?;
    let channel = answered(connection.create_channel()).await?;
    let (dead_name, options) = (names.dead.clone(), QueueBindOptions::default());
    let bound = channel.queue_bind(dead_name.clone(), dead_name, "".into(), options, FieldTable::default());
    answered(bound).await?;
    close(&channel).await;
    let mut arguments = quorum();
    arguments.insert("x-dead-letter-exchange".into(), long(names.dead.as_str()));
    let queue = declare_queue(connection, &names.queue, arguments, &mut differences).await?;
    Ok(Declared { queue, dead, differences })
}

async fn declare_exchange(
    connection: &Connection,
    name: &ShortString,
    differences: &mut Vec<String>,
) -> Result<(), AmqpError> {
    let channel = answered(connection.create_channel()).await?;
    let options = ExchangeDeclareOptions { durable: true, ..ExchangeDeclareOptions::default() };
    let declared =
        channel.exchange_declare(name.clone(), ExchangeKind::Fanout, options, FieldTable::default());
    match answered(declared).await {
        Ok(()) => close(&channel).await,
        Err(error) if is_mismatch(&error) => differences.push(format!(
            "exchange {name} exists and is not a durable fanout ({error}); dead letters may not reach queue \
             {name}: delete the exchange and restart"
        )),
        Err(error) => return Err(error.into()),
    }
    Ok(())
}

async fn declare_queue(
    connection: &Connection,
    name: &ShortString,
    arguments: FieldTable,
    differences: &mut Vec<String>,
) -> Result<Queue, AmqpError> {
    let channel = answered(connection.create_channel()).await?;
    let options = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
    let declared = answered(channel.queue_declare(name.clone(), options, arguments)).await;
    let error = match declared {
        Ok(queue) => {
            close(&channel).await;
            return Ok(queue);
        }
        Err(error) if is_mismatch(&error) => error,
        Err(error) => return Err(error.into()),
    };
    differences.push(format!(
        "queue {name} exists with other arguments and is used as it is ({error}); to get a quorum queue with a \
         dead-letter exchange drain it, delete it and restart, or set another queue"
    ));
    let channel = answered(connection.create_channel()).await?;
    let passive = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
    let queue = answered(channel.queue_declare(name.clone(), passive, FieldTable::default())).await?;
    close(&channel).await;
    Ok(queue)
}

/// A channel that was only asked something. The connection closes what could not be closed here.
async fn close(channel: &Channel) {
    let _ = answered(channel.close(200, "done".into())).await;
}

fn quorum() -> FieldTable {
    let mut arguments = FieldTable::default();
    arguments.insert("x-queue-type".into(), long("quorum"));
    arguments.insert("x-delivery-limit".into(), AMQPValue::LongInt(DELIVERY_LIMIT));
    arguments
}

fn long(text: &str) -> AMQPValue {
    AMQPValue::LongString(text.into())
}
