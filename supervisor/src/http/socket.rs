//! Live news over a WebSocket.
//!
//! In: `{"subscribe": ["execution:ID", "executions", "pool"]}` and `{"unsubscribe": [...]}`. Out: what is
//! published there, as `{"channel", "data"}`; `{"gap": true}` when something was missed; `{"error"}` for a
//! message we cannot use. A watcher whose network fell silent would be kept for ever, so each is pinged, and let
//! go when it does not answer; every WebSocket client answers pings by itself.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code};
use axum::response::Response;
use bytes::Bytes;
use muster_bus::{BusEvent, Channel, ChannelSubscription};
use muster_store::Store;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::Api;
use crate::access::Caller;

/// The largest message a watcher may send.
const MESSAGE_MAX_BYTES: usize = 64 * 1024;
/// The most channels one watcher may listen to.
const SUBSCRIPTIONS_MAX: usize = 256;
/// How often a watcher is pinged. It has as long to answer, and to take what is sent to it.
const PING_EVERY: Duration = Duration::from_secs(20);

/// What a watcher asks for.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SubscriptionRequest {
    #[serde(default)]
    subscribe: Vec<String>,
    #[serde(default)]
    unsubscribe: Vec<String>,
}

/// What it gets.
#[derive(Serialize)]
struct SocketMessage<'a> {
    channel: &'a str,
    data: &'a RawValue,
}

/// `GET /ws`
pub(super) async fn open(State(api): State<Api>, caller: Caller, upgrade: WebSocketUpgrade) -> Response {
    upgrade.protocols(["muster"]).max_message_size(MESSAGE_MAX_BYTES).on_upgrade(move |socket| async move {
        let watch = api.bus.watch(&[]).await;
        let sight = WatcherSight::of(&caller, api.store);
        let client = SocketClient::new(socket, watch, sight, PING_EVERY);
        tokio::select! {
            // An error here is a watcher that left.
            _ = client.serve(&api.closing) => {}
            // Nobody hears on with a token that counts no more.
            () = api.access.tokens.ended(&caller) => {}
        }
    })
}

/// The channel on which all executions are told of.
const EXECUTIONS: &str = "executions";

/// What a watcher may see.
pub(super) enum WatcherSight {
    /// Everything.
    All,
    /// What is of this organization.
    Organization {
        /// The organization.
        id: Uuid,
        /// Where it is looked up whose an execution is.
        store: Arc<dyn Store>,
    },
}

/// A message of a channel, as far as it says whose it is.
#[derive(Deserialize)]
struct OwnedMessage {
    #[serde(default)]
    organization_id: Option<Uuid>,
}

impl WatcherSight {
    fn of(caller: &Caller, store: Arc<dyn Store>) -> Self {
        caller.organization_id().map_or(Self::All, |id| Self::Organization { id, store })
    }

    /// Whether these may be watched.
    async fn check(&self, channels: &[Channel]) -> Result<(), String> {
        let Self::Organization { id: own, store } = self else { return Ok(()) };
        for channel in channels {
            match channel {
                Channel::Executions => {}
                Channel::Execution(id) => {
                    let found = store.execution(*id).await.map_err(|error| error.to_string())?;
                    if found.is_none_or(|row| row.organization_id != Some(*own)) {
                        return Err(format!("there is no execution {id}"));
                    }
                }
                Channel::Pool | Channel::Cancel | Channel::Command => {
                    return Err(
                        "the token shown is bound to one organization: with it, subscribe to executions \
                                and execution:ID"
                            .to_owned(),
                    );
                }
            }
        }
        Ok(())
    }

    /// Whether a message may be passed on. What does not say whose it is is nobody's who is bound to one organization: a
    /// supervisor of an earlier version leaves that out of some.
    fn shows(&self, channel: &str, data: &RawValue) -> bool {
        let Self::Organization { id: own, store: _ } = self else { return true };
        if channel != EXECUTIONS {
            return true;
        }
        let whose = serde_json::from_str::<OwnedMessage>(data.get()).ok().and_then(|it| it.organization_id);
        whose == Some(*own)
    }
}

/// Who listens at the other end.
pub(super) struct SocketClient {
    socket: WebSocket,
    watch: ChannelSubscription,
    sight: WatcherSight,
    ping_every: Duration,
    subscribed: HashSet<Channel>,
    /// Nothing has come since the last ping.
    owes_answer: bool,
}

