//! `worker replay` on recordings that are not as they should be.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]
#![expect(clippy::disallowed_methods, reason = "a test starts the worker without a supervisor")]

use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};

/// Replays a run of this code with these frames after its Started.
fn replay(code: &str, context: &Value, frames: &[Value], arguments: &[&str]) -> Output {
    let head = json!({"transcript": 1, "protocol": 1, "execution_id": "e1", "attempt": 1, "workflow": "it",
        "recorded_at": "2026-01-01T00:00:00Z", "language": "javascript"});
    let execute = json!({"run": 3, "execution_id": "e1", "attempt": 1, "workflow": "it", "params": {},
        "source": {"Inline": {"language": "", "code": code}}, "context": context, "timeout_ms": 0, "grace_ms": 100});
    let mut lines = vec![head, json!({"at_us": 0, "to_worker": {"Execute": execute}})];
    lines.push(json!({"at_us": 1, "to_supervisor": {"Started": {"run": 3}}}));
    for frame in frames {
        let mut frame = frame.clone();
        frame["at_us"] = json!(2);
        lines.push(frame);
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("t.jsonl");
    std::fs::write(&file, lines.iter().map(|line| format!("{line}\n")).collect::<String>()).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_worker"));
    command.arg("replay").arg(&file).args(arguments).env_remove("MUSTER_PROTOCOL");
    command.stdin(Stdio::null()).output().unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn succeeded(result: &Value) -> Value {
    json!({"to_supervisor": {"Finished": {"run": 3, "outcome": {"Succeeded": {"result": result}}}}})
}

#[test]
fn config_without_a_place_in_the_context_is_refused() {
    let code = "export default (p, ctx) => ctx.config.get('a');";
    let done = |context: Value| replay(code, &context, &[succeeded(&json!("1"))], &["--config", "a=\"1\""]);
    for context in [json!([1]), json!("text"), json!(7), json!({"config": [1]}), json!({"config": "text"})] {
        let output = done(context.clone());
        assert_eq!(output.status.code(), Some(2), "{context}: {}", stderr(&output));
        assert!(stderr(&output).contains("so --config has no place in it"), "{context}: {}", stderr(&output));
    }
    for context in [json!(null), json!({}), json!({"config": null}), json!({"config": {"a": "***"}})] {
        let output = done(context.clone());
        assert_eq!(output.status.code(), Some(0), "{context}: {}", stderr(&output));
    }
}

#[test]
fn after_a_gap_calls_and_logs_are_not_compared() {
    let code = "export default async (p, ctx) => {
        ctx.log.info('one');
        await ctx.state.get('lost').catch(() => {});
        ctx.log.info('two');
        return ctx.state.get('a');
    };";
    let log = |message: &str| {
        let record =
            json!({"at_unix_us": 1, "level": "Info", "logger": "w", "message": message, "fields": null});
        json!({"to_supervisor": {"Log": {"run": 3, "records": [record]}}})
    };
    let frames = [
        log("one"),
        json!({"dropped": 3}),
        log("late"),
        json!({"to_supervisor": {"Call": {"run": 3, "call": 9, "method": "state.get", "params": {"key": "a"}}}}),
        json!({"to_worker": {"Reply": {"run": 3, "call": 9, "result": {"Ok": {"value": "A"}}}}}),
        succeeded(&json!("A")),
    ];
    let output = replay(code, &json!({}), &frames, &[]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(
        stderr(&output).matches("3 frames of the recording were not kept").count(),
        1,
        "{}",
        stderr(&output)
    );
}

#[test]
fn a_success_whose_result_was_not_kept_is_the_same_when_it_succeeds_again() {
    let ended = json!({"ended": {"status": "SUCCESS"}});
    let frames = [json!({"dropped": 1}), ended];
    let output = replay("export default () => 1;", &json!({}), &frames, &[]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let output = replay("export default () => { throw new Error('no'); };", &json!({}), &frames, &[]);
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    let said = stderr(&output);
    assert!(said.contains("recorded: no Finished was kept: the supervisor recorded SUCCESS"), "{said}");
}

#[test]
fn large_values_are_shown_around_their_difference() {
    let code = "export default () => 'x'.repeat(100000) + 'NOW' + 'y'.repeat(100000);";
    let then = format!("{}THEN{}", "x".repeat(100_000), "y".repeat(100_000));
    let output = replay(code, &json!({}), &[succeeded(&json!(then))], &[]);
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(1), "{said:.300}");
    assert!(
        said.contains("xTHENy") && said.contains("xNOWy") && said.len() < 4000,
        "{} bytes: {said:.300}",
        said.len()
    );
}

#[test]
fn a_run_that_goes_past_the_recording_is_seen_through_to_its_end() {
    let code = "export default async (p, ctx) => {
        const before = await ctx.state.get('seen');
        await ctx.state.set('seen', before + 1);
        await ctx.state.set('note', 'fixed');
        return [await ctx.state.get('seen'), await ctx.state.get('note')];
    };";
    let failed = json!({"kind": "TypeError", "message": "no such thing"});
    let frames = [
        json!({"to_supervisor": {"Call": {"run": 3, "call": 1, "method": "state.get", "params": {"key": "seen"}}}}),
        json!({"to_worker": {"Reply": {"run": 3, "call": 1, "result": {"Ok": {"value": 7}}}}}),
        json!({"to_supervisor": {"Finished": {"run": 3, "outcome": {"Failed": {"error": failed}}}}}),
    ];
    let output = replay(code, &json!({}), &frames, &[]);
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), r#"[8,"fixed"]"#, "{said}");
    assert!(said.contains("past the recording, which has no answer to call 2, state.set"), "{said}");
    assert!(said.contains("it and 3 more were answered here"), "{said}");
    assert!(said.contains("recorded: Failed TypeError: no such thing"), "{said}");
}
