//! A disk that is too full for what executions may leave: nothing is claimed, readiness says why, and it passes.

use std::time::Duration;

use jiff::Timestamp;
use muster_tests::eventually;
use serde_json::json;

use crate::workflows::installed;

const SOON: Duration = Duration::from_secs(30);
const MEGABYTE: u64 = 1024 * 1024;

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
