//! Two supervisors on the same servers keep to one limit, though one of them is killed in the middle.

use muster_tests::eventually;
use serde_json::{Value, json};

use crate::world::{SOON, World};

/// Says itself from when to when it ran: nothing of the supervisor has a hand in it.
const STAMP: &str = "export default async (params, ctx) => {
  const from = Date.now();
  await ctx.sleep(params.ms);
  return { key: params.key, from, to: Date.now() };
};\n";
const EXECUTIONS: usize = 60;
const TOTAL: usize = 4;
const PER_KEY: usize = 2;

#[test]
fn no_more_run_at_once_than_the_limit_says_though_a_supervisor_is_killed() {
    let mut world = World::shared();
    let place = || world.installation().workflow("stamp.js", STAMP).setting("max_workers", 6);
    let (doomed_place, heir_place) = (place(), place());
    let doomed = doomed_place.start();
    let heir = heir_place.start();
    let limit = json!({
        "total": TOTAL, "per_key": PER_KEY, "key": "parameters.key",
        "on_full": "wait", "rate": null, "burst": null,
    });
    let set = heir_place.run(&[
        "limit",
        "set",
        "crm",
        "--total",
        "4",
        "--per-key",
        "2",
        "--key",
        "parameters.key",
        "--json",
    ]);
    let set: Value = serde_json::from_slice(&set.stdout).unwrap_or_else(|_| panic!("{set:?}"));
    assert_eq!(set["terms"], limit);

    let ids: Vec<String> = (0..EXECUTIONS)
        .map(|number| {
            let key = ["a", "b", "c"][number % 3];
            let parameters = json!({ "key": key, "ms": 60 + number % 50 });
            world.queue.submit(json!({ "workflow": "stamp", "parameters": parameters, "limits": ["crm"] }))
        })
        .collect();
    // Nothing of them stands in the way of others, in RabbitMQ or in the database.
    let other = world.queue.submit(json!({ "workflow": "echo", "parameters": 1 }));
    assert_eq!(world.record.finished(&other, SOON)["result"], 1);
    eventually("some are over", SOON, || world.record.count("executions WHERE status = 'SUCCESS'") > 10);
    doomed.kill();

    let runs: Vec<Value> = ids.iter().map(|id| world.record.finished(id, SOON)["result"].clone()).collect();
    assert!(most_at_once(&runs, |_| true) <= TOTAL, "{runs:?}");
    for key in ["a", "b", "c"] {
        assert!(most_at_once(&runs, |run| run["key"] == key) <= PER_KEY, "{key}: {runs:?}");
    }
    assert!(most_at_once(&runs, |_| true) > 1, "they do run at once");
    // Who has left is struck after the outcome is written.
    eventually("nobody is counted", SOON, || world.record.count("limit_holders") == 0);
    doomed_place.assert_nothing_left();
    world.assert_clean(heir, &heir_place);
}

/// The supervisor that runs it hears it from the one that took in the newer.
#[test]
fn what_ends_to_make_room_says_for_what() {
    let mut world = World::shared();
    let slow = "export default async (params, ctx) => { await ctx.sleep(60000); };\n";
    let (older_place, newer_place) =
        (world.installation().workflow("slow.js", slow), world.installation().workflow("slow.js", slow));
    let older_supervisor = older_place.start();
    let set = older_place.run(&["limit", "set", "crm", "--total", "1", "--on-full", "cancel_running"]);
    assert!(set.status.success(), "{set:?}");
    let request = json!({ "workflow": "slow", "limits": ["crm"] });
    let older = older_supervisor.client().submit(&request);
    eventually("it runs", SOON, || older_supervisor.client().execution(&older)["status"] == "RUNNING");
    let newer_supervisor = newer_place.start();
    let newer = newer_supervisor.client().submit(&request);
    let row = older_supervisor.client().finished(&older, SOON);
    let said = format!("execution {newer} came to limit \"crm\" after it");
    assert_eq!((&row["status"], &row["error_message"]), (&json!("CANCELLED"), &json!(said)), "{row}");
    newer_supervisor.client().post(&format!("/api/executions/{newer}/cancel"), &json!({}));
    let row = newer_supervisor.client().finished(&newer, SOON);
    assert_eq!(row["error_message"], "cancelled on request", "{row}");
    world.assert_clean(newer_supervisor, &newer_place);
    world.assert_clean(older_supervisor, &older_place);
}

/// How many of these ran at one moment, at most.
fn most_at_once(runs: &[Value], which: impl Fn(&Value) -> bool) -> usize {
    let runs: Vec<(u64, u64)> = runs
        .iter()
        .filter(|run| which(run))
        .map(|run| (run["from"].as_u64().unwrap(), run["to"].as_u64().unwrap()))
        .collect();
    let at = |moment: u64| runs.iter().filter(|(from, to)| *from <= moment && moment < *to).count();
    runs.iter().map(|(from, _)| at(*from)).max().unwrap_or_default()
}
