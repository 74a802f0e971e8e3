//! Workflows written in Rust: the example worker, driven like any other.

mod support;

use muster_protocol::{CallResult, JsonBytes, RunOutcome};
use serde_json::{Value, json};
use support::examples;
use support::start::Start;

/// Cargo builds examples beside the tests' binaries.
fn rust_worker() -> std::path::PathBuf {
    let worker = std::path::Path::new(env!("CARGO_BIN_EXE_worker"));
    worker.with_file_name("examples").join("rust_worker")
}

#[test]
fn an_async_workflow_asks_logs_and_answers() {
    let (examples, program) = (examples(), rust_worker());
    let mut peer = Start { program: Some(&program), ..Start::in_folder(&examples) }.ready();
    let run = peer.execute("visit", &json!({ "name": "Ada" }));
    let mut asked = Vec::new();
    let seen = peer.collect_with(run, |method, params| {
        asked.push((method.to_owned(), params.parse::<Value>().unwrap()));
        let value = if method == "state.get" { JsonBytes::of(&41) } else { JsonBytes::NONE };
        CallResult::Ok { value }
    });
    assert_eq!(seen.result(), json!({ "name": "Ada", "visits": 42 }));
    assert_eq!(
        asked,
        [
            ("state.get".to_owned(), json!({ "key": "visits/Ada" })),
            ("state.set".to_owned(), json!({ "key": "visits/Ada", "value": 42 })),
        ]
    );
    assert_eq!(seen.messages(), ["Ada came by"]);
    assert_eq!(seen.logs[0].logger, "rust_worker");
    assert_eq!(seen.logs[0].fields.parse::<Value>().unwrap(), json!({ "visits": 42 }));
}

#[test]
fn a_blocking_workflow_computes_reports_and_ends_when_asked() {
    let (examples, program) = (examples(), rust_worker());
    let mut peer = Start { program: Some(&program), ..Start::in_folder(&examples) }.ready();
    let seen = peer.run("primes", &json!({ "below": 1_000_000 }));
    assert_eq!(seen.result(), json!(78_498));
    assert!(!seen.progress.is_empty());

    let seen = peer.run("primes", &json!({ "below": 1_000_000_000 }));
    assert_eq!((seen.error().kind.as_str(), seen.error().retryable), ("TooMany", Some(false)));
    assert_eq!(peer.run("primes", &json!({ "below": "x" })).error().kind, "InvalidParameters");

    let run = peer.execute("primes", &json!({ "below": 20_000_000 }));
    peer.wait_started(run);
    peer.cancel(run, muster_protocol::CancelReason::User);
    let seen = peer.collect(run);
    assert!(matches!(seen.outcome, RunOutcome::Cancelled { .. }), "{:?}", seen.outcome);
}

#[test]
fn a_worker_without_javascript_rejects_files_and_inline_code() {
    let (examples, program) = (examples(), rust_worker());
    let mut peer = Start { program: Some(&program), ..Start::in_folder(&examples) }.ready();
    assert!(peer.run("hello", &json!({})).rejected().contains("there is no workflow \"hello\""));
    assert!(peer.inline("export default () => 1", &json!({})).rejected().contains("runs no inline code"));
}

#[test]
fn a_panic_is_a_failure_with_its_place() {
    let (examples, program) = (examples(), rust_worker());
    let mut peer = Start { program: Some(&program), ..Start::in_folder(&examples) }.ready();
    // A negative duration cannot be, and this workflow does not check what it is given.
    let seen = peer.run("conformance.sleep", &json!({ "seconds": -1 }));
    assert_eq!(seen.error().kind, "Panic");
    assert!(seen.error().stack.contains("panicked at"), "{:?}", seen.error());
    peer.run("conformance.echo", &json!({})).result();
}
