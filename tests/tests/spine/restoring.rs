//! The file of the embedded database: alone in its folder after a stop, restored from a copy, and damaged.

use std::fs;
use std::os::unix::fs::FileExt as _;
use std::process::Command;
use std::time::Duration;

use muster_tests::{Installation, TestSupervisor, eventually};
use serde_json::json;

use crate::workflows::installed;

const SOON: Duration = Duration::from_secs(60);

/// The names of the files of the database.
fn files(installation: &Installation) -> Vec<String> {
    let names = fs::read_dir(installation.path("data")).unwrap();
    let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.filter(|name| name.starts_with("muster.db")).collect();
    names.sort();
    names
}

fn run(supervisor: &TestSupervisor, count: usize) {
    let client = supervisor.client();
    let one = json!({ "workflow": "echo", "parameters": { "text": "x".repeat(2_000) } });
    let answer = client.post("/api/executions/batch", &json!(vec![one; count]));
    assert_eq!(answer.status, 200, "{}", answer.body);
    eventually("all have ended", SOON, || {
        let waiting = client.get("/api/executions?status=PENDING&status=RUNNING&limit=1");
        waiting.body["executions"].as_array().unwrap().is_empty()
    });
}

/// As `sqlite3 muster.db ".backup FILE"` does.
#[expect(clippy::disallowed_methods, reason = "an administrator's program, which ends by itself")]
fn back_up(installation: &Installation, to: &str) {
    let script = "import sqlite3, sys; sqlite3.connect(sys.argv[1]).backup(sqlite3.connect(sys.argv[2]))";
    let (from, to) = (installation.path("data/muster.db"), installation.path(to));
    let status = Command::new("python3").args(["-c", script]).args([from, to]).status().unwrap();
    assert!(status.success());
}

fn rows(installation: &Installation) -> i64 {
    installation.embedded_numbers("SELECT count(*) FROM executions")[0]
}

fn is_whole(installation: &Installation) {
    assert_eq!(installation.embedded_texts("PRAGMA integrity_check"), ["ok"]);
}

#[test]
fn whatever_ends_leaves_the_file_alone_in_its_folder() {
    let installation = installed().setting("http_token", "none");
    let migrate = || {
        let migrated = installation.run(&["migrate"]);
        assert!(migrated.status.success());
        String::from_utf8(migrated.stderr).unwrap()
    };
    let said = migrate();
    assert!(said.contains("data/muster.db, which was not there"), "{said}");
    assert_eq!(migrate(), "");
    assert_eq!(files(&installation), ["muster.db"], "migrate");
    let supervisor = installation.start();
    run(&supervisor, 300);
    assert!(installation.run(&["doctor"]).status.code().is_some());
    assert!(files(&installation).len() > 1, "doctor closes it for itself alone");
    back_up(&installation, "copy.db");
    run(&supervisor, 300);
    assert!(supervisor.terminate(SOON).success());
    assert_eq!(files(&installation), ["muster.db"], "run");
    assert!(installation.run(&["doctor"]).status.code().is_some());
    assert_eq!(files(&installation), ["muster.db"], "doctor");

    fs::copy(installation.path("copy.db"), installation.path("data/muster.db")).unwrap();
    let supervisor = installation.start();
    run(&supervisor, 1);
    assert!(supervisor.terminate(SOON).success());
    assert_eq!(rows(&installation), 301);
    is_whole(&installation);

    let data_dir = installation.path("records");
    let lines = vec![json!({ "workflow": "echo", "params": 1 }); 20];
    let batch = installation.batch(&lines, &["--data-dir", data_dir.to_str().unwrap()]);
    assert!(batch.status.success(), "{}", batch.stderr);
    assert!(data_dir.join("muster.db").exists() && !data_dir.join("muster.db-wal").exists(), "batch");
}

