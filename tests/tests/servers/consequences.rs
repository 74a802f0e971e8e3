//! What comes of a run besides its row: the reply somebody waits for, state, children, retries; and the
//! configuration it was given.

use std::time::Duration;

use serde_json::{Value, json};
use uuid::Uuid;

use crate::world::{SOON, World};

const PARENT: &str = "export default async (params, ctx) => {
  await ctx.state.set('parent', ctx.executionId);
  const child = await ctx.submit('echo', { from: ctx.executionId });
  const read = await ctx.state.get('parent');
  ctx.log.info('submitted', { child: child.execution_id ?? child });
  if (ctx.attempt < (params.succeed_at ?? 1)) throw new Error(`attempt ${ctx.attempt}`);
  await ctx.sleep(params.ms ?? 0);
  return { child: child.execution_id ?? child, read };
};\n";
const FLAKY: &str = "export default async (params, ctx) => {
  if (ctx.attempt < params.succeed_at) {
    const error = new RangeError(`attempt ${ctx.attempt}`);
    if (params.final) error.retryable = false;
    throw error;
  }
  return ctx.attempt;
};\n";
const SECRETIVE: &str = "export default async (params, ctx) => {
  const token = await ctx.config.get('token');
  ctx.log.info('configured');
  await ctx.sleep(params.ms);
  return [...token].reverse().join('') + ' ' + await ctx.config.get('region');
};\n";

#[test]
fn a_sync_reply_is_the_committed_row() {
    let mut world = World::shared();
    let installation = world.installation();
    let supervisor = installation.start();
    let taken = world.queue.submit(json!({ "workflow": "echo", "parameters": { "n": 1 }, "sync": true }));
    let reply = world.cache.take(&format!("result:{taken}"), SOON);
    let row = world.record.execution(&taken).unwrap();
    assert_eq!(row["status"], "SUCCESS", "the reply comes after the commit: {row}");
    assert_eq!((&reply["execution_id"], &reply["workflow"]), (&json!(taken), &json!("echo")), "{reply}");
    for field in ["status", "result", "attempt", "error_type", "execution_model"] {
        assert_eq!(reply[field], row[field], "{field}: {reply}");
    }
    assert_eq!(reply["parameters"], world.record.request(&taken)["parameters"], "{reply}");
    let left = world.queue.submit(json!({ "workflow": "nowhere", "sync": true }));
    muster_tests::eventually("the reply waits", SOON, || {
        world.cache.keys().contains(&format!("result:{left}"))
    });
    // Nobody asked for this one.
    let unasked = world.queue.submit(json!({ "workflow": "echo" }));
    world.record.finished(&unasked, SOON);
    world.cache.forgets(&unasked, SOON);
    assert_eq!(world.cache.keys_without_expiry(), Vec::<String>::new());
    assert_eq!(world.cache.take(&format!("result:{left}"), SOON)["status"], "FAILED");
    world.assert_clean(supervisor, &installation);
}

#[test]
fn state_and_children_commit_with_the_parent() {
    let mut world = World::shared();
    let installation = world.installation().workflow("parent.js", PARENT);
    let supervisor = installation.start();
    let organization = Uuid::now_v7().to_string();
    let id = Uuid::now_v7().to_string();
    let heard = world.cache.listen(&format!("execution:{id}"), |_| ());
    world.queue.publish(&json!({
        "execution_id": id, "workflow": "parent", "organization_id": organization, "parameters": { "ms": 1000 },
    }));
    let (line, ()) = heard.wait_for(SOON, |message| message["message"] == "submitted");
    let child = line["fields"]["child"].as_str().unwrap().to_owned();
    let nothing_yet = world.record.execution(&child).is_none() && world.record.count("state_entries") == 0;
    let pending = world.cache.list(&format!("changes:{id}:1"));
    let still_running = world.record.execution(&id).unwrap()["status"] == "RUNNING";
    assert!(nothing_yet || !still_running, "written before the parent has ended");
    let shown: Vec<_> = pending.iter().map(|change| change["change"].clone()).collect();
    assert!(shown == ["set_state", "submit"] || !still_running, "watchers see what is pending: {pending:?}");

    let row = world.record.finished(&id, SOON);
    assert_eq!(row["result"], json!({ "child": child, "read": id }), "{row}");
    let child = world.record.finished(&child, SOON);
    assert_eq!((&child["status"], &child["result"]), (&json!("SUCCESS"), &json!({ "from": id })), "{child}");
    assert_eq!(child["organization_id"], organization.as_str(), "{child}");
    let state = world.record.select("SELECT * FROM state_entries");
    assert_eq!(state.len(), 1, "{state:?}");
    assert_eq!((&state[0]["value"], &state[0]["organization_id"]), (&json!(id), &json!(organization)));
    world.assert_clean(supervisor, &installation);
}

