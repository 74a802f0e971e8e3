//! Python workers that a real supervisor has made of a template: what they share, and what becomes of them without it.

use std::collections::BTreeSet;
use std::time::Duration;

use muster_tests::binaries::repository;
use muster_tests::{Installation, TestSupervisor, eventually, process};
use rustix::process::Signal;
use serde_json::{Value, json};

const SOON: Duration = Duration::from_secs(60);

const WORKFLOWS: &str = "
import os, time
from muster_worker import workflow

@workflow
def born():
    return {'pid': os.getpid(), 'parent': os.getppid()}

@workflow
def nap(seconds: float):
    time.sleep(seconds)
    return os.getpid()
";

fn installation(workflows: &str) -> Installation {
    Installation::new()
        .worker(["python3", "-m", "muster_worker"])
        .setting("worker_env", format!("PYTHONPATH={}", repository("worker/python").display()))
        .workflow("work.py", workflows)
}

/// The template, once it stands or has failed.
#[track_caller]
fn template(supervisor: &TestSupervisor, state: &str) -> Value {
    eventually(&format!("the template is {state}"), SOON, || {
        let pool = supervisor.client().get("/api/pool").body;
        let template = pool["template"].clone();
        (template["state"] == state).then_some(template)
    })
}

fn process_of(template: &Value) -> u32 {
    u32::try_from(template["pid"].as_u64().unwrap()).unwrap()
}

/// Whether a line of the status begins so, however wide its columns are.
fn has_line(status: &str, begins: &str) -> bool {
    status.lines().any(|line| line.split_whitespace().collect::<Vec<_>>().join(" ").starts_with(begins))
}

#[test]
fn each_execution_has_a_process_of_its_own_that_the_template_made() {
    let installation = installation(WORKFLOWS).setting("isolation", "execution");
    let supervisor = installation.start();
    let parent = process_of(&template(&supervisor, "stands"));
    let ids: Vec<String> =
        (0..20).map(|_| supervisor.client().submit(&json!({ "workflow": "born" }))).collect();
    let mut processes = BTreeSet::new();
    for id in &ids {
        let execution = supervisor.client().finished(id, SOON);
        assert_eq!(execution["status"], "SUCCESS", "{execution}");
        assert_eq!(execution["result"]["parent"], parent, "{execution}");
        processes.insert(execution["result"]["pid"].as_u64().unwrap());
    }
    assert_eq!(processes.len(), ids.len(), "no process had two executions");
    let status = installation.run(&["status"]);
    let status = String::from_utf8_lossy(&status.stdout).into_owned();
    assert!(has_line(&status, &format!("template stands, process {parent}")), "{status}");
    assert!(supervisor.terminate(SOON).success());
    installation.assert_nothing_left();
}

#[test]
fn a_template_that_is_killed_takes_no_execution_along() {
    let installation = installation(WORKFLOWS).setting("isolation", "execution");
    let supervisor = installation.start();
    let mut killed = process_of(&template(&supervisor, "stands"));
    let nap = json!({ "workflow": "nap", "params": { "seconds": 0.2 } });
    let ids: Vec<String> = (0..40).map(|_| supervisor.client().submit(&nap)).collect();
    for _ in 0..3 {
        process::signal(killed, Signal::KILL);
        killed = eventually("another template stands", SOON, || {
            let pool = supervisor.client().get("/api/pool").body;
            let pid = pool["template"]["pid"].as_u64().and_then(|pid| u32::try_from(pid).ok());
            pid.filter(|pid| *pid != killed && pool["template"]["state"] == "stands")
        });
    }
    for id in &ids {
        let execution = supervisor.client().finished(id, SOON);
        assert_eq!(
            (&execution["status"], &execution["attempt"]),
            (&json!("SUCCESS"), &json!(1)),
            "{execution}"
        );
    }
    eventually("nobody who was inherited stays a zombie", SOON, || {
        process::zombies(supervisor.id()).is_empty()
    });
    assert!(supervisor.terminate(SOON).success());
    installation.assert_nothing_left();
}

#[test]
fn workers_of_a_template_do_not_outlive_their_supervisor() {
    let installation = installation(WORKFLOWS);
    let supervisor = installation.start();
    template(&supervisor, "stands");
    let id = supervisor.client().submit(&json!({ "workflow": "nap", "params": { "seconds": 600 } }));
    supervisor.client().has_status(&id, "RUNNING", SOON);
    supervisor.kill();
    let next = installation.start();
    assert!(next.terminate(SOON).success());
    installation.assert_nothing_left();
}

#[test]
fn a_thread_that_a_fork_would_lose_is_named_and_workers_load_by_themselves() {
    let thread = "import threading, time\n\
        threading.Thread(target=time.sleep, args=(600,), name='poller', daemon=True).start()\n";
    let installation = installation(&format!("{thread}{WORKFLOWS}"));
    let supervisor = installation.start();
    // Until the next one is tried, a second later: that stands, until somebody asks it for a worker.
    let status = eventually("status says that it is broken", SOON, || {
        let status = installation.run(&["status"]);
        let status = String::from_utf8_lossy(&status.stdout).into_owned();
        has_line(&status, "template BROKEN").then_some(status)
    });
    assert!(status.contains("poller"), "{status}");
    let born =
        supervisor.client().finished(&supervisor.client().submit(&json!({ "workflow": "born" })), SOON);
    assert_eq!(born["result"]["parent"], supervisor.id(), "{born}");
}

#[test]
fn an_import_that_hangs_costs_its_own_workflows_only() {
    let hangs = "from muster_worker import workflow\nimport time\ntime.sleep(600)\n";
    let installation =
        installation(WORKFLOWS).workflow("hangs.py", hangs).setting("worker_load_seconds", "0.5");
    let supervisor = installation.start();
    let parent = process_of(&template(&supervisor, "stands"));
    let born =
        supervisor.client().finished(&supervisor.client().submit(&json!({ "workflow": "born" })), SOON);
    assert_eq!(born["result"]["parent"], parent, "{born}");
}

#[test]
fn changed_files_are_in_a_new_template_before_the_old_one_goes() {
    let installation = installation(WORKFLOWS).setting("isolation", "execution");
    let supervisor = installation.start();
    let before = process_of(&template(&supervisor, "stands"));
    let installation =
        installation.workflow("more.py", &WORKFLOWS.replace("born", "reborn").replace("nap", "doze"));
    eventually("another template stands, and workers of it have the new file", SOON, || {
        let id = supervisor.client().submit(&json!({ "workflow": "reborn" }));
        let execution = supervisor.client().finished(&id, SOON);
        assert_eq!(execution["status"], "SUCCESS", "{execution}");
        execution["result"]["parent"] != before
    });
    assert!(supervisor.terminate(SOON).success());
    installation.assert_nothing_left();
}

#[test]
fn a_template_is_no_worker_where_it_is_not_wanted() {
    let installation = installation(WORKFLOWS).setting("template", "off");
    let supervisor = installation.start();
    let born =
        supervisor.client().finished(&supervisor.client().submit(&json!({ "workflow": "born" })), SOON);
    assert_eq!(born["result"]["parent"], supervisor.id(), "{born}");
    assert_eq!(template(&supervisor, "none")["pid"], Value::Null);
}
