//! What is stored: the right status, error, attempt and duration, and the whole log also of what went wrong.

use std::time::Duration;

use muster_tests::{TestClient, process};
use serde_json::{Value, json};

use crate::workflows;

const SOON: Duration = Duration::from_secs(20);

#[track_caller]
fn ended(client: &TestClient, request: &Value) -> (String, Value) {
    let id = client.submit(request);
    let row = client.finished(&id, SOON);
    (id, row)
}

#[test]
fn rows_say_how_it_ended() {
    let installation = workflows::installed();
    let supervisor = installation.start();
    let client = supervisor.client();

    let (_, row) = ended(client, &json!({ "workflow": "sleep", "parameters": { "ms": 300 } }));
    assert_eq!((&row["status"], &row["result"]), (&json!("SUCCESS"), &json!("slept")), "{row}");
    assert_eq!((&row["attempt"], &row["execution_model"]), (&json!(1), &json!("process")), "{row}");
    let took = row["duration_ms"].as_f64().unwrap();
    assert!((300.0..320.0).contains(&took), "{took} ms for a sleep of 300");

    let (_, row) = ended(client, &json!({ "workflow": "throw" }));
    assert_eq!((&row["status"], &row["error_type"]), (&json!("FAILED"), &json!("RangeError")), "{row}");
    assert_eq!(row["error_message"], "out of it", "{row}");
    assert!(row["error_stack"].as_str().unwrap().contains("throw.js:2"), "{row}");

    let (_, row) = ended(client, &json!({ "workflow": "nowhere" }));
    assert_eq!((&row["status"], &row["error_type"]), (&json!("FAILED"), &json!("WorkflowNotFound")), "{row}");

    assert!(supervisor.terminate(SOON).success());
    installation.assert_nothing_left();
}

#[test]
fn logs_are_whole_however_it_ended() {
    let installation = workflows::installed();
    let supervisor = installation.start();
    let client = supervisor.client();
    for (then, status) in [("return", "SUCCESS"), ("throw", "FAILED"), ("hang", "TIMEOUT")] {
        let request = json!({
            "workflow": "chatty",
            "parameters": { "count": 1500, "width": 10, "then": then },
            "timeout_seconds": 2,
        });
        let (id, row) = ended(client, &request);
        assert_eq!(row["status"], status, "{row}");
        let messages: Vec<_> = client.logs(&id).iter().map(|line| line["message"].to_string()).collect();
        let numbered = messages.iter().filter(|message| message.starts_with("\"line ")).count();
        assert_eq!(numbered, 1500, "{status}");
        assert!(messages[0].starts_with("\"line 0 "), "{}", messages[0]);
    }
    let (id, row) = ended(client, &json!({ "workflow": "conformance.crash" }));
    assert_eq!((&row["status"], &row["error_type"]), (&json!("FAILED"), &json!("WorkerCrashed")), "{row}");
    assert!(row["error_message"].as_str().unwrap().contains("signal"), "{row}");
    client.logs(&id);
}

#[test]
fn a_thousand_executions_leave_nothing_behind() {
    let installation = workflows::installed();
    let supervisor = installation.start();
    let client = supervisor.client();
    let round = |count: usize| {
        let request = |number| json!({ "workflow": "echo", "parameters": { "number": number } });
        let ids: Vec<_> = (0..count).map(|number| client.submit(&request(number))).collect();
        for (number, id) in ids.iter().enumerate() {
            let row = client.finished(id, Duration::from_secs(60));
            assert_eq!(
                (&row["status"], &row["result"]["number"]),
                (&json!("SUCCESS"), &json!(number)),
                "{row}"
            );
        }
    };
    // The first round warms what is made once: connections, threads, the pool at its full size.
    round(200);
    let before = (process::descriptors(supervisor.id()).len(), process::threads(supervisor.id()));
    round(800);
    let after = (process::descriptors(supervisor.id()).len(), process::threads(supervisor.id()));
    // Of the store's four readers, each a thread and three descriptors, some are not opened before several are needed at once.
    assert!(after.0 <= before.0 + 20, "descriptors: {before:?}, then {after:?}");
    assert!(after.1 <= before.1 + 8, "threads: {before:?}, then {after:?}");
    assert!(supervisor.terminate(SOON).success());
    installation.assert_nothing_left();
}
