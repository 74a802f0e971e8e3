//! `supervisor batch`: one right result line per input line, in input order, whatever the lines do.

use muster_tests::{BatchRun, Installation, rogue};
use serde_json::{Value, json};

use crate::workflows;

/// A line, and what its result must be.
struct Case {
    line: Value,
    status: &'static str,
    error_type: Option<&'static str>,
    check: fn(&Value) -> bool,
}

fn case(number: usize) -> Case {
    let ok = |line, check| Case { line, status: "SUCCESS", error_type: None, check };
    let failed =
        |line, error_type| Case { line, status: "FAILED", error_type: Some(error_type), check: |_| true };
    let timeout = |line| Case { line, status: "TIMEOUT", error_type: Some("TimeoutError"), check: |_| true };
    match number % 20 {
        0..=9 => ok(json!({ "workflow": "echo", "params": { "number": number } }), |row| {
            row["result"]["number"].is_u64()
        }),
        10 | 11 => failed(json!({ "workflow": "throw" }), "RangeError"),
        12 | 13 => failed(json!({ "workflow": "nowhere" }), "WorkflowNotFound"),
        14 => timeout(json!({ "workflow": "sleep", "params": { "ms": 60_000 }, "timeout_seconds": 0.3 })),
        15 => timeout(json!({ "workflow": "busy", "timeout_seconds": 0.3 })),
        16 => failed(json!({ "workflow": "conformance.crash" }), "WorkerCrashed"),
        17 if number < 60 => {
            ok(json!({ "workflow": "chatty", "params": { "count": 5000, "width": 1024 } }), |row| {
                row["result"] == 5000
            })
        }
        18 if number < 60 => {
            ok(json!({ "workflow": "conformance.big", "params": { "bytes": 5 << 20 } }), |row| {
                row["result"].as_str().is_some_and(|text| text.len() == 5 << 20)
            })
        }
        _ => ok(json!({ "workflow": "echo", "params": null }), |row| row["result"].is_null()),
    }
}

#[test]
fn two_hundred_mixed_executions_have_one_right_result_each_in_order() {
    let installation = workflows::installed().setting("max_workers", 4);
    let cases: Vec<_> = (0..200).map(case).collect();
    let lines: Vec<_> = cases.iter().map(|case| case.line.clone()).collect();
    let run = installation.batch(&lines, &["--keep-going"]);
    assert_eq!(run.results.len(), cases.len(), "{}", run.stderr);
    for (number, (case, row)) in cases.iter().zip(&run.results).enumerate() {
        let shown = || format!("line {number}, {}: {}", case.line, short(row));
        assert_eq!(row["workflow"], case.line["workflow"], "{}", shown());
        assert_eq!(row["status"], case.status, "{}", shown());
        assert_eq!(row["error_type"].as_str(), case.error_type, "{}", shown());
        assert!((case.check)(row), "{}", shown());
        if let Some(expected) = case.line["params"]["number"].as_u64() {
            assert_eq!(row["result"]["number"].as_u64(), Some(expected), "{}", shown());
        }
    }
    assert_eq!(run.status.code(), Some(1), "some failed");
    installation.assert_nothing_left();
}

fn short(row: &Value) -> String {
    row.to_string().chars().take(600).collect()
}

#[test]
fn without_keep_going_the_rest_is_cancelled() {
    let installation = workflows::installed().setting("min_workers", 1).setting("max_workers", 1);
    let lines: Vec<_> = ["echo", "throw", "echo", "echo"].map(|name| json!({ "workflow": name })).into();
    let run = installation.batch(&lines, &[]);
    let statuses: Vec<_> = run.results.iter().map(|row| row["status"].as_str().unwrap()).collect();
    assert_eq!(statuses, ["SUCCESS", "FAILED", "CANCELLED", "CANCELLED"], "{}", run.stderr);
    assert_eq!(run.status.code(), Some(1));
}

#[test]
fn without_keep_going_a_bad_line_ends_the_batch_when_its_turn_comes() {
    let installation = workflows::installed();
    let text = "{\"workflow\":\"echo\",\"params\":1}\n{\"workflow\":\"echo\",\"params\":2}\nnot json\n{\"workflow\":\"echo\"}\n";
    let run = installation.batch_text(text, &[]);
    let statuses: Vec<_> = run.results.iter().map(|row| row["status"].as_str().unwrap()).collect();
    assert_eq!(statuses, ["SUCCESS", "SUCCESS", "FAILED", "CANCELLED"], "{}", run.stderr);
    assert!(run.results[2]["error_message"].as_str().unwrap().contains("line 3"), "{}", run.results[2]);
}

