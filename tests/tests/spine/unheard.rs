//! A log that cannot be written or is not read: nothing depends on it.

use std::fs::OpenOptions;
use std::io::Read as _;
use std::os::unix::fs::OpenOptionsExt as _;

use muster_tests::eventually;
use rustix::fs::{CWD, FileType, Mode, OFlags, mknodat};
use serde_json::json;

use crate::workflows::installed;

const SOON: std::time::Duration = std::time::Duration::from_secs(30);

#[test]
fn a_supervisor_whose_log_cannot_be_written_goes_on() {
    // A disk that is full, and a pipe whose reader is gone, as of a terminal that was closed or of `| head`.
    for redirected in ["exec \"$@\" 2>/dev/full", "exec \"$@\" 2> >(exec true)"] {
        let installation = installed();
        let supervisor = installation.spawn_under(&["bash", "-c", redirected, "bash"]);
        supervisor.wait_ready(SOON);
        let reloaded = installation.run(&["reload", "--wait"]);
        assert!(reloaded.status.success(), "{redirected}: {reloaded:?}");
        let id = supervisor.client().submit(&json!({ "workflow": "sleep", "parameters": { "ms": 10 } }));
        let ended = supervisor.client().finished(&id, SOON);
        assert_eq!(
            (&ended["status"], &ended["attempt"]),
            (&json!("SUCCESS"), &json!(1)),
            "{redirected}: {ended}"
        );
        assert!(supervisor.terminate(SOON).success(), "{redirected}");
    }
}

#[test]
fn a_supervisor_whose_log_nobody_reads_goes_on() {
    let installation = installed().setting("log_level", "debug");
    let pipe = installation.path("unread");
    mknodat(CWD, &pipe, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
    // Open at both ends, it fills up.
    let redirected = format!("exec \"$@\" 2<>{}", pipe.display());
    let supervisor = installation.spawn_under(&["bash", "-c", &redirected, "bash"]);
    supervisor.wait_ready(SOON);
    let mut reader = OpenOptions::new()
        .read(true)
        .custom_flags(OFlags::NONBLOCK.bits().cast_signed())
        .open(&pipe)
        .unwrap();
    for _ in 0..300 {
        let id = supervisor.client().submit(&json!({ "workflow": "echo" }));
        supervisor.client().has_status(&id, "SUCCESS", SOON);
    }
    let mut read = Vec::new();
    eventually("it is told how many lines are not there", SOON, || {
        // What is there is read until nothing more is.
        let _ = reader.read_to_end(&mut read);
        String::from_utf8_lossy(&read).contains("lines of this log were dropped")
    });
    assert!(supervisor.terminate(SOON).success());
}
