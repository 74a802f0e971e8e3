// What user code may do, and what a person reads about it.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Supervisor } from "./supervisor.js";

let worker;
before(async () => (worker = await Supervisor.start()));
after(() => worker.kill());

test("console is captured with its level, and belongs to the run that wrote it", async () => {
  const run = await worker.code("export default () => { console.log('a %d', 1, { b: 2 }); console.warn('w'); console.error('e'); console.debug('d'); };");
  assert.deepEqual(run.records.map(({ level, logger, message }) => [level, logger, message]), [
    ["Info", "console", "a 1 { b: 2 }"],
    ["Warn", "console", "w"],
    ["Error", "console", "e"],
  ]);
  const late = await worker.code("export default () => { setTimeout(() => console.log('late'), 100); };");
  const next = await worker.run("conformance.sleep", { seconds: 0.3 });
  assert.deepEqual([...late.lines, ...next.lines], []);
});

test("noise never reaches the frames", async () => {
  const noise = [
    "process.stdout.write('noise');",
    "fs.writeSync(1, 'noise');",
    "cp.execSync('echo noise', { stdio: 'inherit' });",
    "process.stderr.write('noise');",
  ];
  for (const line of noise) {
    const code = `import fs from 'node:fs'; import cp from 'node:child_process';\nexport default () => { ${line} };`;
    assert.equal((await worker.code(code)).kind, "Succeeded", line);
  }
  await worker.stderrWith("noise");
  assert.deepEqual((await worker.run("conformance.echo", { a: 1 })).result, { a: 1 });
});

test("errors", async () => {
  const failing = async (body) => (await worker.code(`export default async () => { ${body} };`)).error;
  assert.equal((await failing("null.x")).kind, "TypeError");
  assert.equal((await failing("class CardDeclined extends Error {}; throw new CardDeclined('no')")).kind, "CardDeclined");
  assert.equal((await failing("throw Object.assign(new Error('x'), { retryable: true })")).retryable, true);
  assert.equal((await failing("throw 'text'")).message, "thrown: text");
  assert.equal((await failing("throw { code: 7 }")).message, 'thrown: {"code":7}');
  const plain = await failing("throw { name: 'Declined', message: 'no money', retryable: false }");
  assert.deepEqual([plain.kind, plain.message, plain.retryable], ["Declined", "no money", false]);
  assert.match((await failing("throw new Error('outer', { cause: new Error('inner') })")).stack, /Caused by: Error: inner/);
  assert.equal((await failing("process.exit(3)")).kind, "ProcessExit");
  assert.equal((await failing("setTimeout(() => { throw new RangeError('stray') }); await new Promise(() => {})")).kind, "RangeError");
  assert.equal((await failing("Promise.reject(new RangeError('stray')); await new Promise((r) => setTimeout(r, 1000))")).kind, "RangeError");
  assert.equal((await failing("const f = () => f(); f()")).kind, "RangeError");
  assert.equal((await worker.code("export default ( {")).error.kind, "SyntaxError");
  const { stack } = await failing("\n\nthrow new Error('here')");
  assert.match(stack, /inline-inline\.js:3/);
  assert.doesNotMatch(stack, /runtime\.js|node:internal/);
  assert.deepEqual((await worker.run("conformance.echo", { a: 1 })).result, { a: 1 });
});

test("a user's error called Rejection is a failure like any other", async () => {
  const run = await worker.code("export default () => { throw Object.assign(new Error('no'), { name: 'Rejection' }); };");
  assert.equal(run.error.kind, "Rejection");
});

test("a thread that holds many modules of inline code is replaced, and keeps one for the same code", async () => {
  const counted = async (n) => (await worker.code(`export default () => (globalThis.count = (globalThis.count ?? 0) + 1); // ${n}`)).result;
  const counts = [];
  for (let n = 0; n < 510; n++) counts.push(await counted(n));
  const restarts = counts.flatMap((count, n) => (n > 0 && count === 1 ? [n] : []));
  assert.equal(restarts.length, 1, `${restarts}`);
  const before = await counted(509);
  for (let n = 0; n < 510; n++) assert.equal(await counted(509), before + n + 1);
});

