// What the worker describes of its workflows, and what it leaves to a supervisor that listens.

import assert from "node:assert/strict";
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "node:test";
import { policyIn, policyOf } from "../src/policy.js";
import { FEATURES } from "../src/wire/messages.js";
import { Supervisor } from "./supervisor.js";

test("options become a description", () => {
  class Busy extends Error {}
  const policy = policyOf({ timeout: 30, retries: 3, backoff: 0.5, backoffFactor: 1.5, retryOn: [Busy, "Later"], maxConcurrent: 2, key: "organization" });
  assert.equal(policy.timeout_ms, 30_000);
  assert.deepEqual(policy.retry, {
    max_attempts: 4,
    backoff_ms: 500,
    backoff_factor_percent: 150,
    backoff_max_ms: null,
    retry_on: ["Busy", "Later"],
    give_up_on: [],
  });
  assert.deepEqual(policy.concurrency, { total: null, per_key: 2, key: "organization", on_full: "" });
  assert.equal(policyOf({ timeoutSeconds: 0.1 }).timeout_ms, 100);
  assert.equal(policyOf({ maxConcurrent: 2 }).concurrency.total, 2);
});

test("mistakes are named", () => {
  for (const [options, message] of [
    [{ timeout: 0 }, /timeout must be a number above 0, not 0/],
    [{ retries: 1.5 }, /retries must be a whole number of at least 0/],
    [{ retry: 1 }, /there is no option retry; there are description, timeout/],
    [{ limits: [..."abcde"] }, /at most 4/],
    [{ parameters: "x" }, /parameters must be a JSON Schema/],
  ]) {
    assert.throws(() => policyOf(options), message);
  }
});

test("the literal of a file is evaluated alone", () => {
  const source = "import x from './x.js';\n// export const muster = {no: 1}\nexport const muster = { queue: \"}\", /* } */ timeout: 60 * 1.5 }; // }\nexport default () => x;";
  assert.deepEqual([policyIn(source).queue, policyIn(source).timeout_ms], ["}", 90_000]);
  for (const none of ["", "export const muster = 5;", "export const musters = {};", "/*\n  export const muster = {};\n*/", "`\n export const muster = {}`"]) {
    assert.equal(policyIn(none), null, none);
  }
  assert.deepEqual(policyIn("export const muster = { retryOn: [RangeError, 'Busy'] }").retry.retry_on, ["RangeError", "Busy"]);
  assert.throws(() => policyIn("export const muster = { timeout: LIMIT }"), /must be a plain literal, .*LIMIT is not defined/);
  assert.throws(() => policyIn("export const muster = { timout: 1 }"), /^TypeError: there is no option timout; there are /);
  assert.throws(() => policyIn("export const muster = { timeout: (() => { for (;;); })() }"), /timed out/);
});

test("a policy counts as people write it", () => {
  for (const declared of [
    "export const muster: Policy = { timeout: 5 };",
    'export const muster: import("muster-worker").Policy | null = { timeout: 5 } satisfies Policy;',
    "export let muster = { timeout: 5 };",
    "export var muster={ timeout: 5 };",
    "const quoted = /['\"]/;\n/* it's */\n  export const muster = { timeout: 5 };",
    "exports.muster = void 0;\nexports.muster = { timeout: 5 };",
    "module.exports.muster = { timeout: 5 };",
    "export const muster = Object.freeze({ timeout: 5 });",
    "module.exports.muster = Object.freeze( { timeout: 5 } );",
    "const muster = { timeout: 5 };\nexport default () => 1;\nexport { muster };",
    "const $own = Object.freeze({ timeout: 5 });\nexport { x, $own as muster } // as it is",
    "export { muster, type Policy };\nconst muster: Policy = { timeout: 5 };",
  ]) {
    assert.equal(policyIn(declared)?.timeout_ms, 5000, declared);
  }
  for (const other of [
    "const muster = { timeout: 5 };",
    "const muster = { timeout: 5 };\nexport { muster } from './lib.js';",
    "function f() {\n  const muster = { timeout: 5 };\n}\nexport { muster };",
    "/*\nconst muster = { timeout: 5 };\n*/\nexport { muster };",
    "const muster = { timeout: 5 };\nexport { muster as other };",
    "const muster = { timeout: 5 };\n`\nexport { muster }`;",
  ]) {
    assert.equal(policyIn(other), null, other);
  }
});

