//! Each of the three servers goes away in mid-run and comes back: nothing is lost, nothing ends twice, and
//! readiness names what is broken.

use muster_tests::{ServerKind, Services, TestSupervisor, eventually};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::world::{SOON, World};

/// So many runs are under way when the server goes.
const RUNS: usize = 3;
/// Shorter than any run of this file.
const CONSUMER_TIMEOUT_MS: u32 = 1500;

#[test]
fn runs_end_while_postgresql_is_away() {
    let mut world = World::on(Services::private());
    let installation = world.installation();
    let supervisor = installation.start();
    let kept =
        running(&mut world, json!({ "workflow": "sleep", "parameters": { "ms": 1500 }, "sync": true }));
    world.services.kill(ServerKind::Postgres);
    let store = unready_part(&supervisor, "store");
    assert!(!store["detail"].as_str().unwrap().is_empty(), "{store}");
    let outbox = installation.path("data/outbox");
    eventually("their ends are on disk", SOON, || {
        let bytes = std::fs::read(&outbox).unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes);
        kept.iter().all(|id| text.contains(id))
    });
    // Another process finishes what this one could not.
    supervisor.kill();
    let supervisor = installation.spawn();
    world.services.start_again(ServerKind::Postgres);
    supervisor.wait_ready(SOON);
    for id in &kept {
        let row = world.record.finished(id, SOON);
        assert_eq!((&row["status"], &row["result"]), (&json!("SUCCESS"), &json!("slept")), "{row}");
        assert_eq!(row["attempt"], 1, "it ran once: {row}");
        let reply = world.cache.take(&format!("result:{id}"), SOON);
        assert_eq!(reply["result"], "slept", "whoever waits is told, although another process finished it");
    }

    // A restart that is over before a run is.
    let through = running(&mut world, json!({ "workflow": "sleep", "parameters": { "ms": 4000 } }));
    world.services.restart(ServerKind::Postgres);
    for id in &through {
        let row = world.record.finished(id, SOON);
        assert_eq!((&row["status"], &row["attempt"]), (&json!("SUCCESS"), &json!(1)), "{row}");
    }
    supervisor.wait_ready(SOON);
    let next = world.queue.submit(json!({ "workflow": "echo" }));
    assert_eq!(world.record.finished(&next, SOON)["status"], "SUCCESS");
    world.assert_clean(supervisor, &installation);
}

#[test]
fn what_cannot_be_prepared_waits_and_nothing_fails() {
    let mut world = World::shared();
    let installation = world.installation();
    let supervisor = installation.start();
    world.record.execute("ALTER TABLE config_entries RENAME TO config_entries_away");
    let ids: Vec<_> = (0..RUNS).map(|_| world.queue.submit(json!({ "workflow": "echo" }))).collect();
    let intake = unready_part(&supervisor, "intake");
    assert!(intake["detail"].as_str().unwrap().contains("cannot be fetched"), "{intake}");
    for id in &ids {
        let row = world.record.has_status(id, &["PENDING"], SOON);
        assert_eq!(row["attempts_charged"], 0, "{row}");
    }
    world.record.execute("ALTER TABLE config_entries_away RENAME TO config_entries");
    for id in &ids {
        assert_eq!(world.record.finished(id, SOON)["status"], "SUCCESS");
    }
    supervisor.wait_ready(SOON);
    world.assert_clean(supervisor, &installation);
}

