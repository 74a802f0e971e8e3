//! Watchers on a WebSocket.

use std::time::Duration;

use axum::Router;
use axum::extract::WebSocketUpgrade;
use jiff::Timestamp;
use muster_bus::{Bus, StatusChange};
use muster_core::access::{Role, RoleGrant};
use muster_core::execution::{Attempt, Status};
use serde_json::json;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::access::{ACME, OTHER, World, admin, token, world};
use super::served::{line, serve};
use crate::http::socket::{SocketClient, WatcherSight};

/// A WebSocket by hand: the frames are short, and no client library is needed elsewhere.
struct Socket(tokio::net::TcpStream);

impl Socket {
    async fn open(address: &str) -> Self {
        Self::open_with(address, "").await
    }

    /// With these header lines.
    async fn open_with(address: &str, headers: &str) -> Self {
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
        let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
        let head = format!(
            "GET /ws HTTP/1.1\r\nhost: {address}\r\n{headers}connection: upgrade\r\nupgrade: websocket\r\n\
             sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        while !answer.ends_with(b"\r\n\r\n") {
            answer.push(stream.read_u8().await.unwrap());
        }
        assert!(answer.starts_with(b"HTTP/1.1 101"), "{}", String::from_utf8_lossy(&answer));
        Self(stream)
    }

    /// Sends a text, masked with zeros.
    async fn send(&mut self, text: &str) {
        self.send_frame(0x81, text.as_bytes()).await;
    }

    async fn send_frame(&mut self, kind: u8, data: &[u8]) {
        use tokio::io::AsyncWriteExt as _;
        let length = u16::try_from(data.len()).unwrap().to_be_bytes();
        let mut frame = vec![kind, 0x80 | 126, length[0], length[1], 0, 0, 0, 0];
        if data.len() < 126 {
            frame = vec![kind, 0x80 | length[1], 0, 0, 0, 0];
        }
        frame.extend(data);
        self.0.write_all(&frame).await.unwrap();
    }

    async fn receive(&mut self) -> serde_json::Value {
        let (kind, text) = self.receive_frame().await;
        assert_eq!(kind, 0x81, "a text frame");
        serde_json::from_slice(&text).unwrap()
    }

    /// True once the other end has gone, whatever it says at last.
    async fn is_closed(&mut self) -> bool {
        use tokio::io::AsyncReadExt as _;
        let mut rest = Vec::new();
        tokio::time::timeout(Duration::from_secs(20), self.0.read_to_end(&mut rest)).await.is_ok()
    }

