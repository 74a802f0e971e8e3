//! The task that writes: it takes whatever waits, sends it as one pipeline, and answers those who wait for
//! theirs. What arrives meanwhile forms the next pipeline, so batches grow with the load by themselves.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::FutureExt as _;
use redis::aio::MultiplexedConnection;
use redis::{Client, RedisError, Value};
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use super::refusal::WriteRefusal;
use super::{PendingWrites, RESPONSE_TIMEOUT, RedisConnection, WriterLoad, connect, delays, pipeline};
use crate::BusError;
use crate::names::PROBE_LIFE;
use crate::transport::CacheWrite;

/// At most so many pieces of work in one pipeline.
const BATCH_MAX: usize = 512;
/// When so many pieces came while a pipeline was on its way, more come all the time, and the next ones are gathered.
const BUSY: usize = 8;
/// How long the next pieces are gathered. Nobody is woken for each write meanwhile.
const GATHER: Duration = Duration::from_millis(2);
/// A connection that is idle, or that takes no writes, is tried this often.
const PROBE_INTERVAL: Duration = Duration::from_secs(1);

type WriteQueue = mpsc::UnboundedReceiver<PendingWrites>;

/// Keeps the connection for writes, and says how it is.
pub(super) struct Writer {
    client: Client,
    link: watch::Sender<RedisConnection>,
    load: Arc<WriterLoad>,
    probe_key: String,
    /// What the log was told last, so that it is told once.
    told: ToldState,
}

/// What the log was told of the connection last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ToldState {
    Nothing,
    Connected,
    Refusing(WriteRefusal),
    OutOfReach,
}

/// Why the writer leaves a connection.
enum ConnectionEnd {
    /// Nobody will send work any more.
    Closed,
    /// The connection is of no use any more.
    Lost(RedisError),
    /// The server takes no writes, and another one may be behind its name.
    Refused(WriteRefusal),
}

/// Whether the queue can still bring work.
#[derive(PartialEq, Eq)]
enum QueueState {
    Open,
    Closed,
}

impl Writer {
    /// A writer that has not connected yet.
    pub(super) fn new(
        client: Client,
        link: watch::Sender<RedisConnection>,
        load: Arc<WriterLoad>,
        probe_key: String,
    ) -> Self {
        Self { client, link, load, probe_key, told: ToldState::Nothing }
    }

    /// Serves the queue until it is closed.
    pub(super) async fn run(mut self, mut queue: WriteQueue) {
        let mut pauses = delays();
        loop {
            let error = match connect(&self.client, RESPONSE_TIMEOUT).await {
                Ok(connection) => match self.serve(connection, &mut queue, || pauses = delays()).await {
                    ConnectionEnd::Closed => return,
                    ConnectionEnd::Lost(error) => {
                        tracing::warn!(%error, "the connection to redis was lost");
                        self.told = ToldState::Nothing;
                        // The first new attempt comes soon, and what waits may wait for it.
                        self.link.send_replace(RedisConnection::Connecting);
                        tokio::time::sleep(pauses.next().unwrap_or(PROBE_INTERVAL)).await;
                        continue;
                    }
                    ConnectionEnd::Refused(refusal) => BusError::Refused(refusal.to_string()),
                },
                Err(error) => {
                    self.tell(ToldState::OutOfReach, &error.to_string());
                    self.link.send_replace(RedisConnection::Down(error.to_string()));
                    BusError::Unreachable(error.to_string())
                }
            };
            let pause = pauses.next().unwrap_or(PROBE_INTERVAL);
            if self.refuse_all(&mut queue, &error, pause).await == QueueState::Closed {
                return;
            }
        }
    }

    /// Writes over this connection as long as it is of use.
    async fn serve(
        &mut self,
        mut connection: MultiplexedConnection,
        queue: &mut WriteQueue,
        works: impl FnOnce(),
    ) -> ConnectionEnd {
        let mut works = Some(works);
        let mut batch = Vec::with_capacity(BATCH_MAX);
        let mut next_probe = Instant::now();
        loop {
            // Each time something is written the probe moves away, unless the server takes no writes.
            let received = if next_probe <= Instant::now() {
                None
            } else {
                tokio::time::timeout_at(next_probe, queue.recv_many(&mut batch, BATCH_MAX)).await.ok()
            };
            let sent = match received {
                Some(0) => return ConnectionEnd::Closed,
                Some(count) => {
                    gather(&mut batch, count, queue).await;
                    self.send(&mut connection, &mut batch).await
                }
                None => self.probe(&mut connection).await,
            };
            let was_probe = received.is_none();
            match sent {
                Err(error) => return ConnectionEnd::Lost(error),
                Ok(Some(refusal)) => {
                    self.tell(ToldState::Refusing(refusal), &refusal.to_string());
                    self.link
                        .send_replace(RedisConnection::Refusing(connection.clone(), refusal.to_string()));
                    if refusal.wants_new_connection() {
                        return ConnectionEnd::Refused(refusal);
                    }
                }
                // Messages are taken by a server that takes no writes too: only the probe says that it does.
                Ok(None) if was_probe => {
                    if let Some(works) = works.take() {
                        works();
                    }
                    self.tell(ToldState::Connected, "");
                    if !matches!(*self.link.borrow(), RedisConnection::Up(_)) {
                        self.link.send_replace(RedisConnection::Up(connection.clone()));
                    }
                }
                Ok(None) => {}
            }
            if was_probe || !self.is_refusing() {
                next_probe = Instant::now() + PROBE_INTERVAL;
            }
        }
    }

