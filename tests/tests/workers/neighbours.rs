//! Executions that follow each other in one Node worker, under a real supervisor: what one leaves behind or changes, the
//! next ones do not meet.

use std::time::Duration;

use muster_tests::Installation;
use muster_tests::binaries::repository;
use serde_json::{Value, json};

const SOON: Duration = Duration::from_secs(60);

/// One workflow for each thing an execution may leave behind, and one that looks.
const WORKFLOWS: &str = "
import { workflow } from 'muster-worker';
const wait = (ms) => new Promise((done) => setTimeout(done, ms));
workflow('throws', () => { setTimeout(() => { throw new RangeError('stray'); }, 20); return 'left'; });
workflow('rejects', () => { wait(20).then(() => { throw new RangeError('stray'); }); return 'left'; });
workflow('exits', () => { setTimeout(() => process.exit(3), 20); return 'left'; });
workflow('prints', (params, ctx) => { setInterval(() => { console.log('stray'); process.stdout.write('stray\\n'); ctx.log.info('stray'); }, 5); return 'left'; });
workflow('calls', (params, ctx) => { setTimeout(() => ctx.state.set('stray', 1).catch(() => {}), 20); return 'left'; });
workflow('replaces', () => { JSON.stringify = () => '\"wrong\"'; Date.now = () => 0; process.env.STRAY = '1'; return 'left'; });
workflow('closes', async () => { (await import('node:fs')).closeSync(1); return 'left'; });
workflow('looks', async (params, ctx) => {
  await wait(100);
  return { n: [1, 2.5], now: Date.now() > 0, env: process.env.STRAY ?? null, state: (await ctx.state.get('stray')) ?? null };
});
";

const LEFT: [&str; 7] = ["throws", "rejects", "exits", "prints", "calls", "replaces", "closes"];

#[test]
fn what_one_execution_leaves_behind_in_a_node_worker_meets_no_other() {
    let command = repository("worker/node/bin/muster-worker");
    let installation = Installation::new()
        .worker([command.display().to_string()])
        .setting("min_workers", 1)
        .setting("max_workers", 1)
        .workflow("all.js", WORKFLOWS);
    let line = |workflow: &str| json!({ "workflow": workflow, "params": {} });
    let lines: Vec<Value> = LEFT.iter().flat_map(|name| [line(name), line("looks"), line("looks")]).collect();
    let run = installation.batch(&lines, &["--keep-going"]);
    assert_eq!(run.results.len(), lines.len(), "{}", run.stderr);
    let expected = json!({ "n": [1, 2.5], "now": true, "env": null, "state": null });
    for (row, asked) in run.results.iter().zip(&lines) {
        assert_eq!(row["status"], "SUCCESS", "{asked}: {row}");
        let right = if asked["workflow"] == "looks" { &expected } else { &json!("left") };
        assert_eq!(&row["result"], right, "{asked}: {row}");
    }
}

/// One allocation larger than all that is left: Node ends the process at once.
const HUNGRY: &str = "
import { existsSync, writeFileSync } from 'node:fs';
import { setTimeout as wait } from 'node:timers/promises';
import { workflow } from 'muster-worker';
workflow('takes', async () => {
  while (!existsSync('neighbour')) await wait(5);
  return new Array(2 ** 27 - 1).fill(1.5).length;
});
workflow('neighbour', async () => {
  writeFileSync('neighbour', '');
  while (!existsSync('over')) await wait(5);
  return process.pid;
});
workflow('next', () => process.pid);
";

#[test]
fn a_node_worker_that_ends_for_want_of_memory_says_so_and_harms_no_neighbour() {
    let command = repository("worker/node/bin/muster-worker");
    let installation = Installation::new()
        .worker([command.display().to_string()])
        .setting("min_workers", 2)
        .setting("max_workers", 2)
        .setting("max_worker_memory_mb", 200)
        .workflow("hungry.js", HUNGRY);
    let supervisor = installation.start();
    let client = supervisor.client();
    let submit = |workflow: &str| client.submit(&json!({ "workflow": workflow, "max_attempts": 1 }));
    let [hungry, neighbour] = ["takes", "neighbour"].map(submit);
    let row = client.finished(&hungry, SOON);
    assert_eq!((&row["status"], &row["error_type"]), (&json!("FAILED"), &json!("OutOfMemory")), "{row}");
    let message = row["error_message"].as_str().unwrap();
    assert!(message.contains("JavaScript heap out of memory") && message.contains("SIGABRT"), "{message}");
    let next = client.finished(&submit("next"), SOON);
    assert_eq!(next["status"], "SUCCESS", "{next}");
    std::fs::write(installation.path("over"), "").unwrap();
    let row = client.finished(&neighbour, SOON);
    assert_eq!(row["status"], "SUCCESS", "{row}");
    assert_ne!(row["result"], next["result"], "the next one ran where the first had been");
    assert!(supervisor.terminate(SOON).success());
    installation.assert_nothing_left();
}