#[test]
fn a_copy_beside_what_a_killed_supervisor_left_is_refused_and_not_mixed_with_it() {
    let installation = installed().setting("http_token", "none");
    let supervisor = installation.start();
    run(&supervisor, 40);
    back_up(&installation, "copy.db");
    run(&supervisor, 200);
    installation.embedded_sql("PRAGMA wal_checkpoint(TRUNCATE)");
    run(&supervisor, 200);
    supervisor.kill();
    let wal = fs::read(installation.path("data/muster.db-wal")).unwrap();
    assert!(!wal.is_empty());
    let (copy, database) = (installation.path("copy.db"), installation.path("data/muster.db"));
    fs::copy(&copy, &database).unwrap();

    for _ in 0..2 {
        let mut refused = installation.spawn();
        assert!(!refused.wait_exit(SOON).success());
        let log = refused.log();
        assert!(log.contains("does not hold together with the"), "{log}");
        assert!(log.contains("if a copy was put in its place, remove"), "{log}");
        assert_eq!(fs::read(&database).unwrap(), fs::read(&copy).unwrap(), "nothing is mixed into it");
    }
    let doctor = installation.run(&["doctor"]);
    let said = String::from_utf8_lossy(&doctor.stdout).into_owned();
    assert!(said.contains("FAIL  database") && said.contains("restore it from a backup"), "{said}");
    assert_eq!(fs::read(&database).unwrap(), fs::read(&copy).unwrap(), "doctor changes nothing");

    for beside in ["data/muster.db-wal", "data/muster.db-shm"] {
        fs::remove_file(installation.path(beside)).unwrap();
    }
    let supervisor = installation.start();
    assert_eq!(rows(&installation), 40);
    run(&supervisor, 1);
    supervisor.kill();
    // What a kill leaves belongs to its file, and is no reason to refuse it.
    let supervisor = installation.start();
    assert!(supervisor.terminate(SOON).success());
    assert_eq!(rows(&installation), 41);
    is_whole(&installation);
}

#[test]
fn what_ended_before_a_restart_is_compared_with_after_it() {
    let installation = installed().setting("http_token", "none");
    let supervisor = installation.start();
    run(&supervisor, 3);
    assert!(supervisor.terminate(SOON).success());
    installation.embedded_sql(
        "UPDATE supervisor_figures SET begins_at = begins_at - 3600000000; DELETE FROM supervisors",
    );
    let supervisor = installation.start();
    let report = String::from_utf8(installation.run(&["report"]).stdout).unwrap();
    let expected = "nothing ended in the last 15 minutes; in the day before it was 0.0 %";
    assert!(report.contains(expected), "{report}");
    assert!(supervisor.terminate(SOON).success());
}

#[test]
fn a_damaged_file_makes_the_supervisor_not_ready_and_says_what_to_do() {
    let installation = installed().setting("http_token", "none");
    let supervisor = installation.start();
    run(&supervisor, 20);
    assert!(supervisor.terminate(SOON).success());
    let root =
        installation.embedded_numbers("SELECT rootpage FROM sqlite_schema WHERE name = 'executions'")[0];
    let size = installation.embedded_numbers("PRAGMA page_size")[0];
    let file = fs::File::options().write(true).open(installation.path("data/muster.db")).unwrap();
    let place = u64::try_from((root - 1) * size).unwrap();
    file.write_all_at(&vec![0xff; usize::try_from(size).unwrap()], place).unwrap();

    let supervisor = installation.start();
    let client = supervisor.client();
    let refused = client.post("/api/executions", &json!({ "workflow": "echo" }));
    assert_eq!(refused.status, 503, "{}", refused.body);
    let detail = refused.body["detail"].as_str().unwrap();
    assert!(detail.starts_with("the sqlite database is damaged: "), "{detail}");
    assert!(detail.contains("restore it, as \"Backup and restore\" in OPERATIONS.md says"), "{detail}");
    let unready = eventually("it is not ready", SOON, || {
        let answer = client.try_get("/readyz").filter(|answer| answer.status == 503)?;
        Some(answer.body.to_string()).filter(|said| said.contains("the sqlite database is damaged"))
    });
    assert!(unready.contains("restore it, as"), "{unready}");
    assert!(supervisor.log().contains("so this supervisor is not ready any more"), "{}", supervisor.log());
    let doctor = installation.run(&["doctor"]);
    let said = String::from_utf8_lossy(&doctor.stdout).into_owned();
    assert!(said.contains("FAIL  database") && said.contains("does not hold together"), "{said}");

    let lines = installation.path("lines.jsonl");
    fs::write(&lines, "{\"workflow\":\"echo\"}\n".repeat(50)).unwrap();
    let url = installation.url();
    let submit = installation.run(&["submit", "--from", lines.to_str().unwrap(), "--url", &url]);
    let said = String::from_utf8_lossy(&submit.stderr).into_owned();
    assert_eq!(said.matches("is damaged").count(), 1, "{said}");
    assert!(said.contains("the same of 49 more lines"), "{said}");
}
