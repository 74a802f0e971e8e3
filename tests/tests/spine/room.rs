//! A disk that is too full for what executions may leave: nothing is claimed, readiness says why, and it passes.

use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use muster_tests::binaries::repository;
use muster_tests::{Installation, eventually};
use serde_json::json;

use crate::workflows::installed;

const SOON: Duration = Duration::from_secs(30);
const MEGABYTE: u64 = 1024 * 1024;

const PATIENT: &str = "
import os, time
from muster_worker import workflow

@workflow
def patient(path: str):
    while not os.path.exists(path):
        time.sleep(0.02)
    return 7
";

#[test]
fn rule_19_nothing_is_claimed_without_room_for_what_it_may_leave() {
    // Only in memory a limit on the size of files holds for space that is set aside too.
    let disk = tempfile::tempdir_in("/dev/shm").unwrap();
    let installation = installed().setting("data_dir", disk.path().join("data").display());
    let supervisor = installation.start();
    let client = supervisor.client();
    supervisor.limit_files(64 * MEGABYTE);
    let resized = client.post("/api/pool/resize", &json!({ "min_workers": 2, "max_workers": 100 }));
    assert!(resized.status < 300, "{}", resized.body);
    let said = "the disk cannot hold what running executions may leave; free space in data_dir";
    eventually("readiness says what is missing", SOON, || {
        let readiness = client.get("/readyz");
        readiness.status == 503 && readiness.body.to_string().contains(said)
    });
    let id = client.submit(&json!({ "workflow": "echo", "parameters": 5 }));

    let mended_at = Timestamp::now();
    supervisor.limit_files(128 * MEGABYTE);
    let row = client.finished(&id, SOON);
    assert_eq!((&row["status"], &row["attempt"]), (&json!("SUCCESS"), &json!(1)), "{row}");
    let started_at: Timestamp = row["started_at"].as_str().unwrap().parse().unwrap();
    assert!(started_at >= mended_at, "it waited for room: {row}");
    supervisor.wait_ready(SOON);
    assert!(supervisor.terminate(SOON).success());
}

#[test]
fn a_full_disk_under_the_database_is_said_and_passes() {
    let data_dir = tempfile::tempdir().unwrap();
    let python_path = format!("PYTHONPATH={}", repository("worker/python").display());
    let installation = Installation::new()
        .worker(["python3", "-m", "muster_worker"])
        .setting("worker_env", python_path)
        .setting("data_dir", data_dir.path().display())
        .setting("http_token", "none")
        .workflow("jobs.py", PATIENT);
    let small =
        format!("mount -t tmpfs -o size=48m,mode=0700 tmpfs {} && exec \"$@\"", data_dir.path().display());
    let user: &[&str] =
        if rustix::process::geteuid().is_root() { &[] } else { &["--user", "--map-root-user"] };
    let shell: &[&str] = &["sh", "-c", &small, "sh"];
    let supervisor = installation.spawn_under(&[&["unshare", "--mount"], user, shell].concat());
    supervisor.wait_ready(SOON);
    let client = supervisor.client();
    let go_on = installation.path("go-on");
    let id = client.submit(&json!({ "workflow": "patient", "parameters": { "path": go_on } }));
    client.has_status(&id, "RUNNING", SOON);

    let inside = format!("/proc/{}/root{}", supervisor.id(), data_dir.path().display());
    let padding = Path::new(&inside).join("padding");
    fill(&padding);
    let refused = client.post("/api/executions", &json!({ "workflow": "patient" }));
    assert_eq!(refused.status, 503, "{}", refused.body);
    let said = "make room on the disk that holds it";
    assert!(refused.body.to_string().contains(said), "{}", refused.body);
    std::fs::write(&go_on, "").unwrap();
    eventually("readiness says what is missing", SOON, || {
        let readiness = client.get("/readyz");
        let text = readiness.body.to_string();
        readiness.status == 503 && text.contains(said) && text.contains("outcomes are kept until it returns")
    });

    std::fs::remove_file(&padding).unwrap();
    let row = client.finished(&id, SOON);
    assert_eq!((&row["status"], &row["result"], &row["attempt"]), (&json!("SUCCESS"), &json!(7), &json!(1)));
    supervisor.wait_ready(SOON);
    let log = supervisor.log();
    assert!(!log.contains("look for a trigger"), "{log}");
    assert!(supervisor.terminate(SOON).success());
}

/// Writes as much as there is room for.
fn fill(path: &Path) {
    use std::io::Write as _;
    let mut file = std::fs::File::create(path).unwrap();
    for chunk in [64 * 1024, 1] {
        while file.write_all(&vec![0; chunk]).is_ok() {}
    }
}
