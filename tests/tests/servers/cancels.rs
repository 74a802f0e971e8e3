//! Cancels at any moment: one terminal state, never two.

use std::time::Duration;

use muster_tests::{TestQueue, TestSupervisor};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::world::{SOON, World, behind_gate, open_gate};

const RACES: usize = 120;
const RACERS: usize = 4;
/// The runs that are raced last up to so long, and so do the cancels wait.
const RACE_MAX_MS: u64 = 60;

#[track_caller]
fn cancel(supervisor: &TestSupervisor, id: &str) -> Value {
    let response = supervisor.client().post(&format!("/api/executions/{id}/cancel"), &json!({}));
    assert_eq!(response.status, 200, "{}", response.body);
    response.body
}

#[track_caller]
fn assert_cancelled(row: &Value) {
    assert_eq!(
        (&row["status"], &row["error_type"]),
        (&json!("CANCELLED"), &json!("CancelledError")),
        "{row}"
    );
    assert!(row["result"].is_null(), "{row}");
}

/// Submits an execution that fails and waits for its second attempt.
#[track_caller]
fn waits_for_a_retry(world: &mut World) -> String {
    let id = world.queue.submit(json!({
        "workflow": "chatty",
        "parameters": { "count": 1, "then": "throw" },
        "max_attempts": 2,
        "retry_backoff_seconds": 3600,
    }));
    world.record.has_event(&id, "retried", SOON);
    id
}

#[test]
fn a_cancel_before_the_message_keeps_it_from_running() {
    let mut world = World::shared();
    let installation = world.installation();
    let supervisor = installation.start();
    let id = Uuid::now_v7().to_string();
    assert_eq!(cancel(&supervisor, &id)["outcome"], "unknown");
    world.queue.publish(&json!({ "execution_id": id, "workflow": "echo" }));
    let after = world.queue.submit(json!({ "workflow": "echo" }));
    world.record.finished(&after, SOON);
    let row = world.record.finished(&id, SOON);
    assert_cancelled(&row);
    assert_eq!((world.record.events(&id), &row["attempt"]), (vec!["cancelled".to_owned()], &json!(0)));
    world.queue.has_dead_letters(0, SOON);
    world.assert_clean(supervisor, &installation);
}

#[test]
fn a_cancel_while_it_waits_for_a_worker_ends_it_there() {
    let mut world = World::shared();
    let installation = behind_gate(world.installation());
    let supervisor = installation.spawn();
    supervisor.wait_ready(SOON);
    let id = world.queue.submit(json!({ "workflow": "echo" }));
    world.record.has_event(&id, "claimed", SOON);
    assert_eq!(cancel(&supervisor, &id)["outcome"], "requested");
    assert_cancelled(&world.record.finished(&id, SOON));
    open_gate(&installation);
    let next = world.queue.submit(json!({ "workflow": "echo" }));
    assert_eq!(world.record.finished(&next, SOON)["status"], "SUCCESS");
    assert!(!world.record.events(&id).contains(&"started".to_owned()));
    world.assert_clean(supervisor, &installation);
}

#[test]
fn a_cancel_while_it_waits_for_a_retry_ends_it_there() {
    let mut world = World::shared();
    let installation = world.installation();
    let supervisor = installation.start();
    let id = waits_for_a_retry(&mut world);
    assert_eq!(cancel(&supervisor, &id)["outcome"], "cancelled");
    assert_cancelled(&world.record.finished(&id, SOON));
    world.assert_clean(supervisor, &installation);
}

#[test]
fn a_running_execution_is_cancelled_whichever_way_the_cancel_comes() {
    let mut world = World::shared();
    let installation = world.installation().setting("lease_seconds", 2);
    let supervisor = installation.start();
    let beside = world.installation();
    let ids: Vec<_> = (0..3)
        .map(|_| world.queue.submit(json!({ "workflow": "sleep", "parameters": { "ms": 3_600_000 } })))
        .collect();
    let [by_neighbour, by_redis, by_column] = &ids[..] else { panic!("three") };
    ids.iter().for_each(|id| drop(world.record.started(id, SOON)));
    // Started after everything was claimed, so it owns none of them.
    let peer = beside.start();
    assert_eq!(cancel(&peer, by_neighbour)["outcome"], "requested");
    world.cache.publish("cancel", &json!({ "execution_id": by_redis }));
    world
        .record
        .execute(&format!("UPDATE executions SET cancel_requested_at = now() WHERE id = '{by_column}'"));
    for id in &ids {
        let row = world.record.finished(id, SOON);
        assert_cancelled(&row);
        assert_eq!(row["attempt"], 1, "{row}");
    }
    assert!(peer.terminate(SOON).success());
    world.assert_clean(supervisor, &installation);
}

