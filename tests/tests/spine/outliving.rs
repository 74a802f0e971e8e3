//! Nobody outlives a supervisor, however it ends and whether or not another one starts.

use std::time::Duration;

use muster_system::process::WorkerLeaves;
use muster_tests::{Installation, binaries, eventually, process};
use rustix::process::Signal;
use serde_json::json;

use crate::left::{installation, sleeping};

const SOON: Duration = Duration::from_secs(60);
/// Whoever is left of a supervisor that was killed is ended so soon.
const GONE_WITHIN: Duration = Duration::from_secs(6);

/// Whether a supervisor that a test starts has control groups for its workers.
fn has_leaves() -> bool {
    let made = WorkerLeaves::open_unrecorded();
    made.inspect(WorkerLeaves::close).is_ok()
}

/// The processes whose command line names this installation, apart from those that run in it.
fn guards(installation: &Installation) -> Vec<u32> {
    let folder = installation.folder().display().to_string();
    let numbers = std::fs::read_dir("/proc").unwrap().flatten();
    let numbers = numbers.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    numbers
        .filter(|number| {
            let line = process::command_line(*number);
            line.starts_with("supervisor guard ") && line.contains(&folder)
        })
        .collect()
}

#[test]
fn nobody_outlives_a_supervisor_that_was_killed_although_no_other_starts() {
    for how in ["daemon", "bare"] {
        // Where all that tells of a process is gone, only a control group holds it.
        if how == "bare" && !has_leaves() {
            return;
        }
        let installation = installation();
        let supervisor = installation.start();
        let parameters = json!({ "how": how, "then": "swallow" });
        supervisor.client().submit(&json!({ "workflow": "leaves", "parameters": parameters }));
        eventually("a daemon is there", SOON, || sleeping(&installation).len() == 1);
        assert_eq!(guards(&installation).len(), 1);
        supervisor.kill();
        eventually("nobody is left", GONE_WITHIN, || installation.processes().is_empty());
        eventually("the guard has left", SOON, || guards(&installation).is_empty());
    }
}

#[test]
fn the_next_supervisor_is_left_alone_by_the_guard_of_the_one_before() {
    let installation = installation();
    let supervisor = installation.start();
    let [guard] = guards(&installation).try_into().unwrap();
    supervisor.kill();
    let next = installation.start();
    let workers = next.workers();
    eventually("the first guard has left", SOON, || !process::is_alive(guard));
    assert!(!workers.is_empty() && workers.iter().all(|worker| process::is_alive(*worker)));
    assert_eq!(guards(&installation).len(), 1);
    assert!(next.terminate(SOON).success());
}

#[test]
fn a_supervisor_that_ends_in_order_dismisses_its_guard() {
    let installation = installation();
    let supervisor = installation.start();
    assert_eq!(guards(&installation).len(), 1);
    assert!(supervisor.terminate(SOON).success());
    // Sooner than it would look for who is left.
    eventually("the guard has left", Duration::from_secs(2), || guards(&installation).is_empty());
    installation.assert_nothing_left();
}

#[test]
fn what_a_worker_starts_before_its_first_word_ends_with_it() {
    if !has_leaves() {
        return;
    }
    let script = format!(
        "setsid sh -c 'exec env -i sleep 1000 >/dev/null 2>&1 </dev/null' & exec {}",
        binaries::worker().display()
    );
    let installation =
        Installation::new().worker(["sh", "-c", &script]).setting("min_workers", 1).setting("max_workers", 1);
    let supervisor = installation.start();
    eventually("it is there", SOON, || sleeping(&installation).len() == 1);
    let worker = supervisor.workers();
    worker.iter().filter(|worker| !process::command_line(**worker).starts_with("sleep")).for_each(|worker| {
        process::signal(*worker, Signal::KILL);
    });
    eventually("each worker has its own", SOON, || {
        supervisor.workers().iter().all(|now| !worker.contains(now)) && sleeping(&installation).len() == 1
    });
    assert!(supervisor.terminate(SOON).success());
    assert_eq!(sleeping(&installation), [""; 0]);
    installation.assert_nothing_left();
}

#[test]
fn nobody_outlives_a_batch() {
    if !has_leaves() {
        return;
    }
    let installation = installation();
    let lines = [json!({ "workflow": "leaves", "params": { "how": "bare" } })];
    let run = installation.batch(&lines, &[]);
    assert_eq!(run.results[0]["status"], "SUCCESS", "{}", run.stderr);
    assert_eq!(sleeping(&installation), [""; 0]);
    installation.assert_nothing_left();
}