#[test]
fn an_attempt_that_is_retried_leaves_no_state_and_no_child() {
    let mut world = World::shared();
    let installation = world.installation().workflow("parent.js", PARENT);
    let supervisor = installation.start();
    let id = world.queue.submit(json!({
        "workflow": "parent", "parameters": { "succeed_at": 3 }, "max_attempts": 3, "retry_backoff_seconds": 0.05,
    }));
    let row = world.record.finished(&id, SOON);
    assert_eq!((&row["status"], &row["attempt"]), (&json!("SUCCESS"), &json!(3)), "{row}");
    let child = row["result"]["child"].as_str().unwrap();
    world.record.finished(child, SOON);
    assert_eq!(world.record.count("executions"), 2, "the parent, and the child of its last attempt");
    let attempts: Vec<_> = world.record.logs(&id).iter().map(|line| line["attempt"].clone()).collect();
    assert_eq!(attempts, [1, 2, 3], "the log of every attempt is kept");
    world.assert_clean(supervisor, &installation);
}

#[test]
fn user_failures_are_retried_with_backoff_if_the_message_asks() {
    let mut world = World::shared();
    let installation = world.installation().workflow("flaky.js", FLAKY);
    let supervisor = installation.start();
    let flaky = |parameters: Value, attempts: Option<u32>| {
        let mut request =
            json!({ "workflow": "flaky", "parameters": parameters, "retry_backoff_seconds": 0.2 });
        if let Some(attempts) = attempts {
            request["max_attempts"] = attempts.into();
        }
        request
    };
    let recovers = world.queue.submit(flaky(json!({ "succeed_at": 3 }), Some(3)));
    let gives_up = world.queue.submit(flaky(json!({ "succeed_at": 9 }), Some(2)));
    let not_asked = world.queue.submit(flaky(json!({ "succeed_at": 2 }), None));
    let of_no_use = world.queue.submit(flaky(json!({ "succeed_at": 2, "final": true }), Some(3)));
    for (id, status, attempt) in [
        (&recovers, "SUCCESS", 3),
        (&gives_up, "FAILED", 2),
        (&not_asked, "FAILED", 1),
        (&of_no_use, "FAILED", 1),
    ] {
        let row = world.record.finished(id, SOON);
        assert_eq!((&row["status"], &row["attempt"]), (&json!(status), &json!(attempt)), "{row}");
        assert_eq!(row["attempts_charged"], attempt, "{row}");
    }
    let claimed = world.record.select(&format!(
        "SELECT extract(epoch FROM at - lag(at) OVER (ORDER BY number)) AS waited
         FROM execution_events WHERE execution_id = '{recovers}' AND event IN ('claimed', 'retried')"
    ));
    let waited = |index: usize| Duration::from_secs_f64(claimed[index]["waited"].as_f64().unwrap());
    assert_eq!(claimed.len(), 5, "claimed, retried, claimed, retried, claimed: {claimed:?}");
    assert!(waited(2) >= Duration::from_millis(195), "the first wait: {claimed:?}");
    assert!(waited(4) >= Duration::from_millis(395), "the second is twice that: {claimed:?}");
    world.assert_clean(supervisor, &installation);
}

#[test]
fn secrets_reach_the_run_and_not_redis() {
    let mut world = World::shared();
    let installation = world.installation().workflow("secretive.js", SECRETIVE);
    let supervisor = installation.start();
    let organization = Uuid::now_v7().to_string();
    let secret = format!("hush-{}", Uuid::now_v7().simple());
    world.record.execute(&format!(
        "INSERT INTO config_entries (organization_id, key, value, is_secret) VALUES
            (NULL, 'token', '\"everybody\"', false), (NULL, 'region', '\"north\"', false),
            ('{organization}', 'token', '\"{secret}\"', true)"
    ));
    let id = Uuid::now_v7().to_string();
    let heard = world.cache.listen(&format!("execution:{id}"), |_| ());
    world.queue.publish(&json!({
        "execution_id": id, "workflow": "secretive", "organization_id": organization, "parameters": { "ms": 500 },
    }));
    heard.wait_for(SOON, |message| message["message"] == "configured");
    let context = world.cache.get(&format!("context:{id}"));
    let shared = world.cache.get(&format!("sdk:{organization}:config")).unwrap();
    assert!(shared.contains("north") && !shared.contains(&secret), "{shared}");
    let row = world.record.finished(&id, SOON);
    let reversed: String = secret.chars().rev().collect();
    assert_eq!(row["result"], format!("{reversed} north"), "the run was given it: {row}");
    let context = context.unwrap();
    assert!(context.contains("north") && !context.contains(&secret), "{context}");
    assert!(!supervisor.log().contains(&secret));
    world.assert_clean(supervisor, &installation);
}
