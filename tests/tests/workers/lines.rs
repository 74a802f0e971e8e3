//! The worker in bash and jq: alone, and under a supervisor.

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

use muster_protocol::{RunOutcome, ToSupervisor};
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
    let ToSupervisor::Finished { outcome: RunOutcome::Failed { error }, .. } = finished else {
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

/// Lines written by hand: half of a surrogate pair in the text of a log record, of a progress and of an error.
const HALVES: &str = r#"
exec 3>&1 1>&2
echo '{"Hello":{"protocol_min":1,"protocol_max":1,"implementation":"halves","language":"bash","features":["log","progress"]}}' >&3
while IFS= read -r line; do
    run=$(jq '.Execute.run // empty' <<<"$line")
    case $line in
        '{"Welcome":'*) echo '{"Ready":{"workflows":["cut"]}}' ;;
        '{"Execute":'*)
            echo "{\"Started\":{\"run\":$run}}"
            echo "{\"Progress\":{\"run\":$run,\"current\":1,\"total\":2,\"message\":\"half \\ud83d\"}}"
            echo "{\"Log\":{\"run\":$run,\"records\":[{\"logger\":\"\\ude00\",\"message\":\"cut \\ud83d\",\"fields\":{\"a\":\"\\ud83d\"}}]}}"
            error='{"kind":"Cut","message":"cut in the \ud83d"}'
            echo "{\"Finished\":{\"run\":$run,\"outcome\":{\"Failed\":{\"error\":$error}},\"log_records\":1}}"
            echo "{\"Idle\":{\"run\":$run}}"
            ;;
    esac >&3
done
"#;

#[test]
fn half_a_surrogate_pair_in_what_people_read_fails_nothing() {
    let installation = Installation::new().worker(["bash", "-c", HALVES]);
    let run = installation.batch(&[json!({ "workflow": "cut", "max_attempts": 1 })], &["--keep-going"]);
    let row = &run.results[0];
    assert_eq!(row["error_type"], "Cut", "{row} {}", run.stderr);
    assert_eq!(row["error_message"], "cut in the \u{fffd}");
    installation.assert_nothing_left();
}

/// Draws a progress bar and waits in its midst until a file is there.
const BAR: &str = r#"
exec 3>&1 1>&2
echo '{"Hello":{"protocol_min":1,"protocol_max":1,"implementation":"bar","language":"bash","features":["log"]}}' >&3
while IFS= read -r line; do
    run=$(jq '.Execute.run // empty' <<<"$line")
    case $line in
        '{"Welcome":'*) echo '{"Ready":{"workflows":["bar"]}}' ;;
        '{"Execute":'*)
            echo "{\"Started\":{\"run\":$run}}"
            printf '\r half of it' >&2
            until [ -e go ]; do sleep 0.02; done
            for ((at = 0; at < 1000; at++)); do printf '\r %d' $at >&2; done
            printf '\r all of it\n' >&2
            echo "{\"Finished\":{\"run\":$run,\"outcome\":{\"Succeeded\":{\"result\":1}},\"log_records\":0}}"
            echo "{\"Idle\":{\"run\":$run}}"
            ;;
    esac >&3
done
"#;

#[test]
#[expect(clippy::disallowed_methods, reason = "what follows an execution is a process of its own")]
fn a_progress_bar_is_seen_while_it_runs() {
    let installation = Installation::new().worker(["bash", "-c", BAR]);
    let supervisor = installation.start();
    let mut follower = installation
        .command(&["submit", "bar", "--follow"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let told = BufReader::new(follower.stderr.take().unwrap());
    let mut told = told.lines().map(Result::unwrap);
    assert!(told.by_ref().any(|line| line.contains("half of it")), "it is shown while nothing has ended it");
    std::fs::write(installation.path("go"), "").unwrap();
    let rest: Vec<String> = told.collect();
    assert!(rest.iter().any(|line| line.contains("all of it")), "{rest:?}");
    assert!(rest.len() < 20, "each state of a fast bar is a line: {rest:?}");
    assert!(follower.wait().unwrap().success());
    assert!(supervisor.terminate(std::time::Duration::from_secs(30)).success());
    installation.assert_nothing_left();
}