#[test]
fn without_keep_going_a_failure_that_is_tried_again_ends_nothing_until_its_last_attempt() {
    let installation = workflows::installed().setting("min_workers", 1).setting("max_workers", 1);
    let lines = [
        json!({ "workflow": "throw", "max_attempts": 2, "retry_backoff_seconds": 0.5 }),
        json!({ "workflow": "echo" }),
    ];
    let run = installation.batch(&lines, &[]);
    assert_eq!((&run.results[0]["status"], &run.results[0]["attempt"]), (&json!("FAILED"), &json!(2)));
    // Between its attempts the worker was free.
    assert_eq!(run.results[1]["status"], "SUCCESS", "{}", run.stderr);
}

#[test]
fn bad_lines_fail_with_their_number_and_the_others_run() {
    let installation = workflows::installed();
    let text = "{\"workflow\":\"echo\",\"params\":1}\nnot json\n{\"params\":{}}\n{\"workflow\":\"echo\",\"params\":\"two\"}\n";
    let run = installation.batch_text(text, &["--keep-going"]);
    let types: Vec<_> = run.results.iter().map(|row| row["error_type"].as_str()).collect();
    assert_eq!(types, [None, Some("InvalidRequest"), Some("InvalidRequest"), None], "{}", run.stderr);
    assert!(run.results[1]["error_message"].as_str().unwrap().contains("line 2"), "{}", run.results[1]);
    assert_eq!((&run.results[0]["result"], &run.results[3]["result"]), (&json!(1), &json!("two")));
}

/// `MUSTER_TEST_SCALE=10` runs ten times as many where many matter.
fn scale() -> usize {
    std::env::var("MUSTER_TEST_SCALE").ok().and_then(|scale| scale.parse().ok()).unwrap_or(1)
}

fn rogue_batch(flags: &[&str], count: usize) -> (Installation, BatchRun) {
    let installation = Installation::new().worker(rogue(flags));
    let lines: Vec<_> = (0..count).map(|number| json!({ "workflow": "echo", "params": number })).collect();
    let run = installation.batch(&lines, &["--keep-going"]);
    (installation, run)
}

fn assert_all_echoed(run: &BatchRun, count: usize) {
    assert_eq!(run.results.len(), count, "{}", run.stderr);
    for (number, row) in run.results.iter().enumerate() {
        assert_eq!((&row["status"], &row["result"]), (&json!("SUCCESS"), &json!(number)), "{row}");
        assert_eq!(row["attempt"], 1, "{row}");
    }
    assert!(run.status.success(), "{}", run.stderr);
}

#[test]
fn no_reply_followed_at_once_by_exit_is_lost() {
    // Every execution costs a process here.
    let count = 1000 * scale();
    let (installation, run) = rogue_batch(&["--exit-after-finished"], count);
    assert_all_echoed(&run, count);
    installation.assert_nothing_left();
}

#[test]
fn recycling_after_every_execution_loses_no_result() {
    let count = 1000 * scale();
    let installation = Installation::new().worker(rogue(&[])).setting("recycle_after_executions", 1);
    let lines: Vec<_> = (0..count).map(|number| json!({ "workflow": "echo", "params": number })).collect();
    let run = installation.batch(&lines, &["--keep-going"]);
    assert_all_echoed(&run, count);
    installation.assert_nothing_left();
}

#[test]
fn a_worker_in_lines_of_json_and_one_without_features_do_the_same() {
    for flags in [&["--json-lines"][..], &["--no-features"]] {
        let (_, run) = rogue_batch(flags, 100);
        assert_all_echoed(&run, 100);
    }
}

#[test]
fn a_line_whose_end_the_store_refuses_fails_and_the_batch_ends() {
    let installation = workflows::installed();
    let data = installation.path("data");
    let arguments = ["--data-dir", data.to_str().unwrap(), "--keep-going"];
    assert!(installation.batch(&[json!({ "workflow": "echo" })], &arguments).status.success());
    installation.embedded_sql(
        "CREATE TRIGGER hold_back BEFORE UPDATE ON executions
         WHEN NEW.status <> 'RUNNING' AND NEW.request LIKE '%refuse-me%'
         BEGIN SELECT RAISE(ABORT, 'the books are closed'); END",
    );
    let line = |value: &str| json!({ "workflow": "echo", "params": { "value": value } });
    let run = installation.batch(&[line("one"), line("refuse-me"), line("two")], &arguments);
    let statuses: Vec<_> = run.results.iter().map(|result| &result["status"]).collect();
    assert_eq!(statuses, ["SUCCESS", "FAILED", "SUCCESS"], "{:?}", run.results);
    assert!(run.results[1]["error_message"].as_str().unwrap().contains("the books are closed"));
    assert!(run.stderr.contains("the books are closed"), "{}", run.stderr);
    assert!(!run.status.success());
}
