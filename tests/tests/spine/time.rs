//! Deadlines: what cooperates ends on time, what does not ends on time too, and many are no later than one.

use std::time::{Duration, Instant};

use muster_tests::eventually;
use muster_tests::{Installation, rogue};
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::memory::Grown;
use crate::workflows;

/// From the limit to the row that says so: a look at memory every 200 ms, a kill, and a commit.
const MEMORY_TOLD_WITHIN: Duration = Duration::from_millis(500);

fn duration_ms(row: &Value) -> f64 {
    row["duration_ms"].as_f64().unwrap_or_else(|| panic!("no duration: {row}"))
}

#[track_caller]
fn assert_timed_out(row: &Value, at_ms: f64, slack_ms: f64) {
    assert_eq!((&row["status"], &row["error_type"]), (&json!("TIMEOUT"), &json!("TimeoutError")), "{row}");
    let took = duration_ms(row);
    assert!(took >= at_ms && took <= at_ms + slack_ms, "took {took} ms, due at {at_ms}: {row}");
}

#[test]
fn a_cooperative_workflow_ends_at_its_deadline() {
    let installation = workflows::installed();
    let lines = [
        json!({ "workflow": "sleep", "params": { "ms": 60_000 }, "timeout_seconds": 1 }),
        json!({ "workflow": "busy", "timeout_seconds": 1 }),
    ];
    let run = installation.batch(&lines, &["--keep-going"]);
    for row in &run.results {
        assert_timed_out(row, 1000.0, 50.0);
    }
}

#[test]
fn what_ignores_everything_is_killed_on_time_and_twenty_are_no_later_than_one() {
    let installation = Installation::new()
        .worker(rogue(&["--ignore-cancel"]))
        .setting("graceful_shutdown_seconds", 1)
        .setting("min_workers", 20)
        .setting("max_workers", 20);
    let lines = vec![json!({ "workflow": "deaf", "timeout_seconds": 1 }); 20];
    let run = installation.batch(&lines, &["--keep-going"]);
    assert_eq!(run.results.len(), 20, "{}", run.stderr);
    for row in &run.results {
        // The deadline, the grace of a Cancel (half the graceful shutdown), and SIGTERM to SIGKILL.
        assert_timed_out(row, 1000.0 + 500.0 + 1000.0, 50.0);
    }
    installation.assert_nothing_left();
}

#[test]
fn a_worker_that_cannot_cancel_gets_its_signal_at_the_deadline() {
    let installation = Installation::new().worker(rogue(&["--no-features", "--busy-forever"]));
    let run = installation.batch(&[json!({ "workflow": "deaf", "timeout_seconds": 0.5 })], &[]);
    assert_timed_out(&run.results[0], 500.0, 50.0);
}

#[test]
fn cancel_ends_a_run_at_once_and_is_recorded_as_such() {
    let installation = workflows::installed();
    let supervisor = installation.start();
    let client = supervisor.client();
    for workflow in ["sleep", "busy"] {
        let id = client.submit(&json!({ "workflow": workflow, "parameters": { "ms": 60_000 } }));
        client.has_status(&id, "RUNNING", Duration::from_secs(10));
        let began = std::time::Instant::now();
        client.post(&format!("/api/executions/{id}/cancel"), &json!({}));
        let row = client.finished(&id, Duration::from_secs(10));
        assert_eq!(
            (&row["status"], &row["error_type"]),
            (&json!("CANCELLED"), &json!("CancelledError")),
            "{row}"
        );
        assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    }
    assert!(supervisor.terminate(Duration::from_secs(20)).success());
    installation.assert_nothing_left();
}

#[track_caller]
fn assert_told_soon(grown: &Grown) {
    grown.told();
    assert!(
        grown.ended_after < MEMORY_TOLD_WITHIN,
        "it ended {:?} after it had grown too large",
        grown.ended_after
    );
}

#[test]
fn a_python_run_that_grows_is_over_within_half_a_second() {
    assert_told_soon(&Grown::in_python());
}

#[test]
fn a_child_that_grows_ends_its_run_within_half_a_second() {
    assert_told_soon(&Grown::in_a_child_of_python());
}

#[test]
fn a_run_behind_a_shell_that_grows_is_over_within_half_a_second() {
    assert_told_soon(&Grown::behind_a_shell());
}

#[test]
fn a_node_run_that_grows_is_over_within_half_a_second() {
    assert_told_soon(&Grown::in_node());
}

#[test]
fn what_ended_in_time_while_the_supervisor_stood_still_is_no_timeout() {
    const SOON: Duration = Duration::from_secs(30);
    let installation = workflows::installed().setting("max_workers", 2).setting("min_workers", 2);
    let supervisor = installation.start();
    let limited = |ms| json!({ "workflow": "sleep", "parameters": { "ms": ms }, "timeout_seconds": 4 });
    let [in_time, never] = [1_500, 60_000].map(|ms| supervisor.client().submit(&limited(ms)));
    for id in [&in_time, &never] {
        supervisor.client().has_status(id, "RUNNING", SOON);
    }
    supervisor.signal(Signal::STOP);
    let stopped = Instant::now();
    eventually("both limits are over", SOON, || stopped.elapsed() > Duration::from_secs(5));
    supervisor.signal(Signal::CONT);
    supervisor.client().has_status(&in_time, "SUCCESS", SOON);
    supervisor.client().has_status(&never, "TIMEOUT", SOON);
    supervisor.terminate(SOON);
}
