//! A broker that lets us in and gives us nothing: readiness is what is true, and nobody is hammered.

use std::time::{Duration, Instant};

use muster_tests::{BrokerProxy, ConsumeAnswer, ServerKind, Services, TestSupervisor, eventually};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::world::{SOON, World};

/// How long a fault is looked at.
const LOOK: Duration = Duration::from_secs(12);
/// With pauses that rise to seconds so many connections are made meanwhile at most, and so many lines written.
const CONNECTIONS_MAX: usize = 15;
const LINES_MAX: usize = 10;

fn queue_part(supervisor: &TestSupervisor) -> Value {
    let parts = supervisor.client().get("/readyz").body["parts"].as_array().cloned().unwrap_or_default();
    parts.into_iter().find(|part| part["part"] == "queue").unwrap_or_default()
}

/// Looks for a while: not once does readiness say that the queue works.
#[track_caller]
fn never_says_connected(supervisor: &TestSupervisor, named: &str) {
    eventually("readiness names it", SOON, || {
        queue_part(supervisor)["detail"].as_str().is_some_and(|detail| detail.contains(named))
    });
    let until = Instant::now() + LOOK;
    while Instant::now() < until {
        let part = queue_part(supervisor);
        assert_eq!(part["ready"], false, "{part}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_consumer_that_is_refused_or_never_confirmed_is_named_and_tried_in_peace() {
    let mut world = World::shared();
    let door = BrokerProxy::before(&world.backends.amqp_url);
    let installation = world.installation().setting("amqp_url", door.url());
    for (consuming, named) in
        [(ConsumeAnswer::Refused, "ACCESS_REFUSED"), (ConsumeAnswer::Unanswered, "leader")]
    {
        door.set(consuming);
        let supervisor = installation.spawn();
        eventually("it answers", SOON, || supervisor.client().try_get("/healthz").is_some());
        let lines_before = supervisor.log().lines().count();
        let before = door.connections();
        never_says_connected(&supervisor, named);
        let connections = door.connections() - before;
        assert!(connections <= CONNECTIONS_MAX, "{connections} connections in {LOOK:?}");
        let log = supervisor.log();
        let broker_lines: Vec<_> = log
            .lines()
            .skip(lines_before)
            .filter(|line| line.contains("rabbit") || line.contains("lapin") || line.contains("ACCESS"))
            .collect();
        assert!(broker_lines.len() <= LINES_MAX, "{} lines: {broker_lines:#?}", broker_lines.len());
        door.set(ConsumeAnswer::Allowed);
        supervisor.wait_ready(SOON);
        let id = world.queue.submit(json!({ "workflow": "echo" }));
        assert_eq!(world.record.finished(&id, SOON)["status"], "SUCCESS");
        world.assert_clean(supervisor, &installation);
    }
}

#[test]
fn messages_that_wait_for_redis_are_named_and_run_when_it_is_back() {
    let mut world = World::on(Services::private());
    let installation = world.installation();
    let supervisor = installation.start();
    world.services.kill(ServerKind::Redis);
    let ids: Vec<_> = (0..3).map(|_| Uuid::now_v7().to_string()).collect();
    for id in &ids {
        world.queue.publish(&json!({ "execution_id": id, "workflow": "echo" }));
    }
    let bus = || {
        let response = supervisor.client().get("/readyz");
        let parts = response.body["parts"].as_array().cloned().unwrap_or_default();
        let bus = parts.into_iter().find(|part| part["part"] == "bus").unwrap_or_default();
        bus["detail"].as_str().unwrap_or_default().to_owned()
    };
    eventually("readiness counts them", SOON, || bus().contains("3 messages wait for their pending records"));
    assert!(supervisor.log().contains("messages wait for their pending record in Redis"));
    world.services.start_again(ServerKind::Redis);
    for id in &ids {
        assert_eq!(world.record.finished(id, SOON)["status"], "SUCCESS");
    }
    eventually("readiness is quiet again", SOON, || bus() == "live views work");
    world.assert_clean(supervisor, &installation);
}
