//! The fleet: each supervisor shows how it is, and the verdict on all of them says what to do.

use std::time::{Duration, Instant};

use muster_tests::{Installation, TestSupervisor, eventually};
use serde_json::{Value, json};

use crate::world::{SOON, World};

/// How the supervisor of this process is, as this one sees the fleet.
fn life(seen_by: &TestSupervisor, process: &TestSupervisor) -> Option<Value> {
    let fleet = seen_by.client().get("/api/fleet").body;
    let pid = json!(process.id());
    fleet["supervisors"].as_array().unwrap().iter().find(|one| one["process_id"] == pid).cloned()
}

#[track_caller]
fn is_seen(seen_by: &TestSupervisor, process: &TestSupervisor, word: &str) -> Value {
    eventually(&format!("it is seen as {word}"), SOON, || {
        life(seen_by, process).is_some_and(|one| one["life"] == word)
    });
    life(seen_by, process).unwrap()
}

/// What `supervisor report` prints, and its exit code.
fn report(installation: &Installation) -> (String, Option<i32>) {
    let output = installation.run(&["report"]);
    (String::from_utf8(output.stdout).unwrap(), output.status.code())
}

#[test]
fn each_supervisor_is_seen_by_the_others_until_it_leaves_or_is_killed() {
    let world = World::shared();
    let (place, other_place) = (world.installation(), world.installation().setting("queue", "mail"));
    let (watcher, other) = (place.start(), other_place.start());
    // What it says at once is that its workers are not there yet, and that it is over it not only at its next turn.
    let ready_at = Instant::now();
    let seen = is_seen(&watcher, &other, "serving");
    assert!(ready_at.elapsed() < Duration::from_secs(9), "{:?}", ready_at.elapsed());
    assert_eq!(seen["said"]["queues"], json!(["mail"]));
    assert_eq!(seen["version"], env!("CARGO_PKG_VERSION"));
    is_seen(&other, &watcher, "serving");
    let (text, code) = report(&place);
    assert!(code == Some(0) && text.contains("2 supervisors live"), "{text}");

    // Nobody serves the queue of one that has left, and that is no fault of the fleet before something waits in it.
    let pid = json!(other.id());
    assert!(other.terminate(SOON).success());
    let left = |one: &Value| one["process_id"] == pid && one["life"] == "left";
    let fleet = watcher.client().get("/api/fleet").body;
    assert!(fleet["supervisors"].as_array().unwrap().iter().any(left), "{fleet}");
    assert_eq!(report(&place).1, Some(0));
    watcher.client().submit(&json!({ "workflow": "echo", "queue": "mail" }));
    eventually("the report has heard of what waits", SOON, || report(&place).1 == Some(1));
    let (text, _) = report(&place);
    assert!(
        text.starts_with("flow: failing\n  1 waits in queue \"mail\", and no supervisor serves it\n"),
        "{text}"
    );
    assert!(text.contains("next: start a supervisor with `queues = [\"mail\"]`"), "{text}");

    // One that is killed cannot say so. What it said last grows old.
    let doomed_place = world.installation();
    let doomed = doomed_place.start();
    is_seen(&watcher, &doomed, "serving");
    let pid = doomed.id();
    doomed.kill();
    let ago = "last_seen_at = last_seen_at - interval '1 minute'";
    world.record.execute(&format!("UPDATE supervisors SET {ago} WHERE process_id = {pid}"));
    let (text, _) = report(&place);
    assert!(text.contains(&format!("(process {pid}) has not been heard of for ")), "{text}");
    let shown = String::from_utf8(place.run(&["fleet"]).stdout).unwrap();
    assert!(shown.lines().any(|line| line.contains(&pid.to_string()) && line.contains("silent")), "{shown}");
}

/// A new version is rolled out: those that worked have left, and those that are asked began a moment ago.
#[test]
fn what_ended_before_a_deploy_is_compared_with_after_it() {
    let world = World::shared();
    let place = world.installation();
    let before = place.start();
    for _ in 0..3 {
        let id = before.client().submit(&json!({ "workflow": "echo" }));
        world.record.finished(&id, SOON);
    }
    assert!(before.terminate(SOON).success());
    // It worked for less than a minute, an hour ago, and is no longer among those that left lately.
    world.record.execute("UPDATE supervisor_figures SET begins_at = begins_at - interval '1 hour'");
    world.record.execute("DELETE FROM supervisors");
    let after = place.start();
    is_seen(&after, &after, "serving");
    let (text, code) = report(&place);
    assert!(text.contains("nothing ended in the last 15 minutes; in the day before it was 0.0 %"), "{text}");
    assert_eq!(code, Some(0));

    // What has just ended is told at once.
    let id = after.client().submit(&json!({ "workflow": "echo" }));
    world.record.finished(&id, SOON);
    eventually("the report knows of it", Duration::from_secs(5), || {
        report(&place).0.contains("0 of 1 failed in the last 15 minutes")
    });
}

