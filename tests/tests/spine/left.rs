//! What a run leaves behind: processes end with it and end their worker's use, and what a thread goes on to print shows
//! no secret and stands in nobody's log.

use std::fs;
use std::time::Duration;

use muster_tests::binaries::repository;
use muster_tests::{Installation, TestClient, TestSupervisor, eventually, process};
use rustix::process::Signal;
use serde_json::{Value, json};
use uuid::Uuid;

const SOON: Duration = Duration::from_secs(60);

const LEAVES: &str = "
import os, subprocess, time
from muster_worker import workflow

SLEEP = ['sleep', '1000']

def daemon(environment):
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            os.execvpe('sleep', SLEEP, environment)
        os._exit(0)
    os.wait()

@workflow
def leaves(how, then=None):
    if how == 'child':
        subprocess.Popen(SLEEP)
    elif how == 'session':
        subprocess.Popen(SLEEP, start_new_session=True, env={'PATH': os.environ['PATH']})
    elif how == 'daemon':
        daemon(os.environ)
    elif how == 'bare':
        daemon({'PATH': os.environ['PATH']})
    elif how == 'ended':
        subprocess.Popen(['true']).wait()
    open('left', 'w').close()
    while then == 'hang':
        time.sleep(0.01)
    while then == 'swallow':
        try:
            while True:
                time.sleep(0.01)
        except BaseException:
            pass
    return os.getpid()
";

/// A worker without an SDK, which would have it replaced for the thread: what a run leaves in it prints secrets on.
const HAUNTED: &str = r#"
import json, os, sys, threading, time

def wait_for(path):
    while not os.path.exists(path):
        time.sleep(0.005)

def haunt(secret):
    wait_for('between')
    os.write(2, f'between {secret}\n'.encode())
    wait_for('during')
    os.write(2, f'during {secret}\n'.encode())
    open('told', 'w').close()

def say(kind, **message):
    print(json.dumps({kind: message}, separators=(',', ':')), flush=True)

say('Hello', protocol_min=1, protocol_max=1, implementation='haunted', language='python', pid=os.getpid(), features=[])
for line in sys.stdin:
    (kind, message), = json.loads(line).items()
    if kind == 'Welcome':
        say('Ready', workflows=['haunts', 'waits'])
    elif kind == 'Execute':
        run = message['run']
        say('Started', run=run)
        if message['workflow'] == 'haunts':
            threading.Thread(target=haunt, args=[message['context']['config']['token']], daemon=True).start()
            result = 'haunted'
        else:
            open('during', 'w').close()
            wait_for('told')
            result = 'told'
        say('Finished', run=run, outcome={'Succeeded': {'result': result}}, log_records=0)
        say('Idle', run=run)
"#;

pub(crate) fn installation() -> Installation {
    Installation::new()
        .worker(["python3", "-m", "muster_worker"])
        .setting("worker_env", format!("PYTHONPATH={}", repository("worker/python").display()))
        .setting("min_workers", 1)
        .setting("max_workers", 1)
        .setting("graceful_shutdown_seconds", 1)
        .workflow("leaves.py", LEAVES)
}

pub(crate) fn sleeping(installation: &Installation) -> Vec<String> {
    let lines = installation.processes().into_iter().map(process::command_line);
    lines.filter(|line| line.starts_with("sleep")).collect()
}

fn events(client: &TestClient, id: &str) -> Vec<Value> {
    let body = client.get(&format!("/api/executions/{id}/events")).body;
    body["events"].as_array().cloned().unwrap_or_else(|| panic!("no list of events: {body}"))
}

fn left_by(client: &TestClient, id: &str) -> Option<Value> {
    events(client, id).into_iter().find(|event| event["event"] == "left_processes")
}

fn run(client: &TestClient, how: &str) -> (String, Value) {
    let id = client.submit(&json!({ "workflow": "leaves", "parameters": { "how": how } }));
    let row = client.finished(&id, SOON);
    assert_eq!(row["status"], "SUCCESS", "{how}: {row}");
    (id, row["result"].clone())
}

#[test]
fn what_a_success_leaves_running_is_ended_and_its_worker_is_replaced() {
    let installation = installation();
    let supervisor = installation.start();
    let client = supervisor.client();
    let (_, first) = run(client, "nothing");
    let (quiet, second) = run(client, "ended");
    assert_eq!(first, second, "a worker goes on when nothing is left");
    assert_eq!(left_by(client, &quiet), None);
    for how in ["child", "session", "daemon"] {
        let (id, worker) = run(client, how);
        assert_eq!(sleeping(&installation), [""; 0], "{how}: at the moment the outcome is told");
        let left = left_by(client, &id).unwrap_or_else(|| panic!("{how}: no event"));
        // A daemon that was only just born may not have executed its program yet.
        let name = left["detail"]["processes"][0]["name"].as_str().unwrap();
        assert!(name == "sleep" || how == "daemon" && name == "python3", "{how}: {left}");
        let line = |line: &&str| line.contains("left processes running") && line.contains(&id);
        assert_eq!(supervisor.log().lines().filter(line).count(), 1, "{how}");
        let (_, next) = run(client, "nothing");
        assert_ne!(worker, next, "{how}: the worker serves no other");
    }
    assert!(supervisor.terminate(SOON).success());
    installation.assert_nothing_left();
}

