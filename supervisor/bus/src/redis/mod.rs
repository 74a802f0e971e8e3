//! The service's bus: Redis.
//!
//! Three kinds of connections: one for writes and plain reads, kept by [`writer`]; one for everything
//! somebody listens to, kept by [`subscriber`]; and one for each blocking read, so that it holds up nobody.
//! All of them come back by themselves, for ever, with backoff and jitter. While Redis is away executions
//! go on: droppable writes are dropped and counted, awaited ones answer that it is out of reach. A server that
//! is there and takes no writes (a replica, a full one) is named by [`refusal`], and tried each second.

mod inspect;
mod pipeline;
mod refusal;
mod subscriber;
mod writer;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use backon::BackoffBuilder as _;
use bytes::Bytes;
use muster_system::certificates::ServerAddress;
use muster_system::vital;
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, ClientTlsConfig, FromRedisValue, RedisError, TlsCertificates};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;

use super::hub::{Hub, Subscription};
use super::transport::{CacheWrite, Transport};
use super::{BusError, BusHealth, Names};

use writer::Writer;

pub use inspect::inspect;

/// Droppable writes that wait hold at most this much; beyond it they are dropped.
const QUEUE_MAX_BYTES: usize = 32 * 1024 * 1024;
/// How long to wait for a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// How long to wait for an answer. The library's own default of 500 ms is too short for a busy server.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(5);

/// Starts to connect, and returns at once.
///
/// # Errors
/// When the URL cannot be read.
pub(super) fn open(address: &ServerAddress, names: &Names) -> Result<Arc<dyn Transport>, BusError> {
    Ok(Arc::new(RedisBus::new(address, names.probe())?))
}

impl BusError {
    fn of(error: &RedisError) -> Self {
        if error.is_io_error() || error.is_connection_dropped() || error.is_timeout() {
            Self::Unreachable(error.to_string())
        } else {
            Self::Refused(error.to_string())
        }
    }
}

/// See the module.
#[derive(Debug)]
struct RedisBus {
    hub: Arc<Hub>,
    queue: mpsc::UnboundedSender<PendingWrites>,
    link: watch::Receiver<RedisConnection>,
    load: Arc<WriterLoad>,
    tasks: [JoinHandle<()>; 2],
}

/// Writes on their way.
#[derive(Debug)]
struct PendingWrites {
    writes: Vec<CacheWrite>,
    /// The part of [`WriterLoad::queued_bytes`] that is given back when it is done.
    bytes: usize,
    done: Option<oneshot::Sender<Result<(), BusError>>>,
}

/// What waits, and what could not.
#[derive(Debug, Default)]
struct WriterLoad {
    queued_bytes: AtomicUsize,
    dropped: AtomicU64,
}

/// The state of the connection for writes and plain reads.
#[derive(Clone)]
enum RedisConnection {
    /// The first attempt, or the first after a loss, is under way.
    Connecting,
    /// It works.
    Up(MultiplexedConnection),
    /// It can be read, and takes no writes, and this is why.
    Refusing(MultiplexedConnection, String),
    /// It does not, and this is why.
    Down(String),
}

impl std::fmt::Debug for RedisConnection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Connecting => "Connecting",
            Self::Up(_) => "Up",
            Self::Refusing(..) => "Refusing",
            Self::Down(_) => "Down",
        })
    }
}

impl RedisBus {
    fn new(address: &ServerAddress, probe_key: String) -> Result<Self, BusError> {
        let client = client(address)?;
        let hub = Hub::new();
        let load = Arc::new(WriterLoad::default());
        let (queue, work) = mpsc::unbounded_channel();
        let (link_sender, link) = watch::channel(RedisConnection::Connecting);
        let writer = Writer::new(client.clone(), link_sender, Arc::clone(&load), probe_key);
        let tasks = [
            tokio::spawn(vital::serving("redis-writer", writer.run(work))),
            tokio::spawn(vital::turning("redis-subscriber", subscriber::run(client, Arc::clone(&hub)))),
        ];
        Ok(Self { hub, queue, link, load, tasks })
    }

    async fn connection(&self) -> Result<MultiplexedConnection, BusError> {
        let mut link = self.link.clone();
        let state = link.wait_for(|link| !matches!(link, RedisConnection::Connecting)).await;
        match state.as_deref() {
            Ok(RedisConnection::Up(connection) | RedisConnection::Refusing(connection, _)) => {
                Ok(connection.clone())
            }
            Ok(RedisConnection::Down(reason)) => Err(BusError::Unreachable(reason.clone())),
            Ok(RedisConnection::Connecting) | Err(_) => {
                Err(BusError::Unreachable("shutting down".to_owned()))
            }
        }
    }

