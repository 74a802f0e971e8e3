//! A copy of the data directory of a supervisor that lives, as it is made to try something on it.

use std::path::Path;
use std::{fs, io};

use serde_json::json;

use crate::workflows::installed;

const SOON: std::time::Duration = std::time::Duration::from_secs(30);

/// Without the database, which is written to meanwhile.
fn copy_folder(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let from = entry?.path();
        let name = from.file_name().unwrap();
        match to.join(name) {
            to if from.is_dir() => copy_folder(&from, &to)?,
            _ if name.to_string_lossy().starts_with("muster.db") => {}
            to => fs::copy(&from, &to).map(drop)?,
        }
    }
    Ok(())
}

#[test]
fn a_supervisor_on_a_copy_leaves_the_workers_of_the_original_alone() {
    let (original, copy) = (installed(), installed());
    let supervisor = original.start();
    let id = supervisor.client().submit(&json!({ "workflow": "sleep", "parameters": { "ms": 4_000 } }));
    supervisor.client().has_status(&id, "RUNNING", SOON);
    let workers = supervisor.workers();
    assert!(!workers.is_empty());

    copy_folder(&original.path("data"), &copy.path("data")).unwrap();
    let beside = copy.start();
    assert_eq!(supervisor.workers(), workers);
    let said = "this data_dir is a copy of one whose supervisor lives: its workers are left alone";
    assert!(beside.log().contains(said), "{}", beside.log());
    let ended = supervisor.client().finished(&id, SOON);
    assert_eq!((&ended["status"], &ended["attempt"]), (&json!("SUCCESS"), &json!(1)), "{ended}");
    assert!(beside.terminate(SOON).success());
    assert!(supervisor.terminate(SOON).success());
}
