//! Executions that follow each other in one Node worker, under a real supervisor: what one leaves behind or changes, the
//! next ones do not meet.

use muster_tests::Installation;
use muster_tests::binaries::repository;
use serde_json::{Value, json};

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
