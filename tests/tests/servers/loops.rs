//! Each loop of a supervisor ends in turn: the process ends and names it, and the next one finishes everything once.

use std::time::Duration;

use muster_tests::TestSupervisor;
use serde_json::json;

use crate::world::{SOON, World};

/// What makes a loop on a thread of its own look whether it is to end.
type Nudge = fn(&TestSupervisor);

const NOTHING: Nudge = |_| {};
/// Others must be started. The answer may be lost with the supervisor.
const WANT_MORE_WORKERS: Nudge = |supervisor| {
    let client = supervisor.client().clone();
    let bounds = json!({ "min_workers": 6, "max_workers": 8 });
    let _answer = std::thread::spawn(move || client.post("/api/pool/resize", &bounds)).join();
};
/// A failure leaves a transcript.
const FAIL: Nudge = |supervisor| {
    let request = json!({ "workflow": "chatty", "parameters": { "count": 1, "then": "throw" } });
    supervisor.client().post("/api/executions", &request);
};

#[track_caller]
fn ends_the_supervisor(name: &str, fault: &str, nudge: Nudge) {
    let mut world = World::shared();
    let installation = world.installation();
    let file = installation.path("now");
    let fault = format!("FAULT_IN_MUSTER={fault}@{}", file.display());
    let mut supervisor = installation.spawn_under(&["/usr/bin/env", &fault]);
    supervisor.wait_ready(SOON);
    let running: Vec<_> = (0..2)
        .map(|_| world.queue.submit(json!({ "workflow": "sleep", "parameters": { "ms": 1500 } })))
        .collect();
    running.iter().for_each(|id| drop(world.record.started(id, SOON)));
    std::fs::write(&file, "").unwrap();
    nudge(&supervisor);
    let ended = supervisor.wait_exit(Duration::from_secs(20));
    assert!(!ended.success(), "{ended}");
    let log = supervisor.log();
    let named = log.lines().any(|line| line.contains("\"ERROR\"") && line.contains(&format!("\"{name}\"")));
    assert!(named, "no ERROR names {name}: {log}");
    let waiting = world.queue.submit(json!({ "workflow": "echo" }));

    let supervisor = installation.start();
    for id in running.iter().chain([&waiting]) {
        assert_eq!(world.record.finished(id, SOON)["status"], "SUCCESS");
    }
    world.assert_clean(supervisor, &installation);
}

macro_rules! loops {
    ($($test:ident: $name:literal, $fault:literal, $nudge:expr;)*) => {
        $(#[test]
        fn $test() {
            ends_the_supervisor($name, $fault, $nudge);
        })*
    };
}

loops! {
    notifier: "notifier", "notifier", NOTHING;
    executor: "executor", "executor", NOTHING;
    executor_watch: "executor-watch", "executor-watch", NOTHING;
    finalizer: "finalizer", "finalizer", NOTHING;
    finalizer_that_panics: "finalizer", "finalizer!", NOTHING;
    heartbeat: "heartbeat", "heartbeat", NOTHING;
    http: "http", "http", NOTHING;
    leases: "leases", "leases", NOTHING;
    leases_that_panic: "leases", "leases!", NOTHING;
    listener: "listener", "listener", NOTHING;
    orders: "orders", "orders", NOTHING;
    poll: "poll", "poll", NOTHING;
    presence: "presence", "presence", NOTHING;
    rabbitmq: "rabbitmq", "rabbitmq", NOTHING;
    rate: "rate", "rate", NOTHING;
    reporter: "reporter", "reporter", NOTHING;
    redis_subscriber: "redis-subscriber", "redis-subscriber", NOTHING;
    redis_writer: "redis-writer", "redis-writer", NOTHING;
    spawner: "spawner", "spawner", WANT_MORE_WORKERS;
    starts: "starts", "starts", NOTHING;
    sweep: "sweep", "sweep", NOTHING;
    transcripts: "transcripts", "transcripts", FAIL;
}
