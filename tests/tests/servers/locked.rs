//! A row that somebody has locked, an operator with a transaction left open, costs itself only and only for as long.

use std::time::{Duration, Instant};

use muster_tests::{Installation, TestSupervisor, eventually};
use serde_json::json;

use crate::world::{SOON, World};

/// Shorter than the locks of these tests.
const LEASE: Duration = Duration::from_secs(2);
/// A statement that waited for a lock would wait for longer than this, and fail then.
const UNHELD: Duration = Duration::from_secs(15);
/// From the end of a lock to the end of what it held up; on an idle machine it is a second.
const FREED: Duration = Duration::from_secs(4);

fn supervisor(world: &World) -> (TestSupervisor, Installation) {
    let installation = world.installation().setting("lease_seconds", LEASE.as_secs());
    (installation.start(), installation)
}

#[track_caller]
fn is_set_aside(supervisor: &TestSupervisor, id: &str) {
    eventually(&format!("{id} is named as locked"), UNHELD, || {
        let named = |line: &str| line.contains("somebody has locked") && line.contains(id);
        supervisor.log().lines().any(|line| named(line) && line.contains("\"WARN\""))
    });
}

#[track_caller]
fn all_succeed(world: &World, ids: &[String]) {
    for id in ids {
        let row = world.record.finished(id, UNHELD);
        assert_eq!((&row["status"], &row["attempt"]), (&json!("SUCCESS"), &json!(1)), "held up: {row}");
    }
}

#[test]
fn a_locked_row_holds_up_neither_other_ends_nor_other_leases() {
    let mut world = World::shared();
    let (owner, installation) = supervisor(&world);
    let (idle, _other) = supervisor(&world);
    let sleep = |ms: u32| json!({ "workflow": "sleep", "parameters": { "ms": ms }, "max_attempts": 1 });
    let lasting = world.queue.submit(sleep(9000));
    let locked = world.queue.submit(sleep(1500));
    world.record.started(&lasting, SOON);
    world.record.started(&locked, SOON);
    let held = world.record.hold(&format!("SELECT FROM executions WHERE id = '{locked}' FOR UPDATE"));
    let others: Vec<_> = (0..19).map(|number| world.queue.submit(sleep(100 * number))).collect();
    all_succeed(&world, &others);
    eventually("the end of the locked one is set aside", UNHELD, || {
        [&owner, &idle].iter().any(|supervisor| {
            supervisor
                .log()
                .lines()
                .any(|line| line.contains("somebody has locked") && line.contains(&locked))
        })
    });
    let more: Vec<_> = (0..9).map(|_| world.queue.submit(json!({ "workflow": "echo" }))).collect();
    all_succeed(&world, &more);
    all_succeed(&world, &[lasting]);
    assert_eq!(world.record.execution(&locked).unwrap()["status"], "RUNNING");
    for supervisor in [&owner, &idle] {
        assert_eq!(supervisor.client().get("/readyz").status, 200);
        assert!(!supervisor.log().contains("\"ERROR\""), "nobody must act");
        assert!(!supervisor.log().contains("took this execution over"));
    }
    drop(held);
    let freed = Instant::now();
    let row = world.record.finished(&locked, UNHELD);
    assert!(freed.elapsed() < FREED, "written {:?} after the lock went", freed.elapsed());
    assert_eq!((&row["status"], &row["attempt"]), (&json!("SUCCESS"), &json!(1)), "{row}");
    assert!(idle.terminate(SOON).success());
    world.assert_clean(owner, &installation);
}

#[test]
fn a_locked_entry_of_state_holds_up_only_whoever_writes_it() {
    let mut world = World::shared();
    let (owner, installation) = supervisor(&world);
    let write = |key: &str| json!({ "workflow": "chatty", "parameters": { "count": 1, "write": key } });
    let first = world.queue.submit(write("one"));
    world.record.finished(&first, SOON);
    let held = world.record.hold("SELECT FROM state_entries WHERE key = 'one' FOR UPDATE");
    let locked = world.queue.submit(write("one"));
    let others: Vec<_> = (0..9).map(|number| world.queue.submit(write(&format!("other {number}")))).collect();
    all_succeed(&world, &others);
    is_set_aside(&owner, &locked);
    drop(held);
    let freed = Instant::now();
    world.record.finished(&locked, UNHELD);
    assert!(freed.elapsed() < FREED, "written {:?} after the lock went", freed.elapsed());
    let entry = world.record.select("SELECT value FROM state_entries WHERE key = 'one'").pop().unwrap();
    assert_eq!(entry["value"], json!(locked));
    world.assert_clean(owner, &installation);
}

