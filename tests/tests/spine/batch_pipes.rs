//! `supervisor batch` at pipes and files that do not behave: what ends early, what is bounded, what is kept.
#![expect(clippy::disallowed_methods, reason = "the suite runs the binaries as a user does")]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::{Child, ExitStatus, Stdio};
use std::time::Duration;

use muster_tests::eventually;
use rustix::process::{Pid, Signal};
use serde_json::{Value, json};

use crate::workflows;

const WITHIN: Duration = Duration::from_secs(30);
const HANGS: &str = "export default async (params, ctx) => { await ctx.sleep(1e9); };\n";

#[track_caller]
fn ended(child: &mut Child) -> ExitStatus {
    eventually("the batch has ended", WITHIN, || child.try_wait().unwrap())
}

fn stderr(child: &mut Child) -> String {
    let mut text = String::new();
    child.stderr.take().unwrap().read_to_string(&mut text).unwrap();
    text
}

#[test]
fn results_come_while_lines_are_still_to_come_and_a_signal_ends_the_wait_for_them() {
    let installation = workflows::installed();
    let mut command = installation.command(&["batch", "-"]);
    let command = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut lines = child.stdin.take().unwrap();
    let mut results = BufReader::new(child.stdout.take().unwrap());
    for number in 0..2 {
        writeln!(lines, "{}", json!({ "workflow": "echo", "params": number })).unwrap();
        let mut result = String::new();
        results.read_line(&mut result).unwrap();
        let result: Value = serde_json::from_str(&result).unwrap();
        assert_eq!(result["result"], number, "{result}");
    }
    let pid = Pid::from_child(&child);
    rustix::process::kill_process(pid, Signal::INT).unwrap();
    let status = ended(&mut child);
    let said = stderr(&mut child);
    assert_eq!(status.code(), Some(1), "{said}");
    assert!(said.contains("2 executions") && said.contains("stopped before the end of the lines"), "{said}");
    drop(lines);
    installation.assert_nothing_left();
}

#[test]
fn a_signal_gives_every_line_of_a_file_its_result() {
    let installation = workflows::installed().setting("max_workers", 1).setting("min_workers", 1);
    let installation = installation.workflow("hangs.js", HANGS);
    let first = json!({ "workflow": "echo" }).to_string();
    let rest = format!("{}\n", json!({ "workflow": "hangs" })).repeat(1000);
    std::fs::write(installation.path("lines"), format!("{first}\n{rest}")).unwrap();
    let mut command = installation.command(&["batch", "lines"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut results = BufReader::new(child.stdout.take().unwrap()).lines();
    results.next().unwrap().unwrap();
    rustix::process::kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    let rows: Vec<Value> = results.map(|line| serde_json::from_str(&line.unwrap()).unwrap()).collect();
    assert_eq!(ended(&mut child).code(), Some(1));
    assert_eq!(rows.len(), 1000, "{}", stderr(&mut child));
    assert!(rows.iter().all(|row| row["status"] == "CANCELLED"));
}

#[test]
fn when_nobody_reads_the_results_nothing_more_runs() {
    let installation = workflows::installed().setting("max_workers", 1).setting("min_workers", 1);
    let installation = installation.workflow("hangs.js", HANGS);
    let text = format!("{}\n{}\n", json!({ "workflow": "echo" }), json!({ "workflow": "hangs" }));
    std::fs::write(installation.path("lines"), text).unwrap();
    let mut command = installation.command(&["batch", "lines"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let status = ended(&mut child);
    let said = stderr(&mut child);
    assert_eq!(status.code(), Some(1), "{said}");
    assert!(said.contains("cannot write the results: Broken pipe"), "{said}");
}

#[test]
fn the_results_never_overwrite_the_lines() {
    let installation = workflows::installed();
    let text = "{\"workflow\":\"echo\"}\n";
    std::fs::write(installation.path("lines"), text).unwrap();
    std::fs::hard_link(installation.path("lines"), installation.path("same")).unwrap();
    for out in ["lines", "./lines", "same"] {
        let output = installation.run(&["batch", "lines", "--out", out]);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains("would overwrite the lines"), "{said}");
        assert_eq!(std::fs::read_to_string(installation.path("lines")).unwrap(), text);
    }
    std::fs::write(installation.path("old"), "x".repeat(100_000)).unwrap();
    assert!(installation.run(&["batch", "lines", "--out", "old"]).status.success());
    let results = std::fs::read_to_string(installation.path("old")).unwrap();
    assert_eq!(results.lines().count(), 1, "what the file held before is gone: {results:.200}");
}

#[test]
fn a_line_that_is_too_long_costs_no_other_line_its_result() {
    let installation = workflows::installed();
    let long = "x".repeat(33 << 20);
    let text =
        format!("{{\"workflow\":\"echo\",\"params\":1}}\n{long}\n{{\"workflow\":\"echo\",\"params\":3}}\n");
    let run = installation.batch_text(&text, &["--keep-going"]);
    let statuses: Vec<_> = run.results.iter().map(|row| row["status"].as_str().unwrap()).collect();
    assert_eq!(statuses, ["SUCCESS", "FAILED", "SUCCESS"], "{}", run.stderr);
    assert!(run.results[1]["error_message"].as_str().unwrap().contains("line 2"), "{}", run.results[1]);
}

#[test]
fn a_batch_runs_beside_the_service_of_the_same_settings() {
    let installation = workflows::installed();
    let _service = installation.start();
    // The data folder is set in the environment, and a settings file says the same.
    let run = installation.batch(&[json!({ "workflow": "echo" })], &[]);
    assert!(run.status.success(), "{}", run.stderr);
    let settings = format!("data_dir = {:?}\n", installation.path("data"));
    std::fs::write(installation.path("muster.toml"), settings).unwrap();
    let mut command = installation.command(&["batch", "batch.jsonl"]);
    let output = command.env_remove("MUSTER_DATA_DIR").output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let data = installation.path("data").display().to_string();
    let run = installation.batch(&[json!({ "workflow": "echo" })], &["--data-dir", &data]);
    assert_eq!(run.status.code(), Some(1));
    assert!(run.stderr.contains("in use by another supervisor"), "{}", run.stderr);
}

#[test]
fn the_results_behind_one_slow_line_do_not_fill_the_memory() {
    // Each says when it ran. More than 64 MiB of results never wait for the first line.
    let big = "export default async () => ({ at: Date.now(), text: 'x'.repeat(4 << 20) });\n";
    let slow =
        "export default async (params, ctx) => { await ctx.sleep(7000); return { at: Date.now() }; };\n";
    let installation = workflows::installed().setting("max_workers", 2).setting("min_workers", 2);
    let installation = installation.workflow("big.js", big).workflow("slow.js", slow);
    let mut lines = vec![json!({ "workflow": "slow" })];
    lines.resize(22, json!({ "workflow": "big" }));
    let run = installation.batch(&lines, &[]);
    assert!(run.status.success(), "{}", run.stderr);
    let at = |row: &Value| row["result"]["at"].as_u64().unwrap();
    assert!(at(&run.results[1]) < at(&run.results[0]), "what fits does not wait for the slow line");
    assert!(at(&run.results[21]) >= at(&run.results[0]), "all lines ran while the first one did");
}
