//! submit, logs, show, list, cancel and retry.

use std::fs;
use std::process::Stdio;
use std::time::Duration;

use muster_tests::eventually;
use serde_json::json;

use super::{installed, json, run, run_with};

const SOON: Duration = Duration::from_secs(30);

#[test]
fn a_wait_prints_the_result_and_exits_by_the_status() {
    let installation = installed();
    let _supervisor = installation.start();
    let params = r#"{"b":[1,2.5,null],"a":"é"}"#;
    let success = run(&installation, &["submit", "echo", "--params", params, "--wait"]);
    assert_eq!((success.code, success.out.as_str(), success.err.as_str()), (0, &*format!("{params}\n"), ""));

    let failed = run(&installation, &["submit", "throw", "--wait"]);
    assert_eq!((failed.code, failed.out.as_str()), (1, ""));
    assert!(
        failed.err.starts_with("FAILED RangeError: out of it\n") && failed.err.contains("throw.js:1"),
        "{}",
        failed.err
    );

    let late = run(
        &installation,
        &["submit", "sleep", "--params", r#"{"ms":60000}"#, "--timeout", "0.2", "--wait", "--json"],
    );
    assert_eq!(late.code, 124, "{}", late.err);
    let row: serde_json::Value = serde_json::from_str(&late.out).unwrap();
    assert_eq!((&row["status"], &row["error_type"]), (&json!("TIMEOUT"), &json!("TimeoutError")));
}

#[test]
fn a_body_that_is_too_large_is_told_as_what_it_is() {
    let installation = installed();
    let _supervisor = installation.start();
    let large = installation.path("large.json");
    fs::write(&large, format!("{{\"text\":\"{}\"}}", "x".repeat(40 * 1024 * 1024))).unwrap();
    let said = run(&installation, &["submit", "echo", "--params", &format!("@{}", large.display())]);
    assert_eq!((said.code, said.out.as_str()), (1, ""), "{}", said.err);
    assert!(said.err.contains("a body has at most 33554432 bytes"), "{}", said.err);

    fs::write(&large, format!("{{\"text\":\"{}\"}}", "x".repeat(3 * 1024 * 1024))).unwrap();
    let said =
        run(&installation, &["submit", "echo", "--params", &format!("@{}", large.display()), "--wait"]);
    assert_eq!((said.code, said.out.len()), (0, 3 * 1024 * 1024 + 12), "{}", said.err);
}

#[test]
fn a_wait_for_what_cannot_start_says_why() {
    let installation = installed().worker(["/bin/false"]);
    let supervisor = installation.spawn();
    eventually("nothing is claimed any more", Duration::from_secs(20), || {
        let readiness = supervisor.client().try_get("/readyz");
        readiness.is_some_and(|response| response.body.to_string().contains("no worker can be started"))
    });
    let said = run(&installation, &["submit", "echo", "--wait", "--expires", "8"]);
    assert_eq!(said.code, 130, "{}", said.err);
    assert!(
        said.err.starts_with("it does not start yet: ") && said.err.contains("exit status 1"),
        "{}",
        said.err
    );
}

#[test]
fn whoever_submits_what_is_paused_is_told_at_once() {
    let installation = installed();
    let supervisor = installation.start();
    let client = supervisor.client();
    let plain = run(&installation, &["submit", "echo"]);
    assert_eq!((plain.code, plain.err.as_str()), (0, ""));
    client.finished(plain.out.trim(), SOON);
    for words in [["pause", "workflow:echo"], ["pause", "queue:elsewhere"]] {
        let paused = run(&installation, &[&words[..], &["--why", "a deploy"]].concat());
        assert_eq!(paused.code, 0, "{}", paused.err);
    }
    let by = " do not start yet: workflow:echo is paused by ";
    for words in [["submit", "echo"], ["retry", plain.out.trim()]] {
        let told = run(&installation, &words);
        assert_eq!((told.code, told.out.lines().count()), (0, 1), "{}", told.err);
        let expected = format!("it{}", by.replacen("do", "does", 1));
        assert!(told.err.starts_with(&expected) && told.err.ends_with(": a deploy\n"), "{}", told.err);
    }
    let told = run(&installation, &["submit", "echo", "--json"]);
    let line: serde_json::Value = serde_json::from_str(&told.out).unwrap();
    assert_eq!(line["paused_by"][0]["target"], "workflow:echo", "{}", told.out);
    let set =
        run(&installation, &["schedule", "set", "nightly", "--workflow", "echo", "--cron", "0 3 * * *"]);
    assert_eq!(set.code, 0, "{}", set.err);
    let told = run(&installation, &["schedule", "run", "nightly"]);
    assert_eq!((told.code, told.out.lines().count()), (0, 1), "{}", told.err);
    assert!(told.err.starts_with("it does not start yet: workflow:echo is paused by "), "{}", told.err);
    let lines = ["echo", "sleep", "echo"].map(|name| format!("{{\"workflow\": \"{name}\"}}\n")).concat();
    fs::write(installation.path("many.jsonl"), lines).unwrap();
    let many = run(&installation, &["submit", "--from", "many.jsonl"]);
    assert_eq!((many.code, many.out.lines().count()), (0, 3), "{}", many.err);
    assert!(many.err.starts_with(&format!("2 of them{by}")), "{}", many.err);

    // It is the queue in which it waits that counts.
    let set = run(&installation, &["workflow", "set", "throw", "--queue", "elsewhere"]);
    assert_eq!(set.code, 0, "{}", set.err);
    let answer = client.post("/api/executions", &json!({ "workflow": "throw" })).body;
    assert_eq!(answer["paused_by"][0]["target"], "queue:elsewhere", "{answer}");
    let batch =
        client.post("/api/executions/batch", &json!([{ "workflow": "throw" }, { "workflow": "sleep" }])).body;
    let items = &batch["executions"];
    assert_eq!((&items[0]["paused_by"], items[1].get("paused_by")), (&answer["paused_by"], None), "{batch}");
}

#[test]
fn a_cancel_from_elsewhere_ends_the_wait_with_130() {
    let installation = installed();
    let supervisor = installation.start();
    let id = "0198aa00-0000-7000-8000-000000000001";
    let mut waiting =
        installation.command(&["submit", "sleep", "--params", r#"{"ms":60000}"#, "--id", id, "--wait"]);
    let mut waiting = waiting.stderr(Stdio::piped()).spawn().unwrap();
    muster_tests::eventually("it runs", SOON, || {
        let row = supervisor.client().get(&format!("/api/executions/{id}"));
        row.body["status"] == "RUNNING"
    });
    let said = run(&installation, &["cancel", id]);
    assert_eq!((said.code, said.out), (0, format!("{id} is running and is asked to end\n")));
    assert_eq!(waiting.wait().unwrap().code(), Some(130));
    let again = run(&installation, &["cancel", id]);
    assert_eq!(again.out, format!("{id} was over already: CANCELLED\n"));
}

#[test]
fn whoever_runs_it_again_may_wait_for_it() {
    let installation = installed();
    let _supervisor = installation.start();
    let of =
        |workflow: &str| run(&installation, &["submit", workflow, "--params", "[7]"]).out.trim().to_owned();
    let success = run(&installation, &["retry", &of("echo"), "--wait"]);
    assert_eq!((success.code, success.out.as_str(), success.err.as_str()), (0, "[7]\n", ""));
    let failed = run(&installation, &["retry", &of("throw"), "--wait", "--json"]);
    let row: serde_json::Value = serde_json::from_str(&failed.out).unwrap();
    assert_eq!((failed.code, &row["status"]), (1, &json!("FAILED")), "{}", failed.err);
    assert!(row["retry_of"].is_string() && failed.err.starts_with("FAILED RangeError: out of it\n"));
    let many = run(&installation, &["retry", "--status", "FAILED", "--wait"]);
    assert_eq!((many.code, many.out.as_str()), (2, ""), "{}", many.err);
    assert!(many.err.contains("--wait is for one execution: give its id"), "{}", many.err);
}

#[test]
fn an_id_stands_for_one_request() {
    let installation = installed();
    let _supervisor = installation.start();
    let id = "0198aa00-0000-7000-8000-000000000002";
    let submit = |params| run(&installation, &["submit", "echo", "--id", id, "--params", params, "--wait"]);
    for params in [r#"{"a":1,"b":2}"#, r#"{"b": 2, "a": 1}"#] {
        let same = submit(params);
        assert_eq!((same.code, same.out.as_str()), (0, "{\"a\":1,\"b\":2}\n"), "{}", same.err);
    }
    let other = submit(r#"{"a":2}"#);
    assert_eq!((other.code, other.out.as_str()), (1, ""), "{}", other.err);
    let said =
        format!("{id} belongs to an execution of another workflow or with other parameters; give another id");
    assert!(other.err.contains(&said), "{}", other.err);
    // One that was cancelled before it came is what was meant.
    let early = "0198aa00-0000-7000-8000-000000000003";
    assert!(run(&installation, &["cancel", early]).out.contains(early));
    assert_eq!(run(&installation, &["submit", "echo", "--id", early, "--wait"]).code, 130);
}

#[test]
fn parameters_and_code_come_from_files_and_standard_input() {
    let installation = installed();
    let _supervisor = installation.start();
    fs::write(installation.path("params.json"), "[1, 2, 3]\n").unwrap();
    let from_file = run(&installation, &["submit", "echo", "--params", "@params.json", "--wait"]);
    assert_eq!(from_file.out, "[1,2,3]\n", "{}", from_file.err);
    let from_input = run_with(&installation, &["submit", "echo", "--params", "-", "--wait"], "\"typed\"");
    assert_eq!(from_input.out, "\"typed\"\n", "{}", from_input.err);
    fs::write(installation.path("once.js"), "export default async (params) => params.n * 2;\n").unwrap();
    let code = run(&installation, &["submit", "--code", "once.js", "--params", r#"{"n":21}"#, "--wait"]);
    assert_eq!(code.out, "42\n", "{}", code.err);
}

#[test]
fn a_followed_log_is_whole_although_the_supervisor_is_killed_on_the_way() {
    let installation = installed();
    let supervisor = installation.start();
    let arguments = ["submit", "talk", "--params", r#"{"count":8,"ms":150}"#, "--follow"];
    let follower = installation
        .command(&arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let id = muster_tests::eventually("two lines are there", SOON, || {
        let page = supervisor.client().get("/api/executions");
        let id = page.body["executions"][0]["execution_id"].as_str()?.to_owned();
        (supervisor.client().logs(&id).len() >= 2).then_some(id)
    });
    supervisor.kill();
    let _supervisor = installation.start();
    let output = follower.wait_with_output().unwrap();
    let err = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(0), &b"8\n"[..]), "{err}");
    let lines: Vec<&str> =
        err.lines().filter_map(|line| line.split_once("INFO  ")).map(|(_, text)| text).collect();
    let whole: Vec<String> = (0..8).map(|i| format!("line {i}")).collect();
    assert!(
        lines.ends_with(&whole.iter().map(String::as_str).collect::<Vec<_>>()),
        "the second attempt's log: {err}"
    );
    let row = json(&installation, &["show", &id, "--json"]);
    assert_eq!((&row["status"], &row["attempt"]), (&json!("SUCCESS"), &json!(2)));
}

#[test]
fn as_much_of_an_id_is_enough_as_no_other_begins_with() {
    let installation = installed();
    let _supervisor = installation.start();
    let ids = ["feedface-0000-7000-8000-000000000001", "feedface-0000-7000-8000-000000000002"];
    for id in ids {
        run(&installation, &["submit", "throw", "--id", id, "--wait"]);
    }
    for command in ["show", "logs", "cancel", "retry", "transcript"] {
        let several = run(&installation, &[command, "feedface-0000"]);
        assert_eq!(several.code, 2, "{command}: {}", several.err);
        assert!(several.err.contains("write more of the one you mean"), "{command}: {}", several.err);
        for id in ids {
            assert!(several.err.contains(&format!("{id}  FAILED     throw")), "{command}: {}", several.err);
        }
        let none = run(&installation, &[command, "ffffff"]);
        assert!(none.code == 1 && none.err.contains("begins with ffffff"), "{command}: {}", none.err);
    }
    run(&installation, &["submit", "throw", "--id", "feedfacf-0000-7000-8000-000000000003", "--wait"]);
    for command in ["show", "cancel", "transcript"] {
        let said = run(&installation, &[command, "FEEDFACF"]);
        assert_eq!(said.code, 0, "{command}: {}", said.err);
        assert!(said.out.contains("feedfacf-0000-7000-8000-000000000003"), "{command}: {}", said.out);
    }
    let retried = json(&installation, &["retry", "feedfacf", "--json"]);
    assert_eq!(retried["retry_of"], json!("feedfacf-0000-7000-8000-000000000003"));
}

#[test]
fn show_list_logs_and_retry_agree() {
    let installation = installed();
    let _supervisor = installation.start();
    let failed = run(&installation, &["submit", "throw", "--wait", "--json"]);
    let row: serde_json::Value = serde_json::from_str(&failed.out).unwrap();
    let id = row["execution_id"].as_str().unwrap();

    let shown = run(&installation, &["show", id]);
    for part in [id, "status       FAILED", "RangeError: out of it", "claimed", "started", "finalized"] {
        assert!(shown.out.contains(part), "{part}: {}", shown.out);
    }
    let retried = run(&installation, &["retry", id]);
    let again = retried.out.trim();
    assert_ne!(again, id);
    let page = json(&installation, &["list", "--workflow", "throw", "--json"]);
    let ids: Vec<&str> = page["executions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["execution_id"].as_str().unwrap())
        .collect();
    assert_eq!(ids, [again, id], "newest first");
    let table = run(&installation, &["list", "--status", "FAILED", "--limit", "1000"]);
    assert!(table.out.starts_with("EXECUTION") && table.out.contains(id), "{}", table.out);
    let created = row["created_at"].as_str().unwrap();
    for (filters, found) in [
        (["--error-type", "RangeError", "--since", created], true),
        (["--error-type", "TypeError", "--since", created], false),
        (["--error-type", "RangeError", "--until", created], false),
    ] {
        let page = run(&installation, &[&["list"], &filters[..]].concat());
        assert_eq!(page.out.contains(id), found, "{filters:?}: {}", page.out);
    }

    let talk =
        run(&installation, &["submit", "talk", "--params", r#"{"count":3,"ms":0}"#, "--wait", "--json"]);
    let row: serde_json::Value = serde_json::from_str(&talk.out).unwrap();
    let logs = run(&installation, &["logs", row["execution_id"].as_str().unwrap(), "--json"]);
    let lines: Vec<serde_json::Value> =
        logs.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let seen: Vec<(&serde_json::Value, &serde_json::Value)> =
        lines.iter().map(|line| (&line["sequence"], &line["message"])).collect();
    assert_eq!(
        seen,
        [(&json!(1), &json!("line 0")), (&json!(2), &json!("line 1")), (&json!(3), &json!("line 2"))]
    );
}
