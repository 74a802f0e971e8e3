// What an execution left behind keeps its identity: it fails, calls and logs for no other.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Supervisor } from "./supervisor.js";
import { folderOf } from "./terminal.js";

let worker;
before(async () => (worker = await Supervisor.start()));
after(() => worker.kill());

/** Run two: has what run one left behind act, and takes a little longer than that. */
const MEANWHILE = "export default (p, ctx) => new Promise((done) => { globalThis.act(); setTimeout(done, 60, 'two'); });";

/** Two executions: the first leaves the statement behind, and it acts during the second. */
async function leave(statement) {
  const one = await worker.code(`import { AsyncResource } from "node:async_hooks";
    export default async (params, ctx) => {
      const own = AsyncResource.bind(() => { ${statement} });
      globalThis.act = () => own();
    }; // ${statement}`);
  assert.equal(one.kind, "Succeeded", JSON.stringify(one.outcome));
  const two = await worker.code(MEANWHILE);
  return { one, two };
}

const STRAYS = {
  timer: "setTimeout(() => { throw new RangeError('stray'); }, 5)",
  immediate: "setImmediate(() => { throw new RangeError('stray'); })",
  tick: "process.nextTick(() => { throw new RangeError('stray'); })",
  microtask: "queueMicrotask(() => { throw new RangeError('stray'); })",
  promise: "Promise.reject(new RangeError('stray'))",
  text: "Promise.reject('stray')",
  async: "(async () => { await new Promise((done) => setTimeout(done, 5)); throw new RangeError('stray'); })()",
  callback: "import('node:fs').then((fs) => fs.readFile('/none', () => { throw new RangeError('stray'); }))",
  socket: "import('node:net').then((net) => net.connect(1, '127.0.0.1'))",
  thread: `import('node:worker_threads').then(({ Worker }) => new Worker("throw new RangeError('stray')", { eval: true }))`,
};

for (const [name, statement] of Object.entries(STRAYS)) {
  // That it was started costs the worker's own thread already.
  if (name === "thread") continue;
  test(`an error after the end fails nobody: ${name}`, async () => {
    const { one, two } = await leave(statement);
    const three = await worker.run("conformance.echo", 3);
    assert.deepEqual([two.result, three.kind], ["two", "Succeeded"]);
    assert.deepEqual([two.lines, three.lines], [[], []]);
    const late = [...two.late, ...three.late];
    assert.equal(late.length, 1, JSON.stringify(late));
    assert.equal(late[0][0], one.finished.run);
    assert.match(late[0][1], /^an error that nobody caught: .*(stray|ECONNREFUSED)/s);
  });
}

test("an error of the run itself fails it, wherever it is thrown", async () => {
  for (const [name, statement] of Object.entries(STRAYS)) {
    const { error } = await worker.code(`export default () => { ${statement}; return new Promise(() => {}); }; // own`);
    const expected = { text: "UnhandledPromiseRejection", socket: "Error" }[name] ?? "RangeError";
    assert.equal(error.kind, expected, `${name}: ${JSON.stringify(error)}`);
    assert.equal((await worker.run("conformance.echo", 1)).result, 1);
  }
});

test("calls after the end are refused, and change nothing of the next run", async () => {
  const calls = ["state.set('k', 1)", "state.get('k')", "state.delete('k')", "config.get('secret')", "config.get('other')", "submit('w')", "sleep(1)", "fetch('http://127.0.0.1:1')"];
  await worker.code(
    `export default (p, ctx) => { globalThis.late = ctx; };`,
    {},
    { context: { config: { secret: "of run one" } } },
  );
  const code = `export default async () => {
    const ctx = globalThis.late, told = [];
    for (const call of [${calls.map((call) => `() => ctx.${call}`).join()}]) await call().then((v) => told.push(v), (error) => told.push([error.name, error.kind, error.message]));
    ctx.progress(1, 2);
    return told; };`;
  const two = await worker.code(code);
  assert.deepEqual(two.result, calls.map(() => ["CallError", "Closed", "the execution has ended"]));
  assert.deepEqual(two.types.filter((type) => type !== "Log"), ["Started", "Finished", "Idle"]);
});

test("logs and prints after the end are never in the next run's log", async () => {
  for (const [statement, message] of [
    ["console.log('left %d', 1)", "left 1"],
    ["console.error('left')", "left"],
    ["ctx.log.warn('left', { n: 1 })", "left"],
    ["process.stdout.write('left\\n')", "left"],
    ["process.stderr.write(Buffer.from('left'))", "left"],
    ["setTimeout(() => process.stdout.write('left'), 5)", "left"],
    ["queueMicrotask(() => console.log('left'))", "left"],
  ]) {
    const stderr = worker.stderr;
    const { one, two } = await leave(statement);
    assert.deepEqual([two.result, two.lines, worker.stderr], ["two", [], stderr], statement);
    assert.deepEqual(two.late, [[one.finished.run, message]], statement);
  }
});

test("process.exit after the end ends nobody", async () => {
  const { one, two } = await leave("setTimeout(() => process.exit(3), 5)");
  assert.equal(two.result, "two");
  assert.match(two.late[0]?.[1] ?? "", /the execution has ended/);
  assert.equal(one.finished.run, two.late[0][0]);
});

test("what an execution left behind cannot flood the worker's log", async () => {
  const { two } = await leave("for (let n = 0; n < 5000; n++) console.log('left', n)");
  assert.equal(two.late.length, 100);
  assert.match(two.late.at(-1)[1], /more of its records are dropped for a minute/);
});

test("code that threw after its end does not stay", async () => {
  await worker.code("export default () => { globalThis.ticks = 0; setInterval(() => { globalThis.ticks += 1; throw new Error('tick'); }, 2); };");
  await worker.run("conformance.sleep", { seconds: 0.1 });
  assert.equal((await worker.code("export default () => typeof globalThis.ticks;")).result, "undefined");
});

test("what a file does on its own is charged to no execution", async () => {
  const file = `import { workflow } from "muster-worker";
    const every = setInterval(() => console.log("of the file"), 10);
    setTimeout(() => { throw new Error("of the file"); }, 150);
    workflow("registered", () => "fine");`;
  const other = await Supervisor.start({ workflowsDir: folderOf({ "noisy.js": file }) });
  try {
    assert.equal((await other.run("registered")).result, "fine");
    const slept = await other.run("conformance.sleep", { seconds: 0.3 });
    assert.deepEqual([slept.kind, slept.lines], ["Succeeded", []]);
    assert.ok(slept.late.length > 5 && slept.late.every(([run, message]) => run === 0 && /noisy\.js, outside of an execution: /.test(message)), JSON.stringify(slept.late));
    assert.match(slept.late.map(([, message]) => message).join("\n"), /an error that nobody caught: Error: of the file/);
  } finally {
    other.kill();
  }
});
