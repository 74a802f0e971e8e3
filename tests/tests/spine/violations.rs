//! A worker that breaks the protocol costs itself and one execution, with an error that says what it did.

use muster_tests::{Installation, rogue};
use serde_json::{Value, json};

/// Ten executions of which the fifth meets the sin: its result line.
#[track_caller]
fn sinned(flags: &[&str], settings: &[(&str, &str)]) -> Value {
    let flags = [flags, &["--only", "sin"]].concat();
    let mut installation = Installation::new().worker(rogue(&flags)).setting("graceful_shutdown_seconds", 1);
    for (key, value) in settings {
        installation = installation.setting(key, value);
    }
    let name = |number| if number == 4 { "sin" } else { "echo" };
    let lines: Vec<_> = (0..10).map(|number| json!({ "workflow": name(number), "params": number })).collect();
    let run = installation.batch(&lines, &["--keep-going"]);
    assert_eq!(run.results.len(), 10, "{flags:?}: {}", run.stderr);
    for (number, row) in run.results.iter().enumerate().filter(|(number, _)| *number != 4) {
        assert_eq!((&row["status"], &row["result"]), (&json!("SUCCESS"), &json!(number)), "{flags:?}: {row}");
    }
    installation.assert_nothing_left();
    run.results[4].clone()
}

#[track_caller]
fn fails_as(flags: &[&str], error_type: &str, message: &str) {
    let row = sinned(flags, &[]);
    assert_eq!((&row["status"], &row["error_type"]), (&json!("FAILED"), &json!(error_type)), "{row}");
    assert!(row["error_message"].as_str().unwrap().contains(message), "{flags:?}: {row}");
}

#[track_caller]
fn succeeds(flags: &[&str], settings: &[(&str, &str)]) {
    let row = sinned(flags, settings);
    assert_eq!((&row["status"], &row["result"]), (&json!("SUCCESS"), &json!(4)), "{flags:?}: {row}");
}

#[test]
fn text_on_stdout_during_a_run() {
    fails_as(&["--print-during-run", "hello from a print"], "StdoutPolluted", "hello from a print");
}

#[test]
fn a_hostile_length() {
    fails_as(&["--hostile-length"], "StdoutPolluted", "");
}

#[test]
fn an_empty_frame() {
    fails_as(&["--zero-length"], "ProtocolViolation", "0 bytes");
}

#[test]
fn a_body_that_is_no_message() {
    fails_as(&["--bad-body"], "ProtocolViolation", "Idle");
}

#[test]
fn a_text_of_endless_length_inside_a_body() {
    fails_as(&["--hostile-inner-length"], "ProtocolViolation", "Goodbye");
}

#[test]
fn half_a_frame_then_silence_ends_at_the_deadline() {
    let row = sinned(&["--half-frame"], &[("execution_timeout_seconds", "1")]);
    assert_eq!(row["status"], "TIMEOUT", "{row}");
}

#[test]
fn the_result_of_a_run_nobody_asked_for_reaches_nobody() {
    let row = sinned(&["--wrong-run"], &[]);
    assert_ne!(row["result"], json!("not yours"), "{row}");
}

#[test]
fn the_first_outcome_stands() {
    succeeds(&["--second-finished"], &[]);
    succeeds(&["--started-after-finished"], &[]);
}

#[test]
fn a_grandchild_that_holds_the_pipes_delays_nobody() {
    let began = std::time::Instant::now();
    succeeds(&["--hold-pipes", "60"], &[]);
    assert!(began.elapsed().as_secs() < 30, "it waited for the grandchild");
}

#[test]
fn messages_of_a_later_version_are_skipped() {
    succeeds(&["--unknown-message"], &[]);
}

#[test]
fn results_that_are_no_json_or_too_large() {
    fails_as(&["--invalid-result"], "InvalidResult", "");
    let row = sinned(&["--big-result", "5242880"], &[]);
    assert_eq!(row["result"].as_str().map(str::len), Some(5 << 20));
}

#[test]
fn floods_are_swallowed() {
    succeeds(&["--flood-stderr", "5000000"], &[]);
    succeeds(&["--flood-logs", "20000"], &[]);
}

#[test]
fn a_worker_that_ends_before_started_costs_its_execution_nothing() {
    for sin in ["--crash-before-started", "--goodbye-on-execute"] {
        let folder = tempfile::tempdir().unwrap();
        let once = folder.path().join("once");
        succeeds(&[sin, "--once", once.to_str().unwrap()], &[]);
    }
}

#[test]
fn three_deaths_before_started_are_enough() {
    fails_as(&["--crash-before-started"], "WorkerCrashed", "");
}

