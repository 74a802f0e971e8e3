//! The line in the supervisor's log for each execution that ended.

use std::time::Duration;

use muster_tests::{Installation, eventually};
use serde_json::{Value, json};

use crate::workflows::ECHO;

const SOON: Duration = Duration::from_secs(20);
const FAILS: &str = "export default async () => { throw new TypeError('no'); };\n";

#[test]
fn each_execution_that_ended_is_one_line_unless_that_is_off() {
    for (log_level, are_told) in [("info", true), ("info,executions=off", false)] {
        let installation = Installation::new()
            .workflow("echo.js", ECHO)
            .workflow("fails.js", FAILS)
            .setting("log_level", log_level);
        let supervisor = installation.spawn();
        supervisor.wait_ready(SOON);
        let client = supervisor.client();
        let ids = ["echo", "fails"].map(|workflow| client.submit(&json!({ "workflow": workflow })));
        for id in &ids {
            client.finished(id, SOON);
            // It is told in the log before it is told to others.
            eventually("it is announced", SOON, || client.execution(id)["notified_at"].is_string());
        }
        let log = supervisor.log();
        let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let mut told: Vec<Value> = lines.filter(|line| line["target"] == "executions").collect();
        told.sort_by_key(|line| line["workflow"].to_string());
        if !are_told {
            assert!(told.is_empty(), "{told:?}");
            continue;
        }
        let [succeeded, failed] = told.as_slice() else { panic!("{log}") };
        assert_eq!(
            (&succeeded["message"], &succeeded["execution_id"]),
            (&json!("execution succeeded"), &json!(ids[0]))
        );
        assert_eq!(
            (&failed["message"], &failed["execution_id"]),
            (&json!("execution failed"), &json!(ids[1]))
        );
        assert!(succeeded["duration_ms"].is_number() && succeeded.get("error_type").is_none(), "{succeeded}");
        assert_eq!((&failed["level"], &failed["error_type"]), (&json!("INFO"), &json!("TypeError")));
    }
}
