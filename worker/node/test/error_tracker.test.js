// The example with a real error tracker's SDK, which instruments half of Node, against a server of its own.

import assert from "node:assert/strict";
import { once } from "node:events";
import { existsSync, mkdirSync, readFileSync, symlinkSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import { test } from "node:test";
import { PACKAGE, Supervisor } from "./supervisor.js";
import { folderOf } from "./terminal.js";

/** Where `scripts/test` installs it. */
const SENTRY = join(PACKAGE, "../../target/node/node_modules/@sentry");

/** Answers all that comes, and keeps the events in it. */
async function tracker() {
  const events = [];
  const server = createServer(async (request, response) => {
    let text = "";
    for await (const chunk of request.setEncoding("utf8")) text += chunk;
    for (const line of text.split("\n")) if (line.includes('"exception"')) events.push(JSON.parse(line));
    response.end("{}");
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  return { events, server, dsn: `http://key@127.0.0.1:${server.address().port}/1` };
}

test("the tracker hears of each failure, of its execution and of no other", async () => {
  assert.ok(existsSync(SENTRY), "npm install --no-save --prefix target/node @sentry/node");
  const { events, server, dsn } = await tracker();
  const folder = folderOf({
    "error_tracker.js": readFileSync(`${PACKAGE}examples/hooks/error_tracker.js`, "utf8"),
    "fails.js": "export default async ({ n }) => { throw new RangeError(`number ${n}`); };",
    "stray.js": "export default () => { setTimeout(() => { throw new TypeError('stray'); }); return new Promise(() => {}); };",
    "fine.js": "export default (params) => params;",
  });
  mkdirSync(join(folder, "node_modules"));
  symlinkSync(SENTRY, join(folder, "node_modules/@sentry"));
  const worker = await Supervisor.start({ workflowsDir: folder, env: { SENTRY_DSN: dsn } });
  try {
    assert.equal((await worker.run("fine", { a: 1 })).result?.a, 1, worker.stderr);
    const failed = [await worker.run("fails", { n: 1 }), await worker.run("fails", { n: 2 }), await worker.run("stray")];
    assert.deepEqual(failed.map(({ error }) => error.kind), ["RangeError", "RangeError", "TypeError"]);
    assert.equal((await worker.run("fine", { a: 2 })).result.a, 2);
    const told = events.map(({ exception, tags }) => [exception.values[0].value, tags.workflow, tags.execution_id]);
    assert.deepEqual(told, [["number 1", "fails", "run-2"], ["number 2", "fails", "run-3"], ["stray", "stray", "run-4"]]);
  } finally {
    worker.kill();
    server.close();
    server.closeAllConnections();
  }
});
