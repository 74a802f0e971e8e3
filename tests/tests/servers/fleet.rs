//! The fleet: each supervisor shows how it is, and the verdict on all of them says what to do.

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
    let seen = is_seen(&watcher, &other, "serving");
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
