//! A pause holds in every supervisor, though one of them is killed in the middle, and everything is accepted meanwhile.

use muster_tests::{Installation, TestSupervisor, eventually};
use serde_json::{Value, json};

use crate::world::{SOON, World};

const MESSAGES: usize = 20;

/// Waits until this supervisor obeys so many pauses.
#[track_caller]
fn obeys(supervisor: &TestSupervisor, count: usize) {
    eventually("the supervisor has heard of it", SOON, || {
        supervisor.client().get("/api/pool").body["pauses"].as_array().unwrap().len() == count
    });
}

#[track_caller]
fn said(installation: &Installation, words: &[&str]) -> String {
    let output = installation.run(words);
    assert!(output.status.success(), "{words:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn nothing_of_what_is_paused_starts_though_a_supervisor_is_killed() {
    let mut world = World::shared();
    let (doomed_place, heir_place) = (world.installation(), world.installation());
    let doomed = doomed_place.start();
    let running = world.queue.submit(json!({ "workflow": "second" }));
    world.record.started(&running, SOON);
    let heir = heir_place.start();
    assert!(said(&heir_place, &["pause", "workflow:second"]).starts_with("workflow:second is paused by"));
    said(&heir_place, &["pause", "workflow:echo", "--why", "the CRM is away"]);
    obeys(&doomed, 2);

    let echoes: Vec<String> = (0..MESSAGES)
        .map(|number| world.queue.submit(json!({ "workflow": "echo", "parameters": number })))
        .collect();
    let other = world.queue.submit(json!({ "workflow": "sleep", "parameters": { "ms": 1 } }));
    assert_eq!(world.record.finished(&other, SOON)["result"], "slept");
    for id in &echoes {
        assert_eq!(world.record.has_status(id, &["PENDING"], SOON)["attempt"], 0);
    }
    world.queue.has_depth(0, SOON);
    doomed.kill();
    // It was running; nobody starts it again, and it says so.
    world.record.has_status(&running, &["PENDING"], SOON);
    world.record.has_event(&running, "lost", SOON);
    let explained = heir.client().get(&format!("/api/executions/{}/explain", echoes[0])).body;
    assert_eq!(explained["reasons"][0]["kind"], "paused", "{explained}");
    let why = explained["reasons"][0]["message"].as_str().unwrap();
    assert!(why.contains("workflow:echo is paused by") && why.ends_with("the CRM is away"), "{why}");
    assert!(said(&heir_place, &["status"]).contains("workflow:echo is paused by"));
    assert!(said(&heir_place, &["show", &echoes[0]]).contains("the end of the pause of workflow:echo"));

    said(&heir_place, &["resume", "workflow:second"]);
    let row = world.record.finished(&running, SOON);
    assert_eq!((&row["status"], &row["result"]), (&json!("SUCCESS"), &json!(2)));
    assert_eq!(world.record.count("executions WHERE status = 'PENDING'"), MESSAGES as u64);
    said(&heir_place, &["resume", "workflow:echo"]);
    for id in &echoes {
        assert_eq!(world.record.finished(id, SOON)["status"], "SUCCESS");
    }
    let changes: Value = serde_json::from_str(&said(&heir_place, &["changes", "--json"])).unwrap();
    let kinds = changes["changes"].as_array().unwrap().iter().filter(|one| one["change"]["kind"] == "pause");
    assert_eq!(kinds.count(), 4);
    doomed_place.assert_nothing_left();
    world.assert_clean(heir, &heir_place);
}

#[test]
fn a_paused_queue_and_everything_paused_hold_and_go_on_after_a_new_start() {
    let mut world = World::shared();
    let place = world.installation();
    let supervisor = place.start();
    let queue = world.backends.queue.clone();
    for target in [format!("queue:{queue}"), "all".to_owned()] {
        said(&place, &["pause", &target]);
        let id = world.queue.submit(json!({ "workflow": "echo", "parameters": 1 }));
        assert_eq!(world.record.has_status(&id, &["PENDING"], SOON)["attempt"], 0);
        said(&place, &["resume", &target]);
        assert_eq!(world.record.finished(&id, SOON)["result"], 1);
    }
    said(&place, &["pause", "all"]);
    let id = world.queue.submit(json!({ "workflow": "echo", "parameters": 2 }));
    world.record.has_status(&id, &["PENDING"], SOON);
    supervisor.kill();
    let supervisor = place.start();
    obeys(&supervisor, 1);
    assert_eq!(
        world.record.execution(&id).unwrap()["attempt"],
        0,
        "it read what is paused before it claimed"
    );
    said(&place, &["resume", "all"]);
    assert_eq!(world.record.finished(&id, SOON)["result"], 2);
    world.assert_clean(supervisor, &place);
}
