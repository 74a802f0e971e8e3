//! One load for all who want the same: single flight, with a short memory.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

/// Entries beyond this number are swept when they are stale.
const SWEEP_ABOVE: usize = 1024;

type FlightResult<V> = watch::Receiver<Option<V>>;

/// The loads under way and the results that are still fresh.
#[derive(Debug)]
pub(super) struct SingleFlight<K, V> {
    fresh_for: Duration,
    entries: Arc<Mutex<HashMap<K, FlightEntry<V>>>>,
}

#[derive(Debug)]
struct FlightEntry<V> {
    since: Instant,
    landed: FlightResult<V>,
}

impl<V> FlightEntry<V> {
    /// Still on its way, or landed not long ago.
    fn is_fresh(&self, now: Instant, fresh_for: Duration) -> bool {
        let under_way = self.landed.borrow().is_none() && self.landed.has_changed().is_ok();
        under_way || now.duration_since(self.since) < fresh_for
    }
}

impl<K, V> SingleFlight<K, V>
where
    K: Clone + Eq + Hash + Send + 'static,
    V: Clone + Send + Sync + 'static,
{
    pub(super) fn new(fresh_for: Duration) -> Self {
        Self { fresh_for, entries: Arc::default() }
    }

    /// The value of `key`: a fresh one, the one being loaded, or the one `load` brings. `keep` says whether a
    /// result may be used again. `None`: the load was broken off.
    pub(super) async fn get<F>(&self, key: K, load: impl FnOnce() -> F, keep: fn(&V) -> bool) -> Option<V>
    where
        F: Future<Output = V> + Send + 'static,
    {
        let mut landed = self.join(key, load, keep);
        landed.wait_for(Option::is_some).await.ok().and_then(|value| value.clone())
    }

    /// Forgets what has landed and what is under way: whoever asks from now on begins a load of their own.
    pub(super) fn clear(&self) {
        lock(&self.entries).clear();
    }

    fn join<F>(&self, key: K, load: impl FnOnce() -> F, keep: fn(&V) -> bool) -> FlightResult<V>
    where
        F: Future<Output = V> + Send + 'static,
    {
        let now = Instant::now();
        let mut entries = lock(&self.entries);
        if let Some(entry) = entries.get(&key)
            && entry.is_fresh(now, self.fresh_for)
        {
            return entry.landed.clone();
        }
        if entries.len() > SWEEP_ABOVE {
            let fresh_for = self.fresh_for;
            entries.retain(|_, entry| entry.is_fresh(now, fresh_for));
        }
        let (land, landed) = watch::channel(None);
        entries.insert(key.clone(), FlightEntry { since: now, landed: landed.clone() });
        let task = Flight { key, since: now, entries: Arc::clone(&self.entries), kept: false };
        let load = load();
        // A task of its own: it goes on when whoever asked is gone.
        tokio::spawn(async move {
            let mut task = task;
            let value = load.await;
            task.kept = keep(&value);
            land.send_replace(Some(value));
        });
        landed
    }
}

/// Forgets its entry when it ends without a result worth keeping, also by a panic.
struct Flight<K: Eq + Hash, V> {
    key: K,
    since: Instant,
    entries: Arc<Mutex<HashMap<K, FlightEntry<V>>>>,
    kept: bool,
}

impl<K: Eq + Hash, V> Drop for Flight<K, V> {
    fn drop(&mut self) {
        if !self.kept {
            let mut entries = lock(&self.entries);
            if entries.get(&self.key).is_some_and(|entry| entry.since == self.since) {
                entries.remove(&self.key);
            }
        }
    }
}

fn lock<K, V>(entries: &Mutex<HashMap<K, FlightEntry<V>>>) -> MutexGuard<'_, HashMap<K, FlightEntry<V>>> {
    entries.lock().unwrap_or_else(PoisonError::into_inner)
}
