//! The client and the server, over a real socket and the embedded store. The supervisor behind them is a
//! stand-in that submits and cancels through the store and plays worker when told to.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use axum::Router;
use axum::extract::WebSocketUpgrade;
use jiff::Timestamp;
use secrecy::SecretString;
use serde_json::value::RawValue;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::socket::Watcher;
use super::view::{self, CancelOutcome, LogView, Part, PoolView, Readiness};
use super::{Api, Front, RecycleTarget, Service, ServiceError};
use crate::bus::{Bus, Settlement, StatusChange};
use crate::client::{Client, ClientError, Execution, ExecutionPage};
use crate::execution::{Attempt, LogLine, LogStream, Request, Status};
use crate::store::{
    CancelAnswer, Claim, Claimant, Disposition, Durability, Finalization, NewExecution, Outcome, SqliteStore,
    Store, Submitted, Verdict,
};

/// The stand-in for a supervisor.
#[derive(Debug)]
struct Stand {
    store: Arc<dyn Store>,
    commands: Mutex<Vec<String>>,
}

impl Stand {
    fn note(&self, command: String) -> Result<(), ServiceError> {
        self.commands.lock().unwrap().push(command);
        Ok(())
    }
}

#[async_trait]
impl Service for Stand {
    async fn submit(&self, request: Request) -> Result<Status, ServiceError> {
        let rows = [NewExecution::of(&request, 3)];
        Ok(match self.store.submit(&rows).await?.remove(0) {
            Submitted::Inserted => Status::Pending,
            Submitted::Exists(status) => status,
            Submitted::Refused(reason) => return Err(ServiceError::Invalid(reason)),
        })
    }

    async fn cancel(&self, id: Uuid) -> Result<CancelAnswer, ServiceError> {
        Ok(self.store.request_cancel(id).await?)
    }

    async fn retry(&self, id: Uuid) -> Result<Uuid, ServiceError> {
        Err(ServiceError::Conflict(format!("execution {id} is RUNNING")))
    }

    async fn pool(&self) -> PoolView {
        view::tests::pool()
    }

    async fn resize(&self, min_workers: usize, max_workers: usize) -> Result<(), ServiceError> {
        self.note(format!("resize {min_workers} {max_workers}"))
    }

    async fn recycle(&self, target: RecycleTarget) -> Result<(), ServiceError> {
        self.note(format!("recycle {target:?}"))
    }

    async fn reload(&self) -> Result<(), ServiceError> {
        self.note("reload".to_owned())
    }

    async fn readiness(&self) -> Readiness {
        Readiness::of(vec![Part { part: "workers".into(), ready: false, detail: "none can start".into() }])
    }

    fn liveness(&self) -> Result<(), String> {
        Ok(())
    }

    async fn transcript(&self, _: Uuid, _: Option<u32>) -> Result<Option<String>, ServiceError> {
        Ok(None)
    }

    async fn metrics(&self) -> String {
        "# EOF\n".to_owned()
    }
}

/// A server on a free port, and what is behind it.
struct Served {
    url: String,
    store: Arc<dyn Store>,
    bus: Bus,
    stand: Arc<Stand>,
    front: Front,
    api: Api,
    closing: CancellationToken,
    _folder: tempfile::TempDir,
}

impl Drop for Served {
    fn drop(&mut self) {
        self.closing.cancel();
    }
}

async fn serve(token: Option<&str>) -> Served {
    let served = start(token).await;
    served.front.open(served.api.clone());
    served
}

/// A server whose supervisor starts still, and waits for the database.
async fn start(token: Option<&str>) -> Served {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(&folder.path().join("muster.db"), Durability::Normal).await.unwrap();
    let store: Arc<dyn Store> = Arc::new(store);
    store.migrate().await.unwrap();
    let bus = Bus::in_process("muster");
    let stand = Arc::new(Stand { store: Arc::clone(&store), commands: Mutex::default() });
    let closing = CancellationToken::new();
    let api = Api {
        store: Arc::clone(&store),
        bus: bus.clone(),
        service: Arc::clone(&stand) as Arc<dyn Service>,
        token: token.map(SecretString::from),
        closing: closing.clone(),
    };
    let waits = Part { part: "store".into(), ready: false, detail: "the database is out of reach: x".into() };
    let (_, waits_for) = tokio::sync::watch::channel(Readiness::of(vec![waits]));
    let front = Front::starting(api.token.clone(), waits_for);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(front.clone().serve(listener, closing.clone()));
    Served { url, store, bus, stand, front, api, closing, _folder: folder }
}

