//! The minimal worker printed in SPEC.md works as printed.

use muster_protocol::{RunOutcome, ToSupervisor};
use muster_tests::Dialogue;
use serde_json::json;

const SPECIFICATION: &str = include_str!("../../../protocol/SPEC.md");

fn finished(message: ToSupervisor) -> RunOutcome {
    let ToSupervisor::Finished { outcome, .. } = message else { panic!("no Finished but {message:?}") };
    outcome
}

#[test]
fn the_worker_in_the_specification_runs() {
    let (_, code) = SPECIFICATION.split_once("```python\n").unwrap();
    let (code, _) = code.split_once("```").unwrap();
    assert!(code.lines().count() < 100, "it is called minimal");
    let mut worker = Dialogue::start(&["python3", "-c", code]);
    assert!(worker.handshake().is_empty());

    worker.execute(1, "echo", &json!({ "name": "Ada" }));
    assert_eq!(worker.message(), ToSupervisor::Started { run: 1 });
    let outcome = finished(worker.message());
    let RunOutcome::Succeeded { result } = outcome else { panic!("{outcome:?}") };
    assert_eq!(result.parse::<serde_json::Value>().unwrap(), json!({ "name": "Ada" }));
    assert_eq!(worker.message(), ToSupervisor::Idle { run: 1, rss_bytes: 0, recycle: false });

    worker.execute(2, "fail", &json!(null));
    assert_eq!(worker.message(), ToSupervisor::Started { run: 2 });
    let outcome = finished(worker.message());
    let RunOutcome::Failed { error } = outcome else { panic!("{outcome:?}") };
    assert_eq!((error.kind.as_str(), error.message.as_str()), ("ZeroDivisionError", "division by zero"));
    assert!(error.stack.contains("Traceback"));
    assert!(matches!(worker.message(), ToSupervisor::Idle { run: 2, .. }));

    worker.execute(3, "nothing", &json!(null));
    assert!(matches!(finished(worker.message()), RunOutcome::Rejected { .. }));
    assert!(matches!(worker.message(), ToSupervisor::Idle { run: 3, .. }));

    worker.hang_up();
    assert!(worker.exit().success());
}
