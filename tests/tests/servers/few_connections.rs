//! PostgreSQL that gives the supervisor few connections, or none: all goes on, slower, or everybody who looks is told
//! at once how many it needs; and what was refused is taken when there is room again.

use std::time::{Duration, Instant};

use muster_tests::{Installation, TestSupervisor, eventually};
use serde_json::json;

use crate::world::{SOON, World};

/// The bar, and as much again for a machine that has other things to do.
const AT_ONCE: Duration = Duration::from_millis(400);
/// An answer that was late once must be in time when it is asked for again.
const TRIES: usize = 5;
const EXECUTIONS: usize = 20;

/// A supervisor whose user is one of its own.
fn installation(world: &World) -> (String, Installation) {
    let name = world.backends.database_url.rsplit('/').next().unwrap().to_owned();
    world.record.execute(&format!(
        "CREATE ROLE {name} LOGIN; ALTER DATABASE {name} OWNER TO {name}; ALTER SCHEMA public OWNER TO {name}"
    ));
    let (scheme, rest) = world.backends.database_url.split_once("://").unwrap();
    let (_, address) = rest.split_once('@').unwrap();
    let installation = world.installation().setting("database_url", format!("{scheme}://{name}@{address}"));
    (name, installation)
}

/// From now on it may have so many, and has none.
fn allow(world: &World, role: &str, connections: i32) {
    world.record.execute(&format!("ALTER ROLE {role} CONNECTION LIMIT {connections}"));
    world
        .record
        .execute(&format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{role}'"));
}

/// How soon it is answered at best, and what was answered last.
fn asked(supervisor: &TestSupervisor, path: &str) -> (Duration, muster_tests::Response) {
    let ask = || {
        let began = Instant::now();
        let response = supervisor.client().get(path);
        (began.elapsed(), response)
    };
    (1..TRIES).fold(ask(), |(best, _), _| {
        let (took, response) = ask();
        (best.min(took), response)
    })
}

#[test]
fn with_three_connections_all_goes_on() {
    let mut world = World::shared();
    let (role, installation) = installation(&world);
    allow(&world, &role, 3);
    let supervisor = installation.start();
    let ids: Vec<_> = (0..EXECUTIONS)
        .map(|n| world.queue.submit(json!({ "workflow": "echo", "parameters": { "n": n } })))
        .collect();
    for id in &ids {
        assert_eq!(world.record.finished(id, SOON)["status"], "SUCCESS");
    }
    for path in ["/readyz", "/metrics", "/api/pool"] {
        let (took, _) = asked(&supervisor, path);
        assert!(took <= AT_ONCE, "{path} took {took:?}");
    }
    eventually("lists are answered", SOON, || {
        supervisor.client().get("/api/executions?limit=3").status == 200
    });
    eventually("it is ready", SOON, || supervisor.client().get("/readyz").status == 200);
    world.assert_clean(supervisor, &installation);
}

#[test]
fn without_a_connection_everybody_is_told_how_many_it_needs_and_it_recovers() {
    let mut world = World::shared();
    let (role, installation) = installation(&world);
    let supervisor = installation.start();
    allow(&world, &role, 0);
    let says =
        |text: &str| text.contains("too many connections") && text.contains("opens up to 17 connections");

    eventually("readiness says it", SOON, || {
        let (took, response) = asked(&supervisor, "/readyz");
        assert!(took <= AT_ONCE, "/readyz took {took:?}");
        response.status == 503 && says(&response.body.to_string())
    });
    let (took, response) = asked(&supervisor, "/api/executions");
    assert!(took <= AT_ONCE, "a list took {took:?}");
    assert!(response.status == 503 && says(&response.body.to_string()), "{response:?}");
    let (took, response) = asked(&supervisor, "/metrics");
    assert!(took <= AT_ONCE, "/metrics took {took:?}");
    assert!(
        response.body.as_str().is_some_and(|text| text.contains("muster_ready{part=\"store\"} 0")),
        "{}",
        response.body
    );
    assert!(supervisor.log().lines().any(|line| line.contains("WARN") && says(line)), "{}", supervisor.log());

    let id = world.queue.submit(json!({ "workflow": "echo" }));
    world.record.execute(&format!("ALTER ROLE {role} CONNECTION LIMIT -1"));
    assert_eq!(world.record.finished(&id, SOON)["status"], "SUCCESS");
    supervisor.wait_ready(SOON);
    world.assert_clean(supervisor, &installation);
}
