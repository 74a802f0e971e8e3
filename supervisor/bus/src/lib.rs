//! The cache and the wires between supervisors and watchers: pending records, prewarmed values, live views,
//! sync replies, commands.
//!
//! [`Bus`] speaks of executions; the two adapters (in process, the embedded default; Redis, the service) know
//! only keys and channels, and one contract suite runs on both. Nothing here is the truth: that is the
//! `store`. So while a run lasts the bus never makes anybody wait, and what it cannot take is dropped and
//! counted. Only [`Bus::announce_outcomes`], after the commit of an outcome, is awaited, and its caller tries again.

mod hub;
mod in_process;
mod messages;
mod names;
#[cfg(feature = "redis")]
mod redis;
#[cfg(not(feature = "redis"))]
#[path = "without_redis.rs"]
mod redis;
mod redis_facts;
#[cfg(test)]
#[cfg(feature = "redis")]
mod redis_states;
mod transport;
mod watch;

#[cfg(test)]
#[cfg(feature = "redis")]
mod contract_tests;
#[cfg(test)]
#[cfg(feature = "redis")]
mod test_redis;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde::Serialize;
use uuid::Uuid;

pub use hub::BusEvent;
pub use messages::{AddressedCommand, ControlCommand, OutcomeAnnouncement, StatusChange};
pub use names::{
    CACHE_LIFE, CacheKey, Channel, HEARTBEAT_INTERVAL, HEARTBEAT_LIFE, LIVE_LOG_MAX_LINES, Names,
    PENDING_LIFE, REPLY_LIFE, RUN_LIFE_BEYOND_TIMEOUT, UnknownChannel,
};
pub use redis::inspect;
pub use redis_facts::RedisFacts;
pub use watch::{ChannelSubscription, CommandSubscription};

use muster_core::execution::{Attempt, LogLine};
use muster_system::certificates::{CertificateError, ServerAddress};
use transport::{CacheWrite, Transport};

/// Why the bus did not do something.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BusError {
    /// The setting `redis_url` is not an address of Redis.
    #[error("redis_url cannot be used ({0}): give redis://HOST:PORT/DB or rediss://…")]
    Url(String),
    /// A certificate is wrong.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    /// The setting asks for what is not in this build.
    #[error(
        "this supervisor was built without Redis: leave redis_url unset, or build it with the feature `redis`"
    )]
    NotBuilt,
    /// The server cannot be reached; it may be later.
    #[error("redis is out of reach: {0}")]
    Unreachable(String),
    /// The server answered with an error.
    #[error("redis refused: {0}")]
    Refused(String),
}

/// Whether the bus works, and what it lost.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct BusHealth {
    /// Why it does not work right now; `None` when it does.
    pub problem: Option<String>,
    /// How much waits to be written.
    pub queued_bytes: usize,
    /// How many writes of live views were dropped since the start.
    pub dropped: u64,
}

/// The bus, as the supervisor uses it. Clones are the same bus.
#[derive(Clone, Debug)]
pub struct Bus {
    transport: Arc<dyn Transport>,
    names: Names,
    /// Somebody may look while a run lasts.
    watched: bool,
    /// Who in this process hears of outcomes once they are announced.
    listener: Option<Arc<dyn OutcomeListener>>,
}

/// Hears of every outcome that this process has announced, also of those that a crash had left unannounced. It must not wait.
pub trait OutcomeListener: std::fmt::Debug + Send + Sync + 'static {
    /// The outcomes of these executions are announced. After a crash it may be said twice.
    fn announced(&self, ids: &mut dyn Iterator<Item = Uuid>);
}

impl Bus {
    /// The bus of a single process.
    pub fn in_process(prefix: &str) -> Self {
        Self {
            transport: Arc::new(in_process::InProcess::new()),
            names: Names::new(prefix),
            watched: true,
            listener: None,
        }
    }

    /// The bus of a process that nobody can watch, such as a batch: of its runs nothing is shown, and so nothing kept.
    pub fn unwatched(prefix: &str) -> Self {
        Self { watched: false, ..Self::in_process(prefix) }
    }

