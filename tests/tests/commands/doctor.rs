//! `supervisor doctor`: what it sees of a healthy installation and of broken ones, and that it changes nothing.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use muster_tests::{Installation, Services, rogue};
use serde_json::Value;

use super::{Said, installed, run};

/// Every check has a limit; on a busy machine this is above all that are at work here.
const BOUNDED: Duration = Duration::from_secs(40);

/// Runs `doctor --json` and gives its exit code and its report.
#[track_caller]
fn doctor(installation: &Installation) -> (i32, Value) {
    let started = Instant::now();
    let Said { code, out, err } = run(installation, &["doctor", "--json"]);
    assert!(started.elapsed() < BOUNDED, "it took {:?}", started.elapsed());
    (code, serde_json::from_str(&out).unwrap_or_else(|error| panic!("{error}: {out}{err}")))
}

/// The findings of one check.
#[track_caller]
fn findings<'a>(report: &'a Value, check: &str) -> Vec<&'a Value> {
    let all = report["findings"].as_array().unwrap();
    let found: Vec<_> = all.iter().filter(|finding| finding["check"] == check).collect();
    assert!(!found.is_empty(), "no finding about {check}: {report:#}");
    found
}

/// The only finding of a check, with this verdict; gives what was seen and the fix.
#[track_caller]
fn only<'a>(report: &'a Value, check: &str, verdict: &str) -> (&'a str, &'a str) {
    let found = findings(report, check);
    assert_eq!(found.len(), 1, "{report:#}");
    assert_eq!(found[0]["verdict"], verdict, "{}", found[0]);
    (found[0]["seen"].as_str().unwrap(), found[0]["mend"].as_str().unwrap_or_default())
}

#[track_caller]
fn all_well(report: &Value) {
    for finding in report["findings"].as_array().unwrap() {
        // Whether this wall stands depends on who runs the tests: an administrator's workers may read everything.
        if ["memory", "worker-user"].iter().any(|name| finding["check"] == *name) {
            continue;
        }
        assert_eq!(finding["verdict"], "ok", "{finding}");
    }
}

#[test]
fn the_embedded_default_is_well_before_its_first_start_and_nothing_is_made() {
    let installation = installed();
    let (code, report) = doctor(&installation);
    all_well(&report);
    assert_eq!((code, &report["ok"]), (0, &Value::Bool(true)));
    let (seen, _) = only(&report, "worker", "ok");
    assert!(seen.contains("javascript") && seen.contains("ready in"), "{seen}");
    assert!(only(&report, "database", "ok").0.contains("not there yet"), "{report:#}");
    for finding in report["findings"].as_array().unwrap() {
        only(&report, finding["check"].as_str().unwrap(), finding["verdict"].as_str().unwrap());
    }
    assert!(!installation.path("data").exists(), "it made the data directory");

    let text = run(&installation, &["doctor"]);
    assert_eq!((text.code, text.err.as_str()), (0, ""));
    assert!(
        text.out.lines().all(|line| line.starts_with("ok ")
            || [" memory ", " worker-user "].iter().any(|name| line.contains(name))),
        "{}",
        text.out
    );
    installation.assert_nothing_left();
}

#[test]
fn beside_a_running_supervisor_all_is_well_and_it_is_named() {
    let installation = installed();
    let supervisor = installation.start();
    let (code, report) = doctor(&installation);
    all_well(&report);
    assert_eq!(code, 0);
    let holder = format!("process {}", supervisor.id());
    assert!(only(&report, "data_dir", "ok").0.contains(&holder), "{report:#}");
    assert!(only(&report, "http", "ok").0.contains("a supervisor answers"), "{report:#}");
    assert!(only(&report, "database", "ok").0.contains("schema 23 of 23"), "{report:#}");
}

#[test]
fn a_worker_that_cannot_start_fails_with_the_reason() {
    let folder = tempfile::tempdir().unwrap();
    let script = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(&path, mode).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let ends = script("ends", "#!/bin/sh\necho 'no such module: muster' >&2\nexit 3\n");
    let talks = script("talks", "#!/bin/sh\nexec cat /dev/zero | tr '\\0' 'x'\n");
    for (command, seen, fix) in [
        (vec!["/no/such/worker".to_owned()], "cannot be started", "install /no/such/worker"),
        (vec![ends], "on stderr: no such module: muster", "run the command as it is run here"),
        (vec![talks], "before Hello", "print to stderr"),
        (rogue(&["--init-failed", "no workflows"]), "user code cannot be loaded", "correct the workflows"),
    ] {
        let installation = installed().worker(&command);
        let (code, report) = doctor(&installation);
        let found = only(&report, "worker", "fail");
        assert_eq!((code, &report["ok"]), (1, &Value::Bool(false)), "{report:#}");
        assert!(found.0.contains(seen) && found.1.contains(fix), "{found:?}");
        installation.assert_nothing_left();
    }
    let said = run(&installed().worker(["/no/such/worker"]), &["doctor"]);
    let line = said.out.lines().find(|line| line.starts_with("FAIL  worker")).unwrap();
    assert!(line.contains("; fix: "), "{line}");
}

