//! The way of an execution through the service: from RabbitMQ through the pool into PostgreSQL, with Redis for
//! those who watch.

use muster_tests::eventually;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::world::{SOON, World, behind_gate, open_gate};

#[test]
fn test_consumer_routes_to_process_pool() {
    let mut world = World::shared();
    let installation = world.installation();
    let supervisor = installation.start();
    let ids: Vec<_> = (0..20)
        .map(|n| world.queue.submit(json!({ "workflow": "echo", "parameters": { "n": n } })))
        .collect();
    for (n, id) in ids.iter().enumerate() {
        let row = world.record.finished(id, SOON);
        assert_eq!((&row["status"], &row["result"]), (&json!("SUCCESS"), &json!({ "n": n })), "{row}");
        assert_eq!(row["execution_model"], "process", "{row}");
        let metrics = &row["metrics"];
        assert!(metrics["peak_rss_bytes"].as_u64() > Some(0), "measured in a process: {row}");
        assert_eq!(world.record.events(id), ["claimed", "started", "finalized"]);
    }
    let pool = supervisor.client().get("/api/pool").body;
    assert!(supervisor.workers().len() >= 2, "worker processes: {pool}");
    world.queue.has_dead_letters(0, SOON);
    world.assert_clean(supervisor, &installation);
}

#[test]
fn test_successful_execution_updates_db() {
    let mut world = World::shared();
    let installation = world.installation();
    let supervisor = installation.start();
    let organization = Uuid::now_v7().to_string();
    let id = Uuid::now_v7().to_string();
    let record = world.record.clone();
    let (channel, key) = (format!("execution:{id}"), id.clone());
    let heard =
        world.cache.listen(&channel, move |_| record.execution(&key).map(|row| row["status"].clone()));
    world.queue.publish(&json!({
        "execution_id": id,
        "workflow": "chatty",
        "parameters": { "count": 3, "write": "last" },
        "organization_id": organization,
        "caller": { "user_id": "u1", "name": "Ada", "email": "ada@example.org" },
        "timeout_seconds": 60,
        "priority": 4,
    }));

    let is = |status: &'static str| move |message: &Value| message["status"] == status;
    let (running, _) = heard.wait_for(SOON, is("RUNNING"));
    assert_eq!((&running["type"], &running["attempt"]), (&json!("status"), &json!(1)), "{running}");
    let (line, _) = heard.wait_for(SOON, |message| message["type"] == "log");
    assert_eq!((&line["message"], &line["sequence"]), (&json!("line 0"), &json!(1)), "{line}");
    let (end, row_then) = heard.wait_for(SOON, is("SUCCESS"));
    assert_eq!(end["execution_id"], id.as_str(), "{end}");
    assert_eq!(row_then, Some(json!("SUCCESS")), "the end is published after the commit");

    let row = world.record.finished(&id, SOON);
    assert_eq!((&row["status"], &row["result"]), (&json!("SUCCESS"), &json!({ "lines": 3 })), "{row}");
    assert_eq!((&row["execution_model"], &row["workflow_name"]), (&json!("process"), &json!("chatty")));
    assert_eq!((&row["organization_id"], &row["caller"]["name"]), (&json!(organization), &json!("Ada")));
    assert_eq!(
        (&world.record.request(&id)["parameters"]["count"], &row["priority"]),
        (&json!(3), &json!(4)),
        "{row}"
    );
    assert_eq!((&row["attempt"], &row["attempts_charged"]), (&json!(1), &json!(1)), "{row}");
    assert!(row["error_type"].is_null() && row["error_message"].is_null(), "{row}");
    assert!(row["duration_ms"].is_u64() && row["started_at"].is_string(), "{row}");
    assert!(row["completed_at"].as_str() >= row["started_at"].as_str(), "{row}");

    let logs = world.record.logs(&id);
    let lines: Vec<_> = logs.iter().map(|line| (&line["message"], &line["fields"]["number"])).collect();
    let expected = [json!("line 0"), json!("line 1"), json!("line 2")];
    assert_eq!(lines, expected.iter().zip(&[json!(0), json!(1), json!(2)]).collect::<Vec<_>>());
    assert!(logs.iter().all(|line| line["level"] == "info" && line["stream"] == "log"), "{logs:?}");
    let state = world.record.select("SELECT * FROM state_entries");
    assert_eq!(state.len(), 1, "{state:?}");
    assert_eq!((&state[0]["key"], &state[0]["value"]), (&json!("last"), &json!(id)), "{state:?}");
    assert_eq!((&state[0]["organization_id"], &state[0]["updated_by"]), (&json!(organization), &json!(id)));
    world.cache.forgets(&id, SOON);
    world.assert_clean(supervisor, &installation);
}

