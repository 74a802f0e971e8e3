//! What is told of a worker that died: the row, its events, `show`, the metric and the log say the same.

use std::time::Duration;

use muster_tests::{Installation, TestClient, TestSupervisor, eventually, process, rogue};
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::workflows;

const SOON: Duration = Duration::from_secs(30);

fn deaths(client: &TestClient, cause: &str) -> u64 {
    let text = client.get("/metrics").body.as_str().unwrap().to_owned();
    let name = format!("muster_worker_deaths_total{{cause=\"{cause}\"}} ");
    let line = text.lines().find_map(|line| line.strip_prefix(&name).map(str::to_owned));
    line.unwrap_or_else(|| panic!("no {name}in\n{text}")).parse().unwrap()
}

/// The log lines about a dead worker that had this execution.
fn warnings(supervisor: &TestSupervisor, id: &str) -> Vec<Value> {
    let lines = supervisor.log();
    let lines = lines.lines().filter(|line| line.contains("worker died") && line.contains(id));
    lines.map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Runs an execution that costs its worker, and checks that all tell the same of it.
#[track_caller]
fn cause_of(installation: &Installation, request: &Value, kind: &str) -> Value {
    let supervisor = installation.start();
    let client = supervisor.client();
    let id = client.submit(request);
    let row = client.finished(&id, SOON);
    let cause = row["end_cause"].clone();
    assert_eq!(cause["kind"], kind, "{row}");
    let events = client.get(&format!("/api/executions/{id}/events")).body;
    let died: Vec<_> =
        events["events"].as_array().unwrap().iter().filter(|one| one["event"] == "worker_died").collect();
    assert_eq!(died.len(), 1, "{events}");
    assert_eq!(died[0]["detail"]["end_cause"], cause);
    let warned = warnings(&supervisor, &id);
    assert_eq!(warned.len(), 1, "{warned:?}");
    assert!(warned[0].to_string().contains(cause["summary"].as_str().unwrap()), "{warned:?}");
    assert_eq!(deaths(client, kind), 1);
    let shown = installation.run(&["show", &id]);
    let shown = String::from_utf8(shown.stdout).unwrap();
    assert!(shown.contains(cause["summary"].as_str().unwrap()), "{shown}");
    assert!(supervisor.terminate(SOON).success());
    cause
}

fn once() -> Value {
    json!({ "workflow": "echo", "max_attempts": 1 })
}

#[test]
fn a_worker_that_exits_says_so_with_its_last_words() {
    let installation =
        Installation::new().worker(rogue(&["--stderr", "these are my last words", "--exit-code", "3"]));
    let cause = cause_of(&installation, &once(), "exited");
    assert_eq!((&cause["exit_code"], &cause["descendants_left"]), (&json!(3), &json!(0)), "{cause}");
    assert_eq!(cause["stderr"], json!(["these are my last words"]), "{cause}");
    assert!(cause["cpu_ms"].is_u64(), "{cause}");
}

#[test]
fn a_code_of_its_own_is_out_of_memory() {
    let installation = Installation::new().worker(rogue(&["--exit-code", "72"]));
    let cause = cause_of(&installation, &once(), "out_of_memory");
    assert_eq!((&cause["who"], &cause["exit_code"]), (&json!("worker"), &json!(72)), "{cause}");
}

#[test]
fn our_limit_is_told_with_peak_and_limit() {
    let installation =
        Installation::new().worker(rogue(&["--leak-memory", "200"])).setting("max_worker_memory_mb", 64);
    let cause = cause_of(&installation, &once(), "out_of_memory");
    let [peak, limit] = ["memory_peak_bytes", "memory_limit_bytes"].map(|key| cause[key].as_u64().unwrap());
    assert_eq!(limit, 96 << 20);
    assert!(peak > limit, "{cause}");
    assert!(matches!(cause["who"].as_str(), Some("our_limit" | "cgroup")), "{cause}");
}

#[test]
fn a_timeout_that_had_to_kill_says_how_far_it_went() {
    let installation =
        Installation::new().worker(rogue(&["--ignore-cancel"])).setting("graceful_shutdown_seconds", 1);
    let request = json!({ "workflow": "echo", "max_attempts": 1, "timeout_seconds": 0.5 });
    let cause = cause_of(&installation, &request, "killed_by_us");
    assert_eq!((&cause["why"], &cause["step"]), (&json!("timeout"), &json!("killed")), "{cause}");
}

#[test]
fn what_ends_well_tells_of_no_death_and_a_death_without_a_run_is_told() {
    let installation = workflows::installed().setting("min_workers", 1).setting("max_workers", 1);
    let supervisor = installation.start();
    let client = supervisor.client();
    let id = client.submit(&json!({ "workflow": "echo", "parameters": {} }));
    let row = client.finished(&id, SOON);
    assert_eq!((&row["status"], &row["end_cause"]), (&json!("SUCCESS"), &Value::Null), "{row}");
    let idle = supervisor.workers();
    process::signal(idle[0], Signal::KILL);
    eventually("its death is counted", SOON, || deaths(client, "signalled") == 1);
    assert_eq!(warnings(&supervisor, "which the supervisor had not sent").len(), 1, "{}", supervisor.log());
    client.post("/api/pool/recycle", &json!({ "all": true }));
    assert!(supervisor.terminate(SOON).success());
    let log = std::fs::read_to_string(installation.path("supervisor.log")).unwrap();
    assert_eq!(log.lines().filter(|line| line.contains("worker died")).count(), 1, "{log}");
}