#[test]
fn a_launcher_is_told_with_what_it_costs_and_a_worker_by_itself_has_none() {
    let worker = muster_tests::binaries::worker().display().to_string();
    let (_, report) = doctor(&installed());
    let all = report["findings"].as_array().unwrap();
    assert!(!all.iter().any(|finding| finding["check"] == "launcher"), "{report:#}");

    let script = format!("sleep 0.3; {worker}; true");
    let slow = installed().worker(["sh", "-c", &script]);
    let (_, report) = doctor(&slow);
    let (seen, fix) = only(&report, "launcher", "warn");
    assert!(seen.contains(&format!("the worker itself ({worker})")), "{seen}");
    assert!(seen.ends_with("and a process more for each worker"), "{seen}");
    assert!(fix.contains("name the worker itself in worker_command"), "{fix}");
    slow.assert_nothing_left();

    let (_, report) = doctor(&installed().worker(["env", "SET=by it", &worker]));
    let seen = findings(&report, "launcher")[0]["seen"].as_str().unwrap();
    assert!(seen.ends_with("ms more for each start"), "{seen}");
}

#[test]
fn an_address_that_another_supervisor_has_is_taken() {
    let installation = installed();
    let _supervisor = installation.start();
    let other = installed().setting("http_bind", installation.url().trim_start_matches("http://"));
    let (code, report) = doctor(&other);
    let (seen, fix) = only(&report, "http", "fail");
    assert_eq!(code, 1, "{report:#}");
    assert!(seen.contains("a supervisor of another data_dir answers on"), "{seen}");
    assert!(fix.contains("another http_bind"), "{fix}");
}

#[test]
fn wrong_settings_and_taken_addresses_are_findings() {
    let stranger = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = stranger.local_addr().unwrap();
    // A client that is told nothing would wait for an answer.
    std::thread::spawn(move || stranger.incoming().for_each(drop));
    let (code, report) = doctor(&installed().setting("http_bind", address));
    assert_eq!(code, 1);
    assert!(only(&report, "http", "fail").0.contains("in use by another program"), "{report:#}");

    let (code, report) = doctor(&installed().setting("max_workers", 0).setting("lease_seconds", "x"));
    assert_eq!((code, findings(&report, "settings").len()), (1, 2), "{report:#}");
    assert_eq!(run(&installed(), &["doctor", "--max-worker", "3"]).code, 2);
}

#[test]
fn servers_that_are_not_there_fail_and_passwords_do_not_show() {
    let installation = installed()
        .setting("database_url", "postgres://muster:s3cret@127.0.0.1:1/muster")
        .setting("amqp_url", "amqp://muster:s3cret@127.0.0.1:1/%2f")
        .setting("redis_url", "redis://:s3cret@127.0.0.1:1");
    let (code, report) = doctor(&installation);
    assert_eq!(code, 1);
    for check in ["database", "rabbitmq", "redis"] {
        let (seen, fix) = only(&report, check, "fail");
        assert!(seen.contains("refused") && fix.starts_with("start it"), "{seen}; {fix}");
    }
    assert!(!report.to_string().contains("s3cret"), "{report:#}");
}

#[test]
fn real_servers_are_well_before_and_after_the_first_start() {
    let services = Services::shared();
    let backends = services.fresh();
    let installation = installed().backends(&backends);
    let (code, report) = doctor(&installation);
    all_well(&report);
    assert_eq!(code, 0);
    assert!(only(&report, "database", "ok").0.contains("schema 0 of "), "{report:#}");
    let absent = format!("queue {} not there yet", backends.queue);
    assert!(only(&report, "rabbitmq", "ok").0.contains(&absent), "{report:#}");
    assert!(only(&report, "redis", "ok").0.contains("keys and channels work"), "{report:#}");
    let (_, again) = doctor(&installation);
    assert!(only(&again, "database", "ok").0.contains("schema 0 of "), "it migrated: {again:#}");
    assert!(only(&again, "rabbitmq", "ok").0.contains(&absent), "it made the queue: {again:#}");

    let supervisor = installation.start();
    let (code, report) = doctor(&installation);
    all_well(&report);
    assert_eq!(code, 0);
    let (_, schema) = only(&report, "database", "ok").0.split_once("schema ").unwrap();
    let (has, needs) = schema.split_once(',').unwrap().0.split_once(" of ").unwrap();
    assert!(has == needs && has != "0", "{report:#}");
    let (seen, _) = only(&report, "rabbitmq", "ok");
    assert!(seen.starts_with(|letter: char| letter.is_ascii_digit()), "a version first: {seen}");
    assert!(seen.contains(&format!("{}: 0 waiting", backends.queue)), "{seen}");
    assert!(supervisor.terminate(Duration::from_secs(20)).success());
}

#[test]
fn a_database_that_does_not_exist_is_named() {
    let services = Services::shared();
    let url = services.fresh().database_url.replace("/test_", "/absent_");
    let (code, report) = doctor(&installed().setting("database_url", url));
    let (seen, fix) = only(&report, "database", "fail");
    assert!(code == 1 && seen.contains("does not exist"), "{seen}");
    assert!(fix.contains("correct database_url"), "{fix}");
}
