//! Recycling never makes a caller wait: the replacement is ready before the old worker goes.

use std::time::{Duration, Instant};

use muster_tests::{Installation, TestSupervisor, eventually, rogue};
use serde_json::json;

const SOON: Duration = Duration::from_secs(20);
/// What a new worker takes to become Ready; a caller that waits for a start waits at least so long.
const START: Duration = Duration::from_millis(800);

fn idle_workers(supervisor: &TestSupervisor) -> usize {
    let pool = supervisor.client().get("/api/pool").body;
    let workers = pool["workers"].as_array().cloned().unwrap_or_default();
    workers.iter().filter(|worker| worker["state"] == "idle").count()
}

#[test]
fn callers_never_wait_for_a_start_when_every_execution_recycles() {
    let start_ms = START.as_millis().to_string();
    let installation = Installation::new()
        .worker(rogue(&["--slow-start", &start_ms]))
        .setting("recycle_after_executions", 1)
        .setting("min_workers", 2);
    let supervisor = installation.start();
    let client = supervisor.client();
    for number in 0..8 {
        eventually("two workers are idle", SOON, || idle_workers(&supervisor) >= 2);
        let began = Instant::now();
        let id = client.submit(&json!({ "workflow": "echo", "parameters": number }));
        let row = client.finished(&id, SOON);
        assert_eq!(row["result"], json!(number), "{row}");
        assert!(began.elapsed() < START, "execution {number} waited {:?}", began.elapsed());
    }
    assert!(supervisor.terminate(SOON).success());
    installation.assert_nothing_left();
}

#[test]
fn a_worker_that_asks_for_it_is_replaced() {
    let installation = Installation::new().worker(rogue(&["--ask-recycle"]));
    let supervisor = installation.start();
    let before = eventually("the pool has its size", SOON, || {
        Some(supervisor.workers()).filter(|workers| workers.len() == 2)
    });
    for number in 0..2 {
        let id = supervisor.client().submit(&json!({ "workflow": "echo", "parameters": number }));
        assert_eq!(supervisor.client().finished(&id, SOON)["status"], "SUCCESS");
    }
    eventually("the workers that ran are gone", SOON, || {
        let now = supervisor.workers();
        now.len() == 2 && before.iter().filter(|worker| now.contains(worker)).count() <= 1
    });
}
