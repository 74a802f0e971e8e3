//! Memory that grows while a run has it: its run ends, whichever of the worker's processes holds it, and no other does.

use std::time::{Duration, SystemTime};

use muster_tests::binaries::repository;
use muster_tests::{Installation, eventually};
use serde_json::{Value, json};

const SOON: Duration = Duration::from_secs(60);
const LIMIT_MIB: u64 = 100;
/// A run ends so soon after it is above its limit, on a machine that does much else too.
const ENDS_WITHIN: Duration = Duration::from_secs(5);

/// Grows by 400 MB in a second, in itself or in a child with nothing in common but its parent, and notes when it alone
/// holds more than the limit.
const PYTHON: &str = "
import os, subprocess, sys, time
from muster_worker import workflow

GROW = '''
import time
def resident():
    with open('/proc/self/statm') as statm:
        return int(statm.read().split()[1]) * 4096
held, crossed = [], False
while True:
    held.append(b'x' * (8 << 20))
    if not crossed and resident() > 150 << 20:
        crossed = open('crossed', 'w').close() is None
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
  let crossed = false;
  for (;;) {
    held.push(Buffer.alloc(8 << 20, 1));
    if (!crossed && process.memoryUsage.rss() > 150 << 20) {
      writeFileSync('crossed', '');
      crossed = true;
    }
    await wait(20);
  }
});
workflow('neighbour', async () => {
  writeFileSync('neighbour', '');
  while (!existsSync('over')) await wait(5);
  return process.pid;
});
";

/// A run that grew beside another one.
pub(crate) struct Grown {
    row: Value,
    /// From when it held more than its limit to when its row said how it ended.
    pub(crate) ended_after: Duration,
}

impl Grown {
    /// Lets it grow.
    fn run(installation: Installation, parameters: &Value) -> Self {
        let installation = installation
            .setting("min_workers", 2)
            .setting("max_workers", 2)
            .setting("max_worker_memory_mb", LIMIT_MIB);
        let supervisor = installation.start();
        let client = supervisor.client();
        let neighbour = client.submit(&json!({ "workflow": "neighbour" }));
        eventually("the neighbour runs", SOON, || installation.path("neighbour").exists());
        let request = json!({ "workflow": "grows", "parameters": parameters, "max_attempts": 1 });
        let row = client.finished(&client.submit(&request), SOON);
        let now = SystemTime::now();
        assert_eq!((&row["status"], &row["error_type"]), (&json!("FAILED"), &json!("OutOfMemory")), "{row}");
        let crossed = std::fs::metadata(installation.path("crossed")).map(|file| file.modified().unwrap());
        // One that was ended before it could note that it is above its limit was ended in time.
        let ended_after =
            crossed.map_or(Duration::ZERO, |crossed| now.duration_since(crossed).unwrap_or_default());
        std::fs::write(installation.path("over"), "").unwrap();
        let other = client.finished(&neighbour, SOON);
        assert_eq!(other["status"], "SUCCESS", "{other}");
        assert!(supervisor.terminate(SOON).success());
        installation.assert_nothing_left();
        Self { row, ended_after }
    }

    pub(crate) fn in_python() -> Self {
        Self::run(python(&["python3", "-m", "muster_worker"]), &json!({ "where": "itself" }))
    }

    pub(crate) fn in_a_child_of_python() -> Self {
        Self::run(python(&["python3", "-m", "muster_worker"]), &json!({ "where": "child" }))
    }

    pub(crate) fn behind_a_shell() -> Self {
        Self::run(python(&["sh", "-c", "python3 -m muster_worker; true"]), &json!({ "where": "itself" }))
    }

    pub(crate) fn in_node() -> Self {
        let command = repository("worker/node/bin/muster-worker").display().to_string();
        Self::run(Installation::new().worker([command]).workflow("grows.js", NODE), &json!({}))
    }

    /// What it held and the limit it met, in MiB, as people are told.
    #[track_caller]
    pub(crate) fn told(&self) -> (u64, u64) {
        let message = self.row["error_message"].as_str().unwrap();
        let mut numbers = message.split(' ').filter_map(|word| word.parse().ok());
        let (peak, limit) = (numbers.next().unwrap(), numbers.next().unwrap());
        assert!(limit == LIMIT_MIB * 3 / 2 && peak >= limit, "{}", self.row);
        (peak, limit)
    }
}

fn python(command: &[&str]) -> Installation {
    Installation::new()
        .worker(command)
        .setting("worker_env", format!("PYTHONPATH={}", repository("worker/python").display()))
        .workflow("grows.py", PYTHON)
}

#[track_caller]
fn is_told_in_time(grown: &Grown) {
    grown.told();
    assert!(grown.ended_after < ENDS_WITHIN, "it ended {:?} after it had grown too large", grown.ended_after);
}

#[test]
fn a_python_run_that_grows_ends_and_harms_no_neighbour() {
    is_told_in_time(&Grown::in_python());
}

#[test]
fn a_child_that_grows_counts_for_its_worker() {
    is_told_in_time(&Grown::in_a_child_of_python());
}

#[test]
fn a_worker_behind_a_shell_is_measured_and_not_the_shell() {
    is_told_in_time(&Grown::behind_a_shell());
}

#[test]
fn a_node_run_that_grows_outside_its_heap_ends_too() {
    is_told_in_time(&Grown::in_node());
}
