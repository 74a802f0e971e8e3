//! A worker command that cannot start: the service stays up, says what is wrong, and recovers when it is fixed.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use muster_tests::{Installation, TestSupervisor, binaries, eventually, rogue};
use serde_json::json;

const SOON: Duration = Duration::from_secs(30);

/// Waits until readiness is lost and says this.
#[track_caller]
fn says(supervisor: &TestSupervisor, reason: &str) {
    eventually(&format!("readiness says {reason:?}"), SOON, || {
        let Some(response) = supervisor.client().try_get("/readyz") else { return false };
        response.status == 503 && response.body.to_string().contains(reason)
    });
    eventually(&format!("the log says {reason:?}"), SOON, || supervisor.log().contains(reason));
}

#[track_caller]
fn recovers(supervisor: &TestSupervisor) {
    supervisor.wait_ready(SOON);
    let id = supervisor.client().submit(&json!({ "workflow": "echo", "parameters": 5 }));
    let row = supervisor.client().finished(&id, SOON);
    assert_eq!(
        (&row["status"], &row["result"], &row["attempt"]),
        (&json!("SUCCESS"), &json!(5), &json!(1)),
        "{row}"
    );
}

#[test]
fn a_missing_file_that_appears_later() {
    let installation = Installation::new();
    let command = installation.path("late-worker");
    let installation = installation.worker([command.to_str().unwrap()]);
    let supervisor = installation.spawn();
    says(&supervisor, "late-worker");
    std::os::unix::fs::symlink(binaries::rogue_worker(), &command).unwrap();
    recovers(&supervisor);
}

#[test]
fn a_file_that_is_not_executable_and_then_is() {
    let installation = Installation::new();
    let command = installation.path("shy-worker");
    fs::copy(binaries::rogue_worker(), &command).unwrap();
    fs::set_permissions(&command, fs::Permissions::from_mode(0o644)).unwrap();
    let installation = installation.worker([command.to_str().unwrap()]);
    let supervisor = installation.spawn();
    says(&supervisor, "shy-worker");
    fs::set_permissions(&command, fs::Permissions::from_mode(0o755)).unwrap();
    recovers(&supervisor);
}

#[test]
fn workers_that_do_not_come_up_say_why() {
    let cases: [(&[&str], &str); 4] = [
        (&["--exit-at-once", "3"], "I cannot start"),
        (&["--init-failed", "no module named 'requests'"], "no module named 'requests'"),
        (&["--wrong-version"], "version"),
        (&["--flood-before-hello", "70000"], "before Hello"),
    ];
    for (flags, reason) in cases {
        let installation = Installation::new();
        let fixed = installation.path("fixed");
        let flags = [flags, &["--until", fixed.to_str().unwrap()]].concat();
        let installation = installation.worker(rogue(&flags));
        let supervisor = installation.spawn();
        says(&supervisor, reason);
        fs::write(&fixed, "").unwrap();
        recovers(&supervisor);
        drop(supervisor);
        installation.assert_nothing_left();
    }
}

#[test]
fn workers_that_never_come_up_say_so_in_time() {
    let cases: [(&[&str], &str); 2] = [(&["--never-hello"], "Hello"), (&["--never-ready"], "Ready")];
    for (flags, reason) in cases {
        let installation = Installation::new();
        let fixed = installation.path("fixed");
        let flags = [flags, &["--until", fixed.to_str().unwrap()]].concat();
        let installation = installation.worker(rogue(&flags)).setting("worker_start_seconds", 2);
        let supervisor = installation.spawn();
        says(&supervisor, reason);
        fs::write(&fixed, "").unwrap();
        recovers(&supervisor);
    }
}

#[test]
fn text_before_hello_is_no_fault_and_is_logged() {
    let installation = Installation::new().worker(rogue(&["--print-before-hello", "a banner of a shell"]));
    let supervisor = installation.start();
    recovers(&supervisor);
    assert!(supervisor.log().contains("a banner of a shell"));
}

#[test]
fn a_batch_gives_up_after_five_failed_starts() {
    let installation = Installation::new().worker(rogue(&["--exit-at-once", "3"]));
    let lines = vec![json!({ "workflow": "echo" }); 3];
    let run = installation.batch(&lines, &["--keep-going"]);
    assert_eq!(run.status.code(), Some(1), "{}", run.stderr);
    assert_eq!(run.results.len(), 3);
    for row in &run.results {
        assert_eq!(
            (&row["status"], &row["error_type"]),
            (&json!("FAILED"), &json!("WorkerInitFailed")),
            "{row}"
        );
    }
    assert!(run.stderr.contains("I cannot start"), "{}", run.stderr);
}

#[test]
fn a_start_that_waits_for_its_database_answers_and_ends_on_sigterm() {
    let installation = Installation::new().setting("database_url", "postgres://nobody@127.0.0.1:1/nowhere");
    let supervisor = installation.spawn();
    eventually("it says what it waits for", SOON, || {
        let Some(response) = supervisor.client().try_get("/readyz") else { return false };
        let detail = response.body["parts"][0]["detail"].as_str().unwrap_or_default();
        response.status == 503 && detail.starts_with("the start waits for the database: ")
    });
    assert!(supervisor.log().contains("waiting for the database"));
    let alive = supervisor.client().get("/healthz");
    assert_eq!((alive.status, alive.body.as_str()), (200, Some("ok\n")));
    assert_eq!(supervisor.client().get("/api/pool").status, 503);
    assert!(supervisor.terminate(Duration::from_secs(5)).success());
}

#[test]
fn a_folder_of_workflows_that_is_not_there_is_told_at_the_start() {
    let installation = Installation::new();
    let absent = installation.path("typo");
    let installation = installation.setting("workflows_dir", absent.display());
    let supervisor = installation.start();
    let log = supervisor.log();
    let told = log.lines().find(|line| line.contains("workflows_dir cannot be read")).unwrap_or_default();
    assert!(told.contains("WARN") && told.contains(&absent.display().to_string()), "{log}");
    let plain = Installation::new();
    assert!(!plain.start().log().contains("workflows_dir cannot be read"));
}
