//! What is asked for twice with one idempotency key is run once, whichever way each of the two comes.

use serde_json::{Value, json};
use uuid::Uuid;

use crate::world::{SOON, World};

#[test]
fn a_message_with_a_known_key_is_acknowledged_and_its_caller_told_of_the_first() {
    let mut world = World::shared();
    let installation = world.installation();
    let supervisor = installation.start();
    let with_key = |key: &str, ms: u32| json!({ "workflow": "sleep", "parameters": { "ms": ms }, "idempotency_key": key, "sync": true });
    let first = world.queue.submit(with_key("order-7", 1500));
    world.record.has_status(&first, &["RUNNING"], SOON);
    let second = world.queue.submit(with_key("order-7", 1500));
    let over_http = supervisor.client().post("/api/executions", &with_key("order-7", 1500));
    assert_eq!((over_http.status, &over_http.body["existing"]), (200, &Value::Bool(true)), "{over_http:?}");
    assert_eq!(over_http.body["execution_id"], json!(first));

    let reply = world.cache.take(&format!("result:{second}"), SOON);
    assert_eq!((&reply["execution_id"], &reply["status"]), (&json!(first), &json!("SUCCESS")), "{reply}");
    assert_eq!(reply["existing"], json!(true));
    assert_eq!(world.cache.take(&format!("result:{first}"), SOON)["execution_id"], json!(first));
    // One that is over is told at once.
    let third = world.queue.submit(with_key("order-7", 1500));
    assert_eq!(world.cache.take(&format!("result:{third}"), SOON)["execution_id"], json!(first));
    assert!(world.record.execution(&second).is_none() && world.record.execution(&third).is_none());

    let other = world.queue.submit(with_key("order-7", 3));
    let reply = world.cache.take(&format!("result:{other}"), SOON);
    assert_eq!(reply["error_type"], "IdempotencyKeyReused", "{reply}");
    assert!(reply["error_message"].as_str().unwrap().contains(&first), "{reply}");
    world.queue.has_dead_letters(1, SOON);
    assert_eq!(world.record.count("executions WHERE status = 'SUCCESS'"), 1);
    world.queue.has_depth(0, SOON);
    world.assert_clean(supervisor, &installation);
}

#[test]
fn two_supervisors_that_are_asked_at_once_make_one_execution() {
    let mut world = World::shared();
    let (one, other) = (world.installation(), world.installation());
    let supervisors = [one.start(), other.start()];
    let key = Uuid::now_v7().to_string();
    let body = json!({ "workflow": "echo", "parameters": [key], "idempotency_key": key });
    let answers: Vec<Value> = std::thread::scope(|scope| {
        let ask = |place: usize| {
            let (client, body) = (supervisors[place % 2].client(), &body);
            scope.spawn(move || client.post("/api/executions", body).body)
        };
        let asked: Vec<_> = (0..16).map(ask).collect();
        asked.into_iter().map(|answer| answer.join().unwrap()).collect()
    });
    let made: Vec<&Value> = answers.iter().filter(|answer| answer.get("existing").is_none()).collect();
    assert_eq!(made.len(), 1, "{answers:?}");
    assert!(answers.iter().all(|answer| answer["execution_id"] == made[0]["execution_id"]), "{answers:?}");
    let [first, second] = supervisors;
    assert!(first.terminate(SOON).success());
    world.assert_clean(second, &other);
    one.assert_nothing_left();
}

#[test]
fn another_request_under_a_known_id_is_told_so_and_a_message_with_one_changes_nothing() {
    let mut world = World::shared();
    let installation = world.installation();
    let supervisor = installation.start();
    let client = supervisor.client();
    let id = Uuid::now_v7().to_string();
    let asked =
        |parameters: Value| json!({ "execution_id": id, "workflow": "echo", "parameters": parameters });
    let submit = |body: &Value| {
        let answer = client.post("/api/executions", body);
        (answer.status, answer.body["type"].as_str().unwrap_or_default().to_owned())
    };
    let (accepted, taken) = ((202, String::new()), (409, "/problems/execution-id-taken".to_owned()));
    assert_eq!(submit(&asked(json!({ "a": 1, "b": [2] }))), accepted);
    assert_eq!(submit(&asked(json!({ "b": [2], "a": 1 }))), accepted);
    client.finished(&id, SOON);
    assert_eq!(submit(&asked(json!({ "a": 1, "b": [2] }))), accepted, "it is over, and still the same");
    assert_eq!(submit(&asked(json!({ "a": 2 }))), taken);
    assert_eq!(
        submit(&json!({ "execution_id": id, "workflow": "sleep", "parameters": { "a": 1, "b": [2] } })),
        taken
    );

    // The key that it brings is not given to the one that has the id.
    let mut keyed = asked(json!({ "a": 2 }));
    keyed["idempotency_key"] = json!("order-8");
    assert_eq!(submit(&keyed), taken);
    keyed["execution_id"] = json!(Uuid::now_v7().to_string());
    assert_eq!(submit(&keyed), accepted);

    let new = Uuid::now_v7().to_string();
    let named = |number: u32| json!({ "execution_id": new, "workflow": "echo", "parameters": number });
    let batch = json!([named(1), asked(json!({ "a": 1, "b": [2] })), named(2), named(1), asked(json!(3))]);
    let answer = client.post("/api/executions/batch", &batch).body;
    let items = answer["executions"].as_array().unwrap();
    let statuses: Vec<Value> = items.iter().map(|item| item["problem"]["status"].clone()).collect();
    assert_eq!(json!(statuses), json!([null, null, 409, null, 409]), "{answer}");
    assert_eq!(client.finished(&new, SOON)["result"], json!(1));

    world.queue.publish(&asked(json!({ "a": 2 })));
    world.queue.has_depth(0, SOON);
    world.queue.has_dead_letters(0, SOON);
    assert_eq!(world.record.finished(&id, SOON)["result"], json!({ "a": 1, "b": [2] }));
    world.assert_clean(supervisor, &installation);
}

#[test]
fn a_file_of_executions_is_submitted_and_run() {
    let mut world = World::shared();
    let installation = world.installation();
    let supervisor = installation.start();
    let lines: Vec<String> =
        (0..1_200).map(|number| json!({ "workflow": "echo", "parameters": number }).to_string()).collect();
    let file = installation.path("many.jsonl");
    std::fs::write(&file, lines.join("\n") + "\n{\"workflow\":\"echo\",\"priority\":99}\n").unwrap();
    let submitted = installation.run(&["submit", "--from", file.to_str().unwrap()]);
    assert_eq!(submitted.status.code(), Some(1), "{submitted:?}");
    let told = String::from_utf8(submitted.stderr).unwrap();
    assert!(told.contains("line 1201: ") && told.contains("1200 submitted, 1 refused"), "{told}");
    let ids: Vec<String> = String::from_utf8(submitted.stdout).unwrap().lines().map(str::to_owned).collect();
    assert_eq!(ids.len(), 1_200);
    muster_tests::eventually("all are run", SOON, || {
        world.record.count("executions WHERE status = 'SUCCESS'") == 1_200
    });
    let row = world.record.finished(&ids[777], SOON);
    assert_eq!(row["result"], json!(777), "{row}");
    world.assert_clean(supervisor, &installation);
}
