// The workflows folder and the command line.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, test } from "node:test";
import { LAUNCHERS, PACKAGE, Supervisor } from "./supervisor.js";

const made = [];
after(() => made.forEach((folder) => rmSync(folder, { recursive: true, force: true })));

function folderOf(files) {
  const folder = mkdtempSync(join(tmpdir(), "muster-node-"));
  made.push(folder);
  for (const [name, text] of Object.entries(files)) write(folder, name, text);
  return folder;
}

function write(folder, name, text) {
  mkdirSync(dirname(join(folder, name)), { recursive: true });
  writeFileSync(join(folder, name), text);
}

async function withFolder(files, action) {
  const folder = folderOf(files);
  const worker = await Supervisor.start({ workflowsDir: folder });
  try {
    await action(worker, folder);
  } finally {
    worker.kill();
  }
}

const REGISTER = 'import { workflow } from "muster-worker";\n';

test("names come from files and from workflow()", () =>
  withFolder(
    {
      "plain.js": "export default () => 'plain';",
      "deep/er.mjs": "export default () => 'deep';",
      "many.js": `${REGISTER}workflow("a", () => 'a'); workflow("b/c", async () => 'bc');`,
      "helper.js": "throw new Error('nobody imports me');",
      "bad.js": `${REGISTER}export default ( ;`,
    },
    async (worker) => {
      const names = worker.ready.workflows.filter((name) => !name.startsWith("conformance."));
      assert.deepEqual(names, ["a", "b/c", "bad", "deep/er", "plain"]);
      for (const [name, result] of [["plain", "plain"], ["deep/er", "deep"], ["a", "a"], ["b/c", "bc"]]) {
        assert.equal((await worker.run(name)).result, result);
      }
      assert.equal((await worker.run("bad")).error.kind, "SyntaxError");
      assert.equal((await worker.run("../plain")).kind, "Rejected");
      const path = (path, fn = "") => worker.run("x", {}, { source: { type: "Path", path, function: fn } });
      assert.equal((await path("plain.js")).result, "plain");
      assert.equal((await path("many.js", "b/c")).result, "bc");
      assert.match((await path("../x.js")).outcome.reason, /not below/);
      assert.match((await path("none.js")).outcome.reason, /no file/);
      assert.match((await path("plain.js", "nope")).outcome.reason, /exports no function/);
    },
  ));

test("files are ES modules whatever the package.json above them says", () =>
  withFolder(
    { "package.json": '{"type":"commonjs"}', "a.js": `${REGISTER}import { b } from "./lib/b.js";\nworkflow("a", () => b);`, "lib/b.js": "export const b = 1;" },
    async (worker) => assert.equal((await worker.run("a")).result, 1),
  ));

test("duplicates are InitFailed", () =>
  withFolder({ "a.js": `${REGISTER}workflow("same", () => 1);`, "b.js": `${REGISTER}workflow("same", () => 2);` }, async (worker) => {
    assert.equal(worker.ready.type, "InitFailed");
    assert.equal(worker.ready.error.kind, "DuplicateWorkflow");
    assert.match(worker.ready.error.message, /a\.js:2 and .*b\.js:2/);
    assert.equal(await worker.exited(), 69);
  }));

test("changes are picked up at once, the rest keeps its state", () =>
  withFolder(
    {
      "lib/rate.js": "export const RATE = 1;",
      "a.js": "import { RATE } from './lib/rate.js';\nlet n = 0;\nexport default () => [RATE, ++n];",
      "named.js": `${REGISTER}workflow("named", () => 1);`,
    },
    async (worker, folder) => {
      assert.deepEqual((await worker.run("a")).result, [1, 1]);
      assert.deepEqual((await worker.run("a")).result, [1, 2]);
      for (let rate = 2; rate < 8; rate++) {
        write(folder, "lib/rate.js", `export const RATE = ${rate};`);
        assert.deepEqual((await worker.run("a")).result, [rate, 1]);
      }
      write(folder, "named.js", `${REGISTER}workflow("named", () => 2);`);
      assert.equal((await worker.run("named")).result, 2);
      write(folder, "late.js", `${REGISTER}workflow("later", () => 3);`);
      assert.equal((await worker.run("later")).result, 3);
      renameSync(join(folder, "late.js"), join(folder, "moved.js"));
      assert.equal((await worker.run("later")).result, 3);
      rmSync(join(folder, "moved.js"));
      assert.equal((await worker.run("later")).kind, "Rejected");
    },
  ));

for (const [name, [command, ...first]] of Object.entries(LAUNCHERS)) {
  const run = (args, options = {}) => spawnSync(command, [...first, ...args], { encoding: "utf8", timeout: 20_000, ...options });
  const code = (text, ...args) => run(["run", "it", "--code", join(folderOf({ "code.js": text }), "code.js"), ...args]);

  test(`run and list (${name})`, () => {
    const examples = ["--workflows-dir", `${PACKAGE}examples/workflows`];
    assert.match(run(["list", ...examples]).stdout, /greet +.*greet\.js/);
    const noisy = code(
      "import { execSync } from 'node:child_process';\nexport default (p, ctx) => { console.log('loud'); process.stdout.write('raw\\n'); execSync('echo child', { stdio: 'inherit' }); ctx.progress(1, 2); return p; };",
      "--params",
      '{"a":1}',
    );
    assert.deepEqual([noisy.status, noisy.stdout], [0, '{"a":1}\n']);
    for (const text of ["loud", "raw", "child", "progress 1/2 (50 %)"]) assert.ok(noisy.stderr.includes(text), text);
    assert.equal(run(["run", "greet", "--params", "-", ...examples], { input: '{"name":"Eve"}' }).stdout, '{"greeting":"Hello, Eve!"}\n');
    assert.equal(code("export default () => { while (true); };", "--timeout", "0.3").status, 124);
    assert.equal(code("export default () => { null.x; };").status, 1);
    assert.equal(run(["run", "none", ...examples]).status, 1);
    assert.equal(run(["run", "greet", "--params", "{"]).status, 64);
    assert.equal(run(["nonsense"]).status, 64);
    const state = code(
      "export default async (p, ctx) => { await ctx.state.set('n', 2); return [await ctx.state.get('n'), await ctx.config.get('a'), await ctx.config.get('b')]; };",
      ...["--config", "a=1", "--config", "b=text"],
    );
    assert.deepEqual(JSON.parse(state.stdout), [2, 1, "text"]);
  });
}

test("under the inspector user code runs in the main thread, and the result is alone on stdout", () => {
  const file = join(folderOf({ "code.js": "import { isMainThread } from 'node:worker_threads';\nexport default () => { process.stdout.write('print'); return isMainThread; };" }), "code.js");
  const done = spawnSync(process.execPath, ["--inspect=0", `${PACKAGE}bin/muster-worker.js`, "run", "it", "--code", file], { encoding: "utf8", timeout: 20_000 });
  assert.equal(done.stdout, "true\n");
});
