//! A start waits for a database that is not ready for it yet, and says for what.

use std::time::Duration;

use muster_tests::{
    Backends, Installation, Record, ServerKind, Services, TestSupervisor, eventually, process,
};
use serde_json::json;

use crate::world::{SOON, World};

/// Waits until readiness says that the start waits for this, then until something is done about it, then until
/// the supervisor is ready.
#[track_caller]
fn waits_for(supervisor: &TestSupervisor, what: &str, then: impl FnOnce()) {
    eventually(&format!("readiness says {what}"), SOON, || {
        assert!(process::is_alive(supervisor.id()), "the supervisor ended instead of waiting");
        supervisor.client().try_get("/readyz").is_some_and(|response| {
            let part = &response.body["parts"][0];
            response.status == 503
                && part["part"] == "store"
                && part["detail"].as_str().is_some_and(|detail| detail.contains(what))
        })
    });
    let log = supervisor.log();
    let warned = log.lines().any(|line| line.contains("waiting for the database") && line.contains(what));
    assert!(warned, "{log}");
    then();
    supervisor.wait_ready(SOON);
}

#[test]
fn a_start_waits_for_a_database_that_is_read_only() {
    let mut world = World::shared();
    let installation = world.installation();
    let name = world.backends.database_url.rsplit('/').next().unwrap().to_owned();
    let read_only = |on: &str| {
        world.record.execute(&format!("ALTER DATABASE {name} SET default_transaction_read_only = {on}"));
    };
    read_only("on");
    let supervisor = installation.spawn();
    waits_for(&supervisor, "read-only", || read_only_off(&world.backends, &name));
    assert!(supervisor.terminate(SOON).success());

    // With a schema that is there already a later step is the first that writes.
    read_only("on");
    let supervisor = installation.spawn();
    waits_for(&supervisor, "read-only", || read_only_off(&world.backends, &name));
    let id = world.queue.submit(json!({ "workflow": "echo" }));
    assert_eq!(world.record.finished(&id, SOON)["status"], "SUCCESS");
    world.assert_clean(supervisor, &installation);
}

/// On a connection of its own that may write all the same.
fn read_only_off(backends: &Backends, name: &str) {
    Record::of(backends).execute(&format!(
        "BEGIN READ WRITE; ALTER DATABASE {name} RESET default_transaction_read_only; COMMIT"
    ));
}

#[test]
fn a_start_waits_for_connections_and_goes_on_with_them() {
    let mut world = World::shared();
    let name = world.backends.database_url.rsplit('/').next().unwrap().to_owned();
    world.record.execute(&format!(
        "CREATE ROLE {name} LOGIN CONNECTION LIMIT 1; ALTER DATABASE {name} OWNER TO {name}"
    ));
    let (scheme, rest) = world.backends.database_url.split_once("://").unwrap();
    let (_, address) = rest.split_once('@').unwrap();
    let installation = world.installation().setting("database_url", format!("{scheme}://{name}@{address}"));
    let supervisor = installation.spawn();
    waits_for(&supervisor, "too many connections", || {
        world.record.execute(&format!("ALTER ROLE {name} CONNECTION LIMIT -1"));
    });
    let id = world.queue.submit(json!({ "workflow": "echo" }));
    assert_eq!(world.record.finished(&id, SOON)["status"], "SUCCESS");
    world.assert_clean(supervisor, &installation);
}

#[test]
fn a_database_that_goes_away_in_the_middle_of_a_start_is_waited_for() {
    let world = World::on(Services::private());
    let installation: Installation = world.installation();
    // The schema is made, and the next step is held up until the server is gone.
    installation.start().terminate(SOON);
    let held = world.record.lock_table("supervisor_presences");
    let supervisor = installation.spawn();
    eventually("the start has come to the sign of life", SOON, || {
        world
            .record
            .count("pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%supervisor_presences%'")
            > 0
    });
    world.services.kill(ServerKind::Postgres);
    drop(held);
    waits_for(&supervisor, "out of reach", || world.services.start_again(ServerKind::Postgres));
    assert!(supervisor.terminate(Duration::from_secs(20)).success());
}
