//! Live news over a WebSocket.
//!
//! In: `{"subscribe": ["execution:ID", "executions", "pool"]}` and `{"unsubscribe": [...]}`. Out: what is
//! published there, as `{"channel", "data"}`; `{"gap": true}` when something was missed; `{"error"}` for a
//! message we cannot use.

use axum::extract::State;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::response::Response;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::Api;
use crate::bus::{Channel, Heard, Watch};

/// The largest message a watcher may send.
const MESSAGE_MAX_BYTES: usize = 64 * 1024;

/// What a watcher asks for.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wish {
    #[serde(default)]
    subscribe: Vec<String>,
    #[serde(default)]
    unsubscribe: Vec<String>,
}

/// What it gets.
#[derive(Serialize)]
struct News<'a> {
    channel: &'a str,
    data: &'a RawValue,
}

/// `GET /ws`
pub(super) async fn open(State(api): State<Api>, upgrade: WebSocketUpgrade) -> Response {
    upgrade.protocols(["muster"]).max_message_size(MESSAGE_MAX_BYTES).on_upgrade(move |socket| async move {
        // An error here is a watcher that left.
        let _ = serve(&api, socket).await;
    })
}

async fn serve(api: &Api, mut socket: WebSocket) -> Result<(), axum::Error> {
    let mut watch = api.bus.watch(&[]).await;
    loop {
        tokio::select! {
            message = socket.recv() => match message {
                None => return Ok(()),
                Some(message) => match message? {
                    Message::Text(text) => wish(&mut socket, &mut watch, text.as_str()).await?,
                    Message::Close(_) => return Ok(()),
                    Message::Binary(_) | Message::Ping(_) | Message::Pong(_) => {}
                },
            },
            heard = watch.next() => match heard {
                Heard::Gap => send(&mut socket, r#"{"gap":true}"#.to_owned()).await?,
                Heard::Message { channel, data } => pass_on(&mut socket, &channel, &data).await?,
            },
            () = api.closing.cancelled() => return socket.send(Message::Close(None)).await,
        }
    }
}

async fn pass_on(socket: &mut WebSocket, channel: &str, data: &Bytes) -> Result<(), axum::Error> {
    // What is no JSON was published by somebody else, and is nothing a watcher could read.
    let Ok(data) = serde_json::from_slice::<&RawValue>(data) else { return Ok(()) };
    send(socket, serde_json::to_string(&News { channel, data }).unwrap_or_default()).await
}

async fn wish(socket: &mut WebSocket, watch: &mut Watch, text: &str) -> Result<(), axum::Error> {
    let channels = |names: &[String]| -> Result<Vec<Channel>, String> {
        names.iter().map(|name| name.parse::<Channel>().map_err(|error| error.to_string())).collect()
    };
    let wish = serde_json::from_str::<Wish>(text)
        .map_err(|error| format!("send {{\"subscribe\": [\"executions\"]}}: {error}"))
        .and_then(|wish| Ok((channels(&wish.subscribe)?, channels(&wish.unsubscribe)?)));
    match wish {
        Ok((subscribe, unsubscribe)) => {
            watch.remove(&unsubscribe);
            watch.add(&subscribe).await;
            Ok(())
        }
        Err(error) => send(socket, serde_json::json!({"error": error}).to_string()).await,
    }
}

async fn send(socket: &mut WebSocket, text: String) -> Result<(), axum::Error> {
    socket.send(Message::Text(text.into())).await
}
