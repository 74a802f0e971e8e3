//! Which executions share a process, seen from outside: by the process each one says it ran in.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::time::Duration;

use muster_tests::binaries::repository;
use muster_tests::{Installation, TestClient, eventually};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::workflows;

const SOON: Duration = Duration::from_secs(60);

const PROCESS: &str = "
import os, time
from muster_worker import workflow

@workflow
def process(ms=0):
    time.sleep(ms / 1000)
    return os.getpid()
";

/// Workers that say which process they are.
fn of_python(isolation: &str) -> Installation {
    Installation::new()
        .worker(["python3", "-m", "muster_worker"])
        .setting("worker_env", format!("PYTHONPATH={}", repository("worker/python").display()))
        .setting("isolation", isolation)
        .workflow("process.py", PROCESS)
}

/// The worker that began an execution, as its events name it. No two processes of a supervisor have the same name.
fn worker_of(client: &TestClient, id: &str) -> String {
    let answer = client.get(&format!("/api/executions/{id}/events")).body;
    let events = answer["events"].as_array().cloned().unwrap_or_default();
    let started = events.iter().find(|event| event["event"] == "started");
    let worker = started.and_then(|event| event["detail"]["worker"].as_str());
    worker.unwrap_or_else(|| panic!("no worker: {answer}")).to_owned()
}

/// The bound holds under a load for which the pool is too small, with replacements never in time.
#[test]
fn under_execution_no_process_has_a_second_one() {
    let installation = of_python("execution").setting("min_workers", 1).setting("max_workers", 2);
    let supervisor = installation.start();
    let client = supervisor.client();
    let request = json!({ "workflow": "process", "parameters": { "ms": 1 } });
    let ids: Vec<String> = (0..24).map(|_| client.submit(&request)).collect();
    let processes: Vec<Value> = ids.iter().map(|id| client.finished(id, SOON)["result"].clone()).collect();
    let workers: BTreeSet<String> = ids.iter().map(|id| worker_of(client, id)).collect();
    assert_eq!(workers.len(), ids.len(), "{workers:?}");
    assert!(processes.iter().all(Value::is_u64), "{processes:?}");
    assert_eq!(client.get("/api/pool").body["isolation"], "execution");
    eventually("the pool is at its smallest size, with workers that have run nothing", SOON, || {
        let pool = client.get("/api/pool").body;
        let workers = pool["workers"].as_array().cloned().unwrap_or_default();
        workers.iter().all(|worker| worker["executions"] == 0 && worker["state"] == "idle")
    });
    assert!(supervisor.terminate(SOON).success());
    installation.assert_nothing_left();
}

#[test]
fn the_default_worker_and_a_batch_keep_to_it_too() {
    let installation = of_python("execution").setting("max_workers", 2);
    let lines: Vec<Value> = (0..12).map(|_| json!({ "workflow": "process" })).collect();
    let run = installation.batch(&lines, &[]);
    let processes: BTreeSet<u64> =
        run.results.iter().filter_map(|result| result["result"].as_u64()).collect();
    assert_eq!(processes.len(), lines.len(), "{:?}\n{}", run.results, run.stderr);

    let installation = workflows::installed().setting("isolation", "execution").setting("max_workers", 3);
    let supervisor = installation.start();
    let client = supervisor.client();
    let submit = |number| client.submit(&json!({ "workflow": "echo", "parameters": number }));
    let ids: Vec<String> = (0..40).map(submit).collect();
    for (number, id) in ids.iter().enumerate() {
        assert_eq!(client.finished(id, SOON)["result"], json!(number));
    }
    let workers: BTreeSet<String> = ids.iter().map(|id| worker_of(client, id)).collect();
    assert_eq!(workers.len(), ids.len(), "{workers:?}");
}

/// Three organizations and executions without one share two workers at most, and nobody's process.
#[test]
fn under_organization_no_process_serves_two() {
    let installation = of_python("organization").setting("min_workers", 2).setting("max_workers", 2);
    let supervisor = installation.start();
    let client = supervisor.client();
    let organizations = [None, Some(Uuid::now_v7()), Some(Uuid::now_v7()), Some(Uuid::now_v7())];
    let mut submitted = Vec::new();
    for organization in organizations {
        for _ in 0..6 {
            let mut request = json!({ "workflow": "process", "parameters": { "ms": 5 } });
            if let Some(id) = organization {
                request["organization_id"] = json!(id);
            }
            submitted.push((organization, client.submit(&request)));
        }
    }
    let mut served: BTreeMap<String, BTreeSet<Option<Uuid>>> = BTreeMap::new();
    for (organization, id) in &submitted {
        assert_eq!(client.finished(id, SOON)["status"], "SUCCESS");
        served.entry(worker_of(client, id)).or_default().insert(*organization);
    }
    assert!(served.values().all(|organizations| organizations.len() == 1), "{served:?}");
    assert!(served.len() < submitted.len(), "workers are used again: {served:?}");
    let pool = client.get("/api/pool").body;
    let workers = pool["workers"].as_array().cloned().unwrap_or_default();
    let names = organizations.map(|id| id.map_or("none".to_owned(), |id| id.to_string()));
    let known = workers.iter().filter_map(|worker| worker["organization"].as_str());
    let known = known.filter(|name| names.iter().any(|one| one == name)).count() > 0;
    assert!(known, "{pool}");
    assert!(supervisor.terminate(SOON).success());
    installation.assert_nothing_left();
}

#[test]
fn a_reload_changes_who_shares_a_process() {
    let installation =
        of_python("none").without("isolation").setting("min_workers", 1).setting("max_workers", 1);
    let supervisor = installation.start();
    let client = supervisor.client();
    let run = || {
        let id = client.submit(&json!({ "workflow": "process" }));
        client.finished(&id, SOON)["result"].clone()
    };
    assert_eq!(run(), run());
    fs::write(installation.path("muster.toml"), "isolation = \"execution\"\n").unwrap();
    let reloaded = installation.run(&["reload"]);
    assert!(reloaded.status.success(), "{reloaded:?}");
    eventually("it holds", SOON, || client.get("/api/pool").body["isolation"] == "execution");
    let processes: Vec<Value> = (0..4).map(|_| run()).collect();
    let distinct: BTreeSet<String> = processes.iter().map(Value::to_string).collect();
    assert_eq!(distinct.len(), processes.len(), "{processes:?}");
    assert!(supervisor.terminate(SOON).success());
    installation.assert_nothing_left();
}
