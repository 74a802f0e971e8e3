//! When executions start: later, in time, or never; and in which queue they wait for it.

use std::time::Duration;

use jiff::Timestamp;
use muster_tests::Installation;
use serde_json::{Value, json};

use crate::workflows::{self, ECHO};

const SOON: Duration = Duration::from_secs(20);

fn installation() -> Installation {
    Installation::new().workflow("echo.js", ECHO)
}

fn moment(row: &Value, column: &str) -> Timestamp {
    row[column].as_str().unwrap_or_else(|| panic!("no {column} in {row}")).parse().unwrap()
}

#[test]
fn what_is_to_start_later_starts_then() {
    let installation = installation();
    let supervisor = installation.start();
    let client = supervisor.client();
    let run_at = Timestamp::now() + Duration::from_millis(1500);
    let at = client.submit(&json!({ "workflow": "echo", "run_at": run_at }));
    let after = client.submit(&json!({ "workflow": "echo", "delay_seconds": 1.5 }));
    let now = client.submit(&json!({ "workflow": "echo" }));
    let first = client.finished(&now, SOON);
    assert_eq!(client.execution(&at)["status"], "PENDING");
    for id in [&at, &after] {
        let row = client.finished(id, SOON);
        assert_eq!(row["status"], "SUCCESS", "{row}");
        let (due, started) = (moment(&row, "run_after"), moment(&row, "started_at"));
        assert!(started >= due && started > moment(&first, "completed_at"), "{row}");
        assert!(started.duration_since(due).as_secs() < 5, "{row}");
    }
    assert_eq!(moment(&client.execution(&at), "run_after").as_microsecond(), run_at.as_microsecond());
    // It is wanted again now, and not in a second and a half.
    let again = client.post(&format!("/api/executions/{after}/retry"), &json!({}));
    let row = client.finished(again.body["execution_id"].as_str().unwrap(), SOON);
    assert_eq!(row["run_after"], row["created_at"], "{row}");
    assert!(supervisor.terminate(SOON).success());
}

#[test]
fn what_has_not_started_in_time_is_cancelled_though_no_worker_is_free() {
    let installation = installation()
        .workflow("sleep.js", workflows::SLEEP)
        .setting("min_workers", 1)
        .setting("max_workers", 1);
    let supervisor = installation.start();
    let client = supervisor.client();
    let busy = client.submit(&json!({ "workflow": "sleep", "parameters": { "ms": 60_000 } }));
    client.has_status(&busy, "RUNNING", SOON);
    let behind = client.submit(&json!({ "workflow": "echo" }));
    let why = client.get(&format!("/api/executions/{behind}/explain")).body;
    assert_eq!(why["reasons"][0]["kind"], "no_free_worker", "{why}");
    let late = json!({ "workflow": "echo", "expires_seconds": 0.5 });
    let answer = client.post("/api/executions?wait=20", &late);
    assert_eq!((answer.status, &answer.body["status"]), (200, &json!("CANCELLED")), "{}", answer.body);
    assert_eq!(answer.body["error_type"], "Expired");
    client.post(&format!("/api/executions/{busy}/cancel"), &json!({}));
    client.finished(&busy, SOON);
    client.finished(&behind, SOON);
    let why = client.get(&format!("/api/executions/{behind}/explain")).body;
    assert_eq!(why["reasons"][0]["kind"], "ended", "{why}");
    assert!(supervisor.terminate(SOON).success());
}

#[test]
fn only_those_who_serve_a_queue_run_what_waits_in_it() {
    let installation = installation();
    let supervisor = installation.start();
    let client = supervisor.client();
    let there = client.submit(&json!({ "workflow": "echo", "queue": "python" }));
    let here = client.submit(&json!({ "workflow": "echo" }));
    assert_eq!(client.finished(&here, SOON)["queue"], "workflow-executions");
    let why = client.get(&format!("/api/executions/{there}/explain")).body;
    assert_eq!(why["reasons"][0]["kind"], "queue_not_served", "{why}");
    let row = client.execution(&there);
    assert_eq!((&row["status"], &row["queue"]), (&json!("PENDING"), &json!("python")));
    assert!(supervisor.terminate(SOON).success());

    let both = installation.setting("queues", "workflow-executions python");
    let supervisor = both.start();
    assert_eq!(supervisor.client().finished(&there, SOON)["status"], "SUCCESS");
    assert!(supervisor.terminate(SOON).success());
}

#[test]
fn a_batch_runs_now() {
    let lines = [
        json!({ "workflow": "echo", "params": 1 }),
        json!({ "workflow": "echo", "delay_seconds": 5, "queue": "python" }),
    ];
    let run = installation().batch(&lines, &["--keep-going"]);
    assert_eq!(run.results[0]["status"], "SUCCESS");
    let message = run.results[1]["error_message"].as_str().unwrap_or_default();
    assert!(
        message.contains("delay_seconds") && message.contains("queue: a batch runs its lines"),
        "{}",
        run.results[1]
    );
}
