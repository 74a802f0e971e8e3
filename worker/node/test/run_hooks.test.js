// Hooks around runs and at the start of a worker.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Supervisor } from "./supervisor.js";
import { folderOf, write } from "./terminal.js";

async function withFolder(files, action) {
  const folder = folderOf(files);
  const worker = await Supervisor.start({ workflowsDir: folder });
  try {
    await action(worker, folder);
  } finally {
    worker.kill();
  }
}

const HOOKS = `import { onRunEnd, onRunStart, onWorkerStart } from "muster-worker";
globalThis.told = [];
const tell = (...words) => globalThis.told.push(words.join(" "));
onWorkerStart(async () => { await null; tell("worker"); });
onRunStart(async (ctx) => { await null; tell("start", ctx.workflow); });
onRunEnd(async (ctx, error) => { await null; tell("end", ctx.workflow, String(error?.name ?? error)); });
onRunEnd((ctx) => tell("before the end", ctx.workflow));`;
const TOLD = "export default () => globalThis.told.splice(0);";

test("hooks are called once in each worker, and around every run, the last end hook first", () =>
  withFolder(
    {
      "hooks.js": HOOKS,
      "told.js": TOLD,
      "fails.js": "export default async () => { throw new RangeError('no'); };",
      "fine.js": "export default () => 1;",
    },
    async (worker) => {
      assert.deepEqual((await worker.run("told")).result, ["worker", "start told"]);
      assert.equal((await worker.run("fine")).result, 1);
      assert.equal((await worker.run("fails")).error.kind, "RangeError");
      const inline = await worker.code(TOLD);
      assert.deepEqual(inline.result, ["before the end told", "end told null", "start fine", "before the end fine", "end fine null", "start fails", "before the end fails", "end fails RangeError", "start inline"]);
    },
  ));

test("a hook hears of an error that nobody caught", () =>
  withFolder(
    { "hooks.js": 'import { onRunEnd } from "muster-worker";\nonRunEnd(async (ctx, error) => { await new Promise((done) => setTimeout(done, 20)); ctx.log.info(`heard ${error?.name}`); });', "stray.js": "export default () => { setTimeout(() => { throw new TypeError('no'); }); return new Promise(() => {}); };" },
    async (worker) => {
      const run = await worker.run("stray");
      assert.deepEqual([run.error.kind, run.lines], ["TypeError", ["heard TypeError"]]);
    },
  ));

test("hooks that fail cost the workflows of the files that import them, and are tried again", () =>
  withFolder(
    {
      "lib/pool.js": 'import { onWorkerStart } from "muster-worker";\nimport { existsSync } from "node:fs";\nonWorkerStart(() => { if (!existsSync(new URL("./up", import.meta.url))) throw new RangeError("the database is away"); });',
      "uses.js": "import './lib/pool.js';\nexport default () => 'used';",
      "named.js": 'import "./lib/pool.js";\nimport { workflow } from "muster-worker";\nworkflow("named", () => "named");',
      "fine.js": "export default () => 'fine';",
    },
    async (worker, folder) => {
      assert.equal((await worker.run("fine")).result, "fine");
      for (const name of ["uses", "named"]) {
        const { error } = await worker.run(name);
        assert.deepEqual([error.kind, error.message], ["RangeError", "the database is away"]);
      }
      assert.match(worker.stderr, /lib\/pool\.js cannot be loaded: RangeError: the database is away/);
      write(folder, "lib/up", "");
      await new Promise((done) => setTimeout(done, 1100));
      assert.deepEqual([(await worker.run("uses")).result, (await worker.run("named")).result], ["used", "named"]);
    },
  ));

test("what a run hook throws fails the runs of the files that import it, and is logged in others", () =>
  withFolder(
    {
      "lib/strict.js": 'import { onRunEnd, onRunStart } from "muster-worker";\nonRunStart(() => { throw new RangeError("not today"); });\nonRunEnd(() => { throw new TypeError("nor later"); });',
      "uses.js": "import './lib/strict.js';\nexport default () => 'used';",
      "fine.js": "export default () => 'fine';",
    },
    async (worker) => {
      const fine = await worker.run("fine");
      assert.deepEqual([fine.result, fine.lines.length], ["fine", 2]);
      assert.match(fine.lines[0], /a hook of onRunStart in .*strict\.js failed: RangeError: not today/);
      assert.match(fine.lines[1], /a hook of onRunEnd in .*strict\.js failed: TypeError: nor later/);
      assert.equal((await worker.run("uses")).error.kind, "RangeError");
    },
  ));

test("inline code leaves no hooks behind", () =>
  withFolder({ "told.js": "export default () => globalThis.spied ?? null;" }, async (worker) => {
    const spy = 'import { onRunStart, onRunEnd } from "muster-worker";\nonRunStart(() => { globalThis.spied = 1; }); onRunEnd(() => { globalThis.spied = 2; });\nexport default () => 1;';
    assert.equal((await worker.code(spy)).result, 1);
    assert.equal((await worker.run("told")).result === 1, false);
    await worker.code("export default () => { delete globalThis.spied; };");
    assert.equal((await worker.code(spy)).result, 1);
    assert.equal((await worker.run("told")).result, null);
  }));
