//! Sudden deaths: of a worker, and of the supervisor with everything in its hands.

use std::collections::BTreeMap;
use std::time::Duration;

use muster_tests::{Installation, eventually, process, rogue};
use rustix::process::Signal;
use serde_json::json;

use crate::workflows;

const SOON: Duration = Duration::from_secs(20);

#[test]
fn a_killed_worker_costs_its_execution_and_no_other() {
    let installation = Installation::new()
        .worker(rogue(&["--stderr", "these are my last words", "--only", "sleep"]))
        .setting("min_workers", 4);
    let supervisor = installation.start();
    let client = supervisor.client();
    eventually("the pool has its size", SOON, || supervisor.workers().len() == 4);
    let sleep = json!({ "workflow": "sleep", "parameters": { "seconds": 3 } });
    let ids: Vec<_> = (0..3).map(|_| client.submit(&sleep)).collect();
    for id in &ids {
        client.has_status(id, "RUNNING", SOON);
    }
    eventually("the last words are logged", SOON, || {
        ids.iter().all(|id| client.logs(id).iter().any(|line| line["message"] == "these are my last words"))
    });
    // Which worker runs what is not visible here; one of the four is idle, so the busy ones are tried.
    let busy = eventually("a busy worker is known", SOON, || {
        let workers = client.get("/api/pool").body;
        let list = workers["workers"].as_array()?.clone();
        list.into_iter().find(|worker| worker["execution_id"].is_string())
    });
    let victim = u32::try_from(busy["pid"].as_u64().unwrap()).unwrap();
    let killed = busy["execution_id"].as_str().unwrap();
    process::signal(victim, Signal::KILL);
    let row = client.finished(killed, SOON);
    assert_eq!((&row["status"], &row["error_type"]), (&json!("FAILED"), &json!("WorkerCrashed")), "{row}");
    let message = row["error_message"].as_str().unwrap();
    assert!(message.contains("signal") && message.contains("these are my last words"), "{message}");
    for id in ids.iter().filter(|id| *id != killed) {
        assert_eq!(client.finished(id, SOON)["status"], "SUCCESS");
    }
    eventually("the pool is back to its size", SOON, || supervisor.workers().len() == 4);
    assert!(supervisor.terminate(SOON).success());
    installation.assert_nothing_left();
}

#[test]
fn a_killed_supervisor_finishes_everything_after_its_restart() {
    let installation = workflows::installed().setting("min_workers", 8).setting("max_workers", 8);
    let supervisor = installation.start();
    let client = supervisor.client();
    let running: Vec<_> = (0..8)
        .map(|_| client.submit(&json!({ "workflow": "sleep", "parameters": { "ms": 2_000 } })))
        .collect();
    for id in &running {
        client.has_status(id, "RUNNING", SOON);
    }
    let pending: Vec<_> = (0..50)
        .map(|number| client.submit(&json!({ "workflow": "echo", "parameters": { "number": number } })))
        .collect();
    let orphans = supervisor.workers();
    assert_eq!(orphans.len(), 8);
    supervisor.kill();
    let supervisor = installation.start();
    eventually("no worker of the dead supervisor is alive", Duration::from_secs(6), || {
        orphans.iter().all(|orphan| !process::is_alive(*orphan))
    });
    let client = supervisor.client();
    for id in running.iter().chain(&pending) {
        let row = client.finished(id, Duration::from_secs(60));
        assert_eq!(row["status"], "SUCCESS", "{row}");
        let events = client.get(&format!("/api/executions/{id}/events")).body;
        let list = events["events"].as_array().unwrap_or_else(|| panic!("no events: {events}"));
        let mut counts = BTreeMap::new();
        for event in list {
            *counts.entry(event["event"].as_str().unwrap().to_owned()).or_insert(0) += 1;
        }
        assert_eq!(counts.get("finalized"), Some(&1), "{id}: {counts:?}");
    }
    assert!(supervisor.terminate(SOON).success());
    installation.assert_nothing_left();
}

#[test]
fn sigterm_lets_what_runs_finish() {
    let installation = workflows::installed();
    let supervisor = installation.start();
    // What no worker was ready for has not begun, and goes back.
    eventually("a worker is ready", SOON, || {
        let workers = supervisor.client().get("/api/pool").body["workers"].clone();
        workers.as_array().is_some_and(|workers| workers.iter().any(|one| one["state"] == "idle"))
    });
    let id = supervisor.client().submit(&json!({ "workflow": "sleep", "parameters": { "ms": 1_500 } }));
    supervisor.client().has_status(&id, "RUNNING", SOON);
    assert!(supervisor.terminate(SOON).success());
    let supervisor = installation.start();
    let row = supervisor.client().execution(&id);
    assert_eq!((&row["status"], &row["attempt"]), (&json!("SUCCESS"), &json!(1)), "{row}");
}