    /// The bus on a Redis server. It connects in the background and reconnects for ever, so this needs a
    /// runtime and no server.
    ///
    /// # Errors
    /// When the URL or a certificate cannot be read, or this build is one without Redis.
    pub fn redis(address: impl Into<ServerAddress>, prefix: &str) -> Result<Self, BusError> {
        let names = Names::new(prefix);
        Ok(Self { transport: redis::open(&address.into(), &names)?, names, watched: true, listener: None })
    }

    /// The same bus, which tells this listener, too.
    pub fn with_listener(self, listener: Arc<dyn OutcomeListener>) -> Self {
        Self { listener: Some(listener), ..self }
    }

    /// Gives the bus's health as of now, without asking the server.
    pub fn health(&self) -> BusHealth {
        self.transport.health()
    }

    /// Returns when everything given so far is written.
    ///
    /// # Errors
    /// When the server is out of reach.
    pub async fn flush(&self) -> Result<(), BusError> {
        self.transport.apply(Vec::new()).await
    }
}

/// Before the claim.
impl Bus {
    /// The pending records of these executions, unread, in their order.
    ///
    /// # Errors
    /// When the server is out of reach.
    pub async fn pending(&self, ids: &[Uuid]) -> Result<Vec<Option<Bytes>>, BusError> {
        self.transport.get(ids.iter().map(|id| self.names.pending(*id)).collect()).await
    }

    /// Leaves a pending record for a minimal message.
    ///
    /// # Errors
    /// When the server is out of reach.
    pub async fn put_pending(&self, id: Uuid, record: Bytes) -> Result<(), BusError> {
        let write = CacheWrite::Set { key: self.names.pending(id), value: record, life: PENDING_LIFE };
        self.transport.apply(vec![write]).await
    }

    /// Prewarmed values, in the order of the keys.
    ///
    /// # Errors
    /// When the server is out of reach.
    pub async fn cached(&self, keys: &[CacheKey]) -> Result<Vec<Option<Bytes>>, BusError> {
        self.transport.get(keys.iter().map(|key| self.names.cache(key)).collect()).await
    }

    /// Keeps a prewarmed value. It must hold no secret.
    pub fn put_cached(&self, key: &CacheKey, value: Bytes) {
        self.transport.post(vec![CacheWrite::Set { key: self.names.cache(key), value, life: CACHE_LIFE }]);
    }
}

/// While a run lasts. None of these waits.
impl Bus {
    /// Shows the context a worker was given. It must hold no secret. The timeout is the run's.
    pub fn put_context(&self, id: Uuid, context: Bytes, timeout: Duration) {
        if !self.watched {
            return;
        }
        let life = timeout.saturating_add(RUN_LIFE_BEYOND_TIMEOUT);
        self.transport.post(vec![CacheWrite::Set { key: self.names.context(id), value: context, life }]);
    }

    /// Tells watchers of a change that is not the end: claimed, started, released.
    pub fn status_changed(&self, change: &StatusChange) {
        if self.watched {
            self.transport.post(self.status_writes(change));
        }
    }

    /// Shows lines of a run's log. The timeout is the run's.
    pub fn log_lines(&self, attempt: Attempt, lines: &[LogLine], timeout: Duration) {
        if lines.is_empty() || !self.watched {
            return;
        }
        let entries: Vec<Bytes> = lines.iter().map(|line| messages::log_message(attempt, line)).collect();
        let channel = self.names.channel(&Channel::Execution(attempt.execution_id));
        let publish =
            |message: &Bytes| CacheWrite::Publish { channel: channel.clone(), message: message.clone() };
        let mut writes: Vec<CacheWrite> = entries.iter().map(publish).collect();
        writes.push(CacheWrite::Append {
            key: self.names.logs(attempt.execution_id),
            entries,
            max_entries: LIVE_LOG_MAX_LINES,
            life: timeout.saturating_add(RUN_LIFE_BEYOND_TIMEOUT),
        });
        self.transport.post(writes);
    }

