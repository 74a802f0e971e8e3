//! Limits are kept while large things pass: what takes as long as it is large is done elsewhere.

use std::time::Duration;

use muster_tests::{Installation, eventually, rogue};
use serde_json::json;

/// So many runs reach their limit of a second.
const RUNS: usize = 100;
/// How many large results pass beside the short runs.
const LARGE: usize = 8;
/// The size of a large result: what fits in a frame, all but its head.
const LARGE_BYTES: &str = "16777000";
/// How much later than without large results a run may be asked to end, in a debug build on a crowded machine.
const LATE_MAX_US: i64 = 50_000;

/// When each run was asked to end, after its second was over, in microseconds.
const LATENESS: &str = "SELECT signalled.at - started.at - 1000000
    FROM execution_events AS started JOIN execution_events AS signalled USING (execution_id)
    WHERE started.event = 'started' AND signalled.event = 'timeout_signalled' ORDER BY 1";

/// How late the runs were asked to end, beside so many large results: 99 of 100 no later than this.
#[track_caller]
fn late_us(flags: &[&str], large: usize) -> i64 {
    let workers = RUNS + 4;
    let flags = [flags, &["--only", "large", "--big-result", LARGE_BYTES]].concat();
    let installation = Installation::new()
        .worker(rogue(&flags))
        .setting("min_workers", workers)
        .setting("max_workers", workers);
    let supervisor = installation.start();
    let client = supervisor.client();
    let sleep = json!({ "workflow": "sleep", "parameters": { "seconds": 60 }, "timeout_seconds": 1 });
    for number in 0..RUNS {
        client.submit(&sleep);
        if number % (RUNS / LARGE) == 0 && large > 0 {
            client.submit(&json!({ "workflow": "large" }));
        }
    }
    let ended = |workflow: &str, status: &str| {
        let rows = format!("executions WHERE workflow_name = '{workflow}' AND status = '{status}'");
        installation.embedded_numbers(&format!("SELECT count(*) FROM {rows}"))[0]
    };
    eventually("all runs have ended", Duration::from_secs(60), || {
        ended("sleep", "TIMEOUT") == RUNS as i64 && ended("large", "SUCCESS") >= large as i64
    });
    let late = installation.embedded_numbers(LATENESS);
    assert_eq!(late.len(), RUNS);
    assert!(supervisor.terminate(Duration::from_secs(30)).success());
    late[RUNS - 2]
}

#[track_caller]
fn limits_are_kept(flags: &[&str]) {
    let (alone, beside) = (late_us(flags, 0), late_us(flags, LARGE));
    assert!(
        beside < 2 * alone + LATE_MAX_US,
        "late by {alone} us alone, and by {beside} us beside large results"
    );
}

#[test]
fn a_hundred_limits_are_kept_beside_large_results_in_frames() {
    limits_are_kept(&[]);
}

#[test]
fn a_hundred_limits_are_kept_beside_large_results_in_lines() {
    limits_are_kept(&["--json-lines"]);
}