    async fn receive_frame(&mut self) -> (u8, Vec<u8>) {
        use tokio::io::AsyncReadExt as _;
        let kind = self.0.read_u8().await.unwrap();
        let length = match self.0.read_u8().await.unwrap() {
            126 => usize::from(self.0.read_u16().await.unwrap()),
            length => usize::from(length),
        };
        let mut text = vec![0; length];
        self.0.read_exact(&mut text).await.unwrap();
        (kind, text)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watcher_gets_what_it_subscribed_to() {
    let served = serve(None).await;
    let mut socket = Socket::open(served.address()).await;
    socket.send(r#"{"subscribe":["commands"]}"#).await;
    let refused = socket.receive().await;
    assert!(refused["error"].as_str().unwrap().contains("use execution:ID, executions or pool"), "{refused}");

    let (mine, other) = (Attempt::new(Uuid::now_v7(), 1), Attempt::new(Uuid::now_v7(), 1));
    socket.send(&format!(r#"{{"subscribe":["execution:{}"]}}"#, mine.execution_id)).await;
    // An unknown wish is answered in order, so its answer says that the subscription is made.
    socket.send("{}x").await;
    assert!(socket.receive().await["error"].is_string());
    served.bus.log_lines(other, &[line(1)], Duration::from_secs(60));
    served.bus.log_lines(mine, &[line(7)], Duration::from_secs(60));
    let news = socket.receive().await;
    assert_eq!(news["channel"], format!("execution:{}", mine.execution_id));
    assert_eq!((&news["data"]["type"], &news["data"]["sequence"]), (&"log".into(), &7.into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watcher_has_so_many_subscriptions_and_no_more() {
    let served = serve(None).await;
    let mut socket = Socket::open(served.address()).await;
    let mut subscribe = async |ids: std::ops::Range<u128>, unsubscribe: &[&str]| {
        let names: Vec<_> = ids.map(|id| format!("execution:{}", Uuid::from_u128(id))).collect();
        let wish = serde_json::json!({ "subscribe": names, "unsubscribe": unsubscribe });
        socket.send(&wish.to_string()).await;
        // An unknown wish is answered in order.
        socket.send("{}x").await;
        socket.receive().await["error"].as_str().unwrap().to_owned()
    };
    let understood = "send {";
    assert!(subscribe(0..256, &[]).await.starts_with(understood));
    assert!(subscribe(0..256, &[]).await.starts_with(understood), "those it has count once");
    let refused = subscribe(250..260, &[]).await;
    assert!(
        refused.starts_with("at most 256 subscriptions on one socket, and this would be 260"),
        "{refused}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watcher_that_does_not_answer_a_ping_is_let_go() {
    const PING: u8 = 0x89;
    const PONG: u8 = 0x8a;
    const CLOSE: u8 = 0x88;
    let watch_briefly = async |upgrade: WebSocketUpgrade| {
        upgrade.on_upgrade(async |socket| {
            let watch = Bus::in_process("muster").watch(&[]).await;
            let watcher = SocketClient::new(socket, watch, WatcherSight::All, Duration::from_secs(1));
            let _ = watcher.serve(&CancellationToken::new()).await;
        })
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let router = Router::new().route("/ws", axum::routing::get(watch_briefly));
    tokio::spawn(async { axum::serve(listener, router).await });
    let mut socket = Socket::open(&address).await;
    for _ in 0..2 {
        assert_eq!(socket.receive_frame().await.0, PING);
        socket.send_frame(PONG, b"").await;
    }
    assert_eq!(socket.receive_frame().await.0, PING);
    let (kind, reason) = socket.receive_frame().await;
    assert_eq!((kind, &reason[2..]), (CLOSE, b"no answer to a ping".as_slice()));
    assert_eq!(tokio::io::AsyncReadExt::read(&mut socket.0, &mut [0]).await.unwrap(), 0, "it is closed");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_bound_to_an_organization_watches_what_is_of_it() {
    let World { served, ours, theirs, nobodys, .. } = world().await;
    let grant = RoleGrant { role: Role::View, organization_id: Some(ACME) };
    let secret = token(&served, "watcher", grant).await;
    let mut socket =
        Socket::open_with(served.address(), &format!("authorization: Bearer {secret}\r\n")).await;
    let known = [ours, theirs, nobodys];
    for (channel, refusal) in [
        ("pool".to_owned(), "bound to one organization".to_owned()),
        (format!("execution:{theirs}"), format!("there is no execution {theirs}")),
        (format!("execution:{nobodys}"), format!("there is no execution {nobodys}")),
    ] {
        // All of a wish or nothing of it.
        socket.send(&json!({ "subscribe": ["executions", channel] }).to_string()).await;
        let refused = socket.receive().await;
        assert!(refused["error"].as_str().unwrap().contains(&refusal), "{channel}: {refused}");
    }
    socket.send(&json!({ "subscribe": ["executions", format!("execution:{ours}")] }).to_string()).await;
    // An unknown wish is answered in order, so its answer says that the subscription is made.
    socket.send("{}x").await;
    assert!(socket.receive().await["error"].is_string());
    for (id, organization_id) in known.into_iter().rev().zip([None, Some(OTHER), Some(ACME)]) {
        let change = StatusChange::new(Attempt::new(id, 1), Status::Running, Timestamp::now());
        served.bus.status_changed(&StatusChange { organization_id, ..change });
    }
    let mut heard = Vec::new();
    for _ in 0..2 {
        let news = socket.receive().await;
        heard.push((news["channel"].as_str().unwrap().to_owned(), news["data"]["execution_id"].clone()));
    }
    heard.sort_by(|one, other| one.0.cmp(&other.0));
    let of_ours = |channel: &str| (channel.to_owned(), json!(ours));
    assert_eq!(heard, [of_ours(&format!("execution:{ours}")), of_ours("executions")], "theirs came before");

    admin(&served, "DELETE", "/api/tokens/watcher", json!({})).await;
    assert!(socket.is_closed().await, "nobody hears on with a token that counts no more");
}