#[test]
fn a_cancel_that_races_the_end_leaves_one_terminal_state() {
    let mut world = World::shared();
    let installation = world.installation().setting("max_workers", 8).setting("graceful_shutdown_seconds", 1);
    let supervisor = installation.start();
    let seed = fastrand::u64(..);
    let mut random = fastrand::Rng::with_seed(seed);
    let heard = world.cache.listen("executions", |_| ());
    let racers: Vec<_> = (0..RACERS).map(|_| (random.fork(), TestQueue::of(&world.backends))).collect();
    let ids: Vec<String> = std::thread::scope(|scope| {
        let racers: Vec<_> = racers
            .into_iter()
            .map(|(mut random, mut queue)| {
                scope.spawn({
                    let supervisor = &supervisor;
                    move || race(supervisor, &mut queue, &mut random)
                })
            })
            .collect();
        racers.into_iter().flat_map(|racer| racer.join().unwrap()).collect()
    });
    let mut cancelled = 0;
    for id in &ids {
        let row = world.record.finished(id, SOON);
        match row["status"].as_str() {
            Some("CANCELLED") => {
                assert_cancelled(&row);
                cancelled += 1;
            }
            _ => assert_eq!((&row["status"], &row["result"]), (&json!("SUCCESS"), &json!("slept")), "{row}"),
        }
        world.cache.forgets(id, SOON);
    }
    let told = heard.so_far();
    for id in &ids {
        let mut ends: Vec<_> = told
            .iter()
            .filter(|message| message["execution_id"] == id.as_str() && message["status"] != "RUNNING")
            .map(|message| message["status"].to_string())
            .collect();
        ends.dedup();
        assert_eq!(ends.len(), 1, "seed {seed}: {id} was said to be {ends:?}");
    }
    assert!(cancelled > 0, "seed {seed}: no cancel came in time");
    world.assert_clean(supervisor, &installation);
}

/// Submits and cancels; gives the ids.
fn race(supervisor: &TestSupervisor, queue: &mut TestQueue, random: &mut fastrand::Rng) -> Vec<String> {
    let mut one = |_| {
        let parameters = json!({ "ms": random.u64(0..RACE_MAX_MS) });
        let id = queue.submit(json!({ "workflow": "sleep", "parameters": parameters }));
        // The jitter is what is tested; nothing waits for it.
        std::thread::sleep(Duration::from_millis(random.u64(0..RACE_MAX_MS)));
        cancel(supervisor, &id);
        id
    };
    (0..RACES / RACERS).map(&mut one).collect()
}

#[test]
fn a_cancel_published_on_redis_ends_what_waits() {
    let mut world = World::shared();
    let installation = world.installation();
    let supervisor = installation.start();
    let id = waits_for_a_retry(&mut world);
    world.cache.publish("cancel", &json!({ "execution_id": id }));
    assert_cancelled(&world.record.finished(&id, SOON));
    world.assert_clean(supervisor, &installation);
}

/// How often watchers were told that this one ended.
fn told_cancelled(heard: &muster_tests::ChannelEvent<()>) -> usize {
    heard.so_far().iter().filter(|message| message["status"] == "CANCELLED").count()
}

#[test]
fn a_cancel_that_ends_a_row_is_announced_once() {
    let mut world = World::shared();
    let installation = world.installation();
    let supervisor = installation.start();
    for round in 0..5 {
        let id = waits_for_a_retry(&mut world);
        let heard = world.cache.listen(&format!("execution:{id}"), |_| ());
        assert_eq!(cancel(&supervisor, &id)["outcome"], "cancelled");
        // What the cancel led to is over when something that was begun after it has gone the whole way.
        let after = world.queue.submit(json!({ "workflow": "echo" }));
        world.record.finished(&after, SOON);
        world.cache.forgets(&after, SOON);
        assert_eq!(told_cancelled(&heard), 1, "round {round}");
    }
    world.assert_clean(supervisor, &installation);
}

#[test]
fn a_cancel_is_noted_once_however_many_supervisors_hear_of_it() {
    let mut world = World::shared();
    let installation = world.installation();
    let supervisor = installation.start();
    let ids: Vec<_> = (0..2)
        .map(|_| world.queue.submit(json!({ "workflow": "sleep", "parameters": { "ms": 3_600_000 } })))
        .collect();
    ids.iter().for_each(|id| drop(world.record.started(id, SOON)));
    let besides = [(); 3].map(|()| world.installation());
    let peers: Vec<_> = besides.iter().map(muster_tests::Installation::start).collect();
    assert_eq!(cancel(&peers[0], &ids[0])["outcome"], "requested");
    assert_eq!(cancel(&peers[1], &ids[0])["outcome"], "requested", "asked again");
    world.cache.publish("cancel", &json!({ "execution_id": ids[1] }));
    // A later command on the same connection says that the cancels were heard.
    world.cache.publish("command", &json!({ "action": "resize", "min_workers": 1, "max_workers": 7 }));
    for peer in &peers {
        muster_tests::eventually("the commands are obeyed", SOON, || {
            peer.client().get("/api/pool").body["max_workers"] == 7
        });
    }
    let noted = |id: &String| {
        assert_cancelled(&world.record.finished(id, SOON));
        world.record.events(id).iter().filter(|event| *event == "cancel_requested").count()
    };
    assert_eq!(noted(&ids[0]), 1, "by two supervisors");
    assert!(noted(&ids[1]) <= 1, "by whoever hears it first, if its owner does not");
    for peer in peers {
        assert!(peer.terminate(SOON).success());
    }
    world.assert_clean(supervisor, &installation);
}
