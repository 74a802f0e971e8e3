//! Memory that grows while a run has it: its run ends, whichever of the worker's processes holds it, and no other does.

use std::time::{Duration, SystemTime};

use muster_tests::binaries::repository;
use muster_tests::{Installation, eventually};
use serde_json::{Value, json};

const SOON: Duration = Duration::from_secs(60);
const LIMIT_MIB: u64 = 100;
/// A run ends so soon after it is above its limit, on a machine that does much else too.
const ENDS_WITHIN: Duration = Duration::from_secs(5);

/// Grows by 400 MB in a second, in itself or in a child with nothing in common but its parent.
const PYTHON: &str = "
import os, subprocess, sys, time
from muster_worker import workflow

GROW = '''
import time
held = []
while True:
    held.append(b'x' * (8 << 20))
    if len(held) == 19:
        open('crossed', 'w').close()
    time.sleep(0.02)
'''

@workflow
def grows(where):
    if where == 'child':
        subprocess.run([sys.executable, '-c', GROW], start_new_session=True, env={})
    exec(GROW)

@workflow
def neighbour():
    open('neighbour', 'w').close()
    while not os.path.exists('over'):
        time.sleep(0.005)
    return os.getpid()
";

const NODE: &str = "
import { existsSync, writeFileSync } from 'node:fs';
import { setTimeout as wait } from 'node:timers/promises';
import { workflow } from 'muster-worker';
workflow('grows', async () => {
  const held = [];
  for (;;) {
    held.push(Buffer.alloc(8 << 20, 1));
    if (held.length === 19) writeFileSync('crossed', '');
    await wait(20);
  }
});
workflow('neighbour', async () => {
  writeFileSync('neighbour', '');
  while (!existsSync('over')) await wait(5);
  return process.pid;
});
";

/// Lets a run grow beside another one, and gives its row.
fn grown(installation: Installation, parameters: &Value) -> Value {
    let installation = installation
        .setting("min_workers", 2)
        .setting("max_workers", 2)
        .setting("max_worker_memory_mb", LIMIT_MIB);
    let supervisor = installation.start();
    let client = supervisor.client();
    let neighbour = client.submit(&json!({ "workflow": "neighbour" }));
    eventually("the neighbour runs", SOON, || installation.path("neighbour").exists());
    let id = client.submit(&json!({ "workflow": "grows", "parameters": parameters, "max_attempts": 1 }));
    let row = client.finished(&id, SOON);
    assert_eq!((&row["status"], &row["error_type"]), (&json!("FAILED"), &json!("OutOfMemory")), "{row}");
    let crossed = std::fs::metadata(installation.path("crossed")).map(|file| file.modified().unwrap());
    if let Ok(crossed) = crossed {
        let since = SystemTime::now().duration_since(crossed).unwrap_or_default();
        assert!(since < ENDS_WITHIN, "it ended {since:?} after it had grown too large");
    }
    std::fs::write(installation.path("over"), "").unwrap();
    let other = client.finished(&neighbour, SOON);
    assert_eq!(other["status"], "SUCCESS", "{other}");
    assert!(supervisor.terminate(SOON).success());
    installation.assert_nothing_left();
    row
}

fn python(command: &[&str]) -> Installation {
    Installation::new()
        .worker(command)
        .setting("worker_env", format!("PYTHONPATH={}", repository("worker/python").display()))
        .workflow("grows.py", PYTHON)
}

/// What it held and the limit it met, in MiB.
#[track_caller]
fn told(row: &Value) -> (u64, u64) {
    let message = row["error_message"].as_str().unwrap();
    let mut numbers = message.split(' ').filter_map(|word| word.parse().ok());
    (numbers.next().unwrap(), numbers.next().unwrap())
}

#[test]
fn a_python_run_that_grows_ends_and_harms_no_neighbour() {
    let row = grown(python(&["python3", "-m", "muster_worker"]), &json!({ "where": "itself" }));
    let (peak, limit) = told(&row);
    assert_eq!(limit, LIMIT_MIB * 3 / 2);
    assert!(peak > limit, "{row}");
}

#[test]
fn a_child_that_grows_counts_for_its_worker() {
    let row = grown(python(&["python3", "-m", "muster_worker"]), &json!({ "where": "child" }));
    assert!(told(&row).0 > LIMIT_MIB * 3 / 2, "{row}");
}

#[test]
fn a_worker_behind_a_shell_is_measured_and_not_the_shell() {
    let row = grown(python(&["sh", "-c", "python3 -m muster_worker; true"]), &json!({ "where": "itself" }));
    assert!(told(&row).0 > LIMIT_MIB * 3 / 2, "{row}");
}

#[test]
fn a_node_run_that_grows_outside_its_heap_ends_too() {
    let command = repository("worker/node/bin/muster-worker");
    let installation = Installation::new().worker([command.display().to_string()]).workflow("grows.js", NODE);
    let row = grown(installation, &json!({}));
    assert!(told(&row).0 > LIMIT_MIB * 3 / 2, "{row}");
}