#[test]
fn a_worker_that_never_says_idle_is_replaced_and_its_outcome_stands() {
    succeeds(&["--never-idle"], &[("max_workers", "2")]);
}

#[test]
fn a_worker_that_never_says_started_loses_its_execution_to_another() {
    let folder = tempfile::tempdir().unwrap();
    let once = folder.path().join("once");
    succeeds(&["--never-started", "--once", once.to_str().unwrap()], &[]);
}

#[test]
fn too_much_memory_during_a_run() {
    let row = sinned(&["--leak-memory", "200"], &[("max_worker_memory_mb", "64")]);
    assert_eq!((&row["status"], &row["error_type"]), (&json!("FAILED"), &json!("OutOfMemory")), "{row}");
}

#[test]
fn a_grandchild_in_a_session_of_its_own_delays_nobody() {
    let installation = Installation::new()
        .worker(rogue(&["--setsid-grandchild", "60"]))
        .setting("recycle_after_executions", 1);
    let lines: Vec<_> = (0..10).map(|number| json!({ "workflow": "echo", "params": number })).collect();
    let run = installation.batch(&lines, &["--keep-going"]);
    assert!(run.status.success(), "{:?}", run.results);
    assert!(run.duration.as_secs() < 30, "{:?}", run.duration);
}

#[test]
fn a_child_that_writes_without_end_holds_up_nobody() {
    // One run leaves such a child and ends well, one leaves it and exits: both end, and so does a third on time.
    let installation = Installation::new()
        .worker(rogue(&["--flooding-child", "--only", "flood"]))
        .setting("min_workers", 3)
        .setting("recycle_after_executions", 1);
    let supervisor = installation.start();
    let client = supervisor.client();
    let floods: Vec<_> = (0..2).map(|_| client.submit(&json!({ "workflow": "flood" }))).collect();
    let timed = json!({ "workflow": "sleep", "parameters": { "seconds": 60 }, "timeout_seconds": 1 });
    let timed = client.submit(&timed);
    let row = client.finished(&timed, std::time::Duration::from_secs(20));
    assert_eq!(row["status"], "TIMEOUT", "{row}");
    let took_ms = row["duration_ms"].as_u64().unwrap();
    assert!(took_ms < 2500, "the timeout of 1 s came after {took_ms} ms");
    for id in &floods {
        assert_eq!(client.finished(id, std::time::Duration::from_secs(20))["status"], "SUCCESS");
    }
    assert!(supervisor.terminate(std::time::Duration::from_secs(20)).success());
    installation.assert_nothing_left();
}

#[test]
fn a_worker_that_floods_frames_has_no_larger_share_than_any_other() {
    let soon = std::time::Duration::from_secs(30);
    let installation = Installation::new()
        .worker(rogue(&["--flood-frames", "--only", "flood"]))
        .setting("min_workers", 2)
        .setting("max_workers", 2);
    let supervisor = installation.start();
    let client = supervisor.client();
    let flood = client.submit(&json!({ "workflow": "flood" }));
    client.has_status(&flood, "RUNNING", soon);
    let began = std::time::Instant::now();
    let each_ms: Vec<u128> = (0..30)
        .map(|number| {
            let asked = std::time::Instant::now();
            let echo = json!({ "workflow": "echo", "parameters": number });
            let row = client.post("/api/executions?wait=30", &echo).body;
            assert_eq!(row["result"], number, "{row}");
            asked.elapsed().as_millis()
        })
        .collect();
    // Each took half a second while a worker could keep the thread for as long as it had something to say.
    assert!(began.elapsed() < std::time::Duration::from_secs(6), "milliseconds of each: {each_ms:?}");
    let cancelled = client.post(&format!("/api/executions/{flood}/cancel"), &json!({}));
    assert_eq!(cancelled.status, 200, "{}", cancelled.body);
    assert_eq!(client.finished(&flood, soon)["status"], "CANCELLED");
    assert!(supervisor.terminate(soon).success());
    installation.assert_nothing_left();
}

#[test]
fn a_worker_that_dies_under_a_child_that_writes_without_end_is_seen_dead() {
    let installation = Installation::new().worker(rogue(&["--flooding-child", "--exit-code", "3"]));
    let supervisor = installation.start();
    let id = supervisor.client().submit(&json!({ "workflow": "echo" }));
    let row = supervisor.client().finished(&id, std::time::Duration::from_secs(10));
    assert_eq!(row["error_type"], "WorkerCrashed", "{row}");
    assert!(row["error_message"].as_str().unwrap().contains("exit status 3"), "{row}");
    assert!(supervisor.terminate(std::time::Duration::from_secs(20)).success());
    installation.assert_nothing_left();
}
