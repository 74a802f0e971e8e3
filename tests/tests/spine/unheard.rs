//! A log that cannot be written: nothing depends on it.

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
