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
