//! What is answered to whom, and when: errors, strangers, and while the supervisor starts.

use super::served::{head, raw, serve, start};
use crate::client::ClientError;

#[tokio::test(flavor = "multi_thread")]
async fn every_error_is_a_problem_that_says_what_to_do() {
    let served = serve(None).await;
    let id = "0198aa00-0000-7000-8000-000000000001";
    let mut answers = Vec::new();
    for (method, path, body) in [
        ("POST", "/api/executions", "{\"priority\": 12, \"timeout_seconds\": 0}"),
        ("POST", "/api/executions", "{\"workflow\":\"w\",\"timeout\":5,\"organization\":\"x\"}"),
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
  400 application/problem+json {"type":"/problems/invalid-request","title":"The request is not valid","status":400,"detail":"invalid request: timeout_seconds: must be a number of seconds above 0 and at most 31536000, not 0; priority: must be a whole number from 0 to 9, not 12","problems":["timeout_seconds: must be a number of seconds above 0 and at most 31536000, not 0","priority: must be a whole number from 0 to 9, not 12"]}
POST /api/executions
  400 application/problem+json {"type":"/problems/invalid-request","title":"The request is not valid","status":400,"detail":"invalid request: organization: is no field of a request; did you mean organization_id?; timeout: is no field of a request; did you mean timeout_seconds?","problems":["organization: is no field of a request; did you mean organization_id?","timeout: is no field of a request; did you mean timeout_seconds?"]}
POST /api/executions
  400 application/problem+json {"type":"/problems/invalid-request","title":"The request is not valid","status":400,"detail":"invalid request: not a JSON object of request fields: it does not begin with {","problems":["not a JSON object of request fields: it does not begin with {"]}
POST /api/executions?wait=soon
  400 application/problem+json {"type":"/problems/invalid-request","title":"The request is not valid","status":400,"detail":"parameter wait: must be a number of seconds from 0 on, not \"soon\""}
GET /api/executions?status=DONE
  400 application/problem+json {"type":"/problems/invalid-request","title":"The request is not valid","status":400,"detail":"parameter status: \"DONE\" is no status: use PENDING, RUNNING, SUCCESS, FAILED, TIMEOUT or CANCELLED"}
GET /api/executions?stauts=FAILED
  400 application/problem+json {"type":"/problems/invalid-request","title":"The request is not valid","status":400,"detail":"there is no parameter stauts here"}
GET /api/executions?cursor=x
  400 application/problem+json {"type":"/problems/invalid-request","title":"The request is not valid","status":400,"detail":"parameter cursor: \"x\" is no cursor: pass on the `next_cursor` of the page before, unchanged"}
GET /api/executions/17
  400 application/problem+json {"type":"/problems/invalid-request","title":"The request is not valid","status":400,"detail":"\"17\" is no execution id: it is a UUID, or at least 6 of its first digits"}
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

#[tokio::test(flavor = "multi_thread")]
async fn what_is_twice_is_refused_and_what_is_too_large_is_not_waited_for() {
    let open = serve(None).await;
    for twice in [
        "host: localhost\r\nhost: localhost\r\n",
        "host: localhost\r\norigin: http://localhost\r\norigin: https://evil.example\r\n",
    ] {
        let answer = raw(&open, "GET", "/api/pool", "", twice).await;
        assert!(answer.starts_with("400") && answer.contains("more than once"), "{answer}");
    }
    // Nothing of the body is ever sent.
    let length = format!("content-length: {}\r\n", 1_u64 << 40);
    let answer = raw(&open, "POST", "/api/executions", "", &length).await;
    assert!(answer.starts_with("413 application/problem+json"), "{answer}");
    assert!(answer.contains("at most 33554432 bytes"), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn browsers_are_told_what_they_may_do_with_an_answer() {
    let closed = serve(Some("s3cret")).await;
    for path in ["/", "/healthz", "/api/pool", "/api/nothing"] {
        let head = head(&closed, path).await;
        for line in [
            "x-content-type-options: nosniff",
            "cross-origin-resource-policy: same-origin",
            "cache-control: no-store",
            "x-frame-options: deny",
        ] {
            assert!(head.contains(line), "{path}: {head}");
        }
    }
    let page = head(&closed, "/").await;
    assert!(page.contains("script-src 'nonce-") && !page.contains("unsafe-inline"), "{page}");
    assert_ne!(page.split("nonce-").nth(1), head(&closed, "/").await.split("nonce-").nth(1));
}
