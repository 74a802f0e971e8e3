//! Leaving with outcomes that nobody takes: the process stays with the only copy, says so, and says how to leave.

use std::time::Duration;

use muster_tests::{Installation, ServerKind, Services, TestSupervisor, eventually, process};
use rustix::process::Signal;
use serde_json::json;

use crate::world::{SOON, World};

/// A supervisor that has two outcomes in memory, was asked to leave twice, and has said what it waits for. Its log
/// goes through another process, because the bound on files is for all it writes.
#[track_caller]
fn holds_outcomes_and_was_asked_twice(world: &mut World) -> (Installation, TestSupervisor, Vec<String>) {
    let installation = world.installation();
    let supervisor = installation.spawn_under(&["/bin/bash", "-c", "exec \"$0\" \"$@\" > >(cat) 2>&1"]);
    supervisor.wait_ready(SOON);
    let ids: Vec<_> = (0..2)
        .map(|_| world.queue.submit(json!({ "workflow": "sleep", "parameters": { "ms": 1500 } })))
        .collect();
    ids.iter().for_each(|id| drop(world.record.started(id, SOON)));
    supervisor.limit_files(1);
    world.services.kill(ServerKind::Postgres);
    eventually("the outcomes are in memory only", SOON, || supervisor.log().contains("in memory only"));
    supervisor.signal(Signal::TERM);
    eventually("it is asked to leave", SOON, || supervisor.log().contains("draining"));
    supervisor.signal(Signal::TERM);
    eventually("it says how to leave", SOON, || supervisor.log().contains("a third signal"));
    assert!(process::is_alive(supervisor.id()), "it has the only copy");
    (installation, supervisor, ids)
}

#[test]
fn a_third_signal_leaves_without_outcomes_that_nobody_takes() {
    let mut world = World::on(Services::private());
    let (installation, mut supervisor, ids) = holds_outcomes_and_was_asked_twice(&mut world);
    supervisor.signal(Signal::TERM);
    let ended = supervisor.wait_exit(Duration::from_secs(10));
    assert!(!ended.success(), "something is lost: {ended}");
    eventually("it says what", SOON, || {
        supervisor.log().contains("left at the third signal with 2 outcomes")
    });
    world.services.start_again(ServerKind::Postgres);
    let supervisor = installation.start();
    for id in &ids {
        let row = world.record.finished(id, SOON);
        assert_eq!((&row["status"], &row["attempt"]), (&json!("SUCCESS"), &json!(2)), "{row}");
    }
    world.assert_clean(supervisor, &installation);
}

#[test]
fn with_space_on_disk_again_a_supervisor_leaves_and_nothing_runs_twice() {
    let mut world = World::on(Services::private());
    let (installation, mut supervisor, ids) = holds_outcomes_and_was_asked_twice(&mut world);
    supervisor.limit_files(1 << 40);
    assert!(supervisor.wait_exit(SOON).success());
    world.services.start_again(ServerKind::Postgres);
    let supervisor = installation.start();
    for id in &ids {
        let row = world.record.finished(id, SOON);
        assert_eq!((&row["status"], &row["attempt"]), (&json!("SUCCESS"), &json!(1)), "{row}");
    }
    world.assert_clean(supervisor, &installation);
}
