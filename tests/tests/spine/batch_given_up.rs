//! `supervisor batch` and what it does not do to its end: what ran is not told as if it had not, the record says the same,
//! and what asks for more than a batch does hears of it.
#![expect(clippy::disallowed_methods, reason = "the suite runs the binaries as a user does")]

use std::process::Stdio;
use std::time::Duration;

use muster_tests::binaries::repository;
use muster_tests::{Installation, eventually};
use rustix::process::{Pid, Signal};
use serde_json::{Value, json};

use crate::workflows;

const WITHIN: Duration = Duration::from_secs(60);

/// Says in a file that it has begun, and ends never.
const HANGS: &str = "
import pathlib, time
from muster_worker import workflow

@workflow
def hangs(begun):
    print('begun')
    pathlib.Path(begun).touch()
    time.sleep(1e6)
";

fn data(installation: &Installation) -> String {
    installation.path("data").display().to_string()
}

/// Status, error type, message and number of the last attempt of a result.
fn told(row: &Value) -> String {
    let text = |name: &str| row[name].as_str().unwrap().to_owned();
    format!("{} {} {}: {}", text("status"), row["attempt"], text("error_type"), text("error_message"))
}

/// The same of the rows of the record.
fn recorded(installation: &Installation) -> Vec<String> {
    installation.embedded_texts(
        "SELECT status || ' ' || attempt || ' ' || error_type || ': ' || error_message FROM executions ORDER BY id",
    )
}

#[test]
fn what_a_signal_stops_says_so_and_does_not_wait_in_the_record() {
    let installation = Installation::new()
        .worker(["python3", "-m", "muster_worker"])
        .setting("worker_env", format!("PYTHONPATH={}", repository("worker/python").display()))
        .setting("min_workers", 2)
        .setting("max_workers", 2)
        .setting("graceful_shutdown_seconds", 1)
        .workflow("hangs.py", HANGS);
    let begun: Vec<_> = ["one", "two", "three"].map(|name| installation.path(name)).into();
    let line = |path| format!("{}\n", json!({ "workflow": "hangs", "params": { "begun": path } }));
    let lines: String = begun.iter().map(line).collect();
    std::fs::write(installation.path("lines"), lines).unwrap();
    let mut command = installation.command(&["batch", "lines", "--out", "results", "--data-dir"]);
    let mut child = command.arg(data(&installation)).stderr(Stdio::null()).spawn().unwrap();
    eventually("two lines run", WITHIN, || begun.iter().filter(|path| path.exists()).count() == 2);
    rustix::process::kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    let status = eventually("the batch has ended", WITHIN, || child.try_wait().unwrap());
    assert_eq!(status.code(), Some(1));
    let results = std::fs::read_to_string(installation.path("results")).unwrap();
    let results: Vec<Value> = results.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let stopped = "CANCELLED 1 CancelledError: stopped in attempt 1: the batch was interrupted";
    let not_run = "CANCELLED 0 CancelledError: not run: the batch was interrupted";
    assert_eq!(results.iter().map(told).collect::<Vec<_>>(), [stopped, stopped, not_run]);
    assert!(results[..2].iter().all(|row| row["duration_ms"].is_u64()), "{results:?}");
    assert!(results[2]["duration_ms"].is_null(), "{}", results[2]);
    // The third line may have been claimed before the signal came.
    let rows = recorded(&installation);
    assert_eq!(rows[..2], [stopped, stopped], "{rows:?}");
    assert!(rows[2..].iter().all(|row| row.starts_with("CANCELLED")), "{rows:?}");
    let logs = installation.embedded_numbers("SELECT count(*) FROM execution_logs");
    assert_eq!(logs, [2], "what they logged is there");
    installation.assert_nothing_left();
}

