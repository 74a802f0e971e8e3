//! What a person does with dead letters, on the command line.

use std::process::Output;

use muster_tests::{Backends, Installation, TestQueue, eventually};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::world::{SOON, World};

const TRACE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

#[test]
fn dead_letters_are_listed_shown_replayed_and_purged() {
    let mut world = World::shared();
    let installation = world.installation();
    let supervisor = installation.start();
    let id = Uuid::now_v7().to_string();
    world.queue.publish_bytes(b"nonsense");
    world.queue.publish_in_trace(&json!({ "execution_id": id }), TRACE);
    world.queue.has_dead_letters(2, SOON);

    let letters: Value = serde_json::from_str(&dead(&installation, &["list", "--json"])).unwrap();
    let of_id = letters.as_array().unwrap().iter().filter(|letter| letter["execution_id"] == id.as_str());
    assert_eq!((letters.as_array().unwrap().len(), of_id.count()), (2, 1), "{letters}");
    let shown = dead(&installation, &["show", &id]);
    assert!(shown.contains("PendingNotFound") && shown.contains(&id), "{shown}");
    assert!(!try_dead(&installation, &["show", &Uuid::now_v7().to_string()]).status.success());
    world.queue.has_dead_letters(2, SOON);

    world.cache.set(&format!("pending:{id}"), &json!({ "workflow": "echo", "parameters": 5 }).to_string());
    let replayed = dead(&installation, &["replay", &id]);
    assert!(replayed.contains("1 replayed, 1 of them"), "{replayed}");
    let row = world.record.has_status(&id, &["SUCCESS"], SOON);
    assert_eq!(row["result"], 5, "{row}");
    let in_its_trace = format!("execution_requests WHERE request_text LIKE '%{TRACE}%'");
    assert_eq!(world.record.count(&in_its_trace), 1, "what is replayed stays in its trace");
    world.queue.has_dead_letters(1, SOON);

    // What has no id has a key, which its content alone makes.
    world.queue.publish_bytes(b"gibberish");
    world.queue.has_dead_letters(2, SOON);
    let letters: Value = serde_json::from_str(&dead(&installation, &["list", "--json"])).unwrap();
    let key = |message: &str| {
        let letter = letters.as_array().unwrap().iter().find(|letter| letter["message"] == message);
        letter.unwrap()["key"].as_str().unwrap().to_owned()
    };
    let (nonsense, gibberish) = (key("nonsense"), key("gibberish"));
    assert!(dead(&installation, &["list"]).contains(&gibberish));
    let shown = dead(&installation, &["show", &nonsense]);
    assert!(shown.contains("\nnonsense") && !shown.contains("gibberish"), "{shown}");
    assert!(dead(&installation, &["replay", &gibberish[..8]]).contains("1 replayed, 0 of them"));
    world.queue.has_dead_letters(2, SOON);
    let unsure = try_dead(&installation, &["purge", &gibberish]);
    assert!(String::from_utf8_lossy(&unsure.stderr).contains("say so with --yes"), "{unsure:?}");
    assert!(dead(&installation, &["purge", &gibberish, "--yes"]).contains("1 purged"));
    world.queue.has_dead_letters(1, SOON);
    assert!(!try_dead(&installation, &["purge", &gibberish, "--yes"]).status.success());

    let refused = try_dead(&installation, &["purge"]);
    assert_eq!(refused.status.code(), Some(2), "{refused:?}");
    assert!(dead(&installation, &["purge", "--yes"]).contains("1 purged"));
    world.queue.has_dead_letters(0, SOON);
    world.assert_clean(supervisor, &installation);
}

#[test]
fn those_of_every_served_queue_are_looked_after_together() {
    let mut world = World::shared();
    let beside = Backends { queue: format!("{}-beside", world.backends.queue), ..world.backends.clone() };
    let queues = format!("{} {}", world.backends.queue, beside.queue);
    let installation = world.installation().setting("queues", &queues);
    let supervisor = installation.start();
    let mut other = TestQueue::of(&beside);
    world.queue.publish_bytes(b"nonsense");
    other.publish_bytes(b"nonsense");
    other.publish_bytes(b"gibberish");
    world.queue.has_dead_letters(1, SOON);
    other.has_dead_letters(2, SOON);

    let listed = dead(&installation, &["list"]);
    assert!(listed.contains(&format!("{}: ", beside.queue)) && listed.lines().count() == 3, "{listed}");
    let letters: Value =
        serde_json::from_str(&dead(&installation, &["list", "--json", "--limit", "2"])).unwrap();
    let from: Vec<_> = letters.as_array().unwrap().iter().map(|letter| letter["queue"].clone()).collect();
    assert_eq!(from, [json!(world.backends.queue), json!(beside.queue)]);

    // Each goes back to where it came from, and is dead there again.
    let key = letters[0]["key"].as_str().unwrap();
    assert!(dead(&installation, &["show", key]).contains(&format!("queue: {}\n", beside.queue)));
    assert!(dead(&installation, &["replay", key]).contains("2 replayed"));
    world.queue.has_dead_letters(1, SOON);
    other.has_dead_letters(2, SOON);
    let checked = installation.run(&["doctor"]);
    let checked = String::from_utf8(checked.stdout).unwrap();
    for (queue, count) in [(&world.backends.queue, 1), (&beside.queue, 2)] {
        let told = format!("{queue}: 0 waiting, 1 consumers, {count} dead letters");
        assert!(checked.contains(&told), "{checked}");
    }
    assert!(dead(&installation, &["purge", key, "--yes"]).contains("2 purged"));
    assert!(dead(&installation, &["purge", "--yes"]).contains("1 purged"));
    world.assert_clean(supervisor, &installation);
}

#[test]
fn a_look_at_them_makes_no_queue() {
    let mut world = World::shared();
    let installation = world.installation();
    for arguments in [&["list"][..], &["purge", "--yes"]] {
        dead(&installation, arguments);
    }
    let said = String::from_utf8(try_dead(&installation, &["list"]).stderr).unwrap();
    assert!(said.contains(&format!("queue {} (nobody has served it yet)", world.backends.queue)), "{said}");
    assert_eq!((world.queue.try_depth(false), world.queue.try_depth(true)), (None, None));
}

#[test]
fn a_stream_is_refused_and_nothing_of_it_is_taken() {
    let mut world = World::shared();
    world.queue.declare_stream();
    let installation = world.installation();
    let supervisor = installation.spawn();
    let readiness = || supervisor.client().try_get("/readyz").map(|answer| answer.body.to_string());
    eventually("it says so", SOON, || readiness().is_some_and(|said| said.contains("is a stream")));
    let checked = installation.run(&["doctor"]);
    let said = String::from_utf8(checked.stdout).unwrap();
    assert!(said.contains("is a stream") && !checked.status.success(), "{said}");
    assert!(supervisor.terminate(SOON).success());
}

fn try_dead(installation: &Installation, arguments: &[&str]) -> Output {
    installation.run(&[&["dead"], arguments].concat())
}

/// `supervisor dead ...`, which must succeed; gives its stdout.
#[track_caller]
fn dead(installation: &Installation, arguments: &[&str]) -> String {
    let output = try_dead(installation, arguments);
    assert!(output.status.success(), "dead {arguments:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}
