//! The OpenAPI document against those who live by it: the client of the command line, and the handlers.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::time::Duration;

use muster_core::access::Role;
use muster_core::limit::LimitTerms;
use secrecy::SecretString;
use serde_json::{Value, json};
use utoipa::PartialSchema;
use uuid::Uuid;

use super::served::{raw, serve};
use crate::api::{
    DefinitionsView, DeliveryWord, PruneWish, SelectionRequest, TokenRequest, TokenRotationRequest,
};
use crate::client::{ApiClient, Defined, DefinitionKind, Execution, ExecutionEvent, ScheduleSwitch};
use crate::http::openapi::openapi;
use crate::http::routes::routes;

/// Operations for others than the command line.
const NOT_THE_CLIENTS: [&str; 9] = [
    "getDashboard",
    "getHealth",
    "getHistory",
    "getMetrics",
    "getStatistics",
    "listDeadLetters",
    "openWebSocket",
    "purgeDeadLetters",
    "replayDeadLetters",
];

fn document() -> Value {
    serde_json::to_value(openapi(routes())).unwrap()
}

/// A server that answers `{}` to everything, and what it was asked: method, target and body of each request.
fn recorder() -> (String, std::sync::mpsc::Receiver<[String; 3]>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (sender, requests) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = BufReader::new(stream.unwrap());
            let (mut line, mut length, mut header) = (String::new(), 0, String::new());
            stream.read_line(&mut line).unwrap();
            while stream.read_line(&mut header).unwrap() > 2 {
                let lower = header.to_ascii_lowercase();
                length =
                    lower.strip_prefix("content-length:").map_or(length, |text| text.trim().parse().unwrap());
                header.clear();
            }
            let mut body = vec![0; length];
            stream.read_exact(&mut body).unwrap();
            let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}";
            stream.get_mut().write_all(answer).unwrap();
            let [method, target] = [0, 1].map(|word| line.split(' ').nth(word).unwrap().to_owned());
            let _ = sender.send([method.to_lowercase(), target, String::from_utf8(body).unwrap()]);
        }
    });
    (url, requests)
}

/// Every request the client can make, with every parameter the command line gives it.
fn ask_everything(url: &str) {
    let client = ApiClient::new(url, Some(SecretString::from("token"))).unwrap();
    let (id, wait) = (Uuid::nil(), Some(Duration::from_secs(1)));
    let filters = ["status", "workflow", "organization", "error_type", "since", "until", "limit", "cursor"]
        .map(|name| (name, "1".to_owned()));
    drop(client.submit("{\"workflow\":\"w\"}", wait));
    drop(client.submit_batch("[]"));
    drop(client.execution(id, wait));
    drop(client.executions(&filters));
    drop(client.events(id));
    drop(client.explain(id));
    drop(client.logs(id, Some("1-1".to_owned())));
    drop(client.follow(id, Some("1-1")));
    drop(client.transcript(id, Some(1)));
    drop(client.cancel(id));
    drop(client.retry(id));
    for verb in ["cancel", "retry"] {
        drop(client.many(verb, &SelectionRequest::default()));
    }
    drop(client.pool());
    drop(client.fleet());
    drop(client.report());
    drop(client.command("resize", &json!({"min_workers": 1, "max_workers": 2})));
    drop(client.command("recycle", &json!({"all": true})));
    drop(client.command("reload", &json!({})));
    drop(client.readiness());
    ask_for_definitions(&client);
    drop(client.pauses());
    drop(client.pause(THING, Some("it is broken".to_owned())));
    drop(client.resume(THING));
    drop(client.limits());
    drop(client.limit(THING));
    drop(client.set_limit(THING, &LimitTerms { total: Some(1), ..LimitTerms::default() }));
    drop(client.remove_limit(THING));
    drop(client.access());
    drop(client.tokens());
    let wanted = TokenRequest {
        name: THING.to_owned(),
        role: Role::View,
        organization: None,
        expires_at: None,
        expires_seconds: Some(1.0),
    };
    drop(client.create_token(&wanted));
    let rotation = TokenRotationRequest { overlap_seconds: Some(1.0), ..TokenRotationRequest::default() };
    drop(client.rotate_token(THING, &rotation));
    drop(client.remove_token(THING));
    // Without a token it asks where one is kept.
    drop(ApiClient::new(url, None).unwrap().pool());
}

