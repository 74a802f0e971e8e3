//! The ways in: a batch, HTTP, RabbitMQ; and what became of each text on them.

use std::collections::BTreeMap;
use std::time::Duration;

use muster_protocol::compare::is_json;
use muster_tests::{Installation, Services, TestQueue, eventually};
use serde::Deserialize;
use serde_json::value::RawValue;
use uuid::Uuid;

use crate::texts::Text;

/// How long all executions of one way may take.
const ALL_WITHIN: Duration = Duration::from_secs(120);

/// What became of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It came back, perhaps changed.
    Result(String),
    /// It was refused before anything ran.
    AtTheDoor,
    /// The execution failed with this error.
    Failed(String),
    /// It cannot be sent on this way.
    NotSent,
}

/// What became of each text, in their order.
pub(crate) type Fates = Vec<Fate>;

/// The part of a row that tells.
#[derive(Deserialize)]
struct Row {
    status: String,
    result: Option<Box<RawValue>>,
    error_type: Option<String>,
}

impl Row {
    fn fate(self) -> Option<Fate> {
        match self.status.as_str() {
            "PENDING" | "RUNNING" => None,
            // A null in a row says nothing, in a result it is one.
            "SUCCESS" => {
                Some(Fate::Result(self.result.map_or("null".to_owned(), |json| json.get().to_owned())))
            }
            _ => Some(Fate::Failed(self.error_type.unwrap_or_default())),
        }
    }
}

/// What is answered to a submission.
#[derive(Deserialize)]
struct Submitted {
    execution_id: String,
}

/// Talks to a supervisor in texts: what a body says must not be changed by the test.
pub(crate) struct Client {
    agent: ureq::Agent,
    url: String,
}

impl Client {
    fn of(installation: &Installation) -> Self {
        let config =
            ureq::Agent::config_builder().http_status_as_error(false).timeout_global(Some(ALL_WITHIN));
        Self { agent: config.build().into(), url: installation.url() }
    }

    fn post(&self, path: &str, body: &str) -> (u16, String) {
        let request = self.agent.post(format!("{}{path}", self.url)).content_type("application/json");
        read(request.send(body.as_bytes()))
    }

    fn get(&self, path: &str) -> (u16, String) {
        read(self.agent.get(format!("{}{path}", self.url)).call())
    }
}

fn read(answer: Result<ureq::http::Response<ureq::Body>, ureq::Error>) -> (u16, String) {
    let mut answer = answer.unwrap();
    let text = answer.body_mut().with_config().limit(64 * 1024 * 1024).read_to_string().unwrap();
    (answer.status().as_u16(), text)
}

/// All texts as one batch.
pub(crate) fn batch(installation: &Installation, texts: &[Text]) -> Fates {
    // What holds a line's end is no line.
    let can_be_sent = |text: &&Text| !text.json.contains(['\n', '\r']);
    let line = |text: &Text| format!("{{\"workflow\":\"echo\",\"params\":{}}}\n", text.json);
    let input: String = texts.iter().filter(can_be_sent).map(line).collect();
    let file = installation.path("texts.jsonl");
    std::fs::write(&file, input).unwrap();
    let output = installation.run(&["batch", &file.to_string_lossy(), "--keep-going"]);
    let output = String::from_utf8(output.stdout).unwrap();
    let mut lines = output.lines();
    let mut fate = |text: &Text| {
        if !can_be_sent(&text) {
            return Fate::NotSent;
        }
        let row: Row =
            serde_json::from_str(lines.next().unwrap_or_else(|| panic!("{}: no line", text.name))).unwrap();
        match row.fate() {
            Some(Fate::Failed(kind)) if kind == "InvalidRequest" => Fate::AtTheDoor,
            fate => fate.unwrap_or_else(|| panic!("{}: not ended", text.name)),
        }
    };
    texts.iter().map(&mut fate).collect()
}

/// All texts as HTTP requests.
pub(crate) fn http(client: &Client, texts: &[Text]) -> Fates {
    let sent: Vec<_> = texts
        .iter()
        .map(|text| {
            let body = format!("{{\"workflow\":\"echo\",\"parameters\":{}}}", text.json);
            let (status, answer) = client.post("/api/executions", &body);
            match status {
                202 => Some(serde_json::from_str::<Submitted>(&answer).unwrap().execution_id),
                400 => None,
                status => panic!("{}: {status} {answer}", text.name),
            }
        })
        .collect();
    rows(client, texts, &sent)
}

/// All texts as messages.
pub(crate) fn rabbitmq(client: &Client, queue: &mut TestQueue, texts: &[Text]) -> Fates {
    let mut dead = 0;
    let sent: Vec<_> = texts
        .iter()
        .map(|text| {
            let id = Uuid::now_v7().to_string();
            let body =
                format!("{{\"execution_id\":\"{id}\",\"workflow\":\"echo\",\"parameters\":{}}}", text.json);
            queue.publish_bytes(body.as_bytes());
            // What is no JSON becomes a dead letter, and no row.
            let is_json = is_json(&body);
            dead += u32::from(!is_json);
            is_json.then_some(id)
        })
        .collect();
    let fates = rows(client, texts, &sent);
    eventually("what is no JSON is a dead letter", ALL_WITHIN, || queue.try_depth(true) >= Some(dead));
    fates
}

/// Waits for the rows; what was not taken has none.
fn rows(client: &Client, texts: &[Text], sent: &[Option<String>]) -> Fates {
    let mut fates: BTreeMap<usize, Fate> = BTreeMap::new();
    eventually("all executions have ended", ALL_WITHIN, || {
        for (place, id) in sent.iter().enumerate() {
            let Some(id) = id else { continue };
            if fates.contains_key(&place) {
                continue;
            }
            let (status, body) = client.get(&format!("/api/executions/{id}"));
            if status == 404 {
                continue;
            }
            let row: Row = serde_json::from_str(&body)
                .unwrap_or_else(|error| panic!("{}: {error}: {body}", texts[place].name));
            if let Some(fate) = row.fate() {
                fates.insert(place, fate);
            }
        }
        fates.len() == sent.iter().flatten().count()
    });
    let fate = |(place, _)| match fates.remove(&place) {
        Some(Fate::Failed(kind)) if kind == "InvalidRequest" => Fate::AtTheDoor,
        Some(fate) => fate,
        None => Fate::AtTheDoor,
    };
    sent.iter().enumerate().map(fate).collect()
}

/// What became of the texts on each way, for one worker.
pub(crate) fn all(make: impl Fn(Installation) -> Installation, texts: &[Text]) -> Vec<(&'static str, Fates)> {
    let fates = vec![("batch", batch(&make(Installation::new()), texts))];
    let embedded = make(Installation::new().setting("http_token", "none"));
    let supervisor = embedded.start();
    let on_sqlite = http(&Client::of(&embedded), texts);
    assert!(supervisor.terminate(Duration::from_secs(30)).success());
    let backends = Services::shared().fresh();
    let mut queue = TestQueue::of(&backends);
    let shared = make(Installation::new().backends(&backends).setting("http_token", "none"));
    let supervisor = shared.start();
    let client = Client::of(&shared);
    let on_postgres = http(&client, texts);
    let by_message = rabbitmq(&client, &mut queue, texts);
    assert!(supervisor.terminate(Duration::from_secs(30)).success());
    fates
        .into_iter()
        .chain([
            ("sqlite, http", on_sqlite),
            ("postgresql, http", on_postgres),
            ("postgresql, rabbitmq", by_message),
        ])
        .collect()
}