#[test]
fn test_failed_execution_updates_db() {
    let mut world = World::shared();
    let installation = world.installation();
    let supervisor = installation.start();
    let parameters = json!({ "count": 2, "write": "trace", "then": "throw" });
    let id = world.queue.submit(json!({ "workflow": "chatty", "parameters": parameters }));
    let row = world.record.finished(&id, SOON);
    assert_eq!((&row["status"], &row["error_type"]), (&json!("FAILED"), &json!("RangeError")), "{row}");
    assert_eq!(row["error_message"], "after all that", "{row}");
    assert!(row["error_stack"].as_str().unwrap().contains("chatty.js"), "{row}");
    assert!(row["result"].is_null() && row["duration_ms"].is_u64(), "{row}");
    assert_eq!((&row["execution_model"], &row["attempt"]), (&json!("process"), &json!(1)), "{row}");
    assert_eq!(world.record.logs(&id).len(), 2, "the log of what failed is kept");
    let state = world.record.select("SELECT * FROM state_entries");
    assert_eq!(state.first().map(|row| &row["updated_by"]), Some(&json!(id)), "pending changes are flushed");

    let id = world.queue.submit(json!({ "workflow": "nowhere" }));
    let row = world.record.finished(&id, SOON);
    assert_eq!((&row["status"], &row["error_type"]), (&json!("FAILED"), &json!("WorkflowNotFound")), "{row}");

    let id = world.queue.submit(json!({ "workflow": "conformance.crash" }));
    let row = world.record.finished(&id, SOON);
    assert_eq!((&row["status"], &row["error_type"]), (&json!("FAILED"), &json!("WorkerCrashed")), "{row}");
    assert!(row["error_message"].as_str().unwrap().contains("signal"), "{row}");
    world.cache.forgets(&id, SOON);
    world.assert_clean(supervisor, &installation);
}

#[test]
fn test_timeout_reported_correctly() {
    let mut world = World::shared();
    let installation = world.installation().setting("graceful_shutdown_seconds", 1);
    let supervisor = installation.start();
    let parameters = json!({ "count": 2, "write": "trace", "then": "hang" });
    let cooperative =
        world.queue.submit(json!({ "workflow": "chatty", "parameters": parameters, "timeout_seconds": 1 }));
    let deaf = world.queue.submit(json!({
        "workflow": "conformance.ignore_cancel",
        "parameters": { "seconds": 3600 },
        "timeout_seconds": 0.5,
        // A timeout is never tried again, whatever the message allows.
        "max_attempts": 3,
    }));
    for (id, timeout_ms) in [(&cooperative, 1000), (&deaf, 500)] {
        let row = world.record.finished(id, SOON);
        assert_eq!(
            (&row["status"], &row["error_type"]),
            (&json!("TIMEOUT"), &json!("TimeoutError")),
            "{row}"
        );
        assert!(!row["error_message"].as_str().unwrap().is_empty(), "{row}");
        assert!(row["duration_ms"].as_u64() >= Some(timeout_ms), "{row}");
        assert!(row["result"].is_null() && row["attempt"] == 1, "{row}");
        assert_eq!(row["execution_model"], "process", "{row}");
    }
    assert_eq!(world.record.logs(&cooperative).len(), 2, "the log of what timed out is kept");
    let state = world.record.select("SELECT * FROM state_entries");
    assert_eq!(state.first().map(|row| &row["updated_by"]), Some(&json!(cooperative)));
    world.cache.forgets(&deaf, SOON);
    world.assert_clean(supervisor, &installation);
}

