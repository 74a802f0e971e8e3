// The workflows folder: names, changes, mistakes.

import assert from "node:assert/strict";
import { renameSync, rmSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { PACKAGE, Supervisor } from "./supervisor.js";
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

test("what a link leads to elsewhere is no workflow by its name either", async () => {
  const elsewhere = folderOf({ "secret.js": "export default () => 'secret';", "registers.js": `${REGISTER}workflow("from-elsewhere", () => 1);` });
  const folder = folderOf({ "own.js": "export default () => 'own';" });
  symlinkSync("own.js", join(folder, "alias.js"));
  symlinkSync(join(elsewhere, "secret.js"), join(folder, "link.js"));
  symlinkSync(join(elsewhere, "registers.js"), join(folder, "registers.js"));
  symlinkSync(elsewhere, join(folder, "deep"));
  const worker = await Supervisor.start({ workflowsDir: folder });
  try {
    const names = worker.ready.workflows.filter((name) => !name.startsWith("conformance."));
    assert.deepEqual(names, ["alias", "own"]);
    assert.equal((await worker.run("alias")).result, "own");
    for (const name of ["link", "deep/secret", "from-elsewhere"]) assert.equal((await worker.run(name)).kind, "Rejected", name);
  } finally {
    worker.kill();
  }
});

test("files are ES modules whatever the package.json above them says", () =>
  withFolder(
    { "package.json": '{"type":"commonjs"}', "a.js": `${REGISTER}import { b } from "./lib/b.js";\nworkflow("a", () => b);`, "lib/b.js": "export const b = 1;" },
    async (worker) => assert.equal((await worker.run("a")).result, 1),
  ));

test("a package.json that does not say what .js files are brings no warnings into the log", () =>
  withFolder(
    {
      "package.json": "{}",
      "a.js": `${REGISTER}workflow("a", () => 1);`,
      "node_modules/muster-worker/package.json": '{"type":"module","main":"index.js"}',
      "node_modules/muster-worker/index.js": `export * from "${PACKAGE}src/index.js";`,
    },
    async (worker) => {
      assert.equal((await worker.run("a")).result, 1);
      await worker.code("export default () => process.stderr.write('the end of it');");
      await worker.stderrWith("the end of it");
      assert.equal(worker.stderr, "the end of it");
    },
  ));

test("duplicates are InitFailed", () =>
  withFolder({ "a.js": `${REGISTER}workflow("same", () => 1);`, "b.js": `${REGISTER}workflow("same", () => 2);` }, async (worker) => {
    assert.equal(worker.ready.type, "InitFailed");
    assert.equal(worker.ready.error.kind, "DuplicateWorkflow");
    assert.match(worker.ready.error.message, /a\.js:2 and .*b\.js:2/);
    assert.equal(await worker.exited(), 69);
  }));

test("a duplicate that comes later fails what meets it, and the worker leaves", () =>
  withFolder({ "a.js": `${REGISTER}workflow("same", () => 1);` }, async (worker, folder) => {
    assert.equal((await worker.run("same")).result, 1);
    write(folder, "b.js", `${REGISTER}workflow("same", () => 2);`);
    write(folder, "a.js", `${REGISTER}workflow("same", () => 3);`);
    worker.start("same");
    assert.equal((await worker.expect("Finished")).outcome.error.kind, "DuplicateWorkflow");
    assert.equal(await worker.exited(), 69);
    assert.match(worker.stderr, /the workflows cannot be loaded any more: two workflows are called "same"/);
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
