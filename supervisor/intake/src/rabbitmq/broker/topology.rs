//! The queue, the dead-letter exchange and the dead-letter queue.

use lapin::options::{ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable, ShortString};
use lapin::{Channel, Connection, ExchangeKind, Queue};
use muster_system::certificates::ServerAddress;

use super::connect::{QueueNames, answered, connect, is_absent, is_forbidden, is_mismatch, parse};
use super::greeting;
use crate::rabbitmq::{AmqpError, Inspection};

/// A message is delivered so often before the broker gives up on it. High: a supervisor that dies is no
/// message's fault, and attempts are counted in the row.
const DELIVERY_LIMIT: i32 = 1_000_000;

/// Looks at the topology and changes nothing: what is not there is not made. For `doctor`.
///
/// # Errors
/// When the broker is out of reach or refuses.
pub async fn inspect(broker: impl Into<ServerAddress>, queue: &str) -> Result<Inspection, AmqpError> {
    let names = QueueNames::new(queue)?;
    let address = parse(&broker.into())?;
    let version = greeting::version(&address.uri).await;
    let connection = connect(&address, "doctor").await?;
    let (mut missing, mut differences) = (Vec::new(), Vec::new());
    if exchange_exists(&connection, &names.dead).await? {
        declare_exchange(&connection, &names.dead, &mut differences).await?;
    } else {
        missing.push(format!("exchange {}", names.dead));
    }
    let mut queues = Vec::new();
    for (name, arguments) in [(&names.dead, quorum()), (&names.queue, main_arguments(&names))] {
        if queue_exists(&connection, name).await? {
            queues.push(Some(declare_queue(&connection, name, arguments, &mut differences).await?));
        } else {
            missing.push(format!("queue {name}"));
            queues.push(None);
        }
    }
    let main = queues.pop().flatten();
    let inspection = Inspection {
        version,
        missing,
        messages: main.as_ref().map_or(0, Queue::message_count),
        consumers: main.as_ref().map_or(0, Queue::consumer_count),
        dead: queues.pop().flatten().map_or(0, |dead| dead.message_count()),
        differences,
    };
    answered(connection.close(200, "done".into())).await?;
    Ok(inspection)
}

async fn exchange_exists(connection: &Connection, name: &ShortString) -> Result<bool, AmqpError> {
    let channel = answered(connection.create_channel()).await?;
    let options = ExchangeDeclareOptions { passive: true, ..ExchangeDeclareOptions::default() };
    let asked = channel.exchange_declare(name.clone(), ExchangeKind::Fanout, options, FieldTable::default());
    found(answered(asked).await, &channel).await
}

async fn queue_exists(connection: &Connection, name: &ShortString) -> Result<bool, AmqpError> {
    let channel = answered(connection.create_channel()).await?;
    let options = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
    let asked = channel.queue_declare(name.clone(), options, FieldTable::default());
    found(answered(asked).await, &channel).await
}

/// Whether what was asked for is there. The broker closes the channel when it is not.
async fn found<T>(asked: Result<T, lapin::Error>, channel: &Channel) -> Result<bool, AmqpError> {
    match asked {
        Ok(_) => {
            close(channel).await;
            Ok(true)
        }
        Err(error) if is_absent(&error) => Ok(false),
        // It is there, and in use by one connection alone or of another kind: declaring it tells.
        Err(error) if is_mismatch(&error) => Ok(true),
        Err(error) => Err(error.into()),
    }
}

/// Makes sure that exchange and queues exist. One that exists with other arguments is used as it is, and so is one that
/// our user may not configure; gives what is not as we would have made it. A stream is refused.
pub(super) async fn declare(connection: &Connection, names: &QueueNames) -> Result<Vec<String>, AmqpError> {
    let mut differences = Vec::new();
    declare_exchange(connection, &names.dead, &mut differences).await?;
    declare_queue(connection, &names.dead, quorum(), &mut differences).await?;
    let channel = answered(connection.create_channel()).await?;
    let (dead_name, options) = (names.dead.clone(), QueueBindOptions::default());
    let bound = channel.queue_bind(dead_name.clone(), dead_name, "".into(), options, FieldTable::default());
    match answered(bound).await {
        Ok(()) => close(&channel).await,
        Err(error) if is_forbidden(&error) => differences.push(format!(
            "our user may not bind queue {0} to exchange {0} ({error}); dead letters reach it only if somebody else \
             has bound it: grant write on the queue and read on the exchange",
            names.dead
        )),
        Err(error) => return Err(error.into()),
    }
    declare_queue(connection, &names.queue, main_arguments(names), &mut differences).await?;
    Ok(differences)
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
        Err(error) if is_forbidden(&error) => {
            if !exchange_exists(connection, name).await? {
                return Err(may_not_make("exchange", name, &error));
            }
        }
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
        Err(error) if is_stream(&error) => return Err(AmqpError::Stream(name.to_string())),
        Err(error) if is_mismatch(&error) => {
            differences.push(format!(
                "queue {name} exists with other arguments and is used as it is ({error}); to get a quorum queue with \
                 a dead-letter exchange drain it, delete it and restart, or set another queue"
            ));
            error
        }
        // Whoever gave it to us may have made it as it should be: nobody tells us.
        Err(error) if is_forbidden(&error) => error,
        Err(error) => return Err(error.into()),
    };
    existing_queue(connection, name).await?.ok_or_else(|| may_not_make("queue", name, &error))
}

/// The queue, if it is there. Nothing is made.
async fn existing_queue(connection: &Connection, name: &ShortString) -> Result<Option<Queue>, AmqpError> {
    let channel = answered(connection.create_channel()).await?;
    let passive = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
    match answered(channel.queue_declare(name.clone(), passive, FieldTable::default())).await {
        Ok(queue) => {
            close(&channel).await;
            Ok(Some(queue))
        }
        Err(error) if is_absent(&error) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Whether a queue that was declared as a quorum queue is a stream. The broker says so in words alone.
fn is_stream(error: &lapin::Error) -> bool {
    let told = error.to_string();
    is_mismatch(error)
        && told.split_once("current is").is_some_and(|(_, current)| current.contains("'stream'"))
}

/// How many dead letters there are; `None` when the queue for them is not there. Nothing is made.
pub(super) async fn dead_letters(
    connection: &Connection,
    names: &QueueNames,
) -> Result<Option<u32>, AmqpError> {
    let queue = existing_queue(connection, &names.dead).await?;
    Ok(queue.map(|queue| queue.message_count()))
}

/// It is not there, and our user may not make it.
fn may_not_make(what: &str, name: &ShortString, error: &lapin::Error) -> AmqpError {
    AmqpError::Refused(format!(
        "{what} {name} is not there and our user may not make it ({error}): grant it configure, as in \
         `rabbitmqctl set_permissions -p VHOST USER '^muster.*' '.*' '.*'`, or make it with an administrator's user"
    ))
}

/// A channel that was only asked something. The connection closes what could not be closed here.
async fn close(channel: &Channel) {
    let _ = answered(channel.close(200, "done".into())).await;
}

fn main_arguments(names: &QueueNames) -> FieldTable {
    let mut arguments = quorum();
    arguments.insert("x-dead-letter-exchange".into(), long(names.dead.as_str()));
    arguments
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
