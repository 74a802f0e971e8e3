//! Messages whose moment is to come, and queues beside the first.

use muster_tests::{Backends, TestQueue};
use serde_json::json;

use crate::world::{SOON, World};

#[test]
fn a_message_whose_moment_is_to_come_is_a_row_and_holds_up_nobody() {
    let mut world = World::shared();
    let installation = world.installation().setting("min_workers", 1).setting("max_workers", 1);
    let supervisor = installation.start();
    let later = world.queue.submit(json!({ "workflow": "echo", "delay_seconds": 3 }));
    let now = world.queue.submit(json!({ "workflow": "echo" }));
    assert_eq!(world.record.finished(&now, SOON)["status"], "SUCCESS");
    world.queue.has_depth(0, SOON);
    let row = world.record.execution(&later).unwrap();
    assert_eq!((&row["status"], &row["queue"]), (&json!("PENDING"), &json!(world.backends.queue)), "{row}");
    assert_eq!(world.record.finished(&later, SOON)["status"], "SUCCESS");
    assert_eq!(world.record.events(&later), ["claimed", "started", "finalized"]);

    let late =
        world.queue.submit(json!({ "workflow": "echo", "expires_at": "2001-01-01T00:00:00Z", "sync": true }));
    let row = world.record.finished(&late, SOON);
    assert_eq!((&row["status"], &row["error_type"]), (&json!("CANCELLED"), &json!("Expired")), "{row}");
    world.cache.take(&format!("result:{late}"), SOON);
    world.assert_clean(supervisor, &installation);
}

#[test]
fn every_queue_that_is_served_is_consumed() {
    let mut world = World::shared();
    let python = Backends { queue: format!("{}-python", world.backends.queue), ..world.backends.clone() };
    let queues = format!("{} {}", world.backends.queue, python.queue);
    let installation = world.installation().setting("queues", &queues);
    let supervisor = installation.start();
    let mut beside = TestQueue::of(&python);
    let (one, two) =
        (world.queue.submit(json!({ "workflow": "echo" })), beside.submit(json!({ "workflow": "echo" })));
    assert_eq!(world.record.finished(&one, SOON)["queue"], json!(world.backends.queue));
    assert_eq!(world.record.finished(&two, SOON)["queue"], json!(python.queue));
    // A message names a queue that nobody serves: it waits there, and not in RabbitMQ.
    let elsewhere = world.queue.submit(json!({ "workflow": "echo", "queue": "nobodys" }));
    world.queue.has_depth(0, SOON);
    muster_tests::eventually("the message is a row", SOON, || {
        world.record.count(&format!("executions WHERE id = '{elsewhere}' AND status = 'PENDING'")) == 1
    });
    supervisor.client().post(&format!("/api/executions/{elsewhere}/cancel"), &json!({}));
    world.record.finished(&elsewhere, SOON);
    world.assert_clean(supervisor, &installation);
}