#[test]
fn test_sdk_prewarm_called_before_routing() {
    let mut world = World::shared();
    // No worker starts before the gate opens, so nothing can be routed meanwhile.
    let installation = behind_gate(world.installation());
    let (workflow, organization) = (Uuid::now_v7().to_string(), Uuid::now_v7().to_string());
    let config =
        "export default async (params, ctx) => [ctx.organization.name, await ctx.config.get('region')];\n";
    let installation = installation.workflow("reports/daily.js", config);
    let supervisor = installation.spawn();
    supervisor.wait_ready(SOON);
    world.record.execute(&format!(
        "INSERT INTO organizations (id, name) VALUES ('{organization}', 'Acme');
         INSERT INTO workflows (id, name, path) VALUES ('{workflow}', 'daily', 'reports/daily.js');
         INSERT INTO config_entries (organization_id, key, value) VALUES
            (NULL, 'region', '\"anywhere\"'), ('{organization}', 'region', '\"north\"')"
    ));
    let id = world.queue.submit(json!({ "workflow_id": workflow, "organization_id": organization }));

    let warm =
        [format!("context:{id}"), format!("sdk:{organization}:config"), format!("workflow:{workflow}")];
    muster_tests::eventually("the cache is warm", SOON, || {
        let keys = world.cache.keys();
        warm.iter().all(|key| keys.contains(key))
    });
    assert_eq!(world.record.events(&id), ["claimed"], "claimed and prewarmed, and not routed yet");
    let shared = world.cache.get(&warm[1]).unwrap();
    assert!(shared.contains("Acme") && shared.contains("north"), "{shared}");
    assert_eq!(world.cache.keys_without_expiry(), Vec::<String>::new());

    open_gate(&installation);
    let row = world.record.finished(&id, SOON);
    assert_eq!((&row["status"], &row["result"]), (&json!("SUCCESS"), &json!(["Acme", "north"])), "{row}");
    assert_eq!(world.record.events(&id), ["claimed", "started", "finalized"]);
    // After the commit, which the row shows already.
    muster_tests::eventually("the context goes", SOON, || !world.cache.keys().contains(&warm[0]));
    assert!(world.cache.keys().contains(&warm[1]), "the cache stays");
    world.assert_clean(supervisor, &installation);
}

#[test]
fn what_waits_in_the_broker_is_seen_everywhere() {
    let mut world = World::shared();
    let installation = behind_gate(world.installation().setting("min_workers", 1).setting("max_workers", 1));
    let supervisor = installation.start();
    let ids: Vec<_> = (0..40).map(|_| world.queue.submit(json!({ "workflow": "echo" }))).collect();
    world.queue.publish_bytes(b"nonsense");
    let (client, queue) = (supervisor.client(), &mut world.queue);
    // Some are on their way to us; the others stay where they are while there is no slot.
    let ready = eventually("the messages that stay in the broker are counted", SOON, || {
        let broker = client.get("/api/pool").body["broker"]["queues"][0].clone();
        let ready = broker["ready"].as_u64().filter(|ready| *ready > 0)?;
        (queue.try_depth(false) == Some(u32::try_from(ready).ok()?)).then_some(ready)
    });
    let status = String::from_utf8(installation.run(&["status"]).stdout).unwrap();
    assert!(status.contains(&format!(" {ready} in RabbitMQ")), "{status}");
    let metrics = client.get("/metrics").body.as_str().unwrap().to_owned();
    assert!(metrics.contains(&format!("state=\"ready\"}} {ready}\n")), "{metrics}");
    assert!(metrics.contains("muster_broker_messages{queue="), "{metrics}");

    open_gate(&installation);
    for id in &ids {
        world.record.finished(id, SOON);
    }
    let client = supervisor.client();
    eventually("nothing waits but the dead letter", SOON, || {
        let broker = client.get("/api/pool").body["broker"]["queues"][0].clone();
        (broker["ready"] == 0 && broker["dead"] == 1).then_some(())
    });
    let status = String::from_utf8(installation.run(&["status"]).stdout).unwrap();
    assert!(status.contains(" 0 in RabbitMQ, 1 dead letters"), "{status}");
    world.assert_clean(supervisor, &installation);
}
