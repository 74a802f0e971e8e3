//! What the operating system gives and takes: descriptors, orphans, and the end of a supervisor that could not say so.

use std::collections::BTreeSet;
use std::fs::File;
use std::time::Duration;

use muster_tests::{Installation, TestSupervisor, eventually, process, rogue};
use rustix::io::{FdFlags, fcntl_setfd};
use rustix::process::Signal;
use serde_json::json;

use crate::workflows;

const SOON: Duration = Duration::from_secs(20);
/// How many descriptors a supervisor of the test on running out of them may open in the end.
const DESCRIPTORS: u64 = 80;

#[test]
fn no_worker_outlives_a_killed_supervisor() {
    let installation = workflows::installed().setting("min_workers", 4);
    let supervisor = installation.start();
    let client = supervisor.client();
    let requests = [
        json!({ "workflow": "busy" }),
        json!({ "workflow": "sleep", "parameters": { "ms": 600_000 } }),
        // Native code, which looks for nothing.
        json!({ "workflow": "conformance.ignore_cancel", "parameters": { "seconds": 600 } }),
    ];
    for request in &requests {
        let id = client.submit(request);
        eventually("it runs", SOON, || client.execution(&id)["started_at"].is_string());
    }
    eventually("the pool has its size", SOON, || supervisor.workers().len() == 4);
    // Nobody starts it again, so nobody kills what it left: the workers themselves must see its end.
    supervisor.kill();
    installation.assert_nothing_left();
}

#[test]
fn how_children_end_is_known_though_sigchld_was_ignored_for_the_supervisor() {
    let ignores_ends = 1 << (Signal::CHILD.as_raw() - 1);
    let installation = Installation::new().worker(rogue(&[]));
    let program = "import os, signal, sys
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
os.execvp(sys.argv[1], sys.argv[1:])";
    let supervisor = installation.spawn_under(&["python3", "-c", program]);
    supervisor.wait_ready(SOON);
    both_are_idle(&supervisor);
    for process in std::iter::once(supervisor.id()).chain(supervisor.workers()) {
        let ignored = process::ignored_signals(process);
        assert_eq!(ignored & ignores_ends, 0, "{process:?} ignores {ignored:x}");
    }
    assert!(supervisor.terminate(SOON).success());
}

/// Waits until the two workers have started: a supervisor is ready before.
fn both_are_idle(supervisor: &TestSupervisor) {
    eventually("both workers are idle", SOON, || {
        let workers = supervisor.client().get("/api/pool").body;
        let idle = workers["workers"].as_array()?.iter().filter(|worker| worker["state"] == "idle").count();
        (idle == 2).then_some(())
    });
}

#[test]
fn a_worker_inherits_its_three_streams_and_nothing_else() {
    let installation = Installation::new().worker(rogue(&[]));
    let path = installation.path("open in the parent");
    let file = File::create(&path).unwrap();
    fcntl_setfd(&file, FdFlags::empty()).unwrap();
    let supervisor = installation.start();
    let has = |process| process::descriptors(process).contains(&path);
    assert!(has(supervisor.id()), "the supervisor was not even given it");
    both_are_idle(&supervisor);
    let mut channels = 0;
    for worker in supervisor.workers() {
        // It may have made copies of them.
        let open: BTreeSet<_> = process::descriptors(worker).into_iter().collect();
        let of = |kind: &str| open.iter().filter(|target| target.to_string_lossy().starts_with(kind)).count();
        assert_eq!(of("pipe:"), 3, "{open:?}");
        assert_eq!(of("pipe:") + of("socket:"), open.len(), "{open:?}");
        channels += of("socket:");
    }
    assert!(channels <= 1, "only the first is offered to be a template");
}

#[test]
fn running_out_of_descriptors_is_a_failed_start_that_passes() {
    let installation = Installation::new().worker(rogue(&[])).setting("max_workers", 2);
    let supervisor = installation.start();
    both_are_idle(&supervisor);
    let open = || process::descriptors(supervisor.id()).len();
    let before = open();
    // Clients cannot take them all, so it is allowed no more than it has.
    process::limit_descriptors(supervisor.id(), u64::try_from(before).unwrap());
    // A dead worker gives back four, and the next one takes six until it runs.
    let dead = supervisor.workers();
    assert!(!dead.is_empty());
    dead.iter().for_each(|worker| process::signal(*worker, Signal::KILL));
    eventually("the log says what is wrong and what to do", SOON, || {
        let log = supervisor.log();
        log.contains("Too many open files") && log.contains("raise `ulimit -n` or lower max_workers")
    });

    process::limit_descriptors(supervisor.id(), DESCRIPTORS);
    supervisor.wait_ready(SOON);
    eventually("the pool is back to its size", SOON, || supervisor.workers().len() == 2);
    let client = supervisor.client();
    let row = client.finished(&client.submit(&json!({ "workflow": "echo", "parameters": 5 })), SOON);
    assert_eq!((&row["status"], &row["attempt"]), (&json!("SUCCESS"), &json!(1)), "{row}");
    eventually("no descriptor is lost", SOON, || open() <= before + 8);
    assert!(process::zombies(supervisor.id()).is_empty());
    assert!(supervisor.terminate(SOON).success());
    installation.assert_nothing_left();
}

#[test]
fn as_process_one_it_reaps_what_workers_leave_behind() {
    let installation = Installation::new().worker(rogue(&["--setsid-grandchild", "1", "--exit-code", "3"]));
    let container: &[&str] = &["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"];
    // Others than root get a process namespace of their own only together with a user namespace.
    let user: &[&str] =
        if rustix::process::geteuid().is_root() { &[] } else { &["--user", "--map-root-user"] };
    let mut outside = installation.spawn_under(&[container, user].concat());
    outside.wait_ready(SOON);
    let client = outside.client();
    let one = eventually("a worker is there", SOON, || outside.workers().first().copied());
    for _ in 0..3 {
        let row = client.finished(&client.submit(&json!({ "workflow": "echo" })), SOON);
        // That its own status is seen says that nobody else reaped the worker.
        assert!(row["error_message"].as_str().unwrap().contains("exit status 3"), "{row}");
    }
    let is_grandchild = |process: &u32| process::command_line(*process).starts_with("sleep");
    eventually("the grandchildren end", SOON, || !installation.processes().iter().any(is_grandchild));
    eventually("and are reaped", SOON, || process::zombies(one).is_empty());
    process::signal(one, Signal::TERM);
    assert!(outside.wait_exit(SOON).success());
    installation.assert_nothing_left();
}