#[test]
fn nothing_outlives_a_timeout_or_a_cancel() {
    let installation = installation();
    let supervisor = installation.start();
    let client = supervisor.client();
    for how in ["child", "session", "daemon"] {
        for then in ["hang", "swallow"] {
            for cancel in [false, true] {
                let _ = fs::remove_file(installation.path("left"));
                let timeout = if cancel { 600.0 } else { 1.0 };
                let id = client.submit(&json!({
                    "workflow": "leaves", "parameters": { "how": how, "then": then }, "timeout_seconds": timeout,
                }));
                eventually("the process is started", SOON, || installation.path("left").exists());
                if cancel {
                    client.post(&format!("/api/executions/{id}/cancel"), &json!({}));
                }
                let row = client.finished(&id, SOON);
                let status = if cancel { "CANCELLED" } else { "TIMEOUT" };
                assert_eq!(row["status"], status, "{how}, {then}: {row}");
                assert_eq!(sleeping(&installation), [""; 0], "{how}, {then}, {status}");
            }
        }
    }
    assert!(supervisor.terminate(SOON).success());
    installation.assert_nothing_left();
}

#[test]
fn what_a_supervisor_that_died_left_is_ended_by_the_next_start() {
    let installation = installation();
    let supervisor = installation.start();
    supervisor.client().submit(&json!({
        "workflow": "leaves", "parameters": { "how": "daemon", "then": "swallow" }, "max_attempts": 1,
    }));
    eventually("a daemon is there", SOON, || sleeping(&installation).len() == 1);
    // The worker ends with its supervisor, and what it started does not.
    let mut workers = supervisor.workers();
    // The supervisor adopts what its workers leave without a parent.
    workers.retain(|worker| !process::command_line(*worker).starts_with("sleep"));
    supervisor.kill();
    workers.iter().for_each(|worker| process::signal(*worker, Signal::KILL));
    assert_eq!(sleeping(&installation).len(), 1);
    let next = installation.start();
    assert_eq!(sleeping(&installation), [""; 0]);
    assert!(next.terminate(SOON).success());
    installation.assert_nothing_left();
}

/// A daemon that has lost its parents, its group, its session and its environment is held by nothing but a control
/// group of the worker's own.
fn has_leaves(client: &TestClient) -> bool {
    let walls = client.get("/api/pool").body["walls"].clone();
    let stands = |wall: &Value| wall["wall"] == "descendants" && wall["stands"] == true;
    walls.as_array().unwrap().iter().any(stands)
}

#[test]
fn a_daemon_that_shook_off_all_that_tells_of_it_ends_with_its_worker() {
    let installation = installation();
    let supervisor = installation.start();
    let client = supervisor.client();
    if !has_leaves(client) {
        return;
    }
    for timeout in [true, false] {
        let _ = fs::remove_file(installation.path("left"));
        let seconds = if timeout { 1.0 } else { 600.0 };
        let id = client.submit(&json!({
            "workflow": "leaves", "parameters": { "how": "bare", "then": if timeout { "swallow" } else { "" } },
            "timeout_seconds": seconds,
        }));
        let row = client.finished(&id, SOON);
        assert_eq!(row["status"], if timeout { "TIMEOUT" } else { "SUCCESS" }, "{row}");
        assert_eq!(sleeping(&installation), [""; 0], "{row}");
    }
    client.submit(&json!({
        "workflow": "leaves", "parameters": { "how": "bare", "then": "swallow" }, "max_attempts": 1,
    }));
    eventually("a daemon is there", SOON, || sleeping(&installation).len() == 1);
    supervisor.kill();
    let next = installation.start();
    eventually("no daemon is left", Duration::from_secs(6), || sleeping(&installation).is_empty());
    stop(next, &installation);
}

#[test]
fn what_a_thread_goes_on_to_print_shows_no_secret_and_is_in_nobodys_log() {
    let installation = installation();
    fs::write(installation.path("haunted.py"), HAUNTED).unwrap();
    let installation = installation.worker(["python3", "haunted.py"]);
    let supervisor = installation.start();
    let [haunted, other] = [(); 2].map(|()| Uuid::now_v7().to_string());
    let secret = format!("hush-{}", Uuid::now_v7().simple());
    installation.embedded_sql(&format!(
        "INSERT INTO config_entries (organization_id, key, value, is_secret)
         VALUES ('{haunted}', 'token', '\"{secret}\"', 1)"
    ));
    let client = supervisor.client();
    let submit = |workflow: &str, organization: &str| {
        client.submit(&json!({ "workflow": workflow, "organization_id": organization }))
    };
    let first = submit("haunts", &haunted);
    assert_eq!(client.finished(&first, SOON)["result"], "haunted");
    fs::write(installation.path("between"), "").unwrap();
    eventually("the line between two runs is in the supervisor's log", SOON, || {
        supervisor.log().contains("between")
    });
    let second = submit("waits", &other);
    assert_eq!(client.finished(&second, SOON)["result"], "told");
    let logs = |id: &str| json!(client.logs(id)).to_string();
    assert!(!logs(&first).contains("between") && !logs(&second).contains("between"), "it is no run's");
    assert!(!logs(&second).contains(&secret) && !logs(&first).contains(&secret));
    assert!(!supervisor.log().contains(&secret), "masked by all that the process was ever given");
    stop(supervisor, &installation);
}

fn stop(supervisor: TestSupervisor, installation: &Installation) {
    assert!(supervisor.terminate(SOON).success());
    installation.assert_nothing_left();
}
