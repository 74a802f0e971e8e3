// A file that does not let itself be loaded costs its own workflows, and that within its time.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { Supervisor } from "./supervisor.js";
import { folderOf, run, write } from "./terminal.js";

const REGISTER = 'import { workflow } from "muster-worker";\n';
const GOOD = `${REGISTER}workflow("good", () => "good");`;

/** What a file that does not come back is given. Others need a part of what a whole worker takes to start, however busy the machine is. */
const SHORT_SECONDS = await secondsToStart();

async function secondsToStart() {
  const began = performance.now();
  await withFolder({ "good.js": GOOD }, async () => {}, 10);
  return Math.max(0.5, Math.ceil(performance.now() - began) / 1000);
}

async function withFolder(files, action, loadSeconds = SHORT_SECONDS, env = {}) {
  const folder = folderOf(files);
  const worker = await Supervisor.start({ workflowsDir: folder, config: { worker_load_seconds: loadSeconds }, env });
  try {
    await action(worker, folder);
  } finally {
    worker.kill();
  }
}

const notLoadedIn = (seconds) => `was still being loaded after ${String(seconds).replace(".", "\\.")} s`;

const BAD = {
  "waits for ever": "await new Promise(() => {});",
  "waits for what is long": "import { setTimeout as timer } from 'node:timers/promises'; await timer(60_000);",
  "never comes back": "while (true);",
  "sleeps": "Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);",
  "hangs in native code": "import { execSync } from 'node:child_process'; execSync('sleep 60');",
  "prints without end": "while (true) console.log('noise '.repeat(100));",
  "registers without end": "for (let n = 0; ; n++) workflow(`w${n}`, () => n);",
  "exits": "process.exit(0);",
  "exits at once": "process.reallyExit(0);",
  "kills the process": "process.kill(process.pid, 'SIGKILL');",
  "throws": "throw new Error('no');",
  "throws what is no error": "throw null;",
  "is no JavaScript": "const ;",
  "imports what is not there": "import './none.js';",
  "hangs in what it imports": "import './lib/hangs.js';",
};

for (const [what, text] of Object.entries(BAD)) {
  test(`a file that ${what}`, () =>
    withFolder({ "a_bad.js": `${REGISTER}${text}\nworkflow("bad", () => 1);`, "good.js": GOOD, "lib/hangs.js": "while (true);" }, async (worker) => {
      assert.equal(worker.ready.type, "Ready", JSON.stringify(worker.ready));
      assert.ok(worker.ready.workflows.includes("good"));
      assert.equal((await worker.run("good")).result, "good");
      const { outcome } = await worker.run("bad");
      assert.equal(outcome.type, "Rejected");
      assert.match(outcome.reason, new RegExp(`there is no workflow "bad" .*; .*a_bad\\.js (could not be loaded|${notLoadedIn(SHORT_SECONDS)})`));
      assert.match(worker.stderr, /a_bad\.js cannot be loaded: /);
      assert.ok(worker.stderr.length < 100_000, `${worker.stderr.length} characters on stderr`);
    }));
}

const HELPED = 'import { define } from "./lib/define.js";\nimport { onRunEnd, onRunStart, onWorkerStart } from "muster-worker";\n';
const HALF = {
  "throws": `${REGISTER}workflow("early", () => 1);\nthrow new Error("no");`,
  "names an option there is not": `${REGISTER}workflow("early", () => 1);\nworkflow("late", () => 1, { timeout: -1 });`,
  "throws after it waited": `${REGISTER}await null; workflow("early", () => 1);\nthrow new Error("no");`,
  "registers through another file": `${HELPED}define("early", () => 1);\nthrow new Error("no");`,
  "names hooks": `${HELPED}for (const hook of [onWorkerStart, onRunStart, onRunEnd]) hook(() => console.log("a hook"));\ndefine("early", () => 1);\nthrow new Error("no");`,
};

