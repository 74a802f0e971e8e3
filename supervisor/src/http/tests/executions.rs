//! Executions from outside: submitted, shown, listed, cancelled, waited for.

use std::time::Duration;

use muster_core::execution::Status;

use super::served::serve;
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
