//! What may not be taken over: the runs of a supervisor that lives and reaches the database, whatever becomes of a
//! lock, a connection or the database itself meanwhile.

use std::time::Duration;

use muster_tests::{Installation, ServerKind, Services, TestSupervisor, eventually};
use rustix::process::Signal;
use serde_json::json;

use crate::world::{SOON, World};

/// The shortest that leaves time to look.
const LEASE: Duration = Duration::from_secs(2);

/// Longer than a lease, and than what whoever holds its lock gets beyond it.
const TROUBLE: Duration = Duration::from_secs(6);

/// Somebody who runs an execution for longer than the trouble, and somebody with nothing to do.
struct Pair {
    world: World,
    id: String,
    owner: (TestSupervisor, Installation),
    other: (TestSupervisor, Installation),
}

impl Pair {
    #[track_caller]
    fn on(world: World) -> Self {
        let owner = world.installation();
        Self::with_owner(world, owner)
    }

    #[track_caller]
    fn with_owner(mut world: World, owner: Installation) -> Self {
        let owner = owner.setting("lease_seconds", LEASE.as_secs());
        let running = owner.start();
        let request = json!({ "workflow": "sleep", "parameters": { "ms": 14_000 }, "max_attempts": 1 });
        let id = world.queue.submit(request);
        world.record.started(&id, SOON);
        let other = world.installation().setting("lease_seconds", LEASE.as_secs());
        let idle = other.start();
        Self { world, id, owner: (running, owner), other: (idle, other) }
    }

    /// Its run went on as if nothing had been.
    #[track_caller]
    fn assert_undisturbed(mut self) {
        let row = self.world.record.finished(&self.id, SOON);
        assert_eq!((&row["status"], &row["attempt"]), (&json!("SUCCESS"), &json!(1)), "{row}");
        assert_eq!(self.world.record.events(&self.id), ["claimed", "started", "finalized"]);
        for (supervisor, _) in [&self.owner, &self.other] {
            supervisor.wait_ready(SOON);
            assert!(!supervisor.log().contains("took this execution over"));
        }
        assert!(self.other.0.terminate(SOON).success());
        self.world.assert_clean(self.owner.0, &self.owner.1);
    }

    /// On different hosts no system tells of the other's processes.
    #[track_caller]
    fn on_two_hosts(&self) {
        self.world.record.execute("UPDATE supervisor_presences SET host = owner::text");
    }
}

#[test]
fn rule_12_a_table_that_can_be_read_and_not_written_costs_nobody_a_run() {
    let pair = Pair::on(World::shared());
    // What CREATE INDEX takes.
    let held = pair.world.record.hold("LOCK TABLE executions IN SHARE MODE");
    std::thread::sleep(TROUBLE);
    drop(held);
    pair.assert_undisturbed();
}

#[test]
fn rule_12_a_table_that_is_locked_costs_nobody_a_run() {
    let pair = Pair::on(World::shared());
    // What ALTER TABLE, VACUUM FULL and some migrations take.
    let held = pair.world.record.lock_table("executions");
    std::thread::sleep(TROUBLE);
    drop(held);
    pair.assert_undisturbed();
}

#[test]
fn rule_12_a_database_that_is_read_only_for_a_while_costs_nobody_a_run() {
    let pair = Pair::on(World::on(Services::private()));
    let read_only = |on| {
        pair.world.record.execute(&format!("ALTER SYSTEM SET default_transaction_read_only = {on}"));
        pair.world.record.execute("SELECT pg_reload_conf()");
    };
    read_only("on");
    std::thread::sleep(TROUBLE);
    pair.world.record.execute("ALTER SYSTEM RESET default_transaction_read_only");
    pair.world.record.execute("SELECT pg_reload_conf()");
    pair.assert_undisturbed();
}

#[test]
fn rule_12_a_row_somebody_has_locked_costs_nobody_its_run() {
    let pair = Pair::on(World::shared());
    let held = pair.world.record.hold(&format!("SELECT FROM executions WHERE id = '{}' FOR UPDATE", pair.id));
    std::thread::sleep(TROUBLE);
    drop(held);
    pair.assert_undisturbed();
}

/// A user of the owner's own, so that it can be kept out.
#[track_caller]
fn owner_as_a_role(world: &World) -> (Installation, String) {
    let role = format!("owner_{}", uuid::Uuid::now_v7().simple());
    world.record.execute(&format!("CREATE ROLE {role} LOGIN; GRANT ALL ON SCHEMA public TO {role}"));
    let url = world.backends.database_url.replace("postgres@", &format!("{role}@"));
    assert_ne!(url, world.backends.database_url);
    (world.installation().setting("database_url", url), role)
}