for (const [what, text] of Object.entries(HALF)) {
  test(`nothing counts of a file that ${what} after it registered something`, () =>
    withFolder({ "half.js": text, "good.js": GOOD, "lib/define.js": `${REGISTER}export const define = (name, run) => workflow(name, run);` }, async (worker, folder) => {
      assert.deepEqual(worker.ready.workflows.filter((name) => !name.startsWith("conformance.")), ["good"]);
      assert.match((await worker.run("early")).outcome.reason, /there is no workflow "early" .*half\.js could not be loaded/);
      const good = await worker.run("good");
      assert.deepEqual([good.result, good.lines], ["good", []]);
      write(folder, "half.js", `${REGISTER}workflow("early", () => "mended");`);
      assert.equal((await worker.run("early")).result, "mended");
    }));
}

test("what a file that fails had imported keeps its workflows", () =>
  withFolder({ "a_bad.js": `${REGISTER}import "./good.js";\nthrow new Error("no");`, "b_bad.cjs": 'require("muster-worker"); require("./other.cjs");\nthrow new Error("no");', "good.js": GOOD, "other.cjs": 'const { workflow } = require("muster-worker");\nworkflow("other", () => "other");' }, async (worker) => {
    assert.deepEqual([(await worker.run("good")).result, (await worker.run("other")).result], ["good", "other"]);
  }));

test("a file that acts after it was loaded keeps its workflows", () =>
  withFolder({ "a_bad.js": `${REGISTER}setTimeout(() => { throw new Error("later"); }); Promise.reject(new Error("rejected")); workflow("bad", () => 1);`, "good.js": GOOD }, async (worker) => {
    assert.equal((await worker.run("good")).result, "good");
    assert.equal((await worker.run("bad")).result, 1);
  }));

test("several that hang cost their time once", async () => {
  const tried = 'import { appendFileSync } from "node:fs";\nappendFileSync(new URL("./tried", import.meta.url), "x");';
  const files = Object.fromEntries(Array.from({ length: 5 }, (_, n) => [`bad${n}.js`, `${REGISTER}${tried} while (true);`]));
  await withFolder({ ...files, "good.js": GOOD }, async (worker, folder) => {
    assert.equal((await worker.run("good")).result, "good");
    // What is known to hang is not waited for again when the thread is replaced.
    assert.equal((await worker.code("export default () => { while (true); };", {}, { timeoutMs: 50 })).kind, "Cancelled");
    assert.equal((await worker.run("good")).result, "good");
    assert.equal(readFileSync(`${folder}/tried`, "utf8"), "xxxxx");
  });
});

test("a file that is mended is loaded again, also what it imports", () =>
  withFolder({ "bad.js": `${REGISTER}import "./lib/one.js"; workflow("bad", () => "mended");`, "lib/one.js": "await new Promise(() => {});", "good.js": GOOD }, async (worker, folder) => {
    assert.equal((await worker.run("bad")).kind, "Failed");
    write(folder, "lib/one.js", "export {};");
    assert.equal((await worker.run("bad")).result, "mended");
    assert.equal((await worker.run("good")).result, "good");
  }));

for (const [what, text] of Object.entries({ "waits for ever": "await new Promise(() => {});", "never comes back": "while (true);", "hangs in native code": "import { execSync } from 'node:child_process'; execSync('sleep 60');" })) {
  test(`a file of an execution that ${what}`, () =>
    withFolder({ "bad.js": `${text}\nexport default () => 1;`, "good.js": GOOD }, async (worker) => {
      const first = await worker.run("bad");
      assert.equal(first.error.kind, "LoadTimeout", JSON.stringify(first.outcome));
      assert.match(first.error.message, new RegExp(`bad\\.js ${notLoadedIn(SHORT_SECONDS)}; move what waits`));
      assert.equal(first.idle.recycle, what === "hangs in native code");
      assert.equal((await worker.run("good")).result, "good");
      const again = await worker.run("bad");
      assert.deepEqual([again.error.kind, again.types], ["LoadTimeout", ["Finished", "Idle"]]);
    }));
}

