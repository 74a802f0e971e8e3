//! What an adapter of the bus can do. It knows bytes, keys and channels, but nothing of executions.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use super::hub::Subscription;
use super::{BusError, BusHealth};

/// One change. Whatever keeps a key also says how long the key lives, so none can stay for ever.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum CacheWrite {
    /// Keep a value.
    Set {
        /// The name of the key, with its prefix.
        key: String,
        /// The bytes the key is to hold.
        value: Bytes,
        /// How long the key is kept from now.
        life: Duration,
    },
    /// Add an entry to a stream that keeps about its last `max_entries`.
    Append {
        /// Which stream.
        key: String,
        /// The entries, in order.
        entries: Vec<Bytes>,
        /// The cap.
        max_entries: usize,
        /// Counted from this write.
        life: Duration,
    },
    /// Add an item to the end of a list.
    Push {
        /// Which list.
        key: String,
        /// The item.
        value: Bytes,
        /// Counted from this write.
        life: Duration,
    },
    /// Make the list hold exactly this item, all at once.
    Reply {
        /// Which list.
        key: String,
        /// The item.
        value: Bytes,
        /// How long it waits.
        life: Duration,
    },
    /// Forget keys.
    Delete {
        /// Which.
        keys: Vec<String>,
    },
    /// Tell whoever listens now.
    Publish {
        /// On this channel.
        channel: String,
        /// What.
        message: Bytes,
    },
}

#[cfg(feature = "redis")]
impl CacheWrite {
    /// About how much memory it holds while it waits.
    pub(crate) fn size_bytes(&self) -> usize {
        match self {
            Self::Set { key, value, .. } | Self::Push { key, value, .. } | Self::Reply { key, value, .. } => {
                key.len() + value.len()
            }
            Self::Append { key, entries, .. } => key.len() + entries.iter().map(Bytes::len).sum::<usize>(),
            Self::Delete { keys } => keys.iter().map(String::len).sum(),
            Self::Publish { channel, message } => channel.len() + message.len(),
        }
    }
}

/// A place for keys and channels. Writes take effect in the order they are given, posted or applied.
#[async_trait]
pub(crate) trait Transport: std::fmt::Debug + Send + Sync {
    /// Hands writes over without waiting. They are dropped and counted if too much waits already.
    fn post(&self, writes: Vec<CacheWrite>);

    /// Does the writes and says whether they were done. Never dropped silently.
    async fn apply(&self, writes: Vec<CacheWrite>) -> Result<(), BusError>;

    /// Reads values, in the order of the keys.
    async fn get(&self, keys: Vec<String>) -> Result<Vec<Option<Bytes>>, BusError>;

    /// Reads all entries of a stream.
    async fn entries(&self, key: &str) -> Result<Vec<Bytes>, BusError>;

    /// Listens. When it returns, what is published from now on is heard, unless the server is out of
    /// reach: then the subscription begins with a gap once it is back.
    async fn subscribe(&self, channels: Vec<String>) -> Subscription;

    /// How it is.
    fn health(&self) -> BusHealth;
}
