//! The worker in bash and jq: alone, and under a supervisor.

use muster_protocol::{Outcome, ToSupervisor};
use muster_tests::{Dialogue, Installation};
use serde_json::json;

const LINES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/workers/lines.sh");

#[test]
fn it_speaks_lines_of_json() {
    let mut worker = Dialogue::start(&[LINES]);
    assert_eq!(worker.handshake(), ["log", "drain"]);
    worker.execute(1, "log", &json!({ "count": 300 }));
    assert_eq!(worker.message(), ToSupervisor::Started { run: 1 });
    assert!(matches!(worker.message(), ToSupervisor::Log { records, .. } if records.len() == 256));
    assert!(
        matches!(worker.message(), ToSupervisor::Log { records, .. } if records[43].message == "line 299")
    );
    assert!(matches!(worker.message(), ToSupervisor::Finished { log_records: 300, .. }));
    assert!(matches!(worker.message(), ToSupervisor::Idle { run: 1, .. }));
    worker.execute(2, "fail", &json!({ "kind": "Bad \"luck\"", "message": "two\nlines" }));
    assert_eq!(worker.message(), ToSupervisor::Started { run: 2 });
    let finished = worker.message();
    let ToSupervisor::Finished { outcome: Outcome::Failed { error }, .. } = finished else {
        panic!("{finished:?}")
    };
    assert_eq!((error.kind.as_str(), error.message.as_str()), ("Bad \"luck\"", "two\nlines"));
    worker.hang_up();
    assert!(worker.exit().success());
}

#[test]
fn a_supervisor_runs_it() {
    let installation = Installation::new().worker([LINES]);
    let lines = [
        json!({ "workflow": "echo", "params": { "text": "größer\nals", "deep": [[1.5, null]] } }),
        json!({ "workflow": "fail", "params": { "kind": "BadLuck", "message": "not today" } }),
        json!({ "workflow": "nothing" }),
    ];
    let run = installation.batch(&lines, &["--keep-going"]);
    assert_eq!(run.results[0]["result"], lines[0]["params"], "{}", run.stderr);
    let types: Vec<_> = run.results.iter().map(|row| row["error_type"].as_str()).collect();
    assert_eq!(types, [None, Some("BadLuck"), Some("WorkflowNotFound")], "{:?}", run.results);
    assert_eq!(run.results[1]["error_message"], "not today");
    installation.assert_nothing_left();
}
