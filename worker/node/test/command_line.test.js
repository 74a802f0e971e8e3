// The command line: `run`, `list` and `serve --json` as a person meets them.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { test } from "node:test";
import { LAUNCHERS, PACKAGE } from "./supervisor.js";
import { folderOf, launch, run } from "./terminal.js";

const EXAMPLES = ["--workflows-dir", `${PACKAGE}examples/workflows`];
const fileOf = (text, name = "code.js") => join(folderOf({ [name]: text }), name);
const READ = `export default async (p, ctx) => {
  const before = await ctx.state.get("n"); await ctx.state.set("n", 2);
  return [before, await ctx.state.get("n"), await ctx.config.get("a"), await ctx.config.get("b")]; };`;

for (const launcher of Object.keys(LAUNCHERS)) {
  const code = (text, ...args) => run(["run", "it", "--code", fileOf(text), ...args], { launcher });

  test(`list (${launcher})`, () => {
    assert.match(run(["list", ...EXAMPLES], { launcher }).stdout, /greet +.*greet\.js/);
    const [first] = JSON.parse(run(["list", "--json", ...EXAMPLES], { launcher }).stdout);
    assert.deepEqual([first.workflow, /many\.js:\d+$/.test(first.where)], ["charge-card", true]);
  });

  test(`the result alone is on stdout, logs and prints on stderr (${launcher})`, () => {
    const noisy = code(
      "import { execSync } from 'node:child_process';\nexport default (p, ctx) => { console.log('loud'); process.stdout.write('raw\\n'); execSync('echo child', { stdio: 'inherit' }); ctx.progress(1, 2); return p; };",
      ...["--params", '{"a":1}'],
    );
    assert.deepEqual([noisy.status, noisy.stdout], [0, '{"a":1}\n']);
    for (const text of ["loud", "raw", "child", "progress 1/2 (50 %)"]) assert.ok(noisy.stderr.includes(text), text);
  });

  test(`parameters from stdin and from a file (${launcher})`, () => {
    const greeted = '{"greeting":"Hello, Eve!"}\n';
    assert.equal(run(["run", "greet", "--params", "-", ...EXAMPLES], { input: '{"name":"Eve"}', launcher }).stdout, greeted);
    assert.equal(run(["run", "greet", "--params", `@${fileOf('{"name":"Eve"}')}`, ...EXAMPLES], { launcher }).stdout, greeted);
  });

  test(`the exit code tells how it ended (${launcher})`, () => {
    assert.equal(code("export default () => { while (true); };", "--timeout", "0.3").status, 124);
    const blocked = code("import { execSync } from 'node:child_process';\nexport default () => execSync('exec sleep 60');", "--timeout", "0.3");
    assert.deepEqual([blocked.status, blocked.error], [124, undefined]);
    const limited = 'import { workflow } from "muster-worker";\nworkflow("own", () => { while (true); }, { timeoutSeconds: 0.2 });';
    assert.equal(code(limited).status, 124);
    const failed = code("export default () => { null.x; };");
    assert.equal(failed.status, 1);
    assert.match(failed.stderr, /failed: TypeError: Cannot read properties of null/);
    assert.equal(run(["run", "none", ...EXAMPLES], { launcher }).status, 1);
  });

  test(`Ctrl-C cancels (${launcher})`, async () => {
    const { child, saying, ended } = launch(["run", "it", "--code", fileOf("export default (p, ctx) => { console.log('here'); return ctx.sleep(60_000); };")], launcher);
    await saying("here");
    child.kill(launcher === "shell" ? "SIGINT" : "SIGTERM");
    assert.equal((await ended).status, 130);
  });

  test(`configuration and state from flags and files (${launcher})`, () => {
    const given = ["--config", "b=text", "--config", `@${fileOf('{"a":{"deep":[1]},"b":"file"}')}`, "--state", "n=1"];
    assert.deepEqual(JSON.parse(code(READ, ...given).stdout), [1, 2, { deep: [1] }, "file"]);
    const later = ["--config", `@${fileOf('{"a":1,"b":2}')}`, "--config", "b=later", "--state", `@${fileOf('{"n":[0]}')}`];
    assert.deepEqual(JSON.parse(code(READ, ...later).stdout), [[0], 2, 1, "later"]);
    assert.deepEqual(JSON.parse(code(READ).stdout), [null, 2, null, null]);
  });
}

