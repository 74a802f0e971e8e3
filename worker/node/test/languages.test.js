// TypeScript and CommonJS run as they are, and a mistake of syntax has its file and line.

import assert from "node:assert/strict";
import { existsSync, mkdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { PACKAGE, Supervisor } from "./supervisor.js";
import { folderOf, run, write } from "./terminal.js";

/** Where `scripts/test` installs the package that reads TypeScript for a Node that cannot: the newest, and what npm gives Node 20. */
const NEWEST = { name: "amaro", version: "amaro@1.2.1" };
const FOR_NODE_20 = { name: "amaro-for-node-20", version: "amaro-for-node-20@npm:amaro@0.1.9" };

function folderWith(files, { name, version }) {
  const folder = folderOf(files);
  if (!process.features.typescript) {
    const installed = join(PACKAGE, "../../target/node/node_modules", name);
    assert.ok(existsSync(installed), `this Node cannot read TypeScript: npm install --no-save --prefix target/node ${version}`);
    mkdirSync(join(folder, "node_modules"), { recursive: true });
    symlinkSync(installed, join(folder, "node_modules/amaro"));
  }
  return folder;
}

async function withFolder(files, action, amaro = NEWEST) {
  const folder = folderWith(files, amaro);
  const worker = await Supervisor.start({ workflowsDir: folder });
  try {
    await action(worker, folder);
  } finally {
    worker.kill();
  }
}

const PACKAGES = { none: {}, unsaid: { "package.json": "{}" }, module: { "package.json": '{"type":"module"}' }, commonjs: { "package.json": '{"type":"commonjs"}' } };

const TYPED = `import type { Context } from "muster-worker";
import { rate } from "./lib/rate.js";
interface Params { amount?: number }

export default async ({ amount = 1 }: Params, ctx: Context): Promise<number> => {
  ctx.log.info("typed" satisfies string);
  return (amount as number) * rate;
};
`;
const TYPED_NAMED = `import { workflow, type Json } from "muster-worker";
import { rate } from "./lib/rate";
workflow<{ n: number }>("typed/named", ({ n }): Json => n + rate);`;
const TYPED_RATE = "export const rate: number = 2;";
const OLD = `"use strict";
const { workflow, Cancelled } = require("muster-worker");
const { rate } = require("./lib/old_rate");
workflow("old/named", async ({ n }) => [n * rate, typeof Cancelled, typeof module, __filename.endsWith("old_named.js")]);`;
const COMPILED = `"use strict";
Object.defineProperty(exports, "__esModule", { value: true });
exports.default = async (params, ctx) => ({ compiled: ctx.workflow });
exports.other = () => "other";`;

for (const [name, files] of Object.entries(PACKAGES)) {
  test(`TypeScript runs as it is (package.json: ${name})`, () =>
    withFolder({ ...files, "typed.ts": TYPED, "named.ts": TYPED_NAMED, "deep/er.mts": "export default (p: unknown): string => 'deep';", "lib/rate.ts": TYPED_RATE, "types.d.ts": 'declare module "muster-worker";' }, async (worker, folder) => {
      const names = worker.ready.workflows.filter((one) => !one.startsWith("conformance."));
      assert.deepEqual(names, ["deep/er", "typed", "typed/named"], worker.stderr);
      const typed = await worker.run("typed", { amount: 4 });
      assert.deepEqual([typed.result, typed.lines], [8, ["typed"]]);
      assert.equal((await worker.run("typed/named", { n: 1 })).result, 3);
      assert.equal((await worker.run("deep/er")).result, "deep");
      write(folder, "lib/rate.ts", "export const rate: number = 3;");
      assert.equal((await worker.run("typed", { amount: 4 })).result, 12);
      assert.equal((await worker.run("typed/named", { n: 1 })).result, 4);
      const path = { source: { type: "Path", path: "typed.ts", function: "" } };
      assert.equal((await worker.run("x", { amount: 1 }, path)).result, 3);
      assert.equal(worker.stderr, "");
    }));

  test(`CommonJS runs as it is (package.json: ${name})`, () => {
    const old = name === "module" ? "cjs" : "js";
    const all = { ...files, [`old_named.${old}`]: OLD.replace("old_named.js", `old_named.${old}`), [`compiled.${old}`]: COMPILED, "plain.cjs": "module.exports = () => 'plain';", [`lib/old_rate.${old}`]: "module.exports = { rate: 5 };" };
    if (name === "module") all["old_named.cjs"] = all["old_named.cjs"].replace("./lib/old_rate", "./lib/old_rate.cjs");
    return withFolder({ ...all, "new.js": "import { sep } from 'node:path';\nexport default () => sep;" }, async (worker, folder) => {
      const names = worker.ready.workflows.filter((one) => !one.startsWith("conformance."));
      assert.deepEqual(names, ["compiled", "new", "old/named", "plain"], worker.stderr);
      assert.deepEqual((await worker.run("old/named", { n: 2 })).result, [10, "function", "object", true]);
      assert.deepEqual((await worker.run("compiled")).result, { compiled: "compiled" });
      assert.deepEqual([(await worker.run("plain")).result, (await worker.run("new")).result], ["plain", "/"]);
      const other = { source: { type: "Path", path: `compiled.${old}`, function: "other" } };
      assert.equal((await worker.run("x", {}, other)).result, "other");
      write(folder, `lib/old_rate.${old}`, "module.exports = { rate: 6 };");
      assert.equal((await worker.run("old/named", { n: 2 })).result[0], 12);
      assert.equal(worker.stderr, "");
    });
  });
}

test("a TypeScript file that comes later, and one beside what it was compiled to", () =>
  withFolder({ "package.json": '{"type":"module"}', "both.js": 'import { workflow } from "muster-worker"; workflow("both", () => "compiled");', "both.ts": 'import { workflow } from "muster-worker"; workflow("both", (): string => "source");', "node_modules/muster-worker/package.json": '{"type":"module","main":"index.js"}', "node_modules/muster-worker/index.js": `export * from "${PACKAGE}src/index.js";` }, async (worker, folder) => {
    assert.equal((await worker.run("both")).result, "compiled");
    write(folder, "late.ts", "export default (): string => 'late';");
    assert.equal((await worker.run("late")).result, "late");
  }));

test("inline TypeScript", () =>
  withFolder({}, async (worker) => {
    const source = { type: "Inline", language: "typescript", code: "export default ({ n }: { n: number }): number => n + 1;" };
    if (!process.features.typescript) return assert.match((await worker.run("w", { n: 1 }, { source })).error.message, /TypeScript, and Node .* cannot read it by itself: run "npm install amaro"/);
    assert.equal((await worker.run("w", { n: 1 }, { source })).result, 2);
  }));

const COMPILER_ONLY = {
  "enum.ts": "const a: number = 1;\nenum Color { Red }\nexport default () => Color.Red;",
  "wrong.ts": "export default () => {\n  const x: = 1;\n};",
  "space.ts": "namespace X { export const a = 1; }",
  "typed.ts": "import { Context } from 'muster-worker';\nexport default (_: unknown, ctx: Context) => ctx.workflow;",
};

for (const amaro of [NEWEST, FOR_NODE_20]) {
  test(`TypeScript that only a compiler understands says so, with its place (${amaro.version})`, () =>
    withFolder(
      COMPILER_ONLY,
      async (worker, folder) => {
        const { error } = await worker.run("enum");
        assert.equal(error.kind, "SyntaxError");
        assert.ok(error.message.includes("enum is not supported") && error.message.endsWith(`(${folder}/enum.ts:2)`), error.message);
        assert.match(error.stack, /enum\.ts:2\n.*enum Color/s);
        assert.ok((await worker.run("wrong")).error.message.endsWith(`(${folder}/wrong.ts:2)`));
        assert.match((await worker.run("space")).error.message, /^TypeScript namespace .*is not supported.* \(.*space\.ts:1\)$/);
        const typed = (await worker.run("typed")).error.message;
        assert.match(typed, /does not provide an export named 'Context'; if that is a type, write "import type" \(.*typed\.ts:1\)$/);
      },
      amaro,
    ));
}

test("a mistake of syntax has file and line, wherever it is", () =>
  withFolder(
    {
      "direct.js": "const a = 1;\n\nexport default ( ;",
      "through.js": "import './lib/wrong.js';\nexport default () => 1;",
      "lib/wrong.js": "export const a = 1;\nconst b = { ;\n",
      "old.cjs": "const a = 1;\nmodule.exports = ( ;",
      "missing.js": "import { nope } from './lib/fine.js';\nexport default () => nope;",
      "lib/fine.js": "export const fine = 1;",
      "registers.js": 'import { workflow } from "muster-worker";\nworkflow("registers", () => {\n  const x = ;\n});',
      "own.js": "export default () => JSON.parse('{');",
    },
    async (worker, folder) => {
      for (const [name, place] of Object.entries({ direct: "direct.js:3", through: "lib/wrong.js:2", old: "old.cjs:2", missing: "missing.js:1" })) {
        const { error } = await worker.run(name);
        assert.equal(error.kind, "SyntaxError", name);
        assert.ok(error.message.endsWith(`(${folder}/${place})`), `${name}: ${error.message}`);
        assert.ok(error.stack.includes(`${place}\n`), `${name}: ${error.stack}`);
      }
      assert.match(worker.stderr, /registers\.js cannot be loaded: .*registers\.js:3\n {2}const x = ;\n/);
      assert.match((await worker.run("registers")).error.message, /^Unexpected token ';' \(.*registers\.js:3\)/);
      assert.match((await worker.code("export default () => {\n  const = 1;\n};")).error.message, /\(inline-inline\.js:2\)$/);
      assert.doesNotMatch((await worker.run("own")).error.message, /\(.*:\d+\)$/);
      const terminal = run(["run", "direct", "--workflows-dir", folder]);
      assert.match(terminal.stderr, /direct\.js:3\nexport default \( ;/);
    },
  ));
