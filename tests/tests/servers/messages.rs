//! Messages as they come: repeated, minimal, unusable.

use muster_tests::eventually;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::world::{SOON, World};

#[test]
fn the_same_message_three_times_is_one_run() {
    let mut world = World::shared();
    let installation = world.installation();
    let supervisor = installation.start();
    let ids: Vec<_> = (0..8).map(|_| Uuid::now_v7().to_string()).collect();
    let message =
        |id: &String| json!({ "execution_id": id, "workflow": "sleep", "parameters": { "ms": 50 } });
    for _ in 0..2 {
        ids.iter().for_each(|id| world.queue.publish(&message(id)));
    }
    for id in &ids {
        assert_eq!(world.record.finished(id, SOON)["status"], "SUCCESS");
    }
    ids.iter().for_each(|id| world.queue.publish(&message(id)));
    world.queue.has_depth(0, SOON);
    // Behind the repetitions, so they have been seen when this has ended.
    let last = world.queue.submit(json!({ "workflow": "echo" }));
    world.record.finished(&last, SOON);
    for id in &ids {
        assert_eq!(world.record.events(id), ["claimed", "started", "finalized"], "{id}");
    }
    world.queue.has_dead_letters(0, SOON);
    world.assert_clean(supervisor, &installation);
}

#[test]
fn what_a_message_brings_has_waited_since_it_was_published() {
    let mut world = World::shared();
    let installation = world.installation();
    let supervisor = installation.start();
    let plain = world.queue.submit(json!({ "workflow": "echo" }));
    let at_once = world.queue.submit_published(json!({ "workflow": "echo" }), 300);
    let later = world.queue.submit_published(json!({ "workflow": "echo", "delay_seconds": 3600 }), 300);
    let waited = |id: &String| {
        let rows = world.record.select(&format!(
            "SELECT extract(epoch FROM created_at - published_at)::int AS waited FROM executions WHERE id = '{id}'"
        ));
        rows[0]["waited"].clone()
    };
    for id in [&plain, &at_once] {
        assert_eq!(world.record.finished(id, SOON)["status"], "SUCCESS");
    }
    assert_eq!(waited(&plain), Value::Null);
    for id in [&at_once, &later] {
        eventually("its row is there", SOON, || world.record.execution(id));
        assert!((300..360).contains(&waited(id).as_i64().unwrap()), "{id}: {}", waited(id));
    }
    let said = supervisor.client().get(&format!("/api/executions/{later}/explain")).body.to_string();
    assert!(said.contains("waits_since"), "{said}");
    let metrics = supervisor.client().get("/metrics").body.as_str().unwrap().to_owned();
    let line = metrics.lines().find(|line| line.starts_with("muster_start_wait_seconds_sum")).unwrap();
    let sum: f64 = line.rsplit(' ').next().unwrap().parse().unwrap();
    assert!((300.0..400.0).contains(&sum), "{line}");
    supervisor.client().post(&format!("/api/executions/{later}/cancel"), &json!({}));
    world.queue.has_dead_letters(0, SOON);
    world.assert_clean(supervisor, &installation);
}

#[test]
fn a_message_with_parameters_that_the_code_refuses_fails_before_a_worker_is_asked() {
    let mut world = World::shared();
    let typed = "export const muster = { parameters: { type: 'object', required: ['count'],\n\
         properties: { count: { type: 'integer' } } } };\n\
         export default async (params) => params.count;\n";
    let installation = world.installation().workflow("typed.js", typed);
    let supervisor = installation.start();
    eventually("the workflow is described", SOON, || {
        let shown = supervisor.client().get("/api/workflows").body;
        shown["workflows"].as_array()?.iter().any(|one| one["name"] == "typed").then_some(())
    });
    let bad = world.queue.submit(json!({ "workflow": "typed", "parameters": { "count": "three" } }));
    let row = world.record.finished(&bad, SOON);
    assert_eq!(
        (&row["status"], &row["error_type"]),
        (&json!("FAILED"), &json!("InvalidParameters")),
        "{row}"
    );
    assert!(row["error_message"].as_str().unwrap_or_default().contains("parameters.count: must be"), "{row}");
    assert!(!world.record.events(&bad).iter().any(|event| event == "started"));
    let good = world.queue.submit(json!({ "workflow": "typed", "parameters": { "count": 3 } }));
    assert_eq!(world.record.finished(&good, SOON)["result"], 3);
    world.queue.has_dead_letters(0, SOON);
    world.assert_clean(supervisor, &installation);
}

