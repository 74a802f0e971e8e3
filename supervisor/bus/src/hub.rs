//! Who listens to what inside this process.
//!
//! A publisher never waits for a listener: one that is too slow misses messages and is told so by
//! [`BusEvent::Gap`], whereupon it looks at the record instead.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{mpsc, watch};

/// How many messages wait for one listener.
const LISTENER_QUEUE: usize = 1024;
/// How long a new subscription waits for the server to confirm it.
const CONFIRM_TIMEOUT: Duration = Duration::from_secs(2);

/// What a subscription to channels brings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BusEvent {
    /// A message was published on one of the channels.
    Message {
        /// The full name of the channel.
        channel: Arc<str>,
        /// The message, as it was published.
        data: Bytes,
    },
    /// Messages were lost here: the listener was slow, or the server was out of reach.
    Gap,
}

#[derive(Debug)]
struct Listener {
    id: u64,
    queue: mpsc::Sender<BusEvent>,
    missed: AtomicBool,
}

impl Listener {
    fn deliver_event(&self, heard: BusEvent) {
        if self.queue.try_send(heard).is_err() {
            self.missed.store(true, Ordering::Release);
        }
    }
}

type Channels = HashMap<String, (Arc<str>, Vec<Arc<Listener>>)>;

/// The listeners of this process, by channel.
#[derive(Debug)]
pub(crate) struct Hub {
    channels: Mutex<Channels>,
    next_id: AtomicU64,
    /// Rises when the set of channels changes.
    wanted: watch::Sender<u64>,
    /// The newest set the server has confirmed. An adapter without a server confirms everything at once.
    confirmed: watch::Sender<u64>,
}

impl Hub {
    /// A hub whose adapter must confirm subscriptions.
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            channels: Mutex::default(),
            next_id: AtomicU64::new(1),
            wanted: watch::Sender::new(0),
            confirmed: watch::Sender::new(0),
        })
    }

    /// A hub that needs no confirmation.
    pub(crate) fn local() -> Arc<Self> {
        let hub = Self::new();
        hub.confirm(u64::MAX);
        hub
    }

    /// Hands a message to everybody on its channel.
    pub(crate) fn deliver(&self, channel: &str, data: &Bytes) {
        if let Some((name, listeners)) = self.lock().get(channel) {
            for listener in listeners {
                listener.deliver_event(BusEvent::Message { channel: Arc::clone(name), data: data.clone() });
            }
        }
    }

    /// The server has confirmed the set of this number.
    pub(crate) fn confirm(&self, number: u64) {
        self.confirmed.send_replace(number);
    }

    pub(crate) async fn subscribe(self: &Arc<Self>, channels: Vec<String>) -> Subscription {
        let (queue, receiver) = mpsc::channel(LISTENER_QUEUE);
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        let listener = Arc::new(Listener { id, queue, missed: AtomicBool::new(false) });
        let mut subscription =
            Subscription { hub: Arc::clone(self), listener, receiver, channels: HashSet::new() };
        subscription.add_named(channels).await;
        subscription
    }

    fn join(&self, channel: &str, listener: &Arc<Listener>) {
        let mut channels = self.lock();
        let entry = channels.entry(channel.to_owned()).or_insert_with(|| {
            self.wanted.send_modify(|number| *number += 1);
            (Arc::from(channel), Vec::new())
        });
        entry.1.push(Arc::clone(listener));
    }

    fn leave(&self, channel: &str, id: u64) {
        let mut channels = self.lock();
        if let Some((_, listeners)) = channels.get_mut(channel) {
            listeners.retain(|listener| listener.id != id);
            if listeners.is_empty() {
                channels.remove(channel);
                self.wanted.send_modify(|number| *number += 1);
            }
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Channels> {
        self.channels.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What an adapter with a server needs of it.
#[cfg(feature = "redis")]
impl Hub {
    /// Tells everybody that messages were lost.
    pub(crate) fn gap(&self) {
        let channels = self.lock();
        let mut told = HashSet::new();
        for listener in channels.values().flat_map(|(_, listeners)| listeners) {
            if told.insert(listener.id) {
                listener.deliver_event(BusEvent::Gap);
            }
        }
    }

    /// The channels somebody listens to, and the number of this set.
    pub(crate) fn wanted(&self) -> (u64, HashSet<String>) {
        let channels = self.lock();
        (*self.wanted.borrow(), channels.keys().cloned().collect())
    }

    /// Follows changes of the set of channels.
    pub(crate) fn watch_wanted(&self) -> watch::Receiver<u64> {
        self.wanted.subscribe()
    }
}

/// A listener's end. Dropping it ends the subscription.
#[derive(Debug)]
pub(crate) struct Subscription {
    hub: Arc<Hub>,
    listener: Arc<Listener>,
    receiver: mpsc::Receiver<BusEvent>,
    channels: HashSet<String>,
}

impl Subscription {
    /// The next message, or word of a gap.
    pub(crate) async fn next(&mut self) -> BusEvent {
        if let Ok(heard) = self.receiver.try_recv() {
            return heard;
        }
        if self.listener.missed.swap(false, Ordering::AcqRel) {
            return BusEvent::Gap;
        }
        match self.receiver.recv().await {
            Some(heard) => heard,
            // The sender lives in `self`, so the queue cannot close.
            None => std::future::pending().await,
        }
    }

    /// Listens to further channels, by their full names.
    pub(crate) async fn add_named(&mut self, channels: Vec<String>) {
        for channel in channels {
            if self.channels.insert(channel.clone()) {
                self.hub.join(&channel, &self.listener);
            }
        }
        let number = *self.hub.wanted.borrow();
        let mut confirmed = self.hub.confirmed.subscribe();
        let done = confirmed.wait_for(|confirmed| *confirmed >= number);
        if tokio::time::timeout(CONFIRM_TIMEOUT, done).await.is_err() {
            tracing::debug!("a subscription waits for the cache server");
        }
    }

    /// Stops listening to some, by their full names.
    pub(crate) fn remove_named(&mut self, channels: &[String]) {
        for channel in channels {
            if self.channels.remove(channel) {
                self.hub.leave(channel, self.listener.id);
            }
        }
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        for channel in &self.channels {
            self.hub.leave(channel, self.listener.id);
        }
    }
}
