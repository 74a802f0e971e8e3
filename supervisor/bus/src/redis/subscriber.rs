//! The task that listens: one connection for every channel somebody in this process wants to hear.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt as _;
use redis::aio::{PubSubSink, PubSubStream};
use redis::{Client, RedisError};
use tokio::sync::watch;

use super::{CONNECT_TIMEOUT, RESPONSE_TIMEOUT, delays};
use crate::hub::Hub;

/// A silent connection is tried this often.
const PING_INTERVAL: Duration = Duration::from_secs(5);

/// Listens for ever. After a loss every listener is told that it missed something.
pub(super) async fn run(client: Client, hub: Arc<Hub>) {
    let mut delays_left = delays();
    let mut lost_before = false;
    loop {
        let error = match tokio::time::timeout(CONNECT_TIMEOUT, client.get_async_pubsub()).await {
            Ok(Ok(connection)) => {
                let (sink, stream) = connection.split();
                let mut ears = SubscriberConnection { hub: &hub, sink, stream, heard: HashSet::new() };
                ears.listen(lost_before, || delays_left = delays()).await.to_string()
            }
            Ok(Err(error)) => error.to_string(),
            Err(_) => "no connection in time".to_owned(),
        };
        lost_before = true;
        tracing::debug!(error, "redis does not publish to us; trying again");
        tokio::time::sleep(delays_left.next().unwrap_or(CONNECT_TIMEOUT)).await;
    }
}

/// One connection and what it is subscribed to.
struct SubscriberConnection<'a> {
    hub: &'a Hub,
    sink: PubSubSink,
    stream: PubSubStream,
    heard: HashSet<String>,
}

impl SubscriberConnection<'_> {
    /// Follows the hub's wishes and hands over what comes, until the connection is lost.
    async fn listen(&mut self, lost_before: bool, connected: impl FnOnce()) -> RedisError {
        let mut wanted = self.hub.watch_wanted();
        if let Err(error) = self.follow(&mut wanted).await {
            return error;
        }
        connected();
        if lost_before {
            self.hub.gap();
        }
        loop {
            let step = tokio::select! {
                message = self.stream.next() => match message {
                    Some(message) => {
                        self.hub.deliver(message.get_channel_name(), &Bytes::from(message.get_payload_bytes().to_vec()));
                        Ok(())
                    }
                    None => Err(closed()),
                },
                changed = wanted.changed() => match changed {
                    Ok(()) => self.follow(&mut wanted).await,
                    Err(_) => std::future::pending().await,
                },
                () = tokio::time::sleep(PING_INTERVAL) => in_time(self.sink.ping::<redis::Value>()).await.map(drop),
            };
            if let Err(error) = step {
                return error;
            }
        }
    }

    /// Makes the connection's subscriptions what the hub wants.
    async fn follow(&mut self, changes: &mut watch::Receiver<u64>) -> Result<(), RedisError> {
        changes.mark_unchanged();
        let (number, wanted) = self.hub.wanted();
        let new: Vec<&String> = wanted.difference(&self.heard).collect();
        if !new.is_empty() {
            in_time(self.sink.subscribe(new)).await?;
        }
        let old: Vec<&String> = self.heard.difference(&wanted).collect();
        if !old.is_empty() {
            in_time(self.sink.unsubscribe(old)).await?;
        }
        self.heard = wanted;
        self.hub.confirm(number);
        Ok(())
    }
}

async fn in_time<T>(answer: impl Future<Output = Result<T, RedisError>>) -> Result<T, RedisError> {
    match tokio::time::timeout(RESPONSE_TIMEOUT, answer).await {
        Ok(answer) => answer,
        Err(_) => Err(closed()),
    }
}

fn closed() -> RedisError {
    RedisError::from(std::io::Error::from(std::io::ErrorKind::ConnectionReset))
}
