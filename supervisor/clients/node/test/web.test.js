// The web application of the examples, with a supervisor that is restarted under it.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, symlinkSync, writeFileSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { after, before, test } from "node:test";

import { eventually, served } from "./installation.js";

let installation, application, url;

before(async () => {
  installation = await served();
  const folder = join(installation.folder, "application");
  mkdirSync(join(folder, "node_modules"), { recursive: true });
  symlinkSync(resolve(import.meta.dirname, ".."), join(folder, "node_modules", "muster-client"));
  writeFileSync(join(folder, "web.mjs"), readFileSync(new URL("../examples/web.js", import.meta.url)));
  const env = { ...process.env, MUSTER_URL: installation.url };
  application = spawn(process.execPath, [join(folder, "web.mjs"), "0"], { env, stdio: ["ignore", "pipe", "inherit"] });
  [url] = String((await once(application.stdout, "data"))[0]).split("\n");
});
after(async () => {
  application.kill();
  await installation.remove();
});

const ask = async (path, init) => {
  const answer = await fetch(`${url}/executions/${path}`, init);
  return { status: answer.status, ...(await answer.json()) };
};
const submit = (workflow, params) => ask(workflow, { method: "POST", body: JSON.stringify(params) });

test("result, refusals, cancel", async () => {
  const { id, status } = await submit("greet", { name: "Ada" });
  assert.equal(status, 201);
  assert.deepEqual(await ask(id), { status: 200, result: { greeting: "Hello, Ada!" } });
  const broken = await submit("broken", { message: "no" });
  const failed = await ask(broken.id);
  assert.deepEqual([failed.status, /RangeError: no/.test(failed.error)], [502, true]);
  assert.equal((await ask("0198aa00-0000-7000-8000-000000000001")).status, 404);
  assert.equal((await ask("greet", { method: "POST", body: "{" })).status, 400);
  const slow = await submit("slow", {});
  await eventually("it runs", async () => (await ask(slow.id)).status === 202);
  assert.match((await ask(slow.id, { method: "DELETE" })).outcome, /cancelled|requested/);
  await eventually("it is cancelled", async () => (await ask(slow.id)).status === 502);
});

test("a supervisor that is restarted under it", async () => {
  const { id } = await submit("slow", { seconds: 1 });
  const log = await fetch(`${url}/executions/${id}/logs`);
  const lines = log.text();
  await installation.stop("SIGKILL");
  const submitted = submit("greet", { name: "Bo" });
  await installation.start();
  assert.deepEqual(await ask((await submitted).id), { status: 200, result: { greeting: "Hello, Bo!" } });
  assert.match(await lines, /info ended\n$/);
  await eventually("it is over", async () => (await ask(id)).result === "done");
});
