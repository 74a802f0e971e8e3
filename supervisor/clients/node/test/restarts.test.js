// A supervisor that goes away and comes back under a client, and how it is found.

import assert from "node:assert/strict";
import { chmodSync, linkSync, mkdtempSync, readFileSync, rmSync, symlinkSync, mkdirSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, afterEach, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";

import { Client } from "../src/index.js";
import { readNamed, urlOf } from "../src/tokens.js";
import { served } from "./installation.js";

const patient = { timeoutMs: 90_000 };
let installation;
const folder = mkdtempSync(join(tmpdir(), "muster-client-cwd-"));
const origin = process.cwd();

before(async () => {
  process.chdir(folder);
  installation = await served();
});
afterEach(() => {
  for (const name of Object.keys(process.env)) if (name.startsWith("MUSTER_")) delete process.env[name];
});
after(async () => {
  await installation.remove();
  process.chdir(origin);
  rmSync(folder, { recursive: true });
});

test("a submission waits for a supervisor", async () => {
  const client = new Client({ url: installation.url });
  await client.submit("greet").result(patient);
  await installation.stop("SIGKILL");
  const submission = client.submit("greet", { name: "Ada" }).result(patient);
  await sleep(300);
  await installation.start();
  assert.deepEqual(await submission, { greeting: "Hello, Ada!" });
});

test("result and log survive a supervisor that was killed", async () => {
  const client = new Client({ url: installation.url, patienceMs: 60_000 });
  const handle = await client.submit("slow", { seconds: 1 });
  const seen = [];
  const result = handle.result(patient);
  let restarted;
  for await (const line of handle.logs({ follow: true })) {
    seen.push(`${line.attempt} ${line.message}`);
    restarted ??= installation.stop("SIGKILL").then(() => installation.start());
  }
  await restarted;
  assert.equal(await result, "done");
  assert.equal(new Set(seen).size, seen.length);
  assert.equal(seen.at(-1), "2 ended");
});

test("a submission whose answer was lost is one execution", async () => {
  const lost = new Set();
  const losing = async (url, init) => {
    const answer = await fetch(url, init);
    if (init.method !== "POST" || lost.has(url.pathname)) return answer;
    lost.add(url.pathname);
    await answer.text();
    throw new TypeError("fetch failed", { cause: new Error("the connection broke") });
  };
  const client = new Client({ url: installation.url, fetch: losing });
  const handle = await client.submit("echo", { lost: true });
  assert.deepEqual(await handle.result(patient), { lost: true });
  assert.equal(lost.size, 1);
  const again = await handle.retry();
  assert.deepEqual(await again.result(patient), { lost: true });
  const rows = [];
  for await (const row of client.list({ workflow: "echo" })) rows.push(row.executionId);
  assert.deepEqual(rows, [again.id, handle.id]);
});

test("a line comes once however often the connection breaks", async () => {
  const cursors = [];
  const cutting = async (url, init) => {
    const answer = await fetch(url, init);
    if (!url.searchParams.has("follow")) return answer;
    cursors.push(url.searchParams.get("cursor"));
    if (cursors.length > 50) return { status: 404, text: async () => '{"detail": "it gets nowhere"}' };
    let place = 0;
    const cut = new TransformStream({
      transform(chunk, controller) {
        if (place++ < 3) return controller.enqueue(chunk);
        controller.enqueue(chunk.subarray(0, chunk.length / 2));
        controller.error(new TypeError("terminated"));
      },
    });
    return { status: answer.status, body: answer.body.pipeThrough(cut) };
  };
  const client = new Client({ url: installation.url, fetch: /** @type {any} */ (cutting) });
  const seen = [];
  for await (const line of client.submit("count", { lines: 30 }).logs({ follow: true })) seen.push(line.sequence);
  assert.deepEqual(seen, Array.from({ length: 30 }, (_, place) => place + 1));
  assert(cursors.length > 2 && cursors[0] === null && cursors.slice(1).every((one) => one !== null));
});

test("patience ends", async () => {
  await installation.stop();
  const client = new Client({ url: installation.url, patienceMs: 400 });
  const began = Date.now();
  await assert.rejects(client.submit("greet"), { name: "MusterUnavailable", message: /supervisor run/ });
  assert(Date.now() - began >= 350);
  await installation.start();
});

test("a token that was made anew is found", async () => {
  const client = new Client({ url: installation.url });
  await client.submit("greet").result(patient);
  await installation.stop();
  rmSync(join(installation.folder, "data"), { recursive: true });
  await installation.start();
  await client.submit("greet").result(patient);
});

test("address and token of the environment", async () => {
  process.env.MUSTER_URL = installation.url;
  await new Client().submit("greet").result(patient);
  process.env.MUSTER_HTTP_TOKEN = "wrong";
  await assert.rejects(new Client().submit("greet"), { name: "Unauthorized", message: /MUSTER_HTTP_TOKEN/ });
  const token = readFileSync(join(installation.folder, "data", "http_token"), "utf8").trim();
  await new Client({ token }).submit("greet").result(patient);
  for (const wrong of ["127.0.0.1:7420", "ftp://host", "http://"]) assert.throws(() => urlOf(wrong), /no address/);
  for (const same of ["http://host:1/", "http://host:1/api", "http://host:1/api/"]) assert.equal(urlOf(same), "http://host:1");
});

test("a token whose role is too small", async () => {
  const token = readFileSync(join(installation.folder, "data", "http_token"), "utf8").trim();
  const body = JSON.stringify({ name: `viewer-${process.pid}`, role: "view" });
  const made = await fetch(`${installation.url}/api/tokens`, { method: "POST", headers: { authorization: `Bearer ${token}` }, body });
  const client = new Client({ url: installation.url, token: (await made.json()).secret });
  await assert.rejects(client.submit("greet"), { name: "Forbidden", message: /needs the role operate/ });
});

test("the token of settings", async () => {
  await installation.stop();
  installation.settings.http_token = "chosen";
  await installation.start();
  await assert.rejects(new Client({ url: installation.url }).submit("greet"), { name: "Unauthorized" });
  writeFileSync("muster.toml", '# ours\nhttp_token = "chosen"\n');
  await new Client({ url: installation.url }).submit("greet").result(patient);
});

test("only a token of ours is read", () => {
  const file = join(folder, "http_token");
  for (const text of ["", "two words", "ü"]) {
    writeFileSync(file, text, { mode: 0o600 });
    assert.equal(readNamed(file), null);
  }
  writeFileSync(file, "token\n");
  assert.equal(readNamed(file), "token");
  chmodSync(file, 0o644);
  assert.equal(readNamed(file), null);
  chmodSync(file, 0o600);
  linkSync(file, join(folder, "other"));
  assert.equal(readNamed(join(folder, "other")), null);
  mkdirSync(join(folder, "inner"));
  symlinkSync(file, join(folder, "inner", "http_token"));
  assert.equal(readNamed(join(folder, "inner", "http_token")), null);
});