const ELSEWHERE = {
  "list.js": "const made = () => ({ timeout: 5 });\nconst muster = made();\nexport { muster };\nexport default () => 1;",
  "frozen.js": "export const muster = Object.seal({ timeout: 5 });\nexport default () => 1;",
  "assigned.cjs": "module.exports = () => 1;\nif (true) {\n  module.exports.muster = { timeout: 5 };\n}",
  "all.js": 'export * from "./lib.js";\nexport default () => 1;',
  "lib.js": "export const muster = { timeout: 5 };",
  "none.js": "// export const muster = 1;\nexport default () => 1;",
};

test("a policy that the text does not show is warned of", async () => {
  const worker = await Supervisor.start({ workflowsDir: folder(ELSEWHERE) });
  const warned = [];
  for (const name of ["list", "frozen", "assigned", "all", "none"]) {
    const ended = await worker.run(name);
    warned.push(ended.lines.filter((line) => /^the export "muster" of .* does not count: it must stand in the text as `export const muster = \{ … \}`/.test(line)).length);
    // It is said once, when the file is loaded.
    assert.deepEqual((await worker.run(name)).lines, []);
  }
  assert.deepEqual(warned, [1, 1, 1, 1, 0]);
  for (const file of ["list.js", "frozen.js", "assigned.cjs"]) assert.ok(worker.stderr.includes(`${file}: "export const muster" does not count: it must stand`), worker.stderr);
  for (const file of ["none.js", "lib.js"]) assert.ok(!worker.stderr.includes(file), worker.stderr);
  worker.process.kill("SIGKILL");
});

const REGISTERED = `import { workflow } from "muster-worker";
workflow("slow", async (p, ctx) => { await ctx.sleep(p.ms); return "done"; }, { timeout: 0.2, retries: 3 });`;

function folder(files) {
  const path = mkdtempSync(join(tmpdir(), "describe-"));
  for (const [name, text] of Object.entries(files)) writeFileSync(join(path, name), text);
  return path;
}

test("what is declared is described before Ready, and its limit is the supervisor's", async () => {
  const workflowsDir = folder({
    "slow.js": REGISTERED,
    "plain.js": 'export const muster = { timeout: 40, giveUpOn: ["Fatal"] };\nexport default () => 1;',
    "wrong.js": "export const muster = { timeout: LIMIT };\nexport default () => 1;",
    "broken.js": 'import { workflow } from "muster-worker";\nthrow new RangeError("no");',
  });
  const worker = await Supervisor.start({ workflowsDir });
  assert.equal(worker.ready.type, "Ready");
  const [{ replaces, workflows, broken }] = worker.described;
  const named = new Map(workflows.map((one) => [one.name, one]));
  assert.equal(replaces, true);
  assert.deepEqual([Number(named.get("slow").timeout_ms), named.get("slow").retry.max_attempts, named.get("slow").source_file], [200, 4, "slow.js"]);
  assert.deepEqual([Number(named.get("plain").timeout_ms), named.get("plain").retry.give_up_on], [40_000, ["Fatal"]]);
  assert.equal(named.get("wrong").timeout_ms, null);
  assert.match(worker.stderr, /wrong.js: "export const muster" does not count/);
  assert.deepEqual(broken.map(({ file, error }) => [file, error.kind]), [["broken.js", "RangeError"]]);
  assert.equal((await worker.run("slow", { ms: 500 })).result, "done");
  worker.process.kill("SIGKILL");

  const deaf = await Supervisor.start({ workflowsDir, features: FEATURES.filter((name) => name !== "describe") });
  assert.equal((await deaf.run("slow", { ms: 30_000 })).error.kind, "WorkflowTimeout");
  assert.deepEqual(deaf.described, []);
  deaf.process.kill("SIGKILL");
});
