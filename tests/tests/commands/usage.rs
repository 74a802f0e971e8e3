//! Mistakes, and a supervisor that is not there.

use super::{installed, json, run};

#[test]
fn mistakes_of_usage_exit_with_2_and_say_what_would_be_right() {
    let installation = installed();
    for (arguments, hint) in [
        (&["sumbit"][..], "submit"),
        (&["submit"][..], "WORKFLOW"),
        (&["submit", "echo", "--params", "{oops"], "is not JSON"),
        (&["submit", "echo", "--params", "@absent.json"], "absent.json cannot be read"),
        (&["show", "17"], "invalid value '17'"),
        (&["list", "--status", "DONE"], "possible values: PENDING, RUNNING"),
        (&["recycle"], "--all"),
        (&["list", "--since", "yesterday"], "write it as in 2026-05-01T06:30:00Z (RFC 3339)"),
        (&["list", "--limit", "0"], "0 is not in 1..=1000"),
        (&["list", "--limit", "1001"], "1001 is not in 1..=1000"),
        (&["list", "--limit", "-1"], "-1 is not in 1..=1000"),
        (&["submit", "echo", "--timeout", "-1"], "it must be a number of seconds above 0"),
        (&["submit", "echo", "--timeout", "soon"], "it must be a number of seconds above 0"),
        (&["config", "--max-workers", "0"], "must be from 1 to 10000"),
        (&["run", "--max-workers", "0", "--lease-seconds", "x"], "2 problems"),
        (&["run", "--min-workers", "5", "--max-workers", "2", "--lease-seconds", "x"], "2 problems"),
        (&["run", "--use-thread-workers", "--queue", ""], "2 problems"),
        (
            &["run", "--use-thread-workers"],
            "use_thread_workers (from --use-thread-workers) was removed: every",
        ),
        (&["config", "--cancel-grace-seconds", "3"], "set that instead"),
        (&["status", "--url", "localhost:7420"], "is no address"),
        (&["top"], "draws on a terminal"),
        (&["variable", "set", "..", "x"], "\"..\" cannot be a name here"),
        (&["variable", "show", ".."], "\"..\" cannot be a name here"),
        (&["variable", "remove", "."], "\".\" cannot be a name here"),
        (&["workflow", "show", ""], "\"\" cannot be a name here"),
        (&["organization", "set", ".."], "\"..\" cannot be a name here"),
        (&["schedule", "run", ".."], "\"..\" cannot be a name here"),
        (&["schedule", "pause", ""], "\"\" cannot be a name here"),
        (&["webhook", "show", "."], "\".\" cannot be a name here"),
        (&["limit", "remove", ".."], "\"..\" cannot be a name here"),
        (&["token", "remove", ".."], "\"..\" cannot be a name here"),
    ] {
        let said = run(&installation, arguments);
        assert_eq!(said.code, 2, "{arguments:?}: {}", said.err);
        assert!(said.err.contains(hint) && said.out.is_empty(), "{arguments:?}: {}", said.err);
    }
}

#[test]
fn without_a_supervisor_every_command_says_how_to_start_one() {
    let installation = installed();
    let id = "0198aa00-0000-7000-8000-000000000001";
    for arguments in [
        &["submit", "echo"][..],
        &["submit", "echo", "--wait"],
        &["status"],
        &["list"],
        &["show", id],
        &["logs", id],
        &["logs", id, "--follow"],
        &["cancel", id],
        &["retry", id],
        &["recycle", "--all"],
        &["resize", "1", "2"],
        &["reload"],
    ] {
        let said = run(&installation, arguments);
        assert_eq!((said.code, said.out.as_str()), (69, ""), "{arguments:?}: {}", said.err);
        assert!(said.err.contains("start one with `supervisor run`"), "{arguments:?}: {}", said.err);
    }
}

#[test]
fn what_config_says_is_what_the_environment_says() {
    let installation = installed().setting("queue", "other");
    let config = json(&installation, &["config", "--json", "--drain-seconds", "1.5"]);
    assert_eq!(config["queue"], serde_json::json!({"value": "other", "origin": "MUSTER_QUEUE"}));
    assert_eq!(config["drain_seconds"], serde_json::json!({"value": 1.5, "origin": "--drain-seconds"}));
}

#[test]
fn of_a_worker_that_does_not_start_one_check_is_told() {
    let installation = installed();
    let said = run(&installation, &["check-worker", "--", "false"]);
    assert_eq!(said.code, 1, "{}", said.err);
    let lines: Vec<&str> = said.out.lines().collect();
    assert!(lines[0].starts_with("FAIL ") && lines[0].contains(" hello "), "{}", said.out);
    assert!(lines[1].contains("expected: ") && lines[2].contains("seen: "), "{}", said.out);
    assert!(lines[4].starts_with("the other ") && lines[4].contains("checks were not run"), "{}", said.out);
    assert_eq!(lines.len(), 6, "{}", said.out);
    assert!(said.err.ends_with(" fix: hello\n") || said.err.contains(" fix: "), "{}", said.err);
}
