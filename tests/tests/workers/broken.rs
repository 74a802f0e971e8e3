//! Workflow files that fail or hang while they are loaded, under a real supervisor: the others serve, and each of them is
//! named wherever a person looks.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops where it stands")]

use std::time::Duration;

use muster_tests::binaries::repository;
use muster_tests::{Installation, eventually};
use serde_json::json;

const SOON: Duration = Duration::from_secs(60);

#[track_caller]
fn are_named(installation: Installation, extension: &str, good: &str, hangs: &str, fails: &str) {
    let named = |name: &str| format!("{name}.{extension}");
    let installation = installation
        .setting("min_workers", 1)
        .setting("max_workers", 1)
        .setting("worker_load_seconds", 3)
        .workflow(&named("good"), good)
        .workflow(&named("billing/hangs"), hangs)
        .workflow(&named("fails"), fails);
    let supervisor = installation.start();
    let client = supervisor.client();
    let row = client.finished(&client.submit(&json!({ "workflow": "good" })), SOON);
    assert_eq!((&row["status"], &row["result"]), (&json!("SUCCESS"), &json!("good")), "{row}");

    let (hangs, fails) = (named("billing/hangs"), named("fails"));
    let readiness = client.get("/readyz");
    assert_eq!((readiness.status, &readiness.body["ready"]), (200, &json!(true)));
    let parts = readiness.body["parts"].as_array().unwrap();
    let files = parts.iter().find(|part| part["part"] == "files").unwrap();
    let detail = files["detail"].as_str().unwrap();
    assert!(detail.contains(&hangs) && detail.contains(&fails) && detail.contains("LoadTimeout"), "{detail}");

    let broken = client.get("/api/workflows").body["broken"].clone();
    let named: Vec<_> = broken.as_array().unwrap().iter().map(|one| one["file"].as_str().unwrap()).collect();
    assert_eq!(named, [hangs.as_str(), fails.as_str()], "{broken}");

    let status = installation.run(&["status"]);
    let text = String::from_utf8_lossy(&status.stdout).into_owned();
    assert!(status.status.success() && text.contains(&hangs) && text.contains(&fails), "{text}");
    for file in [&hangs, &fails] {
        eventually("the log names the file, once", SOON, || {
            let log = supervisor.log();
            let is_warning =
                |line: &&str| line.contains("workflow file cannot be loaded") && line.contains(file.as_str());
            log.lines().filter(is_warning).count() == 1
        });
    }
    assert!(supervisor.terminate(SOON).success());
    installation.assert_nothing_left();
}

#[test]
fn python_files_that_cannot_be_loaded_are_named() {
    let path = format!("PYTHONPATH={}", repository("worker/python").display());
    let installation =
        Installation::new().worker(["python3", "-m", "muster_worker"]).setting("worker_env", path);
    let head = "from muster_worker import workflow\n";
    are_named(
        installation,
        "py",
        &format!("{head}@workflow\ndef good():\n    return 'good'\n"),
        &format!("{head}import time\nwhile True:\n    time.sleep(1)\n"),
        &format!("{head}raise KeyError('not here')\n"),
    );
}

#[test]
fn node_files_that_cannot_be_loaded_are_named() {
    let command = repository("worker/node/bin/muster-worker").display().to_string();
    let head = "import { workflow } from 'muster-worker';\n";
    are_named(
        Installation::new().worker([command]),
        "js",
        &format!("{head}workflow('good', () => 'good');\n"),
        &format!("{head}for (;;);\n"),
        &format!("{head}throw new RangeError('not here');\n"),
    );
}
