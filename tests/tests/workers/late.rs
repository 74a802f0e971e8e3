//! What an execution still logs after its end: in the supervisor's log with its own id, in nobody's execution log, and
//! without a secret that its worker ever got.

use std::time::Duration;

use muster_tests::binaries::repository;
use muster_tests::{Installation, eventually};
use serde_json::json;
use uuid::Uuid;

const SOON: Duration = Duration::from_secs(60);

/// A loop of the module goes on after the run, which has its worker replaced for no thread of its own.
const IN_PYTHON: &str = "
import asyncio, os, threading, time
from muster_worker import context, workflow

loop = asyncio.new_event_loop()
threading.Thread(target=loop.run_forever, daemon=True).start()

async def linger(secret):
    while not os.path.exists('go'):
        await asyncio.sleep(0.005)
    context.log.warn('told late: ' + secret, token=secret)
    print('printed late: ' + secret)
    os.close(os.open('gone', os.O_CREAT | os.O_WRONLY))

@workflow
def leaves():
    asyncio.run_coroutine_threadsafe(linger(context.config['token']), loop)
    return os.getpid()

@workflow
def waits():
    os.close(os.open('go', os.O_CREAT | os.O_WRONLY))
    while not os.path.exists('gone'):
        time.sleep(0.005)
    context.log.info('told in time')
    return os.getpid()
";

const IN_NODE: &str = "
import { existsSync, writeFileSync } from 'node:fs';
import { setTimeout as wait } from 'node:timers/promises';
import { workflow } from 'muster-worker';

workflow('leaves', async (params, ctx) => {
  const secret = await ctx.config.get('token');
  const timer = setInterval(() => {
    if (!existsSync('go')) return;
    clearInterval(timer);
    ctx.log.warn('told late: ' + secret, { token: secret });
    console.log('printed late: ' + secret);
    writeFileSync('gone', '');
  }, 5);
  return process.pid;
});

workflow('waits', async (params, ctx) => {
  writeFileSync('go', '');
  while (!existsSync('gone')) await wait(5);
  ctx.log.info('told in time');
  return process.pid;
});
";

#[track_caller]
fn is_told_under_its_own_id(installation: &Installation) {
    let supervisor = installation.start();
    let client = supervisor.client();
    let [first, second] = [(); 2].map(|()| Uuid::now_v7().to_string());
    let [secret, other] = ["hush", "hush-hush"].map(|name| format!("{name}-{}", Uuid::now_v7().simple()));
    installation.embedded_sql(&format!(
        "INSERT INTO config_entries (organization_id, key, value, is_secret)
         VALUES ('{first}', 'token', '\"{secret}\"', 1), ('{second}', 'token', '\"{other}\"', 1)"
    ));
    let run = |workflow: &str, organization: &str| {
        let id = client.submit(&json!({ "workflow": workflow, "organization_id": organization }));
        let row = client.finished(&id, SOON);
        assert_eq!(row["status"], "SUCCESS", "{row}");
        (id, row["result"].clone())
    };
    let (early, process) = run("leaves", &first);
    let (late, same) = run("waits", &second);
    assert_eq!(process, same, "both are in one process");

    for text in ["told late", "printed late"] {
        eventually("the late line is in the supervisor's log", SOON, || supervisor.log().contains(text));
        let log = supervisor.log();
        let lines: Vec<_> = log.lines().filter(|line| line.contains(text)).collect();
        let [line] = lines.as_slice() else { panic!("{text} is there {} times", lines.len()) };
        assert!(line.contains("execution logged after its end") && line.contains(&early), "{line}");
        assert!(!line.contains(&late) && line.contains("***"), "{line}");
    }
    let logs = |id: &str| json!(client.logs(id)).to_string();
    assert!(!logs(&early).contains("late") && !logs(&late).contains("late"), "no execution's log has it");
    assert!(logs(&late).contains("told in time"));
    assert!(!supervisor.log().contains(&secret), "no secret is anywhere");
    assert!(supervisor.terminate(SOON).success());
    installation.assert_nothing_left();
}

fn installation() -> Installation {
    Installation::new().setting("min_workers", 1).setting("max_workers", 1)
}

#[test]
fn a_python_execution_that_logs_after_its_end_does_so_under_its_own_id() {
    let path = format!("PYTHONPATH={}", repository("worker/python").display());
    let installation = installation()
        .worker(["python3", "-m", "muster_worker"])
        .setting("worker_env", path)
        .workflow("late.py", IN_PYTHON);
    is_told_under_its_own_id(&installation);
}

#[test]
fn a_node_execution_that_logs_after_its_end_does_so_under_its_own_id() {
    let command = repository("worker/node/bin/muster-worker").display().to_string();
    is_told_under_its_own_id(&installation().worker([command]).workflow("late.js", IN_NODE));
}