#[test]
fn rule_13_a_presence_that_cannot_be_taken_again_is_named_and_costs_nobody_a_run() {
    let world = World::shared();
    let (owner, role) = owner_as_a_role(&world);
    let pair = Pair::with_owner(world, owner);
    pair.on_two_hosts();
    let record = &pair.world.record;
    // The role may connect no more, and the connection with the lock is cut.
    record.execute(&format!("ALTER ROLE {role} CONNECTION LIMIT 1"));
    record.execute(&format!(
        "SELECT pg_terminate_backend(pid) FROM pg_locks JOIN pg_stat_activity USING (pid)
         WHERE locktype = 'advisory' AND usename = '{role}'"
    ));
    eventually("readiness names it", SOON, || {
        let readiness = pair.owner.0.client().get("/readyz").body;
        let parts = readiness["parts"].as_array().cloned().unwrap_or_default();
        parts.iter().any(|part| {
            part["part"] == "presence" && part["detail"].as_str().is_some_and(|text| text.contains("lost"))
        })
    });
    std::thread::sleep(TROUBLE);
    assert_eq!(record.events(&pair.id), ["claimed"]);
    record.execute(&format!("ALTER ROLE {role} CONNECTION LIMIT -1"));
    pair.assert_undisturbed();
}

#[test]
fn rule_13_a_supervisor_cut_off_for_two_seconds_loses_nothing() {
    let world = World::shared();
    let (owner, role) = owner_as_a_role(&world);
    let pair = Pair::with_owner(world, owner.setting("lease_seconds", 30));
    pair.on_two_hosts();
    pair.world.record.execute(&format!("ALTER ROLE {role} NOLOGIN"));
    let cut = format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{role}'");
    pair.world.record.execute(&cut);
    std::thread::sleep(Duration::from_secs(2));
    pair.world.record.execute(&format!("ALTER ROLE {role} LOGIN"));
    pair.assert_undisturbed();
}

#[test]
fn rule_13_a_death_on_another_host_shows_by_its_silence() {
    let mut world = World::shared();
    // The leases are far too long to explain what happens here.
    let [doomed_place, heir_place] =
        [world.installation(), world.installation()].map(|place| place.setting("lease_seconds", 600));
    let terminating = doomed_place.start();
    let id = world.queue.submit(json!({ "workflow": "second" }));
    world.record.started(&id, SOON);
    let heir = heir_place.start();
    world.record.execute("UPDATE supervisor_presences SET host = owner::text");
    terminating.kill();
    let killed = std::time::Instant::now();
    let row = world.record.finished(&id, SOON);
    assert_eq!((&row["status"], &row["attempt"]), (&json!("SUCCESS"), &json!(2)), "{row}");
    assert!(killed.elapsed() >= Duration::from_secs(5), "that was no silence: {:?}", killed.elapsed());
    doomed_place.assert_nothing_left();
    world.assert_clean(heir, &heir_place);
}

#[test]
fn rule_13_after_a_database_that_stood_still_claims_go_on_at_once() {
    let mut world = World::on(Services::private());
    let places = [world.installation(), world.installation()];
    let [one, other] = [places[0].start(), places[1].start()];
    // Longer than any answer is waited for on the connection that shows that we live.
    world.services.pause(ServerKind::Postgres);
    std::thread::sleep(Duration::from_secs(7));
    world.services.resume(ServerKind::Postgres);
    let back = std::time::Instant::now();
    let ids: Vec<_> = (0..5).map(|_| world.queue.submit(json!({ "workflow": "echo" }))).collect();
    for id in &ids {
        assert_eq!(world.record.finished(id, SOON)["status"], "SUCCESS");
    }
    assert!(back.elapsed() < Duration::from_secs(5), "only after {:?}", back.elapsed());
    for supervisor in [&one, &other] {
        supervisor.wait_ready(SOON);
        let readiness = supervisor.client().get("/readyz").body;
        assert!(readiness.to_string().contains("other supervisors see that this one lives"), "{readiness}");
    }
    assert!(other.terminate(SOON).success());
    world.assert_clean(one, &places[0]);
}

#[test]
fn rule_10_what_was_claimed_while_its_supervisor_was_frozen_is_run_and_not_released() {
    let mut world = World::shared();
    let place = world.installation().setting("lease_seconds", 3);
    let supervisor = place.start();
    // Whoever inserts the same row waits for the end of this.
    let id = uuid::Uuid::now_v7().to_string();
    let held = world.record.hold(&format!(
        "INSERT INTO executions (id, status, run_after, created_at) VALUES ('{id}', 'PENDING', now(), now())"
    ));
    world.queue.publish(&json!({ "execution_id": id, "workflow": "sleep", "parameters": { "ms": 3000 } }));
    let waiting = "SELECT pid FROM pg_stat_activity WHERE datname = current_database()
        AND wait_event_type = 'Lock' AND query LIKE '%INSERT INTO executions%'";
    eventually("the claim is under way", SOON, || world.record.select(waiting).pop());
    supervisor.signal(Signal::STOP);
    drop(held);
    world.record.has_status(&id, &["RUNNING"], SOON);
    // Two thirds of its lease.
    let due = format!(
        "SELECT lease_expires_at < clock_timestamp() + interval '0.8 s' AS due FROM executions WHERE id = '{id}'"
    );
    eventually("a renewal has been missed", SOON, || world.record.select(&due)[0]["due"] == true);
    supervisor.signal(Signal::CONT);
    let row = world.record.finished(&id, SOON);
    assert_eq!((&row["status"], &row["attempt"]), (&json!("SUCCESS"), &json!(1)), "{row}");
    assert_eq!(world.record.events(&id), ["claimed", "started", "finalized"]);
    world.assert_clean(supervisor, &place);
}