#[test]
fn a_minimal_message_takes_the_rest_from_its_pending_record() {
    let mut world = World::shared();
    let installation = world.installation();
    let supervisor = installation.start();
    let (early, late) = (Uuid::now_v7().to_string(), Uuid::now_v7().to_string());
    let request = |n: u32| json!({ "workflow": "echo", "parameters": { "n": n }, "timeout_seconds": 7 });
    world.cache.set(&format!("pending:{early}"), &request(1).to_string());
    for id in [&early, &late] {
        world.queue.publish(&json!({ "execution_id": id }));
    }
    assert_eq!(world.record.finished(&early, SOON)["result"], json!({ "n": 1 }));
    world.cache.set(&format!("pending:{late}"), &request(2).to_string());
    let row = world.record.finished(&late, SOON);
    assert_eq!((&row["result"], &row["timeout_seconds"]), (&json!({ "n": 2 }), &json!(7)), "{row}");
    world.cache.forgets(&early, SOON);
    world.cache.forgets(&late, SOON);
    world.assert_clean(supervisor, &installation);
}

#[test]
fn what_cannot_be_used_is_dead_lettered_with_the_reason() {
    let mut world = World::shared();
    let installation = world.installation();
    let supervisor = installation.start();
    let (unknown, wrong) = (Uuid::now_v7().to_string(), Uuid::now_v7().to_string());
    world.queue.publish_bytes(b"not even JSON");
    world.queue.publish_bytes(br#"{"workflow":"echo"}"#);
    world.queue.publish(&json!({ "execution_id": wrong, "workflow": "echo", "timeout_seconds": -1 }));
    world.queue.publish(&json!({ "execution_id": unknown }));
    let row = world.record.finished(&wrong, SOON);
    assert_eq!((&row["status"], &row["error_type"]), (&json!("FAILED"), &json!("InvalidRequest")), "{row}");
    let row = world.record.finished(&unknown, SOON);
    assert_eq!((&row["status"], &row["error_type"]), (&json!("FAILED"), &json!("PendingNotFound")), "{row}");
    assert_eq!((&row["attempt"], &row["execution_model"]), (&json!(0), &json!("process")), "{row}");
    world.queue.has_dead_letters(4, SOON);
    let reasons: Vec<_> = world.queue.dead_letters().into_iter().map(|(reason, _)| reason).collect();
    for part in ["not a JSON object", "execution_id: is missing", "timeout_seconds", "PendingNotFound: "] {
        assert!(reasons.iter().any(|reason| reason.contains(part)), "{part}: {reasons:?}");
    }
    // One bad message does not hold up the others.
    let good = world.queue.submit(json!({ "workflow": "echo" }));
    assert_eq!(world.record.finished(&good, SOON)["status"], "SUCCESS");
    world.assert_clean(supervisor, &installation);
}

#[test]
fn whoever_waits_for_what_is_refused_gets_the_reply() {
    let mut world = World::shared();
    let installation = world.installation();
    let supervisor = installation.start();
    let ids: Vec<_> = (0..3).map(|_| Uuid::now_v7().to_string()).collect();
    world.queue.publish(&json!({ "execution_id": ids[0], "workflow": "echo", "priority": 99, "sync": true }));
    world.queue.publish(&json!({ "execution_id": ids[1], "sync": true }));
    let nowhere = Uuid::now_v7();
    world.queue.publish(&json!({ "execution_id": ids[2], "workflow_id": nowhere, "sync": true }));
    for (id, error_type) in ids.iter().zip(["InvalidRequest", "PendingNotFound", "WorkflowNotFound"]) {
        let reply = world.cache.take(&format!("result:{id}"), SOON);
        assert_eq!(
            (&reply["status"], &reply["error_type"]),
            (&json!("FAILED"), &json!(error_type)),
            "{reply}"
        );
    }
    world.assert_clean(supervisor, &installation);
}

#[test]
fn the_broker_does_not_give_up_on_a_message_that_came_back_often() {
    let mut world = World::shared();
    let installation = world.installation();
    let supervisor = installation.start();
    // Attempts are counted in the row; the broker's own limit, 20 by default, would lose a message of a row that
    // a supervisor could not even claim.
    let limit = world.queue.delivery_limit();
    assert!(limit >= 100_000, "{limit}");
    assert!(supervisor.terminate(SOON).success());
}
