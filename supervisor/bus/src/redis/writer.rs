//! The task that writes: it takes whatever waits, sends it as one pipeline, and answers those who wait for
//! theirs. What arrives meanwhile forms the next pipeline, so batches grow with the load by themselves.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::FutureExt as _;
use redis::aio::MultiplexedConnection;
use redis::{Client, RedisError};
use tokio::sync::{mpsc, watch};

use super::{PendingWrites, RESPONSE_TIMEOUT, RedisConnection, WriterLoad, connect, delays, pipeline};
use crate::BusError;

/// At most so many pieces of work in one pipeline.
const BATCH_MAX: usize = 512;
/// When so many pieces came while a pipeline was on its way, more come all the time:
const BUSY: usize = 8;
/// then the next ones are gathered for so long. Nobody is woken for each of them meanwhile.
const GATHER: Duration = Duration::from_millis(2);
/// An idle connection is tried this often.
const PING_INTERVAL: Duration = Duration::from_secs(1);

type WriteQueue = mpsc::UnboundedReceiver<PendingWrites>;

/// Serves the queue until it is closed.
pub(super) async fn run(
    client: Client,
    mut queue: WriteQueue,
    link: watch::Sender<RedisConnection>,
    load: Arc<WriterLoad>,
) {
    let mut pauses = delays();
    let mut reported = false;
    loop {
        match connect(&client, RESPONSE_TIMEOUT).await {
            Ok(connection) => {
                tracing::info!("redis is connected");
                (reported, pauses) = (false, delays());
                link.send_replace(RedisConnection::Up(connection.clone()));
                match serve(connection, &mut queue, &load).await {
                    ServedBatch::Closed => return,
                    ServedBatch::Lost(error) => tracing::warn!(%error, "the connection to redis was lost"),
                }
                // The first new attempt comes soon, and what waits may wait for it.
                link.send_replace(RedisConnection::Connecting);
                tokio::time::sleep(pauses.next().unwrap_or(PING_INTERVAL)).await;
            }
            Err(error) => {
                if !std::mem::replace(&mut reported, true) {
                    tracing::warn!(%error, "redis is out of reach; executions go on without live views");
                }
                link.send_replace(RedisConnection::Down(error.to_string()));
                let pause = pauses.next().unwrap_or(PING_INTERVAL);
                if refuse(&mut queue, &load, &error, pause).await.is_closed() {
                    return;
                }
            }
        }
    }
}

enum ServedBatch {
    /// Nobody will send work any more.
    Closed,
    /// The connection is of no use any more.
    Lost(RedisError),
}

/// Whether the queue can still bring work.
#[derive(PartialEq, Eq)]
enum QueueState {
    Open,
    Closed,
}

impl QueueState {
    fn is_closed(&self) -> bool {
        *self == Self::Closed
    }
}

async fn serve(
    mut connection: MultiplexedConnection,
    queue: &mut WriteQueue,
    load: &WriterLoad,
) -> ServedBatch {
    let mut batch = Vec::with_capacity(BATCH_MAX);
    loop {
        let received = tokio::time::timeout(PING_INTERVAL, queue.recv_many(&mut batch, BATCH_MAX)).await;
        let sent = match received {
            Ok(0) => return ServedBatch::Closed,
            Ok(count) => {
                // Somebody who waits for an answer is not kept waiting.
                let nobody_waits = batch.iter().all(|work| work.done.is_none());
                if (BUSY..BATCH_MAX).contains(&count) && nobody_waits {
                    tokio::time::sleep(GATHER).await;
                    // Whatever has come by now.
                    let _ = queue.recv_many(&mut batch, BATCH_MAX - count).now_or_never();
                }
                send(&mut connection, &mut batch, load).await
            }
            Err(_) => redis::cmd("PING").query_async::<()>(&mut connection).await,
        };
        if let Err(error) = sent {
            return ServedBatch::Lost(error);
        }
    }
}

/// Sends a batch and answers it. An error means that the connection is lost.
async fn send(
    connection: &mut MultiplexedConnection,
    batch: &mut Vec<PendingWrites>,
    load: &WriterLoad,
) -> Result<(), RedisError> {
    let mut commands = redis::Pipeline::new();
    let answers_of: Vec<usize> = batch
        .iter()
        .map(|work| work.writes.iter().map(|write| pipeline::add(&mut commands, write)).sum())
        .collect();
    let answers = if commands.is_empty() {
        Ok(Vec::new())
    } else {
        let count = commands.len();
        connection.send_packed_commands(&commands, 0, count).await
    };
    let answers = match answers {
        Ok(answers) => answers,
        Err(error) => {
            complete_all(batch, load, &BusError::of(&error));
            return Err(error);
        }
    };
    let mut rest = answers.as_slice();
    for (work, count) in batch.drain(..).zip(answers_of) {
        let (mine, others) = rest.split_at(count.min(rest.len()));
        rest = others;
        complete(work, load, pipeline::refusal(mine).map(BusError::Refused));
    }
    Ok(())
}

fn complete_all(batch: &mut Vec<PendingWrites>, load: &WriterLoad, error: &BusError) {
    for work in batch.drain(..) {
        complete(work, load, Some(error.clone()));
    }
}

fn complete(work: PendingWrites, load: &WriterLoad, error: Option<BusError>) {
    load.queued_bytes.fetch_sub(work.bytes, Ordering::Relaxed);
    match (work.done, error) {
        // Whoever waited may have gone away; the writes are done all the same.
        (Some(done), None) => drop(done.send(Ok(()))),
        (Some(done), Some(error)) => drop(done.send(Err(error))),
        (None, None) => {}
        (None, Some(error)) => {
            load.dropped.fetch_add(work.writes.len() as u64, Ordering::Relaxed);
            tracing::debug!(%error, "a live view was not written");
        }
    }
}

/// Answers everything with "out of reach" for as long as the pause lasts.
async fn refuse(
    queue: &mut WriteQueue,
    load: &WriterLoad,
    error: &RedisError,
    pause: Duration,
) -> QueueState {
    let error = BusError::Unreachable(error.to_string());
    let refuse_all = async {
        let mut batch = Vec::new();
        while queue.recv_many(&mut batch, BATCH_MAX).await > 0 {
            complete_all(&mut batch, load, &error);
        }
    };
    match tokio::time::timeout(pause, refuse_all).await {
        Ok(()) => QueueState::Closed,
        Err(_) => QueueState::Open,
    }
}