    fn is_refusing(&self) -> bool {
        matches!(self.told, ToldState::Refusing(_))
    }

    /// Says how the connection is, when that is news.
    fn tell(&mut self, state: ToldState, reason: &str) {
        if std::mem::replace(&mut self.told, state) == state {
            return;
        }
        match state {
            ToldState::Nothing => {}
            ToldState::Connected => tracing::info!("redis is connected"),
            ToldState::Refusing(_) => {
                tracing::warn!(reason, "redis takes no writes; executions go on without live views");
            }
            ToldState::OutOfReach => {
                tracing::warn!(error = reason, "redis is out of reach; executions go on without live views");
            }
        }
    }

    /// Writes what nobody reads, to see whether it may be written.
    async fn probe(
        &self,
        connection: &mut MultiplexedConnection,
    ) -> Result<Option<WriteRefusal>, RedisError> {
        let mut commands = redis::Pipeline::new();
        let value = bytes::Bytes::from_static(b"1");
        let count = pipeline::add(
            &mut commands,
            &CacheWrite::Set { key: self.probe_key.clone(), value, life: PROBE_LIFE },
        );
        let answers: Vec<Value> = connection.send_packed_commands(&commands, 0, count).await?;
        Ok(pipeline::refusal(&answers).and_then(WriteRefusal::of))
    }

    /// Sends a batch and answers it. An error means that the connection is lost.
    async fn send(
        &self,
        connection: &mut MultiplexedConnection,
        batch: &mut Vec<PendingWrites>,
    ) -> Result<Option<WriteRefusal>, RedisError> {
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
                self.complete_all(batch, &BusError::of(&error));
                return Err(error);
            }
        };
        let mut rest = answers.as_slice();
        let mut of_all = None;
        for (work, count) in batch.drain(..).zip(answers_of) {
            let (mine, others) = rest.split_at(count.min(rest.len()));
            rest = others;
            let refusal = pipeline::refusal(mine);
            of_all = of_all.or_else(|| refusal.and_then(WriteRefusal::of));
            self.complete(work, refusal.map(|error| BusError::Refused(error.to_string())));
        }
        Ok(of_all)
    }

    fn complete_all(&self, batch: &mut Vec<PendingWrites>, error: &BusError) {
        for work in batch.drain(..) {
            self.complete(work, Some(error.clone()));
        }
    }

    fn complete(&self, work: PendingWrites, error: Option<BusError>) {
        self.load.queued_bytes.fetch_sub(work.bytes, Ordering::Relaxed);
        match (work.done, error) {
            // Whoever waited may have gone away; the writes are done all the same.
            (Some(done), None) => drop(done.send(Ok(()))),
            (Some(done), Some(error)) => drop(done.send(Err(error))),
            (None, None) => {}
            (None, Some(error)) => {
                self.load.dropped.fetch_add(work.writes.len() as u64, Ordering::Relaxed);
                tracing::debug!(%error, "a live view was not written");
            }
        }
    }

    /// Answers everything with this error for as long as the pause lasts.
    async fn refuse_all(&self, queue: &mut WriteQueue, error: &BusError, pause: Duration) -> QueueState {
        let refused = async {
            let mut batch = Vec::new();
            while queue.recv_many(&mut batch, BATCH_MAX).await > 0 {
                self.complete_all(&mut batch, error);
            }
        };
        match tokio::time::timeout(pause, refused).await {
            Ok(()) => QueueState::Closed,
            Err(_) => QueueState::Open,
        }
    }
}

/// Adds what comes in the next moment, where much comes and nobody waits for an answer.
async fn gather(batch: &mut Vec<PendingWrites>, count: usize, queue: &mut WriteQueue) {
    let nobody_waits = batch.iter().all(|work| work.done.is_none());
    if (BUSY..BATCH_MAX).contains(&count) && nobody_waits {
        tokio::time::sleep(GATHER).await;
        // Whatever has come by now.
        let _ = queue.recv_many(batch, BATCH_MAX - count).now_or_never();
    }
}