impl Served {
    fn address(&self) -> &str {
        self.url.trim_start_matches("http://")
    }

    /// Asks the server from a thread, as the command line does.
    async fn ask<T: Send + 'static>(&self, question: impl FnOnce(Client) -> T + Send + 'static) -> T {
        let url = self.url.clone();
        tokio::task::spawn_blocking(move || question(Client::new(&url, None).unwrap())).await.unwrap()
    }

    async fn submit(&self, message: &'static str) -> Uuid {
        let body = self.ask(|client| client.submit(message, None).unwrap().body).await;
        serde_json::from_str::<view::Accepted>(&body).unwrap().execution_id
    }

    /// Claims the execution: from here on it runs.
    async fn claim(&self, id: Uuid) -> (Claimant, Attempt) {
        let claimant = Claimant { owner: Uuid::now_v7(), lease: Duration::from_secs(30) };
        let request =
            Request::parse(format!(r#"{{"execution_id":"{id}","workflow":"w"}}"#).as_bytes()).unwrap();
        let claim =
            self.store.claim(&claimant, &[Arc::new(NewExecution::of(&request, 3))]).await.unwrap().remove(0);
        let Claim::Claimed(claimed) = claim else { panic!("{claim:?}") };
        (claimant, claimed.attempt)
    }

    /// Ends the run the way a supervisor does: commit, then publish.
    async fn finish(&self, claimant: Claimant, attempt: Attempt, logs: Vec<LogLine>) {
        let finalization = Finalization {
            attempt,
            owner: claimant.owner,
            disposition: Disposition::Terminal(Outcome::Success {
                result: RawValue::from_string("{\"n\": 1.50}".to_owned()).unwrap(),
            }),
            started_at: Some(Timestamp::now()),
            completed_at: Timestamp::now(),
            duration_ms: Some(12),
            metrics: None,
            logs,
            changes: Vec::new(),
            children: Vec::new(),
            events: Vec::new(),
        };
        let verdicts = self.store.finalize(&[finalization]).await.unwrap();
        assert!(matches!(verdicts[0], Verdict::Finished { status: Status::Success, .. }), "{verdicts:?}");
        let status = StatusChange::new(attempt, Status::Success, Timestamp::now());
        self.bus.settle(&[Settlement { status, reply: None }]).await.unwrap();
    }
}

fn line(sequence: u64) -> LogLine {
    LogLine {
        sequence,
        at_us: 1_700_000_000_000_000,
        level: "info".into(),
        stream: LogStream::Log,
        logger: String::new(),
        message: format!("line {sequence}"),
        fields: None,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn submitted_shown_listed_and_cancelled() {
    let served = serve(None).await;
    let id = served.submit(r#"{"workflow":"hello","parameters":{"b":1,"a":2.50}}"#).await;
    let answer = served.ask(move |client| client.execution(id, None).unwrap()).await;
    assert!(answer.is_final && answer.body.contains(r#""parameters":{"b":1,"a":2.50}"#), "{}", answer.body);
    let row: Execution = serde_json::from_str(&answer.body).unwrap();
    assert_eq!((row.execution_id, row.status, row.workflow.as_deref()), (id, Status::Pending, Some("hello")));

    let query = [("status", "PENDING".to_owned()), ("limit", "1".to_owned())];
    let body = served.ask(move |client| client.executions(&query).unwrap().body).await;
    let page: ExecutionPage = serde_json::from_str(&body).unwrap();
    assert_eq!(page.executions.iter().map(|row| row.execution_id).collect::<Vec<_>>(), [id]);

    let cancelled = served.ask(move |client| client.cancel(id).unwrap()).await;
    assert_eq!((cancelled.outcome, cancelled.status), (CancelOutcome::Cancelled, Status::Cancelled));
    let again = served.ask(move |client| client.cancel(id).unwrap()).await;
    assert_eq!((again.outcome, again.status), (CancelOutcome::AlreadyFinished, Status::Cancelled));
    let events = served.ask(move |client| client.events(id).unwrap().events).await;
    assert!(!events.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wait_ends_with_the_execution_and_not_before() {
    let served = serve(None).await;
    let short = Some(Duration::from_millis(50));
    let early = served.ask(move |client| client.submit(r#"{"workflow":"w"}"#, short).unwrap()).await;
    assert!(!early.is_final, "{}", early.body);
    let id = serde_json::from_str::<Execution>(&early.body).unwrap().execution_id;
    let (claimant, attempt) = served.claim(id).await;
    let long = Some(Duration::from_secs(60));
    let (waited, ()) = tokio::join!(served.ask(move |client| client.execution(id, long).unwrap()), async {
        served.finish(claimant, attempt, Vec::new()).await;
    });
    assert!(waited.is_final && waited.body.contains(r#""result":{"n": 1.50}"#), "{}", waited.body);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_followed_log_comes_live_once_and_complete() {
    let served = serve(None).await;
    let id = served.submit(r#"{"workflow":"w"}"#).await;
    let (claimant, attempt) = served.claim(id).await;
    served.bus.log_lines(attempt, &[line(1), line(2)], Duration::from_secs(60));
    let (heard, mut lines) = tokio::sync::mpsc::unbounded_channel();
    let follower = served.ask(move |client| {
        let mut names = Vec::new();
        for event in client.follow(id, None).unwrap() {
            let event = event.unwrap();
            if event.event == "log" {
                heard.send(serde_json::from_str::<LogView>(&event.data).unwrap().sequence).unwrap();
            }
            names.push(event.event);
        }
        names
    });
    let script = async {
        for expected in 1..=2 {
            assert_eq!(lines.recv().await, Some(expected), "what was there before is shown first");
        }
        served.bus.log_lines(attempt, &[line(3)], Duration::from_secs(60));
        assert_eq!(lines.recv().await, Some(3), "what comes is shown as it comes");
        // The fourth line was never shown live: it is in the record.
        served.finish(claimant, attempt, (1..=4).map(line).collect()).await;
        assert_eq!(lines.recv().await, Some(4));
        assert_eq!(lines.recv().await, None);
    };
    let (names, ()) = tokio::join!(follower, script);
    assert_eq!(names.iter().filter(|name| *name == "log").count(), 4);
    assert_eq!(names.last().map(String::as_str), Some("end"));

    let resumed = served.ask(move |client| {
        let events = client.follow(id, Some("1-3")).unwrap();
        events.map(|event| event.unwrap()).map(|event| (event.event, event.id)).collect::<Vec<_>>()
    });
    assert_eq!(resumed.await, [("log".to_owned(), Some("1-4".to_owned())), ("end".to_owned(), None)]);
    let page = served.ask(move |client| client.logs(id, None).unwrap()).await;
    assert_eq!(page.logs.len(), 4);
    assert!(page.next_cursor.is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_reach_the_pool() {
    let served = serve(None).await;
    let pool = served
        .ask(|client| {
            client.command("resize", &view::Resize { min_workers: 2, max_workers: 4 }).unwrap();
            client
                .command("recycle", &view::Recycle { worker: Some("worker-3".into()), all: false })
                .unwrap();
            client.command("recycle", &view::Recycle { worker: None, all: true }).unwrap();
            client.command("reload", &serde_json::json!({})).unwrap()
        })
        .await;
    assert_eq!(pool.workers.len(), 2);
    let commands = served.stand.commands.lock().unwrap().join(", ");
    assert_eq!(commands, "resize 2 4, recycle Worker(WorkerId(3)), recycle All, reload");
    let readiness = served.ask(|client| client.readiness().unwrap()).await;
    assert!(!readiness.ready && readiness.parts[0].detail == "none can start");
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_supervisor_starts_it_lives_and_says_what_it_waits_for() {
    let served = start(Some("s3cret")).await;
    let ask = |path| raw(&served, "GET", path, "", "authorization: Bearer s3cret\r\n");
    assert_eq!(ask("/healthz").await, "200 text/plain; charset=utf-8 ok\n");
    let unready = ask("/readyz").await;
    assert!(unready.starts_with("503 application/json"), "{unready}");
    assert!(unready.contains("the database is out of reach: x"), "{unready}");
    let not_yet = ask("/api/executions").await;
    assert!(not_yet.starts_with("503 application/problem+json"), "{not_yet}");
    assert!(not_yet.contains("the supervisor is starting"), "{not_yet}");
    let stranger = raw(&served, "GET", "/api/executions", "", "").await;
    assert!(stranger.starts_with("401 "), "{stranger}");

    served.front.open(served.api.clone());
    assert!(ask("/readyz").await.contains("none can start"));
    assert!(ask("/api/executions").await.starts_with("200 "));
}

/// What the server says to a raw request: status, content type, body.
async fn raw(served: &Served, method: &str, path: &str, body: &str, headers: &str) -> String {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let address = served.address();
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let host = if headers.contains("host:") { String::new() } else { format!("host: {address}\r\n") };
    let length = body.len();
    let request = format!(
        "{method} {path} HTTP/1.1\r\n{host}{headers}content-length: {length}\r\nconnection: close\r\n\r\n{body}"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap();
    let kind = head.lines().find_map(|line| line.strip_prefix("content-type: ")).unwrap_or("");
    format!("{status} {kind} {body}")
}

#[tokio::test(flavor = "multi_thread")]
async fn every_error_is_a_problem_that_says_what_to_do() {
    let served = serve(None).await;
    let id = "0198aa00-0000-7000-8000-000000000001";
    let mut answers = Vec::new();
    for (method, path, body) in [
        ("POST", "/api/executions", "{\"priority\": 12, \"timeout_seconds\": 0}"),
        ("POST", "/api/executions", "not json"),
        ("POST", "/api/executions?wait=soon", "{\"workflow\":\"w\"}"),
        ("GET", "/api/executions?status=DONE", ""),
        ("GET", "/api/executions?stauts=FAILED", ""),
        ("GET", "/api/executions?cursor=x", ""),
        ("GET", "/api/executions/17", ""),
        ("GET", &format!("/api/executions/{id}"), ""),
        ("GET", &format!("/api/executions/{id}/logs?follow"), ""),
        ("GET", &format!("/api/executions/{id}/events"), ""),
        ("POST", &format!("/api/executions/{id}/retry"), ""),
        ("POST", "/api/pool/resize", "{\"min\": 1}"),
        ("POST", "/api/pool/recycle", ""),
        ("POST", "/api/pool/recycle", "{\"worker\": \"bob\"}"),
        ("DELETE", "/api/executions", ""),
        ("GET", "/api/nothing", ""),
    ] {
        answers.push(format!("{method} {path}\n  {}", raw(&served, method, path, body, "").await));
    }
    insta::assert_snapshot!(answers.join("\n"), @r#"
POST /api/executions
  400 application/problem+json {"type":"/problems/invalid-request","title":"The request is not valid","status":400,"detail":"invalid request: timeout_seconds: must be a number of seconds above 0 and at most 31536000, not 0; priority: must be a whole number from 0 to 9, not 12"}
POST /api/executions
  400 application/problem+json {"type":"/problems/invalid-request","title":"The request is not valid","status":400,"detail":"invalid request: not a JSON object of request fields: it does not begin with {"}
POST /api/executions?wait=soon
  400 application/problem+json {"type":"/problems/invalid-request","title":"The request is not valid","status":400,"detail":"parameter wait: must be a number of seconds from 0 on, not \"soon\""}
GET /api/executions?status=DONE
  400 application/problem+json {"type":"/problems/invalid-request","title":"The request is not valid","status":400,"detail":"parameter status: \"DONE\" is no status: use PENDING, RUNNING, SUCCESS, FAILED, TIMEOUT or CANCELLED"}
GET /api/executions?stauts=FAILED
  400 application/problem+json {"type":"/problems/invalid-request","title":"The request is not valid","status":400,"detail":"there is no parameter stauts here"}
GET /api/executions?cursor=x
  400 application/problem+json {"type":"/problems/invalid-request","title":"The request is not valid","status":400,"detail":"parameter cursor: \"x\" is no cursor: pass on the `next_cursor` of the page before, unchanged"}
GET /api/executions/17
  400 application/problem+json {"type":"/problems/invalid-request","title":"The request is not valid","status":400,"detail":"\"17\" is no execution id: it is a UUID"}
GET /api/executions/0198aa00-0000-7000-8000-000000000001
  404 application/problem+json {"type":"/problems/not-found","title":"There is no such thing","status":404,"detail":"there is no execution 0198aa00-0000-7000-8000-000000000001"}
GET /api/executions/0198aa00-0000-7000-8000-000000000001/logs?follow
  404 application/problem+json {"type":"/problems/not-found","title":"There is no such thing","status":404,"detail":"there is no execution 0198aa00-0000-7000-8000-000000000001"}
GET /api/executions/0198aa00-0000-7000-8000-000000000001/events
  404 application/problem+json {"type":"/problems/not-found","title":"There is no such thing","status":404,"detail":"there is no execution 0198aa00-0000-7000-8000-000000000001"}
POST /api/executions/0198aa00-0000-7000-8000-000000000001/retry
  409 application/problem+json {"type":"/problems/conflict","title":"Not in this state","status":409,"detail":"execution 0198aa00-0000-7000-8000-000000000001 is RUNNING"}
POST /api/pool/resize
  400 application/problem+json {"type":"/problems/invalid-request","title":"The request is not valid","status":400,"detail":"the body is not right: unknown field `min`, expected `min_workers` or `max_workers` at line 1 column 6"}
POST /api/pool/recycle
  400 application/problem+json {"type":"/problems/invalid-request","title":"The request is not valid","status":400,"detail":"give either {\"worker\": \"worker-3\"} or {\"all\": true}"}
POST /api/pool/recycle
  400 application/problem+json {"type":"/problems/invalid-request","title":"The request is not valid","status":400,"detail":"\"bob\" is no worker: it is called like worker-3, see `supervisor status`"}
DELETE /api/executions
  405 application/problem+json {"type":"/problems/method-not-allowed","title":"Not with this method","status":405,"detail":"/api/executions does not take DELETE: the endpoints are in /api/openapi.json"}
GET /api/nothing
  404 application/problem+json {"type":"/problems/not-found","title":"There is no such thing","status":404,"detail":"nothing is at /api/nothing: the endpoints are in /api/openapi.json"}
"#);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_let_in() {
    let open = serve(None).await;
    let evil = "origin: https://evil.example\r\n";
    assert!(raw(&open, "POST", "/api/executions", "{\"workflow\":\"w\"}", evil).await.starts_with("403"));
    assert!(raw(&open, "GET", "/api/pool", "", "host: evil.example\r\n").await.starts_with("403"));
    assert!(
        raw(&open, "GET", "/api/pool", "", "host: localhost:1\r\norigin: http://localhost:1\r\n")
            .await
            .starts_with("200")
    );

    let closed = serve(Some("s3cret")).await;
    let pool = closed.ask(|client| client.pool()).await;
    assert!(matches!(pool, Err(ClientError::Unauthorized { .. })), "{pool:?}");
    let bearer = "authorization: Bearer s3cret\r\nhost: muster.example\r\n";
    assert!(raw(&closed, "GET", "/api/pool", "", bearer).await.starts_with("200"));
    assert!(raw(&closed, "GET", "/api/pool", "", "authorization: Bearer s3cre\r\n").await.starts_with("401"));
    assert!(raw(&closed, "GET", "/metrics", "", "").await.starts_with("401"));
    assert!(raw(&closed, "GET", "/healthz", "", "").await.starts_with("200 text/plain; charset=utf-8 ok"));
    assert!(
        raw(&closed, "GET", "/readyz", "", "").await.starts_with("503 application/json {\"ready\":false")
    );
    assert!(raw(&closed, "GET", "/", "", "").await.starts_with("200 text/html"));
}

/// A WebSocket by hand: the frames are short, and no client library is needed elsewhere.
struct Socket(tokio::net::TcpStream);

impl Socket {
    async fn open(address: &str) -> Self {
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
        let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
        let head = format!(
            "GET /ws HTTP/1.1\r\nhost: {address}\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
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
            let watcher = Watcher::new(socket, watch, Duration::from_secs(1));
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
