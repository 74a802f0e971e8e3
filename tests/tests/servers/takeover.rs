//! Two supervisors on the same servers: when one dies or is cut off, the other goes on with its work.

use std::time::Duration;

use jiff::Timestamp;
use muster_tests::{TestSupervisor, eventually};
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::world::{SOON, World};

/// After kill -9 of a supervisor its executions are claimed again within 5 s. Machines that run tests are busy
/// with other things too, so the test allows twice that; `scripts/chaos` measures and holds the bar itself.
const RECOVERED_WITHIN: Duration = Duration::from_secs(2 * 5);

/// Submits executions that hang in their first attempt, and waits until the supervisor runs them all.
#[track_caller]
fn hanging(world: &mut World, count: usize, request: &Value) -> Vec<String> {
    let ids: Vec<_> = (0..count).map(|_| world.queue.submit(request.clone())).collect();
    ids.iter().for_each(|id| drop(world.record.started(id, SOON)));
    ids
}

#[test]
fn what_a_killed_supervisor_ran_is_taken_over_before_its_lease_ends() {
    let mut world = World::shared();
    // The lease is far too long to explain what happens here.
    let doomed_place = world.installation().setting("lease_seconds", 600);
    let heir_place = world.installation().setting("lease_seconds", 600);
    let terminating = doomed_place.start();
    let mut ids = hanging(&mut world, 3, &json!({ "workflow": "second" }));
    let only = hanging(&mut world, 1, &json!({ "workflow": "second", "max_attempts": 1 })).remove(0);
    let heir = heir_place.start();

    let killed_at = Timestamp::now();
    terminating.kill();
    for id in &ids {
        let row = world.record.finished(id, SOON);
        assert_eq!((&row["status"], &row["result"]), (&json!("SUCCESS"), &json!(2)), "{row}");
        assert_eq!((&row["attempt"], &row["attempts_charged"]), (&json!(2), &json!(2)), "{row}");
        assert_eq!(world.record.events(id), ["claimed", "lost", "claimed", "started", "finalized"]);
    }
    let row = world.record.finished(&only, SOON);
    assert_eq!((&row["status"], &row["error_type"]), (&json!("FAILED"), &json!("SupervisorLost")), "{row}");
    assert_eq!(row["attempt"], 1, "{row}");

    let again = world.record.select("SELECT max(at) AS at FROM execution_events WHERE event = 'lost'");
    let at: Timestamp = again[0]["at"].as_str().unwrap().parse().unwrap();
    let recovered: Duration = at.duration_since(killed_at).try_into().unwrap();
    assert!(recovered < RECOVERED_WITHIN, "taken over after {recovered:?}");
    doomed_place.assert_nothing_left();

    ids.push(only);
    ids.iter().for_each(|id| world.cache.forgets(id, SOON));
    world.assert_clean(heir, &heir_place);
}

#[test]
fn a_supervisor_stopped_beyond_its_lease_is_superseded() {
    let mut world = World::shared();
    let stopped_place = world.installation().setting("lease_seconds", 2);
    let other_place = world.installation().setting("lease_seconds", 2);
    let stopped = stopped_place.start();
    // One still runs when the supervisor goes on, the other has ended behind its back.
    let running = hanging(&mut world, 1, &json!({ "workflow": "second" })).remove(0);
    let brief = json!({ "workflow": "second", "parameters": { "ms": 3000 } });
    let ended = hanging(&mut world, 1, &brief).remove(0);
    let runs_there = stopped.workers();
    stopped.signal(Signal::STOP);

    let other = other_place.start();
    for id in [&running, &ended] {
        let row = world.record.finished(id, SOON);
        assert_eq!((&row["status"], &row["result"]), (&json!("SUCCESS"), &json!(2)), "{row}");
    }
    let before: Vec<_> = [&running, &ended].map(|id| world.record.execution(id)).into();
    stopped.signal(Signal::CONT);
    stopped.wait_ready(SOON);
    assert!(!runs_there.is_empty());
    eventually("the superseded runs have ended", SOON, || runs(&stopped) == 0);
    let log = stopped.log();
    assert!(log.contains("took this execution over") || log.contains("owns this execution"), "{log}");
    // It goes on with new work.
    assert!(other.terminate(SOON).success());
    let next = world.queue.submit(json!({ "workflow": "echo", "parameters": "next" }));
    assert_eq!(world.record.finished(&next, SOON)["result"], "next");

    let after: Vec<_> = [&running, &ended].map(|id| world.record.execution(id)).into();
    let told = |rows: &[Option<Value>]| -> Vec<Value> {
        rows.iter()
            .flatten()
            .map(|row| json!([row["status"], row["result"], row["attempt"], row["lease_owner"]]))
            .collect()
    };
    assert_eq!(told(&before), told(&after));
    for id in [&running, &ended] {
        let lines: Vec<_> = world.record.logs(id).iter().map(|line| line["attempt"].clone()).collect();
        assert_eq!(lines, [2], "what was superseded wrote no log");
    }
    world.assert_clean(stopped, &stopped_place);
}

#[test]
fn while_deaths_are_being_proven_the_broker_has_the_slots() {
    let mut world = World::shared();
    let installation = world.installation();
    let supervisor = installation.start();
    // Whoever looks for dead supervisors now waits until its patience ends, which is 5 s.
    let held = world.record.lock_table("supervisor_presences");
    let proving = "SELECT query_start FROM pg_stat_activity WHERE datname = current_database()
        AND wait_event_type = 'Lock' AND query LIKE '%supervisor_presences%'";
    let since = eventually("a death is being proven", SOON, || world.record.select(proving).pop());
    let id = world.queue.submit(json!({ "workflow": "echo" }));
    world.record.finished(&id, SOON);
    let taken = world.record.select(&format!(
        "SELECT extract(epoch FROM at - '{}') AS after FROM execution_events
         WHERE execution_id = '{id}' AND event = 'claimed'",
        since["query_start"].as_str().unwrap()
    ));
    assert!(taken[0]["after"].as_f64().unwrap() < 4.0, "claimed only when the proof was given up: {taken:?}");
    drop(held);
    world.assert_clean(supervisor, &installation);
}

fn runs(supervisor: &TestSupervisor) -> u64 {
    supervisor.client().get("/api/pool").body["running"].as_u64().unwrap()
}

#[test]
fn a_supervisor_that_was_suspended_itself_lets_the_others_renew_first() {
    let mut world = World::shared();
    let owner_place = world.installation().setting("lease_seconds", 2);
    let idle_place = world.installation().setting("lease_seconds", 2);
    let owner = owner_place.start();
    let id = hanging(&mut world, 1, &json!({ "workflow": "sleep", "parameters": { "ms": 9000 } })).remove(0);
    let idle = idle_place.start();
    // The whole host is suspended for longer than the lease, and the one that runs nothing wakes first.
    idle.signal(Signal::STOP);
    owner.signal(Signal::STOP);
    let lapsed = format!(
        "SELECT lease_expires_at < now() - interval '1.5 s' AS lapsed FROM executions WHERE id = '{id}'"
    );
    eventually("the lease has run out", SOON, || world.record.select(&lapsed)[0]["lapsed"] == true);
    idle.signal(Signal::CONT);
    idle.wait_ready(SOON);
    owner.signal(Signal::CONT);
    let row = world.record.finished(&id, SOON);
    assert_eq!((&row["status"], &row["attempt"]), (&json!("SUCCESS"), &json!(1)), "{row}");
    assert!(idle.terminate(SOON).success());
    world.assert_clean(owner, &owner_place);
}