test("results", async () => {
  const returned = (value) => worker.code(`export default () => (${value});`);
  assert.equal((await returned("undefined")).result, null);
  assert.equal((await returned("new Date(0)")).result, "1970-01-01T00:00:00.000Z");
  assert.equal((await returned("10n")).result, 10);
  for (const value of ["() => 1", "Symbol('x')", "(() => { const a = []; a.push(a); return a; })()", "'\\ud800'"]) {
    assert.equal((await returned(value)).error.kind, "InvalidResult", value);
  }
  assert.equal((await returned("'\\\\ud800 😀'")).result, "\\ud800 😀");
});

test("ctx", async () => {
  const code = `export default async (params, ctx) => [ctx.executionId.slice(0, 4), ctx.attempt, ctx.workflow, ctx.organization,
    ctx.caller, ctx.startup, await ctx.config.get("region"), ctx.cancelled, ctx.signal.aborted, ctx.remainingMs > 8000]`;
  const context = { organization: { id: "o", name: "Org" }, caller: { name: "Ada" }, startup: 1, config: { region: "eu" } };
  const run = await worker.code(code, {}, { context, timeoutMs: 9000 });
  assert.deepEqual(run.result, ["run-", 1, "inline", context.organization, context.caller, 1, "eu", false, false, true]);
});

test("calls, and CallError", async () => {
  const code = `export default async (params, ctx) => {
    await ctx.state.set("a", 1); const b = await ctx.state.get("b", "none"); const id = await ctx.submit("other");
    try { await ctx.config.get("x"); } catch (error) { return [b, id, error.name, error.kind]; } }`;
  const run = await worker.startCode(code);
  const answers = { "state.set": "null", "state.get": "null", "execution.submit": '{"execution_id":"child"}' };
  for (let at = 0; at < 4; at++) {
    const { call, method } = await worker.expect("Call");
    const value = answers[method];
    const result = value ? { type: "Ok", value } : { type: "Err", error: { kind: "Down", message: "", stack: "", retryable: null } };
    worker.send({ type: "Reply", run, call, result });
  }
  assert.deepEqual((await worker.finish()).result, ["none", "child", "CallError", "Down"]);
});

test("progress: the latest wins", async () => {
  const run = await worker.code("export default (p, ctx) => { for (let n = 0; n < 1000; n++) ctx.progress(n, 1000, 'rows'); };");
  const sent = run.messages.filter(({ type }) => type === "Progress");
  assert.ok(sent.length < 10);
  assert.deepEqual(sent.at(-1), { type: "Progress", run: run.finished.run, current: 999, total: 1000, message: "rows" });
});

test("log limits", async () => {
  const code = "export default (p, ctx) => { ctx.log.info('é'.repeat(100_000)); ctx.log.info('odd', { big: 1n }); ctx.log.info('large', { blob: 'x'.repeat(1e6) }); };";
  const { records } = await worker.code(code);
  assert.ok(Buffer.byteLength(records[0].message) <= 65536 && records[0].message.includes("200000 bytes in all"));
  assert.equal(records[1].fields, '{"big":"1n"}');
  assert.match(records[2].fields, /cut/);
});

test("cleanup within the grace, and the workflow's own limit", async () => {
  const tidy = `export default async (p, ctx) => { ctx.log.info("in it"); try { await ctx.sleep(60_000); } finally {
    await new Promise((done) => setTimeout(done, 200)); ctx.log.info("tidied"); } };`;
  const run = await worker.startCode(tidy);
  await worker.expect("Log");
  worker.cancel(run);
  const ended = await worker.finish();
  assert.deepEqual([ended.kind, ended.lines], ["Cancelled", ["tidied"]]);
  const limited = `import { workflow } from "muster-worker";\nworkflow("slow", () => { while (true); }, { timeoutSeconds: 0.1 });`;
  assert.equal((await worker.code(limited)).error.kind, "WorkflowTimeout");
});

test("the environment is clean, inline code may name what it likes", async () => {
  assert.deepEqual((await worker.code("export default () => Object.keys(process.env).filter((key) => key.startsWith('MUSTER'));")).result, []);
  const named = 'import { workflow } from "muster-worker";\nworkflow("conformance.echo", () => "mine");';
  assert.equal((await worker.code(named)).result, "mine");
  assert.equal((await worker.code(named)).result, "mine");
  assert.deepEqual((await worker.run("conformance.echo", { a: 1 })).result, { a: 1 });
  assert.equal((await worker.code("export const x = 1;")).kind, "Rejected");
  const foreign = await worker.run("w", {}, { source: { type: "Inline", language: "python", code: "1" } });
  assert.match(foreign.outcome.reason, /python/);
});