#[test]
fn a_table_that_is_locked_is_no_matter_of_its_rows() {
    let mut world = World::shared();
    let (owner, installation) = supervisor(&world);
    let id = world.queue.submit(json!({ "workflow": "sleep", "parameters": { "ms": 1500 } }));
    world.record.started(&id, SOON);
    let held = world.record.hold("LOCK TABLE executions IN SHARE MODE");
    let outbox = installation.path("data/outbox");
    eventually("its end is in the outbox", UNHELD, || {
        let bytes = std::fs::read(&outbox).unwrap_or_default();
        String::from_utf8_lossy(&bytes).contains(&id)
    });
    eventually("the store counts as one that takes no writes", UNHELD, || {
        owner.log().contains("cannot commit outcomes")
    });
    drop(held);
    world.record.finished(&id, UNHELD);
    assert!(!owner.log().contains("somebody has locked"), "nothing is set aside by itself");
    world.assert_clean(owner, &installation);
}

#[test]
fn a_locked_row_that_waits_holds_up_neither_claims_nor_whoever_cancels_it() {
    let mut world = World::shared();
    let (owner, installation) = supervisor(&world);
    let id = uuid::Uuid::now_v7().to_string();
    let request = json!({ "execution_id": id, "workflow": "echo" });
    world.record.execute(&format!(
        "INSERT INTO executions (id, workflow_name, request, status, max_attempts, run_after, created_at)
         VALUES ('{id}', 'echo', '{request}', 'PENDING', 3, clock_timestamp() + interval '1 h', clock_timestamp())"
    ));
    let held = world.record.hold(&format!("SELECT FROM executions WHERE id = '{id}' FOR UPDATE"));
    let asked = Instant::now();
    let answer = owner.client().post(&format!("/api/executions/{id}/cancel"), &json!({}));
    assert!(asked.elapsed() < UNHELD, "a cancel hangs");
    assert_eq!(answer.status, 503, "{}", answer.body);
    assert!(answer.body.to_string().contains("lock"), "{}", answer.body);

    world.queue.submit(request);
    let others: Vec<_> = (0..9).map(|_| world.queue.submit(json!({ "workflow": "echo" }))).collect();
    all_succeed(&world, &others);
    drop(held);
    world.queue.has_depth(0, SOON);
    let cancelled = owner.client().post(&format!("/api/executions/{id}/cancel"), &json!({}));
    assert!(cancelled.status < 300, "{}", cancelled.body);
    assert_eq!(world.record.finished(&id, SOON)["status"], "CANCELLED");
    world.assert_clean(owner, &installation);
}

#[test]
fn a_database_that_does_not_confirm_what_is_written_is_not_ready() {
    let mut world = World::shared();
    let (owner, installation) = supervisor(&world);
    owner.wait_ready(SOON);
    // It answers every question, as one does whose commits wait for a standby that is away.
    let held = world.record.hold("LOCK TABLE supervisors IN SHARE MODE");
    eventually("it is not ready, and says what is not confirmed", SOON, || {
        let answer = owner.client().get("/readyz");
        answer.status == 503 && answer.body.to_string().contains("has not confirmed what is written")
    });
    drop(held);
    owner.wait_ready(SOON);
    eventually("the log says when it is over", SOON, || {
        owner.log().contains("the database confirms what is written again")
    });
    world.assert_clean(owner, &installation);
}

#[test]
fn a_start_that_waits_for_a_migration_of_another_says_so() {
    let mut world = World::shared();
    let (first, installation) = supervisor(&world);
    let held = world.record.hold("SELECT pg_advisory_xact_lock(120351215609202)");
    let starting = world.installation();
    let second = starting.spawn();
    eventually("it says what it waits for", SOON, || {
        second.log().contains("the start waits for another session that brings the schema up to date")
    });
    drop(held);
    second.wait_ready(SOON);
    assert!(second.terminate(SOON).success());
    world.assert_clean(first, &installation);
}