#[test]
fn what_failed_and_waits_for_its_next_attempt_keeps_its_failure_when_another_line_fails() {
    let installation = workflows::installed().setting("min_workers", 1).setting("max_workers", 1);
    let lines = [
        json!({ "workflow": "throw", "retry": { "max_attempts": 3, "backoff_seconds": 3600 } }),
        json!({ "workflow": "nowhere" }),
        json!({ "workflow": "echo" }),
    ];
    let data = data(&installation);
    for arguments in [&[][..], &["--data-dir", &data]] {
        let run = installation.batch(&lines, arguments);
        assert_eq!(run.status.code(), Some(1), "{}", run.stderr);
        let failed = "FAILED 1 RangeError: out of it (not tried again: another execution failed)";
        assert_eq!(told(&run.results[0]), failed);
        assert!(run.results[0]["duration_ms"].is_u64(), "{}", run.results[0]);
        assert_eq!(run.results[1]["error_type"], "WorkflowNotFound");
        assert_eq!(
            told(&run.results[2]),
            "CANCELLED 0 CancelledError: not run: an execution before it failed"
        );
    }
    let rows = recorded(&installation);
    assert_eq!(rows[0], told(&installation.batch(&lines, &[]).results[0]));
    assert!(rows.iter().all(|row| !row.starts_with("PENDING") && !row.starts_with("RUNNING")), "{rows:?}");
}

#[test]
fn a_row_that_the_store_does_not_let_end_costs_no_line_its_result() {
    let installation = workflows::installed().setting("min_workers", 1).setting("max_workers", 1);
    let data = data(&installation);
    assert!(installation.batch(&[json!({ "workflow": "echo" })], &["--data-dir", &data]).status.success());
    installation.embedded_sql(
        "CREATE TRIGGER hold_back BEFORE UPDATE ON executions WHEN OLD.status = 'PENDING' AND NEW.status <> 'RUNNING'
         BEGIN SELECT RAISE(ABORT, 'the books are closed'); END",
    );
    let lines = [
        json!({ "workflow": "throw", "max_attempts": 3, "retry_backoff_seconds": 3600 }),
        json!({ "workflow": "throw" }),
    ];
    let run = installation.batch(&lines, &["--data-dir", &data]);
    assert_eq!(run.results.iter().map(|row| &row["status"]).collect::<Vec<_>>(), ["FAILED", "FAILED"]);
    assert!(
        run.stderr.contains("row still waits") && run.stderr.contains("the books are closed"),
        "{}",
        run.stderr
    );
}

#[test]
fn what_lines_submit_is_not_run_and_that_is_said() {
    let submits =
        "export default async (params, ctx) => [await ctx.submit('echo', 1), await ctx.submit('echo', 2)];\n";
    let installation = workflows::installed().workflow("submits.js", submits);
    let lines = [json!({ "workflow": "submits" }), json!({ "workflow": "submits" })];
    let run = installation.batch(&lines, &[]);
    assert!(run.status.success(), "{}", run.stderr);
    let said = "4 executions that workflows submitted were not run: a batch runs its lines only";
    assert!(run.stderr.contains(&format!("{said}; what was submitted is gone")), "{}", run.stderr);
    let data = data(&installation);
    let run = installation.batch(&lines, &["--data-dir", &data]);
    assert!(run.stderr.contains(&format!("{said}; what was submitted waits in {data}")), "{}", run.stderr);
    let waiting = installation.embedded_numbers("SELECT count(*) FROM executions WHERE status = 'PENDING'");
    assert_eq!(waiting, [4]);
    let run = installation.batch(&[json!({ "workflow": "echo" })], &[]);
    assert!(!run.stderr.contains("submitted"), "{}", run.stderr);
}

#[test]
fn what_a_batch_does_not_do_is_refused_line_by_line() {
    let installation = workflows::installed();
    let lines = [
        json!({ "workflow": "echo", "webhook": { "url": "https://example.com/hook" } }),
        json!({ "workflow": "echo", "timout_seconds": 1 }),
        json!({ "workflow": "echo" }),
    ];
    let run = installation.batch(&lines, &["--keep-going"]);
    let types: Vec<_> = run.results.iter().map(|row| row["error_type"].as_str()).collect();
    assert_eq!(types, [Some("InvalidRequest"), Some("InvalidRequest"), None], "{}", run.stderr);
    let message = |row: usize| run.results[row]["error_message"].as_str().unwrap();
    assert!(
        message(0).starts_with("line 1: invalid request: webhook: a batch tells nobody"),
        "{}",
        message(0)
    );
    assert!(message(1).ends_with("did you mean timeout_seconds?"), "{}", message(1));
    assert_eq!(run.status.code(), Some(1));
}