#[test]
fn long_runs_and_restarts_are_no_matter_to_rabbitmq() {
    let mut world = World::on(Services::with_consumer_timeout(CONSUMER_TIMEOUT_MS));
    let installation = world.installation();
    let supervisor = installation.start();
    let long =
        running(&mut world, json!({ "workflow": "sleep", "parameters": { "ms": 4 * CONSUMER_TIMEOUT_MS } }));
    // To know that the broker would: a consumer that holds a message so long loses its channel.
    let held = world.queue.hold_a_message();
    eventually("a slow consumer loses its channel", SOON, || held.is_closed());
    for id in &long {
        let row = world.record.finished(id, SOON);
        assert_eq!((&row["status"], &row["attempt"]), (&json!("SUCCESS"), &json!(1)), "{row}");
        assert_eq!(world.record.events(id), ["claimed", "started", "finalized"]);
    }
    assert!(!supervisor.log().contains("rabbitmq was lost"), "the connection held: {}", supervisor.log());

    let through = running(&mut world, json!({ "workflow": "sleep", "parameters": { "ms": 1500 } }));
    world.services.kill(ServerKind::RabbitMq);
    let queue = unready_part(&supervisor, "queue");
    assert!(queue["detail"].as_str().unwrap().starts_with("rabbitmq: "), "{queue}");
    for id in &through {
        assert_eq!(world.record.finished(id, SOON)["status"], "SUCCESS", "it needs no broker to end");
    }
    // Without a broker the rows are still polled.
    let by_http = supervisor.client().submit(&json!({ "workflow": "echo" }));
    assert_eq!(world.record.finished(&by_http, SOON)["status"], "SUCCESS");
    world.services.start_again(ServerKind::RabbitMq);
    supervisor.wait_ready(SOON);
    let next = world.queue.submit(json!({ "workflow": "echo" }));
    assert_eq!(world.record.finished(&next, SOON)["status"], "SUCCESS");
    world.queue.has_dead_letters(0, SOON);
    world.assert_clean(supervisor, &installation);
}

#[test]
fn redis_may_forget_everything_and_go() {
    let mut world = World::on(Services::private());
    let installation = world.installation();
    let supervisor = installation.start();
    let flushed = running(&mut world, json!({ "workflow": "sleep", "parameters": { "ms": 1000 } }));
    world.cache.flush();
    for id in &flushed {
        assert_eq!(world.record.finished(id, SOON)["status"], "SUCCESS");
    }
    let through = running(&mut world, json!({ "workflow": "sleep", "parameters": { "ms": 1000 } }));
    world.services.kill(ServerKind::Redis);
    for id in &through {
        assert_eq!(world.record.finished(id, SOON)["status"], "SUCCESS", "it needs no cache to end");
    }
    let whole = world.queue.submit(json!({ "workflow": "echo", "parameters": {}, "sync": true }));
    assert_eq!(world.record.finished(&whole, SOON)["status"], "SUCCESS", "nor to run");
    let minimal = Uuid::now_v7().to_string();
    world.queue.publish(&json!({ "execution_id": minimal }));
    let partial = Uuid::now_v7().to_string();
    world.queue.publish(&json!({ "execution_id": partial, "workflow": "echo" }));
    // It is named, and no reason not to be ready.
    let bus = eventually("readiness names redis", SOON, || {
        let response = supervisor.client().get("/readyz");
        assert_eq!(response.status, 200, "{}", response.body);
        part(&response.body, "bus").filter(|bus| bus["detail"].as_str().unwrap().contains("redis"))
    });
    for id in [&minimal, &partial] {
        assert!(world.record.execution(id).is_none(), "that nobody can ask is no evidence: {bus}");
    }

    world.services.start_again(ServerKind::Redis);
    world.cache.set(&format!("pending:{minimal}"), r#"{"workflow":"echo","parameters":"found"}"#);
    let row = world.record.finished(&minimal, SOON);
    assert_eq!((&row["status"], &row["result"]), (&json!("SUCCESS"), &json!("found")), "{row}");
    let row = world.record.finished(&partial, SOON);
    assert_eq!(row["result"], json!({}), "it waited for a record that might have been there: {row}");
    assert_eq!(world.cache.take(&format!("result:{whole}"), SOON)["status"], "SUCCESS", "replied late");
    world.queue.has_dead_letters(0, SOON);
    world.assert_clean(supervisor, &installation);
}

/// Submits runs and waits until they are under way.
#[track_caller]
fn running(world: &mut World, request: Value) -> Vec<String> {
    let ids: Vec<_> = (0..RUNS).map(|_| world.queue.submit(request.clone())).collect();
    ids.iter().for_each(|id| drop(world.record.started(id, SOON)));
    ids
}

/// Waits until readiness says that this part, and no other, is broken.
#[track_caller]
fn unready_part(supervisor: &TestSupervisor, name: &str) -> Value {
    eventually(&format!("readiness names {name}"), SOON, || {
        let response = supervisor.client().get("/readyz");
        part(&response.body, name).filter(|part| response.status == 503 && part["ready"] == false)
    })
}

fn part(readiness: &Value, name: &str) -> Option<Value> {
    readiness["parts"].as_array()?.iter().find(|part| part["part"] == name).cloned()
}