fn ask_for_definitions(client: &ApiClient) {
    let kinds = [
        DefinitionKind::Workflow,
        DefinitionKind::Organization,
        DefinitionKind::Variable,
        DefinitionKind::Secret,
        DefinitionKind::Schedule,
        DefinitionKind::Webhook,
    ];
    for kind in kinds {
        // These are nobody's.
        let is_owned = !matches!(
            kind,
            DefinitionKind::Organization | DefinitionKind::Schedule | DefinitionKind::Webhook
        );
        let organization = is_owned.then_some("acme");
        let thing = Defined { kind, name: THING, organization };
        drop(client.all_defined::<Value>(kind));
        drop(client.defined::<Value>(thing));
        drop(client.define(thing, &json!({}), true));
        drop(client.undefine(thing, true));
    }
    drop(client.changes(10, Some(1)));
    drop(client.definitions());
    drop(client.ticks(THING, 1, Some("2026-01-01T00:00:00Z".to_owned())));
    drop(client.run_schedule(THING));
    drop(client.prune(&PruneWish { older_than_seconds: Some(1.0), ..PruneWish::default() }));
    drop(client.deliveries(Some(THING), Some(DeliveryWord::Failed), 1));
    drop(client.retry_delivery(THING, Uuid::nil()));
    drop(client.switch_schedule(THING, ScheduleSwitch::Pause, true));
    drop(client.switch_schedule(THING, ScheduleSwitch::Resume, true));
    drop(client.rotate_secrets());
    drop(client.apply(&DefinitionsView::default(), true, true));
}

/// How everything is called that is defined here.
const THING: &str = "thing";

#[test]
fn the_client_asks_only_for_what_is_documented() {
    let (url, requests) = recorder();
    ask_everything(&url);
    let document = document();
    let mut used = BTreeSet::new();
    for [method, target, body] in requests.try_iter() {
        let (path, query) = target.split_once('?').unwrap_or((&target, ""));
        let path = path.replace(&Uuid::nil().to_string(), "{id}");
        let named = ["{key}", "{name}", "{target}"].map(|name| path.replace(THING, name));
        let path = named.into_iter().find(|path| document["paths"][path].is_object()).unwrap_or(path);
        let operation = &document["paths"][&path][&method];
        assert!(operation.is_object(), "{method} {path}");
        used.insert(operation["operationId"].as_str().unwrap().to_owned());
        for (name, _) in url::form_urlencoded::parse(query.as_bytes()) {
            let parameters = operation["parameters"].as_array().unwrap();
            let is_known = parameters.iter().any(|known| known["in"] == "query" && known["name"] == *name);
            assert!(is_known, "{method} {path}?{name}");
        }
        let takes_body = operation["requestBody"].is_object();
        assert!(takes_body || matches!(body.as_str(), "" | "{}"), "{method} {path}: {body}");
    }
    let mut all = BTreeSet::new();
    for operation in
        document["paths"].as_object().unwrap().values().flat_map(|path| path.as_object().unwrap())
    {
        assert!(all.insert(operation.1["operationId"].as_str().unwrap().to_owned()), "{operation:?}: twice");
    }
    let unused: Vec<_> = all.difference(&used).map(String::as_str).collect();
    assert_eq!(unused, NOT_THE_CLIENTS);
}

/// What is read from an answer is there, of the type it is read as, and always there if that is relied on.
#[track_caller]
fn is_read_from<T: PartialSchema>(schema: &str) {
    let given = &document()["components"]["schemas"][schema];
    let read = serde_json::to_value(T::schema()).unwrap();
    for (field, schema) in read["properties"].as_object().unwrap() {
        let [mut given, mut read] = [&given["properties"][field], schema].map(Clone::clone);
        for schema in [&mut given, &mut read] {
            schema.as_object_mut().unwrap().remove("description");
        }
        assert_eq!(given, read, "{field}");
    }
    let required = |schema: &Value| -> BTreeSet<String> {
        let names = schema["required"].as_array().unwrap().iter();
        names.map(|name| name.as_str().unwrap().to_owned()).collect()
    };
    assert!(required(&read).is_subset(&required(given)), "{:?}", required(&read));
}

#[test]
fn the_client_reads_only_what_is_documented() {
    is_read_from::<Execution>("Execution");
    is_read_from::<ExecutionEvent>("Event");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_documented_parameter_is_taken() {
    let served = serve(None).await;
    for (path, operations) in document()["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            let parameters = operation["parameters"].as_array().into_iter().flatten();
            for parameter in parameters.filter(|parameter| parameter["in"] == "query") {
                let name = parameter["name"].as_str().unwrap();
                let path = path.replace("{id}", &Uuid::nil().to_string()).replace(['{', '}'], "");
                let target = format!("{path}?{name}=");
                let answer = raw(&served, &method.to_uppercase(), &target, "{}", "").await;
                assert!(!answer.contains("there is no parameter"), "{method} {target}: {answer}");
            }
        }
    }
    let answer = raw(&served, "GET", "/api/executions?other=", "", "").await;
    assert!(answer.contains("there is no parameter"), "{answer}");
}
