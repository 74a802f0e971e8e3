//! A workflow that the workers of one supervisor do not know may be known to those of another.

use serde_json::{Value, json};

use crate::world::{SOON, World};

#[test]
fn in_a_rolling_deploy_another_supervisor_takes_what_the_old_one_does_not_know() {
    let mut world = World::shared();
    let (old, new) = (
        world.installation(),
        world.installation().workflow("fresh.js", "export default async () => 'new';\n"),
    );
    let before = old.start();
    let id = world.queue.submit(json!({ "workflow": "fresh", "max_attempts": 1 }));
    world.record.has_event(&id, "released", SOON);
    // Both are there for a while, as in a deploy; whoever does not know it lets the other go first.
    let after = new.start();
    let row = world.record.finished(&id, SOON);
    assert_eq!((&row["status"], &row["result"]), (&json!("SUCCESS"), &json!("new")), "{row}");
    assert_eq!(row["attempts_charged"], 1, "{row}");
    assert!(before.terminate(SOON).success());
    old.assert_nothing_left();
    world.assert_clean(after, &new);
}

#[test]
fn what_nobody_knows_is_not_found_after_five_releases() {
    let mut world = World::shared();
    let installation = world.installation();
    let supervisor = installation.start();
    let id = world.queue.submit(json!({ "workflow": "nowhere", "max_attempts": 9 }));
    let row = world.record.finished(&id, SOON);
    assert_eq!((&row["status"], &row["error_type"]), (&json!("FAILED"), &json!("WorkflowNotFound")), "{row}");
    assert_eq!((&row["attempt"], &row["attempts_charged"]), (&json!(6), &json!(1)), "{row}");
    let released = world.record.events(&id).iter().filter(|event| *event == "released").count();
    assert_eq!(released, 5);
    world.assert_clean(supervisor, &installation);
}

#[test]
fn a_retry_policy_is_obeyed() {
    let mut world = World::shared();
    let flaky = "export default async (params, ctx) => { const error = new Error('no'); error.name = params.names[ctx.attempt - 1]; throw error; };\n";
    let installation = world.installation().workflow("flaky.js", flaky);
    let supervisor = installation.start();
    let retry =
        json!({ "max_attempts": 5, "backoff_seconds": 0.1, "backoff_factor": 1, "give_up_on": ["Fatal"] });
    let body =
        json!({ "workflow": "flaky", "parameters": { "names": ["Busy", "Busy", "Fatal"] }, "retry": retry });
    let ended = |world: &World, id: &str| {
        let row = world.record.finished(id, SOON);
        (row["attempt"].clone(), row["error_type"].clone())
    };
    let by_message = world.queue.submit(body.clone());
    assert_eq!(ended(&world, &by_message), (json!(3), json!("Fatal")));
    let by_http = supervisor.client().submit(&body);
    assert_eq!(ended(&world, &by_http), (json!(3), json!("Fatal")));
    let only = json!({ "max_attempts": 5, "backoff_seconds": 0.1, "retry_on": ["Other"] });
    let given_up = supervisor
        .client()
        .submit(&json!({ "workflow": "flaky", "parameters": { "names": ["Busy"] }, "retry": only }));
    assert_eq!(ended(&world, &given_up), (json!(1), json!("Busy")));
    let refused = supervisor
        .client()
        .post("/api/executions", &json!({ "workflow": "flaky", "retry": { "backof": 1 } }));
    assert_eq!(refused.status, 400, "{refused:?}");
    assert!(refused.body["detail"].as_str().unwrap().contains("retry: "), "{refused:?}");

    let later = json!({ "max_attempts": 3, "backoff_seconds": 600, "jitter": 0 });
    let waits = supervisor
        .client()
        .submit(&json!({ "workflow": "flaky", "parameters": { "names": ["Busy"] }, "retry": later }));
    world.record.has_event(&waits, "retried", SOON);
    let told = supervisor.client().get(&format!("/api/executions/{waits}/explain")).body;
    let kinds: Vec<&Value> =
        told["reasons"].as_array().unwrap().iter().map(|reason| &reason["kind"]).collect();
    assert_eq!(kinds, ["starts_later", "retries_after"], "{told}");
    supervisor.client().post(&format!("/api/executions/{waits}/cancel"), &json!({}));
    world.record.finished(&waits, SOON);
    world.assert_clean(supervisor, &installation);
}