test("an execution may take longer than its file may take to be loaded", () =>
  withFolder({ "slow.js": `export default (p, ctx) => ctx.sleep(${SHORT_SECONDS * 1000 + 300});` }, async (worker) => {
    assert.equal((await worker.run("slow")).kind, "Succeeded");
    assert.equal((await worker.run("slow")).kind, "Succeeded");
  }));

test("a cancel while a thread is replaced costs no file that the new one loads", () =>
  withFolder(
    { "slow.js": `${REGISTER}import { setTimeout as timer } from "node:timers/promises"; await timer(500); workflow("slow", () => "slow");` },
    async (worker) => {
      await worker.code("export default () => { setImmediate(() => { for (;;); }); };");
      await new Promise((done) => setTimeout(done, 100));
      const run = worker.start("conformance.echo");
      await worker.expect("Started");
      assert.match((await worker.expect("Log")).records[0].message, /the worker's thread is replaced/);
      worker.cancel(run);
      const cancelled = await worker.finish();
      assert.deepEqual([cancelled.kind, cancelled.late], ["Cancelled", []]);
      assert.equal((await worker.run("slow")).result, "slow");
    },
    10,
  ));

test("a fresh thread that is slow to take its first execution up is not replaced", () =>
  withFolder({ "busy.js": `${REGISTER}setTimeout(() => { const end = Date.now() + 2000; while (Date.now() < end); }, 100); workflow("busy", () => 1);` }, async (worker) => {
    await new Promise((done) => setTimeout(done, 200));
    const run = await worker.run("conformance.echo", 1);
    assert.deepEqual([run.result, run.late], [1, []]);
  }, 10));

test("what the thread takes to start, and what files do once they are loaded, is not the time of a file", async () => {
  const busy = (ms) => `const end = Date.now() + ${ms}; while (Date.now() < end);`;
  // Done in each thread before anything else.
  const preload = `${folderOf({ "slow.cjs": `if (!require("node:worker_threads").isMainThread) { ${busy(SHORT_SECONDS * 1000 + 500)} }` })}/slow.cjs`;
  const files = { "good.js": `${GOOD} setImmediate(() => { ${busy(SHORT_SECONDS * 1000 + 500)} });` };
  await withFolder(files, async (worker) => {
    assert.equal(worker.ready.type, "Ready", JSON.stringify(worker.ready));
    assert.equal((await worker.run("good")).result, "good");
  }, SHORT_SECONDS, { NODE_OPTIONS: `--require ${preload}` });
});

test("a file with the name of a package shadows it for nobody", () =>
  withFolder(
    {
      "yaml.js": `${REGISTER}import { parse } from "yaml"; workflow("uses", () => parse());`,
      "path.js": `${REGISTER}import { sep } from "path"; workflow("path", () => sep);`,
      "other.js": `${REGISTER}import { parse } from "yaml"; workflow("other", () => parse());`,
      "node_modules/yaml/package.json": '{"main":"index.js","type":"module"}',
      "node_modules/yaml/index.js": "export const parse = () => 'the package';",
    },
    async (worker) => {
      assert.deepEqual([(await worker.run("uses")).result, (await worker.run("other")).result, (await worker.run("path")).result], ["the package", "the package", "/"]);
    },
  ));

test("list names what cannot be loaded, and does not wait for ever", () => {
  const listed = run(["list", "--workflows-dir", folderOf({ "bad.js": `${REGISTER}throw new TypeError("no");`, "good.js": GOOD })]);
  assert.deepEqual([listed.status, /good +.*good\.js/.test(listed.stdout)], [1, true]);
  assert.match(listed.stderr, /bad\.js cannot be loaded: TypeError: no/);
});