test("a command line that makes no sense says what would", () => {
  for (const [args, says] of [
    [["nonsense"], /there is no command nonsense; there are serve, list, run, replay/],
    [["--json", "list"], /--json: the command comes first/],
    [["list", "--params", "1"], /list: Unknown option '--params'/],
    [["list", "greet"], /list takes no "greet"/],
    [["run"], /run takes the name of a workflow, and one only/],
    [["run", "greet", "again"], /run takes the name of a workflow, and one only/],
    [["run", "greet", "--params", "{"], /--params is not JSON/],
    [["run", "greet", "--params", "@/no/such"], /\/no\/such cannot be read/],
    [["run", "greet", "--timeout", "soon"], /--timeout soon: it must be a number of seconds/],
    [["run", "greet", "--config", "novalue"], /--config novalue: write KEY=VALUE, or @FILE/],
    [["run", "greet", "--state", `@${fileOf("[1]")}`], /--state @.*: the file must hold a JSON object/],
    [["run", "greet", "--code", "/no/such.js"], /\/no\/such\.js cannot be read/],
  ]) {
    const done = run([...args]);
    assert.deepEqual([done.status, done.stdout], [64, ""], args.join(" "));
    assert.match(done.stderr, says);
  }
});

test("what is nearly right is told what would be", () => {
  const folder = folderOf({
    "daily/report.js": "export function run() {}",
    "greet.js": "export const muster = { timout: 3 };\nexport default () => 1;",
    "thing.cjs": "module.exports = { a: 1 };",
    "order.js": 'import { workflow } from "muster-worker";\nworkflow(async () => 1, { timeout: 3 });',
  });
  const says = (name) => run(["run", name, "--workflows-dir", folder]).stderr;
  for (const near of ["gret", "Greet", "greet.js", "workflows/greet"]) {
    assert.match(says(near), /error: there is no workflow ".*" in .*; did you mean "greet"\?/);
  }
  assert.match(says("invoice"), /; there are greet;/);
  assert.match(says("daily/report"), /daily\/report\.js has no function as its default export and registers no workflow; a workflow is `export default .*` \(it exports: run\)/);
  assert.match(says("thing"), /thing\.cjs has no function as its default export/);
  assert.match(says("greet"), /greet\.js: "export const muster" does not count: there is no option timout/);
  assert.match(says("greet"), /order\.js cannot be loaded: TypeError: workflow\(name, function, options\): the name comes first and is a text, not a function/);
});

test("help and version go to stdout when they are asked for", () => {
  assert.match(run(["--help"]).stdout, /replay FILE/);
  assert.match(run(["run", "-h"]).stdout, /replay FILE/);
  assert.match(run(["--version"]).stdout, /^muster-worker \d+\.\d+\.\d+\n$/);
  assert.deepEqual([run([]).status, run([]).stdout], [64, ""]);
});

test("serve --json speaks lines of JSON", async () => {
  const sent = [
    { Welcome: { protocol: 1, max_frame_bytes: 16_777_215, features: ["log"], config: { workflows_dir: `${PACKAGE}examples/workflows` } } },
    { Execute: { run: 1, execution_id: "e", attempt: 1, workflow: "greet", source: "Named", params: { name: "Eve" } } },
    { Drain: { reason: "enough" } },
  ];
  const { child, ended } = launch(["serve", "--json"]);
  child.stdin.write(sent.map((one) => `${JSON.stringify(one)}\n`).join(""));
  const heard = (await ended).stdout.trimEnd().split("\n").map((line) => JSON.parse(line));
  assert.deepEqual(heard.map((one) => Object.keys(one)[0]), ["Hello", "Ready", "Started", "Log", "Finished", "Idle", "Goodbye"]);
  assert.deepEqual(heard[4].Finished.outcome, { Succeeded: { result: { greeting: "Hello, Eve!" } } });
});

test("under the inspector user code runs in the main thread, no clock runs, and the result is alone on stdout", () => {
  const file = fileOf(`import { isMainThread } from "node:worker_threads";
    console.log("loading");
    export default async (p, ctx) => { process.stdout.write("print"); console.log("to the console"); ctx.log.info("to the log"); ctx.progress(1, 2); await new Promise((done) => setTimeout(done, 300)); return [isMainThread, ctx.remainingMs]; };`);
  const args = ["--inspect=0", `${PACKAGE}bin/muster-worker.js`, "run", "it", "--code", file, "--timeout", "0.1"];
  const done = spawnSync(process.execPath, args, { encoding: "utf8", timeout: 20_000 });
  assert.equal(done.stdout, "[true,null]\n");
  for (const said of [/INFO {2}console: to the console/, /INFO {2}it: to the log/, /^progress 1\/2/m, /print/, /loading/]) assert.match(done.stderr, said);
});
