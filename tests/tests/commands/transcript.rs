//! Transcripts: a failure of production, on a dispatcher.

use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use muster_tests::{Installation, binaries};
use serde_json::json;

use super::{json as json_of, run};

const SOON: Duration = Duration::from_secs(20);

/// Fails with what it read: a state, a configuration entry, and a secret that it should not have said.
const FAILING: &str = "export default async (params, ctx) => {
  const total = await ctx.state.get('total');
  const key = await ctx.config.get('api_key');
  console.log('paying with ' + key);
  ctx.log.info('total is ' + total, { key });
  if (params.hang) await ctx.sleep(60000);
  if (total > 40) throw new RangeError(`${params.who} cannot pay ${total} with ${key}`);
  return total;
};\n";

fn replay(installation: &Installation, file: &str, arguments: &[&str]) -> (Option<i32>, String, String) {
    let output: Output = Command::new(binaries::worker())
        .arg("replay")
        .arg(installation.path(file))
        .arg("--workflows-dir")
        .arg(installation.path("workflows"))
        .args(arguments)
        .env_remove("MUSTER_PROTOCOL")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

/// An installation with the workflow, a supervisor, what it reads, and an execution that failed.
fn failed() -> (Installation, muster_tests::TestSupervisor, String) {
    let installation = Installation::new().workflow("pay.js", FAILING);
    let supervisor = installation.start();
    installation.embedded_sql(
        "INSERT INTO config_entries (key, value, is_secret) VALUES ('api_key', '\"s3cr3t-k3y\"', 1);
         INSERT INTO state_entries (organization_id, key, value, updated_at) VALUES (NULL, 'total', '41', 0);",
    );
    let request = json!({ "workflow": "pay", "parameters": { "who": "Ada" } });
    let id = supervisor.client().submit(&request);
    let row = supervisor.client().finished(&id, SOON);
    assert_eq!((&row["status"], &row["error_type"]), (&json!("FAILED"), &json!("RangeError")), "{row}");
    (installation, supervisor, id)
}

#[test]
fn a_failure_is_shown_saved_and_fails_again_on_a_desk() {
    let (installation, _supervisor, id) = failed();
    let shown = run(&installation, &["transcript", &id]);
    assert_eq!(shown.code, 0, "{}", shown.err);
    for part in [
        "> Execute",
        "< Started",
        "< Call 1 state.get {\"key\":\"total\"}",
        "> Reply 1 41",
        "FAILED RangeError",
    ] {
        assert!(shown.out.contains(part), "{part}: {}", shown.out);
    }
    let file = installation.path("failure.jsonl");
    let saved = run(&installation, &["transcript", &id, "--out", file.to_str().unwrap()]);
    assert_eq!((saved.code, saved.out.as_str()), (0, ""));
    assert!(
        saved.err.contains(&format!("run it again with: worker replay {}", file.display())),
        "{}",
        saved.err
    );
    let mode = || std::fs::metadata(&file).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(), 0o600);
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
    assert_eq!(run(&installation, &["transcript", &id, "--out", file.to_str().unwrap()]).code, 0);
    assert_eq!(mode(), 0o600, "also where a file was");
    let other = run(&installation, &["transcript", &id, "--attempt", "7"]);
    let expected = format!("there is no transcript of attempt 7 of execution {id}; attempt 1 has one");
    assert!(other.code == 1 && other.err.contains(&expected), "{}", other.err);

    let (code, out, err) = replay(&installation, "failure.jsonl", &[]);
    assert_eq!((code, out.as_str()), (Some(0), ""), "{err}");
    assert!(err.contains("the same again: Failed RangeError: Ada cannot pay 41 with ***"), "{err}");
    let (code, _, err) = replay(&installation, "failure.jsonl", &["--config", "api_key=other"]);
    assert_eq!(code, Some(0), "{err}");
    assert!(err.contains("Ada cannot pay 41 with other"), "{err}");
}

#[test]
fn a_mended_workflow_differs_and_the_first_difference_is_shown() {
    let (installation, _supervisor, id) = failed();
    let file = installation.path("failure.jsonl");
    assert_eq!(run(&installation, &["transcript", &id, "--out", file.to_str().unwrap()]).code, 0);
    let fixed = FAILING.replace("> 40", "> 400");
    std::fs::write(installation.path("workflows/pay.js"), &fixed).unwrap();
    let (code, out, err) = replay(&installation, "failure.jsonl", &[]);
    assert_eq!((code, out.as_str()), (Some(1), "41\n"), "{err}");
    assert!(err.contains("the first difference is the outcome"), "{err}");
    assert!(err.contains("replayed: Succeeded 41"), "{err}");

    let other = FAILING.replace("'total is '", "'the total is '");
    std::fs::write(installation.path("workflows/pay.js"), other).unwrap();
    let (code, _, err) = replay(&installation, "failure.jsonl", &[]);
    assert_eq!(code, Some(1), "{err}");
    assert!(err.contains("the first difference is log record 2\n  recorded: info \"total is 41\""), "{err}");

    let other = FAILING.replace("'total')", "'sum')");
    std::fs::write(installation.path("workflows/pay.js"), other).unwrap();
    let (code, _, err) = replay(&installation, "failure.jsonl", &[]);
    assert_eq!(code, Some(1), "{err}");
    assert!(
        err.contains("the first difference is call 1\n  recorded: state.get {\"key\":\"total\"}"),
        "{err}"
    );
}

