// Submitting through RabbitMQ, on a private broker and the real supervisor.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { randomUUID } from "node:crypto";
import { cpSync, existsSync, mkdirSync, symlinkSync } from "node:fs";
import { join, resolve } from "node:path";
import { after, before, test } from "node:test";
import { promisify } from "node:util";

import { served } from "./installation.js";

const REPOSITORY = resolve(import.meta.dirname, "../../../..");
const SET = `client-node-${process.pid}`;
const services = async (...words) =>
  (await promisify(execFile)("scripts/services", ["--set", SET, ...words], { cwd: REPOSITORY })).stdout;

let installation, client, publisher, url;
let Client, ExecutionFailed, MusterUnavailable, NotFinished, NotFound, Publisher, Unauthorized;

/** The package as it is installed: with the library beside it, or without. */
async function installed(name, library) {
  const modules = join(installation.folder, name, "node_modules");
  mkdirSync(join(modules, "muster-client"), { recursive: true });
  for (const one of ["src", "package.json"]) cpSync(resolve(import.meta.dirname, "..", one), join(modules, "muster-client", one), { recursive: true });
  const amqplib = join(REPOSITORY, "target/node/node_modules/amqplib");
  assert(existsSync(amqplib), "npm install --no-save --prefix target/node amqplib");
  if (library) symlinkSync(amqplib, join(modules, "amqplib"));
  const from = (file) => import(join(modules, "muster-client", "src", file));
  return { ...(await from("index.js")), ...(await from("rabbitmq.js")) };
}

before(async () => {
  [, url] = /MUSTER_AMQP_URL='?([^'\n]+)/.exec(await services("start"));
  installation = await served({ amqp_url: url });
  ({ Client, ExecutionFailed, MusterUnavailable, NotFinished, NotFound, Publisher, Unauthorized } = await installed("with", true));
  client = new Client({ url: installation.url });
  // A broker that was killed takes a while to be back, longer where others are at work.
  publisher = new Publisher({ url, client, patienceMs: 180_000 });
});
after(async () => {
  await publisher?.close();
  await installation?.remove();
  await services("stop");
});

test("the result of what was published", async () => {
  const handle = await publisher.submit("greet", { name: "Ada" }, { priority: 9, timeout: 20 });
  assert.deepEqual(await handle.result({ timeoutMs: 60_000 }), { greeting: "Hello, Ada!" });
  const row = await handle.get();
  assert.equal(row.priority, 9);
  assert(row.publishedAt instanceof Date && row.publishedAt <= row.createdAt, "it says when it was published");
  const failed = await publisher.submit("broken", { message: "no" });
  await assert.rejects(failed.result({ timeoutMs: 60_000 }), ExecutionFailed);
  const lines = [];
  for await (const { message } of (await publisher.submit("greet")).logs({ follow: true })) lines.push(message);
  assert.deepEqual(lines, ["greeting"]);
});

test("many at once, and the same id twice", async () => {
  const handles = await publisher.submitMany("echo", Array.from({ length: 50 }, (_, number) => ({ number })));
  const results = await Promise.all(handles.map((one) => one.result({ timeoutMs: 60_000 })));
  assert.deepEqual(results.map(({ number }) => number), Array.from({ length: 50 }, (_, number) => number));
  const executionId = randomUUID();
  const [first, second] = await Promise.all([1, 2].map(() => publisher.submit("greet", { name: "Ada" }, { executionId })));
  assert.equal(first.id, second.id);
  await second.result({ timeoutMs: 60_000 });
  assert.equal((await first.get()).attempt, 1);
});

test("what the broker cannot keep is told", async () => {
  await assert.rejects(publisher.submit("greet", {}, { queue: "nobodys" }), (error) => error instanceof NotFound && /no queue "nobodys"/.test(error.message));
  assert.deepEqual(await (await publisher.submit("greet", { name: "Ada" })).result({ timeoutMs: 60_000 }), { greeting: "Hello, Ada!" });
  const refused = new Publisher({ url: url.replace("guest:guest", "guest:wrong"), client });
  await assert.rejects(refused.submit("greet"), Unauthorized);
  const away = new Publisher({ url: "amqp://guest:secret@127.0.0.1:1/%2f", client, patienceMs: 200 });
  await assert.rejects(away.submit("greet"), (error) => error instanceof MusterUnavailable && !/secret/.test(error.message));
});

test("what nobody has taken in is not finished", async () => {
  await assert.rejects(client.waitForPublished(randomUUID(), { timeoutMs: 300 }), (error) => error instanceof NotFinished && error.execution === null);
});

test("a broker that is restarted", async () => {
  await services("kill", "rabbitmq");
  const started = services("start", "rabbitmq");
  const handle = await publisher.submit("greet", { name: "Bo" });
  await started;
  assert.deepEqual(await handle.result({ timeoutMs: 120_000 }), { greeting: "Hello, Bo!" });
});

test("without the library it says what to install", async () => {
  const without = await installed("without", false);
  const alone = new without.Publisher({ url, client: new without.Client({ url: installation.url }) });
  await assert.rejects(alone.submit("greet"), /npm install amqplib/);
});
