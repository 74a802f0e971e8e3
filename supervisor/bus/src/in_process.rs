//! The embedded default: keys in a map, channels in the hub. Nothing outlives the process.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::time::Instant;

use super::hub::{Hub, Subscription};
use super::transport::{CacheWrite, Transport};
use super::{BusError, BusHealth};

/// How many writes pass between two sweeps of expired keys.
const SWEEP_EVERY_WRITES: u32 = 4096;

/// See the module.
#[derive(Debug)]
pub(crate) struct InProcess {
    hub: Arc<Hub>,
    keys: Mutex<Keys>,
}

#[derive(Debug, Default)]
struct Keys {
    entries: HashMap<String, ExpiringValue>,
    writes_since_sweep: u32,
}

#[derive(Debug)]
struct ExpiringValue {
    values: VecDeque<Bytes>,
    expires_at: Instant,
}

impl InProcess {
    pub(crate) fn new() -> Self {
        Self { hub: Hub::local(), keys: Mutex::default() }
    }

    fn write(&self, writes: Vec<CacheWrite>) {
        let mut messages = Vec::new();
        {
            let mut keys = self.lock();
            for write in writes {
                match write {
                    CacheWrite::Publish { channel, message } => messages.push((channel, message)),
                    CacheWrite::Set { .. }
                    | CacheWrite::Append { .. }
                    | CacheWrite::Push { .. }
                    | CacheWrite::Reply { .. }
                    | CacheWrite::Delete { .. } => keys.write(write),
                }
            }
        }
        for (channel, message) in messages {
            self.hub.deliver(&channel, &message);
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Keys> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Keys {
    fn write(&mut self, write: CacheWrite) {
        self.sweep_sometimes();
        match write {
            CacheWrite::Set { key, value, life } | CacheWrite::Reply { key, value, life } => {
                self.entry(key, life).values = VecDeque::from([value]);
            }
            CacheWrite::Append { key, entries, max_entries, life } => {
                let values = &mut self.entry(key, life).values;
                values.extend(entries);
                values.drain(..values.len().saturating_sub(max_entries));
            }
            CacheWrite::Push { key, value, life } => self.entry(key, life).values.push_back(value),
            CacheWrite::Delete { keys } => keys.iter().for_each(|key| {
                self.entries.remove(key);
            }),
            CacheWrite::Publish { .. } => {}
        }
    }

    fn live(&mut self, key: &str) -> Option<&mut ExpiringValue> {
        self.entries.get_mut(key).filter(|entry| entry.expires_at > Instant::now())
    }

    fn entry(&mut self, key: String, life: Duration) -> &mut ExpiringValue {
        let now = Instant::now();
        let entry = self
            .entries
            .entry(key)
            .or_insert_with(|| ExpiringValue { values: VecDeque::new(), expires_at: now });
        if entry.expires_at <= now {
            entry.values.clear();
        }
        entry.expires_at = now + life;
        entry
    }

    fn sweep_sometimes(&mut self) {
        self.writes_since_sweep += 1;
        if self.writes_since_sweep >= SWEEP_EVERY_WRITES {
            self.writes_since_sweep = 0;
            let now = Instant::now();
            self.entries.retain(|_, entry| entry.expires_at > now);
        }
    }
}

#[async_trait]
impl Transport for InProcess {
    fn post(&self, writes: Vec<CacheWrite>) {
        self.write(writes);
    }

    async fn apply(&self, writes: Vec<CacheWrite>) -> Result<(), BusError> {
        self.write(writes);
        Ok(())
    }

    async fn get(&self, keys: Vec<String>) -> Result<Vec<Option<Bytes>>, BusError> {
        let mut map = self.lock();
        Ok(keys.iter().map(|key| map.live(key).and_then(|entry| entry.values.front().cloned())).collect())
    }

    async fn entries(&self, key: &str) -> Result<Vec<Bytes>, BusError> {
        Ok(self.lock().live(key).map(|entry| entry.values.iter().cloned().collect()).unwrap_or_default())
    }

    async fn subscribe(&self, channels: Vec<String>) -> Subscription {
        self.hub.subscribe(channels).await
    }

    fn health(&self) -> BusHealth {
        BusHealth { problem: None, queued_bytes: 0, dropped: 0 }
    }
}