#[test]
fn two_transcripts_are_compared_whoever_wrote_them() {
    let (installation, _supervisor, id) = failed();
    let path = |name: &str| installation.path(name).to_str().unwrap().to_owned();
    assert_eq!(run(&installation, &["transcript", &id, "--out", &path("failure.jsonl")]).code, 0);
    let diff =
        |other: &str| run(&installation, &["transcript", "diff", &path("failure.jsonl"), &path(other)]);
    let (code, _, err) = replay(&installation, "failure.jsonl", &["--out", &path("again.jsonl")]);
    assert!(code == Some(0) && err.contains("supervisor transcript diff"), "{err}");
    let mode = std::fs::metadata(path("again.jsonl")).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode, 0o600);
    let same = diff("again.jsonl");
    assert_eq!((same.code, same.out.starts_with("the same: Failed RangeError")), (0, true), "{}", same.out);

    let fixed = FAILING.replace("> 40", "> 400");
    std::fs::write(installation.path("workflows/pay.js"), fixed).unwrap();
    assert_eq!(replay(&installation, "failure.jsonl", &["--out", &path("fixed.jsonl")]).0, Some(1));
    let other = diff("fixed.jsonl");
    assert_eq!(other.code, 1, "{}", other.err);
    assert!(
        other.out.starts_with("the first difference is the outcome\n  recorded: Failed"),
        "{}",
        other.out
    );
    assert!(other.out.ends_with("replayed: Succeeded 41\n"), "{}", other.out);
    std::fs::write(path("none.jsonl"), "").unwrap();
    let none = diff("none.jsonl");
    assert!(none.code == 2 && none.err.contains("none.jsonl: the file is empty"), "{}", none.err);
}

#[test]
fn a_secret_is_nowhere_a_person_looks() {
    let (installation, supervisor, id) = failed();
    let client = supervisor.client();
    let row = client.execution(&id).to_string();
    let logs = serde_json::Value::from(client.logs(&id)).to_string();
    let transcript = run(&installation, &["transcript", &id, "--json"]).out;
    for (where_, text) in [("the row", &row), ("the log", &logs), ("the transcript", &transcript)] {
        assert!(!text.contains("s3cr3t"), "{where_}: {text}");
        assert!(text.contains("***"), "{where_}: {text}");
    }
}

#[test]
fn a_cancel_is_replayed_when_it_came() {
    let (installation, supervisor, _) = failed();
    let client = supervisor.client();
    let id = client.submit(&json!({ "workflow": "pay", "parameters": { "hang": true } }));
    client.has_status(&id, "RUNNING", SOON);
    muster_tests::eventually("it has asked and logged", SOON, || client.logs(&id).len() >= 2);
    client.post(&format!("/api/executions/{id}/cancel"), &json!({}));
    assert_eq!(client.finished(&id, SOON)["status"], "CANCELLED");
    let file = installation.path("cancelled.jsonl");
    assert_eq!(run(&installation, &["transcript", &id, "--out", file.to_str().unwrap()]).code, 0);
    let (code, _, err) = replay(&installation, "cancelled.jsonl", &[]);
    assert_eq!(code, Some(0), "{err}");
    assert!(err.contains("the same again: Cancelled"), "{err}");
}

#[test]
fn successes_leave_a_transcript_only_where_all_do() {
    for (which, code) in [("failed", 1), ("all", 0), ("none", 1)] {
        let installation = Installation::new()
            .workflow("echo.js", "export default async (p) => p;\n")
            .setting("transcripts", which);
        let supervisor = installation.start();
        let id = supervisor.client().submit(&json!({ "workflow": "echo", "parameters": [1] }));
        assert_eq!(supervisor.client().finished(&id, SOON)["status"], "SUCCESS");
        let said = run(&installation, &["transcript", &id]);
        assert_eq!(said.code, code, "{which}: {}", said.err);
        if code == 0 {
            assert!(said.out.contains("< Finished Succeeded [1]"), "{}", said.out);
        } else {
            assert!(
                said.err.contains("one of a success is kept with transcripts = \"all\" only"),
                "{}",
                said.err
            );
        }
    }
}

#[test]
fn what_cannot_be_replayed_is_said_so() {
    let installation = Installation::new();
    std::fs::write(installation.path("bad.jsonl"), "{\"a\":1}\n").unwrap();
    let (code, _, err) = replay(&installation, "bad.jsonl", &[]);
    assert_eq!(code, Some(2));
    assert!(err.contains("is not the head of a transcript"), "{err}");
    let head = json!({ "transcript": 1, "protocol": 1, "execution_id": "e", "attempt": 1, "workflow": "w",
        "recorded_at": "2026-01-01T00:00:00Z", "language": "javascript" });
    std::fs::write(installation.path("cut.jsonl"), format!("{head}\n{{\"at_us\":0,\"dropped\":1}}\n"))
        .unwrap();
    let (code, _, err) = replay(&installation, "cut.jsonl", &[]);
    assert_eq!(code, Some(2));
    assert!(err.contains("its Execute was not kept"), "{err}");
}

#[test]
fn the_transcript_of_a_crash_says_how_it_ended() {
    let installation = Installation::new().setting("worker_env", "MUSTER_CONFORMANCE=1");
    let supervisor = installation.start();
    let id = supervisor.client().submit(&json!({ "workflow": "conformance.crash" }));
    assert_eq!(supervisor.client().finished(&id, SOON)["error_type"], "WorkerCrashed");
    let shown = run(&installation, &["transcript", &id]);
    assert!(shown.out.contains("FAILED WorkerCrashed:"), "{}", shown.out);
    assert!(!shown.out.contains("< Finished"), "{}", shown.out);
    assert_eq!(json_of(&installation, &["show", &id, "--json"])["status"], "FAILED");
}
