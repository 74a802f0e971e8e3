// Executions that take from the thread, or from the whole process, what the next one needs: they cost it, and nobody waits.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { setTimeout as timer } from "node:timers/promises";
import { Host } from "../src/host.js";
import { Supervisor } from "./supervisor.js";

let worker;
before(async () => (worker = await Supervisor.start()));
after(() => worker.kill());

const KEEP = "globalThis.kept = 1;";
const isFresh = async () => (await worker.code("export default () => typeof globalThis.kept;")).result === "undefined";

test("code that was left behind and never comes back holds up the next execution for a moment only", async () => {
  await worker.code(`export default () => { ${KEEP} setImmediate(() => { for (;;); }); };`);
  const next = await worker.run("conformance.echo", "next", { timeoutMs: 15_000 });
  assert.equal(next.result, "next");
  assert.match(next.late.map(([, message]) => message).join(), /left behind kept the thread from the next one for 1 s, so the worker's thread is replaced/);
  assert.equal(await isFresh(), true);
});

test("a cancel while the thread is kept from the next execution ends that at once, and costs the worker nothing", async () => {
  const held = await worker.code(`export default () => { ${KEEP} setImmediate(() => { const end = Date.now() + 500; while (Date.now() < end); }); };`);
  const run = worker.start("inline", {}, { source: { type: "Inline", language: "", code: "export default (params, ctx) => ctx.log.info('entered');" } });
  await worker.expect("Started");
  worker.cancel(run);
  const ended = await worker.finish();
  assert.deepEqual([held.kind, ended.kind, ended.outcome.message, ended.lines, ended.idle.recycle], ["Succeeded", "Cancelled", "please stop", [], false]);
  assert.equal(await isFresh(), false);
});

test("an execution that is cancelled before a thread takes it up is given to none", { timeout: 20_000 }, async () => {
  const host = new Host(undefined, { conformance: false });
  await host.start();
  const execute = async (run, code) => {
    const job = await host.find("inline", { type: "Inline", language: "", code });
    return host.execute({ run, executionId: "", attempt: 1, workflow: "inline", params: "", context: "", timeoutMs: 0, job }, () => {});
  };
  try {
    await execute(1, "export default () => { setImmediate(() => { for (;;); }); };");
    await timer(100);
    const ended = execute(2, "export default () => 1;");
    await timer(100);
    assert.equal(host.cancel(2, "User", "please stop"), true);
    assert.deepEqual(await ended, { withdrawn: true });
    assert.deepEqual(await execute(3, "export default () => 3;"), { outcome: { type: "Succeeded", result: "3" } });
  } finally {
    await host.stop();
  }
});

for (const [what, body] of Object.entries({
  "an error is described by": "String.prototype.split = null; throw new Error('own');",
  "an error that nobody catches is described by": "String.prototype.split = null; setTimeout(() => { throw new Error('own'); }); await new Promise(() => {});",
  "an execution is ended by": "Array.prototype.splice = () => { throw new Error('own'); };",
  "a reply is taken by": "Map.prototype.get = null; await ctx.state.get('k');",
})) {
  test(`an execution that breaks what ${what} does not wait for its end, and the next one is well`, async () => {
    worker.start("inline", {}, { source: { type: "Inline", language: "", code: `export default async (params, ctx) => { ${KEEP} ${body} };` } });
    const messages = [];
    do {
      messages.push(await worker.receive(5000));
      const { type, run, call } = messages.at(-1);
      if (type === "Call") worker.send({ type: "Reply", run, call, result: { type: "Ok", value: "1" } });
    } while (messages.at(-1).type !== "Idle");
    const { outcome } = messages.find(({ type }) => type === "Finished");
    if (outcome.type === "Failed") assert.match(outcome.error.message, /the worker could not go on in its thread/);
    assert.equal((await worker.run("conformance.echo", 1)).result, 1);
    assert.equal(await isFresh(), true);
  });
}

test("what goes over the port of the thread is not for user code", async () => {
  const listen = `import { parentPort, workerData } from "node:worker_threads";
    export default () => { globalThis.heard = []; parentPort.on("message", (message) => globalThis.heard.push(message)); parentPort.postMessage({ type: "worn", reason: "wrong" }); return workerData; };`;
  assert.equal((await worker.code(listen)).result, null);
  assert.deepEqual((await worker.code("export default () => globalThis.heard;")).result, []);
});

test("a run that makes the thread's port deaf costs no other anything", async () => {
  let late = null;
  // A machine that is busy may leave a thread that hears well no time for a second, but not each time.
  for (let round = 0; round < 3 && late?.length !== 0; round++) {
    await worker.code("import { parentPort } from 'node:worker_threads'; export default () => { setInterval(() => {}, 1000); parentPort.removeAllListeners('message'); parentPort.close(); };");
    const next = await worker.run("conformance.echo", 1, { timeoutMs: 10_000 });
    assert.equal(next.result, 1);
    late = next.late;
  }
  assert.deepEqual(late, []);
});

test("code that never leaves its microtasks costs the thread", async () => {
  await worker.code(`export default () => { ${KEEP} (function again() { Promise.resolve().then(again); })(); };`);
  assert.equal((await worker.run("conformance.echo", 1, { timeoutMs: 10_000 })).result, 1);
  assert.equal(await isFresh(), true);
});

test("module hooks that an execution registers cost its thread", async () => {
  const hook = "data:text/javascript,export const resolve = (name, context, next) => name === 'evil:x' ? { url: 'data:text/javascript,export default 1', shortCircuit: true } : next(name, context)";
  await worker.code(`import { register } from "node:module"; export default () => { ${KEEP} register(${JSON.stringify(hook)}); };`);
  assert.equal((await worker.code("export default () => import('evil:x').then(() => 'found', (error) => error.code);")).result, "ERR_UNSUPPORTED_ESM_URL_SCHEME");
  assert.equal(await isFresh(), true);
});

for (const [what, body] of Object.entries({
  "flags of the engine": "require('node:v8').setFlagsFromString('--no-opt')",
  "the priority of the process": "const { getPriority, setPriority } = require('node:os'); setPriority(process.pid, Math.min(19, getPriority(process.pid) + 1))",
})) {
  test(`an execution that changes ${what} costs the process`, async () => {
    const other = await Supervisor.start();
    try {
      const run = await other.code(`import { createRequire } from "node:module"; const require = createRequire("/"); export default () => { ${body}; };`);
      assert.equal(run.kind, "Succeeded", JSON.stringify(run.outcome));
      assert.equal(run.idle.recycle, true);
    } finally {
      other.kill();
    }
  });
}

test("the priority of another process is its own", async () => {
  const child = "const child = spawn('sleep', ['5']); setPriority(child.pid, 19); child.kill();";
  const run = await worker.code(`import { spawn } from "node:child_process"; import { setPriority } from "node:os"; export default () => { ${child} };`);
  assert.deepEqual([run.kind, run.idle.recycle], ["Succeeded", false]);
});