impl SocketClient {
    pub(super) fn new(
        socket: WebSocket,
        watch: ChannelSubscription,
        sight: WatcherSight,
        ping_every: Duration,
    ) -> Self {
        Self { socket, watch, sight, ping_every, subscribed: HashSet::new(), owes_answer: false }
    }

    pub(super) async fn serve(mut self, closing: &CancellationToken) -> Result<(), axum::Error> {
        let mut ping = interval(self.ping_every);
        ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // The first tick comes at once, and nobody has to be asked yet.
        ping.tick().await;
        loop {
            tokio::select! {
                message = self.socket.recv() => {
                    let Some(message) = message else { return Ok(()) };
                    self.owes_answer = false;
                    match message? {
                        Message::Text(text) => self.handle_request(text.as_str()).await?,
                        Message::Close(_) => return Ok(()),
                        Message::Binary(_) | Message::Ping(_) | Message::Pong(_) => {}
                    }
                }
                heard = self.watch.next() => match heard {
                    BusEvent::Gap => self.send_text(r#"{"gap":true}"#.to_owned()).await?,
                    BusEvent::Message { channel, data } => self.pass_on(&channel, &data).await?,
                },
                _ = ping.tick() => {
                    if self.owes_answer {
                        let reason = "no answer to a ping".into();
                        let close = CloseFrame { code: close_code::POLICY, reason };
                        return self.send(Message::Close(Some(close))).await;
                    }
                    self.owes_answer = true;
                    self.send(Message::Ping(Bytes::new())).await?;
                }
                () = closing.cancelled() => return self.send(Message::Close(None)).await,
            }
        }
    }

    async fn pass_on(&mut self, channel: &str, data: &Bytes) -> Result<(), axum::Error> {
        // What is no JSON was published by somebody else, and is nothing a watcher could read.
        let Ok(data) = serde_json::from_slice::<&RawValue>(data) else { return Ok(()) };
        if !self.sight.shows(channel, data) {
            return Ok(());
        }
        self.send_text(serde_json::to_string(&SocketMessage { channel, data }).unwrap_or_default()).await
    }

    /// Does what a wish asks for: all of it, or nothing and says why.
    async fn handle_request(&mut self, text: &str) -> Result<(), axum::Error> {
        match self.understood(text).await {
            Ok((StatusSubscription { subscribe, unsubscribe }, subscribed)) => {
                self.subscribed = subscribed;
                self.watch.remove(&unsubscribe);
                self.watch.add(&subscribe).await;
                Ok(())
            }
            Err(error) => self.send_text(serde_json::json!({"error": error}).to_string()).await,
        }
    }

    /// What is wished, and what would be subscribed to then.
    async fn understood(&mut self, text: &str) -> Result<(StatusSubscription, HashSet<Channel>), String> {
        let wish = parse(text)?;
        let after = self.subscribed_after(&wish)?;
        self.sight.check(&wish.subscribe).await?;
        Ok((wish, after))
    }

    fn subscribed_after(&self, changes: &StatusSubscription) -> Result<HashSet<Channel>, String> {
        let mut subscribed = self.subscribed.clone();
        subscribed.retain(|channel| !changes.unsubscribe.contains(channel));
        subscribed.extend(&changes.subscribe);
        if subscribed.len() > SUBSCRIPTIONS_MAX {
            return Err(format!(
                "at most {SUBSCRIPTIONS_MAX} subscriptions on one socket, and this would be {}: unsubscribe \
                 from some, or open another",
                subscribed.len()
            ));
        }
        Ok(subscribed)
    }

    async fn send_text(&mut self, text: String) -> Result<(), axum::Error> {
        self.send(Message::Text(text.into())).await
    }

    /// A watcher that takes nothing any more is one that left.
    async fn send(&mut self, message: Message) -> Result<(), axum::Error> {
        timeout(self.ping_every, self.socket.send(message)).await.map_err(axum::Error::new)?
    }
}

/// A wish that was understood.
struct StatusSubscription {
    subscribe: Vec<Channel>,
    unsubscribe: Vec<Channel>,
}

fn parse(text: &str) -> Result<StatusSubscription, String> {
    let channels = |names: &[String]| -> Result<Vec<Channel>, String> {
        names.iter().map(|name| name.parse::<Channel>().map_err(|error| error.to_string())).collect()
    };
    let wish = serde_json::from_str::<SubscriptionRequest>(text)
        .map_err(|error| format!("send {{\"subscribe\": [\"executions\"]}}: {error}"))?;
    Ok(StatusSubscription {
        subscribe: channels(&wish.subscribe)?,
        unsubscribe: channels(&wish.unsubscribe)?,
    })
}