    /// Shows a pending change. The timeout is the run's.
    pub fn change_noted(&self, attempt: Attempt, change: Bytes, timeout: Duration) {
        if !self.watched {
            return;
        }
        let key = self.names.changes(attempt.execution_id, attempt.number);
        let life = timeout.saturating_add(RUN_LIFE_BEYOND_TIMEOUT);
        self.transport.post(vec![CacheWrite::Push { key, value: change, life }]);
    }

    /// Publishes a message about a run that is neither a status nor a log line, such as its progress.
    pub fn publish(&self, channel: &Channel, message: Bytes) {
        if !self.watched {
            return;
        }
        let channel = self.names.channel(channel);
        self.transport.post(vec![CacheWrite::Publish { channel, message }]);
    }

    /// Shows that this supervisor lives, and what its pool does.
    pub fn heartbeat(&self, supervisor: Uuid, pool: Bytes) {
        let channel = self.names.channel(&Channel::Pool);
        let key = self.names.heartbeat(supervisor);
        self.transport.post(vec![
            CacheWrite::Set { key, value: pool.clone(), life: HEARTBEAT_LIFE },
            CacheWrite::Publish { channel, message: pool },
        ]);
    }

    fn status_writes(&self, change: &StatusChange) -> Vec<CacheWrite> {
        let message = change.message();
        let execution = self.names.channel(&Channel::Execution(change.execution_id));
        let history = self.names.channel(&Channel::Executions);
        vec![
            CacheWrite::Publish { channel: execution, message: message.clone() },
            CacheWrite::Publish { channel: history, message },
        ]
    }
}

/// After the commit.
impl Bus {
    /// Publishes terminal states, then sends the sync replies, then forgets the runs' keys: all of the batch
    /// in one go. May be repeated.
    ///
    /// # Errors
    /// When the server is out of reach; nothing is known of how much was done then.
    pub async fn announce_outcomes(&self, settlements: &[OutcomeAnnouncement]) -> Result<(), BusError> {
        let mut writes = Vec::with_capacity(settlements.len() * 4);
        for settlement in settlements {
            let id = settlement.status.execution_id;
            writes.extend(self.status_writes(&settlement.status));
            writes.extend(settlement.reply.clone().map(|value| CacheWrite::Reply {
                key: self.names.result(id),
                value,
                life: REPLY_LIFE,
            }));
            let mut keys = vec![self.names.pending(id), self.names.context(id), self.names.logs(id)];
            keys.extend((1..=settlement.status.attempt).map(|attempt| self.names.changes(id, attempt)));
            writes.push(CacheWrite::Delete { keys });
        }
        self.transport.apply(writes).await?;
        if let Some(listener) = &self.listener {
            listener.announced(&mut settlements.iter().map(|settlement| settlement.status.execution_id));
        }
        Ok(())
    }
}

/// Watching and commanding.
impl Bus {
    /// Subscribes to these channels.
    pub async fn watch(&self, channels: &[Channel]) -> ChannelSubscription {
        let named = channels.iter().map(|channel| self.names.channel(channel)).collect();
        ChannelSubscription::new(self.transport.subscribe(named).await, self.names.clone())
    }

    /// Subscribes to the commands that supervisors are sent.
    pub async fn commands(&self) -> CommandSubscription {
        CommandSubscription::new(self.watch(&[Channel::Cancel, Channel::Command]).await)
    }

    /// Gives every supervisor a command.
    ///
    /// # Errors
    /// When the server is out of reach.
    pub async fn send_command(&self, addressed: &AddressedCommand) -> Result<(), BusError> {
        let channel = self.names.channel(&addressed.command.channel());
        self.transport.apply(vec![CacheWrite::Publish { channel, message: addressed.message() }]).await
    }

    /// The live log of a run that is not yet finalized: the messages of its channel, oldest first.
    ///
    /// # Errors
    /// When the server is out of reach.
    pub async fn live_log(&self, id: Uuid) -> Result<Vec<Bytes>, BusError> {
        self.transport.entries(&self.names.logs(id)).await
    }
}