#[test]
fn a_command_reaches_one_supervisor_or_all_and_a_transcript_comes_from_where_it_ran() {
    let world = World::shared();
    let with_token = || world.installation().setting("http_token", "one-token-for-the-fleet");
    let (place, other_place) = (with_token(), with_token().setting("queue", "mail"));
    let (first, second) = (place.start(), other_place.start());
    let other = is_seen(&first, &second, "serving")["id"].as_str().unwrap().to_owned();
    is_seen(&first, &first, "serving");
    let max_workers = |one: &TestSupervisor| one.client().get("/api/pool").body["max_workers"].clone();
    let run = |arguments: &[&str]| {
        let output = place.run(arguments);
        let [stdout, stderr] = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
        (output.status.code(), stdout, stderr)
    };

    let (code, told, _) = run(&["resize", "1", "3", "--fleet"]);
    assert!(code == Some(0) && told.matches("the pool is 1 to 3 workers now").count() == 2, "{told}");
    assert_eq!((max_workers(&first), max_workers(&second)), (json!(3), json!(3)));
    let (code, told, _) = run(&["resize", "1", "2", "--supervisor", &other, "--json"]);
    assert_eq!(code, Some(0));
    assert_eq!(serde_json::from_str::<Value>(&told).unwrap()["id"], json!(other));
    assert_eq!((max_workers(&first), max_workers(&second)), (json!(3), json!(2)));
    let (code, told, _) = run(&["reload", "--wait", "--fleet"]);
    assert!(code == Some(0) && told.matches("workers of the new generation serve").count() == 2, "{told}");

    let host = is_seen(&first, &first, "serving")["host"].as_str().unwrap().to_owned();
    let (code, _, told) = run(&["resize", "1", "2", "--supervisor", &host]);
    assert!(code == Some(2) && told.contains("name one by its id, or use --fleet"), "{told}");
    let (code, _, told) = run(&["reload", "--supervisor", "nobody"]);
    assert!(
        code == Some(2) && told.contains("no supervisor that lives is called \"nobody\"; there are "),
        "{told}"
    );
    let (code, _, told) = run(&["recycle", "worker-1", "--fleet"]);
    assert!(code == Some(2) && told.contains("a worker is one supervisor's"), "{told}");

    let failing =
        json!({ "workflow": "chatty", "parameters": { "count": 1, "then": "throw" }, "queue": "mail" });
    let id = first.client().submit(&failing);
    world.record.finished(&id, SOON);
    let (code, told, note) = run(&["transcript", &id]);
    assert!(code == Some(0) && told.contains("after all that"), "{told}{note}");
    assert!(note.contains(", which ran it (http://"), "{note}");
    assert!(second.terminate(SOON).success());
    let (code, _, told) = run(&["transcript", &id]);
    assert!(code == Some(1) && told.contains("ran on ") && told.contains("look there in "), "{told}");
}

#[test]
fn what_there_was_in_a_minute_is_noted_and_read_by_every_supervisor() {
    let world = World::shared();
    let (place, other_place) = (world.installation(), world.installation().setting("queue", "mail"));
    let (first, other) = (place.start(), other_place.start());
    let id = first.client().submit(&json!({ "workflow": "echo", "queue": "mail" }));
    world.record.finished(&id, SOON);
    // A minute is noted once it is over.
    let noted = eventually("the minute is noted", SOON * 2, || {
        let history = first.client().get("/api/history").body;
        let steps = history["steps"].as_array().unwrap().clone();
        steps.into_iter().find(|step| step["succeeded"] == 1)
    });
    assert!(noted["supervisors"].as_u64().unwrap() >= 1, "{noted}");
    assert!(noted["ran_p95_ms"].is_number() && noted["worker_seconds"]["none"].is_number(), "{noted}");
    let day = other.client().get("/api/history?span=day").body;
    let succeeded = |step: &Value| step["succeeded"].as_u64().unwrap();
    assert_eq!(day["steps"].as_array().unwrap().iter().map(succeeded).sum::<u64>(), 1, "{day}");
    assert_eq!(other.client().get("/api/history?span=year").status, 400);
}