    async fn query<T: FromRedisValue>(&self, command: &redis::Cmd) -> Result<T, BusError> {
        let mut connection = self.connection().await?;
        command.query_async(&mut connection).await.map_err(|error| BusError::of(&error))
    }
}

impl Drop for RedisBus {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

#[async_trait]
impl Transport for RedisBus {
    fn post(&self, writes: Vec<CacheWrite>) {
        let bytes = writes.iter().map(CacheWrite::size_bytes).sum();
        let count = writes.len() as u64;
        if self.load.queued_bytes.fetch_add(bytes, Ordering::Relaxed) > QUEUE_MAX_BYTES
            || matches!(*self.link.borrow(), RedisConnection::Down(_))
        {
            self.load.queued_bytes.fetch_sub(bytes, Ordering::Relaxed);
            self.load.dropped.fetch_add(count, Ordering::Relaxed);
            return;
        }
        if self.queue.send(PendingWrites { writes, bytes, done: None }).is_err() {
            vital::is_gone("redis-writer");
        }
    }

    async fn apply(&self, writes: Vec<CacheWrite>) -> Result<(), BusError> {
        let (done, answer) = oneshot::channel();
        if self.queue.send(PendingWrites { writes, bytes: 0, done: Some(done) }).is_err() {
            vital::is_gone("redis-writer");
        }
        answer.await.unwrap_or_else(|_| Err(BusError::Unreachable("shutting down".to_owned())))
    }

    async fn get(&self, keys: Vec<String>) -> Result<Vec<Option<Bytes>>, BusError> {
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let values: Vec<Option<Vec<u8>>> = self.query(redis::cmd("MGET").arg(keys)).await?;
        Ok(values.into_iter().map(|value| value.map(Bytes::from)).collect())
    }

    async fn entries(&self, key: &str) -> Result<Vec<Bytes>, BusError> {
        let mut command = redis::cmd("XRANGE");
        command.arg(key).arg("-").arg("+");
        let entries: Vec<(String, Vec<(String, Vec<u8>)>)> = self.query(&command).await?;
        let values = entries.into_iter().filter_map(|(_, fields)| fields.into_iter().next());
        Ok(values.map(|(_, value)| Bytes::from(value)).collect())
    }

    async fn subscribe(&self, channels: Vec<String>) -> Subscription {
        self.hub.subscribe(channels).await
    }

    fn health(&self) -> BusHealth {
        let problem = match &*self.link.borrow() {
            RedisConnection::Up(_) => None,
            RedisConnection::Connecting => Some("connecting".to_owned()),
            RedisConnection::Down(reason) | RedisConnection::Refusing(_, reason) => Some(reason.clone()),
        };
        BusHealth {
            problem,
            queued_bytes: self.load.queued_bytes.load(Ordering::Relaxed),
            dropped: self.load.dropped.load(Ordering::Relaxed),
        }
    }
}

/// A client that has not connected yet.
fn client(address: &ServerAddress) -> Result<Client, BusError> {
    let certificates = address.certificates.read()?;
    let url = address.url.as_str();
    // Certificates are for TLS alone: without it the library refuses them.
    let client = if url.starts_with("rediss://") {
        let identity = certificates.identity;
        let client_tls =
            identity.map(|(client_cert, client_key)| ClientTlsConfig { client_cert, client_key });
        Client::build_with_tls(url, TlsCertificates { client_tls, root_cert: certificates.ca })
    } else {
        Client::open(url)
    };
    client.map_err(|error| BusError::Url(error.to_string()))
}

async fn connect(client: &Client, response_timeout: Duration) -> Result<MultiplexedConnection, RedisError> {
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(CONNECT_TIMEOUT))
        .set_response_timeout(Some(response_timeout));
    client.get_multiplexed_async_connection_with_config(&config).await
}

/// How long to wait between attempts to connect: rising, jittered, without end.
fn delays() -> impl Iterator<Item = Duration> + Send {
    backon::ExponentialBuilder::default()
        .with_min_delay(Duration::from_millis(50))
        .with_max_delay(Duration::from_secs(1))
        .with_jitter()
        .without_max_times()
        .build()
}
