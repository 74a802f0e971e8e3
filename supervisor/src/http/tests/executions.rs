//! Executions from outside: submitted, shown, listed, cancelled, waited for.

use std::time::Duration;

use muster_core::execution::{Status, derived_id};
use uuid::Uuid;

use super::served::{raw, serve};
use crate::api::CancelOutcome;
use crate::client::{Execution, Executions};

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
    let page: Executions = serde_json::from_str(&body).unwrap();
    assert_eq!(page.executions.iter().map(|row| row.execution_id).collect::<Vec<_>>(), [id]);
    for left_out in ["parameters", "result", "error_stack"] {
        assert!(!body.contains(&format!("\"{left_out}\"")), "{left_out} is not part of lists: {body}");
    }

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

/// A submit with a header, and what is answered: the status and the body.
async fn submit_with(url: String, key: Option<&'static str>, body: &'static str) -> (u16, serde_json::Value) {
    let asked = tokio::task::spawn_blocking(move || {
        let agent = ureq::Agent::config_builder().http_status_as_error(false).build().new_agent();
        let request = agent.post(format!("{url}/api/executions"));
        let request = match key {
            Some(key) => request.header("Idempotency-Key", key),
            None => request,
        };
        let mut answer = request.send(body).unwrap();
        (answer.status().as_u16(), answer.body_mut().read_to_string().unwrap())
    });
    let (status, body) = asked.await.unwrap();
    (status, serde_json::from_str(&body).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_submit_with_a_key_is_answered_with_the_first_one() {
    let served = serve(None).await;
    let ask = |key, body| submit_with(served.url.clone(), key, body);
    let (status, first) = ask(Some("\"order-7\""), r#"{"workflow":"w","parameters":{"n":1}}"#).await;
    assert_eq!((status, first.get("existing")), (202, None), "{first}");
    for (key, body) in [
        (Some("order-7"), r#"{"workflow":"w","parameters":{"n":1}}"#),
        (None, r#"{"workflow":"w","parameters":{"n":1},"idempotency_key":"order-7"}"#),
        (Some("order-7"), r#"{"workflow":"w","parameters":{"n":1},"idempotency_key":"order-7"}"#),
    ] {
        let (status, again) = ask(key, body).await;
        assert_eq!((status, &again["existing"]), (200, &serde_json::Value::Bool(true)), "{again}");
        assert_eq!((&again["execution_id"], &again["status"]), (&first["execution_id"], &"PENDING".into()));
        assert_eq!(again["idempotency_key"], "order-7");
    }
    let (status, reused) = ask(Some("order-7"), r#"{"workflow":"w","parameters":{"n":2}}"#).await;
    assert_eq!((status, &reused["title"]), (422, &"IdempotencyKeyReused".into()), "{reused}");
    assert!(reused["detail"].as_str().unwrap().contains(first["execution_id"].as_str().unwrap()), "{reused}");
    let (status, refused) = ask(Some("k"), r#"{"workflow":"w","idempotency_key":"l"}"#).await;
    assert_eq!((status, &refused["type"]), (400, &"/problems/invalid-request".into()), "{refused}");
    let (status, refused) = ask(Some(""), r#"{"workflow":"w"}"#).await;
    assert_eq!(status, 400, "{refused}");
}

/// Whatever is instrumented for OpenTelemetry sends the header by itself.
#[tokio::test(flavor = "multi_thread")]
async fn the_header_of_a_trace_counts_where_the_body_says_none() {
    const HEADER: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    const OWN: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let served = serve(None).await;
    let ask = async |path: &'static str, header: &'static str, body: String| {
        let url = format!("{}{path}", served.url);
        let asked = tokio::task::spawn_blocking(move || {
            let mut answer = ureq::post(url).header("traceparent", header).send(body).unwrap();
            answer.body_mut().read_to_string().unwrap()
        });
        serde_json::from_str::<serde_json::Value>(&asked.await.unwrap()).unwrap()
    };
    let trace_of = async |answer: &serde_json::Value| {
        let id: Uuid = answer["execution_id"].as_str().unwrap().parse().unwrap();
        served.store.traced(&[id]).await.unwrap().remove(0).traceparent
    };
    let bare = || r#"{"workflow":"w"}"#.to_owned();
    let own = || format!(r#"{{"workflow":"w","traceparent":"{OWN}"}}"#);
    assert_eq!(trace_of(&ask("/api/executions", HEADER, bare()).await).await.as_deref(), Some(HEADER));
    assert_eq!(trace_of(&ask("/api/executions", HEADER, own()).await).await.as_deref(), Some(OWN));
    assert_eq!(
        trace_of(&ask("/api/executions", "", bare()).await).await,
        None,
        "none is no reason to refuse"
    );
    let batch = ask("/api/executions/batch", HEADER, format!("{}\n{}", bare(), own())).await;
    let items = batch["executions"].as_array().unwrap();
    assert_eq!(trace_of(&items[0]).await.as_deref(), Some(HEADER));
    assert_eq!(trace_of(&items[1]).await.as_deref(), Some(OWN));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_is_narrowed_to_several_states_and_by_nothing_else_twice() {
    let served = serve(None).await;
    let (status, first) = submit_with(served.url.clone(), None, r#"{"workflow":"w"}"#).await;
    assert_eq!(status, 202, "{first}");
    let id = first["execution_id"].as_str().unwrap();
    let list = async |query: &str| raw(&served, "GET", &format!("/api/executions?{query}"), "", "").await;
    assert!(list("status=FAILED&status=PENDING").await.contains(id));
    assert!(list("status=PENDING&status=FAILED").await.contains(id));
    assert!(!list("status=FAILED&status=TIMEOUT").await.contains(id));
    let refused = list("workflow=w&workflow=v").await;
    assert!(
        refused.starts_with("400") && refused.contains("workflow: is there 2 times; give it once"),
        "{refused}"
    );
}

/// Whoever had it first would keep the tick or the repetition that it is of from being run.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_gives_an_id_that_follows_from_another() {
    let served = serve(None).await;
    let id = derived_id(Uuid::from_u128(7), b"2026-12-01T02:01:00Z");
    let body = format!(r#"{{"workflow":"w","execution_id":"{id}"}}"#);
    let refused = raw(&served, "POST", "/api/executions", &body, "").await;
    assert!(refused.starts_with("400") && refused.contains("give another, or none"), "{refused}");
    let line = body.clone();
    let items = served.ask(move |client| client.submit_batch(&line).unwrap().executions).await;
    assert_eq!(items[0].problem.as_ref().map(|problem| problem.status), Some(400), "{items:?}");
    let (status, first) = submit_with(served.url.clone(), None, r#"{"workflow":"w"}"#).await;
    assert_eq!(status, 202, "{first}");
    let path = format!("/api/executions/{}/retry", first["execution_id"].as_str().unwrap());
    let answer = raw(&served, "POST", &path, &format!(r#"{{"execution_id":"{id}"}}"#), "").await;
    assert!(answer.starts_with("400") && answer.contains("give another, or none"), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_of_many_is_answered_for_itself_and_in_order() {
    let served = serve(None).await;
    let lines = [
        r#"{"workflow":"w","execution_id":"0198aa00-0000-7000-8000-000000000001"}"#,
        r#"{"workflow":"w","priority":99}"#,
        "",
        r#"{"workflow":"w","idempotency_key":"k"}"#,
        r#"{"workflow":"w","idempotency_key":"k"}"#,
        "{oops",
        r#"{"workflow":"w","idempotency_key":"k","parameters":1}"#,
    ];
    let array =
        lines.iter().filter(|line| !line.is_empty() && **line != "{oops").copied().collect::<Vec<_>>();
    let (array, lines) = (format!(" [{}]", array.join(",")), lines.join("\n"));
    let first = served.ask(move |client| client.submit_batch(&lines).unwrap().executions).await;
    let shown: Vec<_> = first
        .iter()
        .map(|item| {
            (item.execution_id.is_some(), item.existing, item.problem.as_ref().map(|problem| problem.status))
        })
        .collect();
    let (made, known, refused) =
        ((true, false, None), (true, true, None), |status| (false, false, Some(status)));
    assert_eq!(shown, [made, refused(400), made, known, refused(400), refused(422)]);
    assert_eq!(first[2].execution_id, first[3].execution_id);
    assert!(first[1].problem.as_ref().unwrap().detail.contains("priority"), "{first:?}");
    let again = served.ask(move |client| client.submit_batch(&array).unwrap().executions).await;
    assert_eq!((again.len(), again[0].execution_id), (5, first[0].execution_id));
    assert_eq!(again[2].execution_id, first[2].execution_id);

    let none = served.ask(|client| client.submit_batch("").unwrap().executions).await;
    assert_eq!(none.len(), 0);
    let many = "{\"workflow\":\"w\"}\n".repeat(10_001);
    let refused = served.ask(move |client| client.submit_batch(&many).unwrap_err().to_string()).await;
    assert!(refused.contains("at most 10000"), "{refused}");
    let broken = served.ask(|client| client.submit_batch("[1,").unwrap_err().to_string()).await;
    assert!(broken.contains("no JSON array"), "{broken}");
}
