//! A server on a free port with what is behind it, and the ways to ask it.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::Timestamp;
use muster_bus::{Bus, OutcomeAnnouncement, StatusChange};
use muster_core::execution::{Attempt, ExecutionRequest, LogLine, LogStream, Status};
use muster_store::{
    Claim, Claimant, Disposition, Durability, ExecutionOutcome, Finalization, FinalizeResult, NewExecution,
    ServedQueues, SqliteStore, Store,
};
use serde_json::value::RawValue;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::stand::FakeService;
use crate::access::{Access, MainToken};
use crate::api::{self, Readiness, ReadinessPart};
use crate::client::ApiClient;
use crate::http::{Api, ApiService, StartupServer};

/// A server on a free port, and what is behind it.
pub(super) struct TestServer {
    pub(super) url: String,
    pub(super) store: Arc<dyn Store>,
    pub(super) bus: Bus,
    pub(super) stand: Arc<FakeService>,
    pub(super) front: StartupServer,
    pub(super) api: Api,
    closing: CancellationToken,
    _folder: tempfile::TempDir,
}

impl Drop for TestServer {
    fn drop(&mut self) {
        self.closing.cancel();
    }
}

pub(super) async fn serve(token: Option<&str>) -> TestServer {
    let served = start(token).await;
    served.front.open(served.api.clone());
    served
}

/// A server whose supervisor starts still, and waits for the database.
pub(super) async fn start(token: Option<&str>) -> TestServer {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(&folder.path().join("muster.db"), Durability::Normal).await.unwrap();
    let store: Arc<dyn Store> = Arc::new(store);
    store.migrate().await.unwrap();
    let bus = Bus::in_process("muster");
    let stand = Arc::new(FakeService { store: Arc::clone(&store), commands: Mutex::default() });
    let closing = CancellationToken::new();
    let main = token.map_or(MainToken::Open, |token| MainToken::Token { token: token.into(), file: None });
    let api = Api {
        store: Arc::clone(&store),
        bus: bus.clone(),
        service: Arc::clone(&stand) as Arc<dyn ApiService>,
        access: Access::with(main),
        closing: closing.clone(),
    };
    let waits = ReadinessPart {
        part: "store".into(),
        ready: false,
        detail: "the database is out of reach: x".into(),
    };
    let (_, waits_for) = tokio::sync::watch::channel(Readiness::of(vec![waits]));
    let front = StartupServer::starting(api.access.clone(), waits_for);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(front.clone().serve(listener, closing.clone(), 64));
    TestServer { url, store, bus, stand, front, api, closing, _folder: folder }
}

impl TestServer {
    pub(super) fn address(&self) -> &str {
        self.url.trim_start_matches("http://")
    }

    /// Asks the server from a thread, as the command line does.
    pub(super) async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(ApiClient) -> T + Send + 'static,
    ) -> T {
        let url = self.url.clone();
        tokio::task::spawn_blocking(move || question(ApiClient::new(&url, None).unwrap())).await.unwrap()
    }

    pub(super) async fn submit(&self, message: &'static str) -> Uuid {
        let body = self.ask(|client| client.submit(message, None).unwrap().body).await;
        serde_json::from_str::<api::AcceptedView>(&body).unwrap().execution_id
    }

    /// Claims the execution: from here on it runs.
    pub(super) async fn claim(&self, id: Uuid) -> (Claimant, Attempt) {
        let claimant = Claimant::new(Duration::from_secs(30), ServedQueues::of(["q"]));
        let request =
            ExecutionRequest::parse(format!(r#"{{"execution_id":"{id}","workflow":"w"}}"#).as_bytes())
                .unwrap();
        let claim =
            self.store.claim(&claimant, &[Arc::new(NewExecution::of(&request, 3))]).await.unwrap().remove(0);
        let Claim::Claimed(claimed) = claim else { panic!("{claim:?}") };
        (claimant, claimed.attempt)
    }

    /// Ends the run the way a supervisor does: commit, then publish.
    pub(super) async fn finish(&self, claimant: Claimant, attempt: Attempt, logs: Vec<LogLine>) {
        let success =
            ExecutionOutcome::Success { result: RawValue::from_string("{\"n\": 1.50}".to_owned()).unwrap() };
        let finalization = Finalization {
            started_at: Some(Timestamp::now()),
            duration_ms: Some(12),
            logs,
            ..Finalization::bare(attempt, claimant.owner, Disposition::Terminal(success))
        };
        let verdicts = self.store.finalize(&[finalization]).await.unwrap();
        assert!(
            matches!(verdicts[0], FinalizeResult::Finished { status: Status::Success, .. }),
            "{verdicts:?}"
        );
        let status = StatusChange::new(attempt, Status::Success, Timestamp::now());
        self.bus.announce_outcomes(&[OutcomeAnnouncement { status, reply: None }]).await.unwrap();
    }
}

pub(super) fn line(sequence: u64) -> LogLine {
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

/// What the server says to a raw request: status, content type, body.
pub(super) async fn raw(served: &TestServer, method: &str, path: &str, body: &str, headers: &str) -> String {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let address = served.address();
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let host = if headers.contains("host:") { String::new() } else { format!("host: {address}\r\n") };
    let length = match headers.contains("content-length:") {
        true => String::new(),
        false => format!("content-length: {}\r\n", body.len()),
    };
    let request =
        format!("{method} {path} HTTP/1.1\r\n{host}{headers}{length}connection: close\r\n\r\n{body}");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap();
    let kind = head.lines().find_map(|line| line.strip_prefix("content-type: ")).unwrap_or("");
    format!("{status} {kind} {body}")
}

/// The head of an answer to a stranger, in small letters.
pub(super) async fn head(served: &TestServer, path: &str) -> String {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let mut stream = tokio::net::TcpStream::connect(served.address()).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n\r\n", served.address());
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer.split_once("\r\n\r\n").unwrap().0.to_lowercase()
}
