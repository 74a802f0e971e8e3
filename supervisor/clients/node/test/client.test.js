// The client, against a real supervisor.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";

import * as muster from "../src/index.js";
import { served } from "./installation.js";

const { Client } = muster;
const soon = { timeoutMs: 30_000 };
let installation, client;

before(async () => {
  installation = await served();
  client = new Client({ url: installation.url });
});
after(() => installation.remove());

test("two lines", async () => {
  assert.deepEqual(await client.submit("greet", { name: "Ada" }).result(soon), { greeting: "Hello, Ada!" });
});

test("a submission is a promise of its handle, and has its id at once", async () => {
  const submission = client.submit("greet");
  const handle = await submission;
  assert.equal(handle.id, submission.id);
  assert.deepEqual(await handle.result(soon), { greeting: "Hello, world!" });
  assert.equal((await handle.get()).status, "SUCCESS");
  assert.deepEqual(await client.handle(handle.id).result(), { greeting: "Hello, world!" });
});

test("values come back as they went", async () => {
  const values = [0, -0, -1, 2 ** 53 - 1, 2n ** 53n + 1n, -(10n ** 30n), 1.5, 1e300, 0.1, "ü\u2028€😀 \"12345678901234567890\"", null, true, [], {}];
  const back = await client.submit("echo", { values }).result(soon);
  assert.deepEqual(back.values.length, values.length);
  values.forEach((value, place) => assert.deepEqual(back.values[place], value));
});

test("what is no JSON is refused before it is sent", async () => {
  const nobody = new Client({ url: "http://127.0.0.1:1" });
  const cycle = {};
  cycle.cycle = cycle;
  for (const value of [NaN, Infinity, () => 1, cycle]) {
    await assert.rejects(nobody.submit("echo", { value }), { name: "InvalidRequest", message: /convert them/ });
  }
  for (const value of [Promise.resolve(1), new Map([[1, 2]]), new Set(), new Error("e")]) {
    await assert.rejects(nobody.submit("echo", { one: [{ value }] }), { name: "InvalidRequest", message: /value is an? (promise; put await|Map|Set|Error)/ });
  }
  await assert.rejects(nobody.submit("echo", {}, /** @type {any} */ ({ countdown: 1 })), {
    name: "InvalidRequest",
    message: /countdown: is no option; there are timeout/,
  });
});

test("who a submission names is told of it", async () => {
  const url = "https://receiver.invalid/";
  const [every, failures] = await Promise.all([
    client.submit("greet", {}, { webhook: `${url}every` }),
    client.submit("greet", {}, { webhook: { url: `${url}failures`, events: ["FAILED"] } }),
  ]);
  await Promise.all([every.result(soon), failures.result(soon)]);
  const { deliveries } = await installation.get("/api/deliveries?webhook=request");
  const told = deliveries.map((one) => [one.execution_id, one.event, one.url]);
  assert.deepEqual(told, [[every.id, "SUCCESS", `${url}every`]]);
  await assert.rejects(client.submit("greet", {}, { webhook: "nowhere" }), { name: "InvalidRequest", message: /webhook/ });
});

test("a misspelt option is refused wherever there are options", async () => {
  const wrong = (/** @type {any} */ value) => value;
  for (const [call, message] of [
    [() => new Client(wrong({ adress: "http://127.0.0.1:1" })), /^TypeError: new Client: adress is no option; there are url, token/],
    [() => new Client(wrong("http://127.0.0.1:1")), /^TypeError: new Client: its options are an object, as in { url: … }, not a string/],
    [() => client.list(wrong({ worklow: "greet" })), /^TypeError: list: worklow is no option; there are status, workflow/],
    [() => client.handle(randomUUID()).logs(wrong({ folow: true })), /^TypeError: logs: folow is no option/],
  ]) {
    assert.throws(call, message);
  }
  await assert.rejects(client.submit("greet").result(wrong({ timeout: 3 })), /^TypeError: waiting: timeout is no option; there are timeoutMs, signal/);
  await assert.rejects(client.submit("greet").wait(wrong(3000)), /^TypeError: waiting: its options are an object, as in { timeoutMs: … }, not a number/);
  await assert.rejects(client.submitMany("greet", wrong({ name: "Ada" })), /^TypeError: submitMany\(.*a list with the parameters of each/);
});

test("a token from a file may end its line, and one that is no token is refused and not shown", async () => {
  const token = readFileSync(`${installation.settings.data_dir}/http_token`, "utf8").trim();
  assert.equal((await new Client({ url: installation.url, token: `${token}\n` }).submit("greet")).existing, false);
  assert.throws(() => new Client({ token: "se\ncret" }), (/** @type {any} */ error) => error instanceof TypeError && !error.message.includes("cret"));
});

test("what is paused does not start, says why, and goes on when it is resumed", async () => {
  const target = "workflow:a name/ü";
  const pause = await client.pause(target, { why: "a deploy" });
  assert.deepEqual([pause.target, pause.why, pause.since instanceof Date], [target, "a deploy", true]);
  assert.deepEqual((await client.pauses()).map((one) => one.target), [target]);
  assert.deepEqual([await client.resume(target), await client.resume(target)], [true, false]);
  await assert.rejects(client.pause("greet"), { name: "InvalidRequest", message: /cannot be paused: give all, queue:NAME/ });

  assert.deepEqual((await client.submit("greet")).pausedBy, []);
  await client.pause("workflow:greet", { why: "a deploy" });
  const [many] = await client.submitMany("greet", [{}]);
  const handle = await client.submit("greet");
  for (const { pausedBy: [one] } of [many, handle]) {
    assert.deepEqual([one.target, one.why, one.since instanceof Date], ["workflow:greet", "a deploy", true], "it is told at once");
  }
  const [first] = await handle.explain();
  assert.deepEqual([first.kind, first.isBlocking], ["paused", true], first.message);
  await client.resume("workflow:greet");
  assert.deepEqual(await handle.result(soon), { greeting: "Hello, world!" });
});

test("limits say how full they are", async () => {
  await installation.put("/api/limits/crm", { total: 1, per_key: 0, key: "workflow" });
  const handle = await client.submit("greet", {}, { limits: ["crm"] });
  const waits = (await handle.explain())[0];
  assert.equal(waits.kind, "limit_full", waits.message);
  const [limit] = await client.limits();
  // It counts as waiting once a claim has put it aside.
  assert.deepEqual([limit.name, limit.running, [0, 1].includes(limit.waiting)], ["crm", 0, true]);
  assert.deepEqual([limit.terms.total, limit.terms.perKey, limit.terms.key], [1, 0, "workflow"]);
  await installation.put("/api/limits/crm", { total: 1 });
  assert.deepEqual(await handle.result(soon), { greeting: "Hello, world!" });
});

test("a full limit says who is in it", async () => {
  await installation.put("/api/limits/alone", { total: 1, key: "workflow", on_full: "reject" });
  const first = await client.submit("greet", {}, { limits: ["alone"], delay: 3600 });
  const refused = await client.submit("greet", {}, { limits: ["alone"] }).catch((error) => error);
  assert.ok(refused instanceof muster.LimitReached && refused instanceof muster.Conflict, String(refused));
  assert.equal(refused.executionId, first.id);
  await first.cancel();
});

test("what is no supervisor is called so, and where to name another", async () => {
  for (const [status, message] of [
    [404, /^what answers is no supervisor, with HTTP status 404: name its address with new Client\({ url }\) or MUSTER_URL$/],
    [501, /^what answers is no supervisor, with HTTP status 501/],
    [200, /^what answers is no supervisor: /],
  ]) {
    const fetch = async () => new Response("<html>", { status: /** @type {number} */ (status) });
    const other = new Client({ url: "http://other.example", token: "any", fetch });
    await assert.rejects(other.submit("greet"), { name: "UnexpectedAnswer", message });
  }
});

test("an answer that leaves out some of many is no supervisor's", async () => {
  const fetch = async () => new Response('{"executions":[]}', { status: 202 });
  const other = new Client({ url: "http://other.example", token: "any", fetch });
  await assert.rejects(other.submitMany("greet", [{}]), { name: "UnexpectedAnswer", message: /^what answers is no supervisor: / });
});

test("all options arrive", async () => {
  const options = {
    timeout: 12.5,
    priority: 7,
    maxAttempts: 4,
    retryBackoff: 0.5,
    executionId: randomUUID(),
    caller: { user_id: "u1", name: "Ada" },
    startup: { from: "test" },
    formId: "f1",
    apiKeyId: "k1",
    traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
  };
  const handle = await client.submit("told", {}, options);
  assert.equal(handle.id, options.executionId);
  const told = await handle.result(soon);
  assert.deepEqual([told.caller, told.startup], [options.caller, options.startup]);
  const row = await handle.get();
  assert.deepEqual([row.timeoutSeconds, row.priority, row.maxAttempts, row.workflow], [12.5, 7, 4, "told"]);
  assert(row.isOver && row.createdAt <= row.completedAt && row.createdAt instanceof Date);
});

test("what is to start later starts later", async () => {
  const moment = new Date(Date.now() + 2_000);
  const text = moment.toISOString().replace("Z", "+00:00");
  const inAMinute = new Date(Date.now() + 60_000);
  const wanted = [{ delay: 0.5 }, { runAt: moment }, { runAt: text, expires: 60 }, { runAt: moment, expiresAt: inAMinute }];
  const submissions = wanted.map((options) => client.submit("greet", {}, options));
  for (const [place, options] of wanted.entries()) {
    const row = await submissions[place].wait(soon);
    assert.equal(row.status, "SUCCESS");
    if (options.runAt) assert.equal(row.runAfter.getTime(), moment.getTime());
    else assert(row.runAfter - row.createdAt >= 499 && row.runAfter - row.createdAt <= 501);
    assert(row.startedAt >= row.runAfter);
    if (options.expiresAt) assert.equal(row.expiresAt.getTime(), options.expiresAt.getTime());
    if (options.expires) assert(Math.abs(row.expiresAt - row.createdAt - 60_000) <= 1);
  }
});

test("what has not started in time is cancelled", async () => {
  const inAnHour = new Date(Date.now() + 3_600_000);
  for (const options of [{ runAt: inAnHour, expires: 0.2 }, { delay: 3600, expiresAt: new Date() }]) {
    const error = await client.submit("greet", {}, options).result(soon).catch((error) => error);
    assert(error instanceof muster.ExecutionCancelled, String(error));
    assert.deepEqual([error.errorType, error.execution.attempt, error.execution.startedAt], ["Expired", 0, null]);
  }
});

test("who serves the queue runs it", async () => {
  const other = await client.submit("greet", {}, { queue: "reports" });
  const row = await client.submit("greet", {}, { queue: "workflow-executions" }).wait(soon);
  assert.deepEqual([row.status, row.queue, row.expiresAt], ["SUCCESS", "workflow-executions", null]);
  assert.deepEqual([(await other.get()).status, (await other.get()).queue], ["PENDING", "reports"]);
  assert.equal((await other.cancel()).outcome, "cancelled");
});

test("a start that cannot be is refused", async () => {
  const never = new Date(NaN);
  await assert.rejects(client.submit("greet", {}, { runAt: never, expiresAt: never }), {
    name: "InvalidRequest",
    message: "runAt: is an invalid date; expiresAt: is an invalid date",
  });
  for (const [options, problem] of [
    [{ runAt: "2027-03-28T02:30:00" }, "run_at"],
    [{ runAt: Date.now() }, "run_at"],
    [{ delay: 2, expires: 1 }, "expires_at, expires_seconds"],
    [{ queue: "two words" }, "queue"],
  ]) {
    const error = await client.submit("greet", {}, /** @type {any} */ (options)).catch((error) => error);
    assert(error instanceof muster.InvalidRequest, String(error));
    assert.deepEqual(error.problems.map((one) => one.split(":")[0]), [problem]);
  }
});

test("the same id twice is one execution", async () => {
  const options = { executionId: randomUUID() };
  const first = await client.submit("greet", {}, options);
  const second = await client.submit("greet", {}, options);
  assert.deepEqual(await first.result(soon), await second.result(soon));
  let count = 0;
  for await (const row of client.list({ workflow: "greet" })) count += row.executionId === first.id ? 1 : 0;
  assert.equal(count, 1);
});

test("a failure has type, message and stack", async () => {
  const error = await client.submit("broken", { message: "too far" }).result(soon).catch((error) => error);
  assert(error instanceof muster.ExecutionFailed && error instanceof muster.ExecutionError);
  assert.deepEqual([error.errorType, error.errorMessage], ["RangeError", "too far"]);
  assert.match(error.message, /broken: RangeError: too far \(execution .*supervisor show/);
  assert.match(error.errorStack, /broken/);
  assert.equal(error.execution.status, "FAILED");
});

test("a time-out", async () => {
  const result = client.submit("slow", {}, { timeout: 0.3 }).result(soon);
  await assert.rejects(result, { name: "ExecutionTimeout", message: /give it more time/ });
});

test("a cancel", async () => {
  const handle = await client.submit("slow");
  for await (const line of handle.logs({ follow: true })) {
    assert.equal(line.message, "began");
    break;
  }
  assert.equal((await handle.cancel()).outcome, "requested");
  await assert.rejects(handle.result(soon), { name: "ExecutionCancelled" });
  assert.equal((await handle.cancel()).outcome, "already_finished");
  const again = await handle.retry();
  assert.notEqual(again.id, handle.id);
  assert.equal((await again.get()).retryOf, handle.id);
  await again.cancel();
});

test("what is not finished goes on", async () => {
  const handle = await client.submit("slow", { seconds: 1.5 });
  await assert.rejects(handle.result({ timeoutMs: 200 }), { name: "NotFinished", message: /it goes on/ });
  await assert.rejects(handle.retry(), { name: "Conflict" });
  await assert.rejects(handle.result({ signal: AbortSignal.timeout(100) }), { name: "TimeoutError" });
  assert.equal(await handle.result(soon), "done");
});

test("all problems of a request at once", async () => {
  const error = await client.submit("greet", {}, { timeout: -1, priority: 11, maxAttempts: 0 }).catch((error) => error);
  assert(error instanceof muster.InvalidRequest);
  assert.deepEqual(
    error.problems.map((one) => one.split(":")[0]),
    ["timeout_seconds", "max_attempts", "priority"],
  );
});

test("what is not there", async () => {
  const nobody = randomUUID();
  for (const ask of ["get", "retry", "wait"]) await assert.rejects(client[ask](nobody), { name: "NotFound" });
  for (const follow of [false, true]) {
    await assert.rejects(Array.fromAsync ? Array.fromAsync(client.logs(nobody, { follow })) : all(client.logs(nobody, { follow })), {
      name: "NotFound",
    });
  }
  await assert.rejects(client.get("../pool"), { name: "InvalidRequest", message: /UUID/ });
  for (const name of ["", ".", ".."]) {
    for (const ask of ["get", "cancel", "explain", "pause", "resume"]) {
      await assert.rejects(async () => client[ask](name), { name: "InvalidRequest", message: /cannot be a name here/ });
    }
  }
  assert.equal((await client.cancel(nobody)).outcome, "unknown");
});

async function all(given) {
  const made = [];
  for await (const one of given) made.push(one);
  return made;
}

test("many", async () => {
  const numbers = Array.from({ length: 30 }, (_, number) => ({ number }));
  const handles = await client.submitMany("echo", numbers);
  assert.deepEqual(await Promise.all(handles.map((one) => one.result(soon))), numbers);
  assert.deepEqual(await client.submitMany("echo", []), []);
  await assert.rejects(client.submitMany("echo", [1], { executionId: randomUUID() }), { message: /one by one/ });
});

test("many of which some are refused", async () => {
  const error = await client.submitMany("echo", [1, "\ud800", 3]).catch((error) => error);
  assert(error instanceof muster.SubmitManyFailed);
  assert.deepEqual([...error.errors.keys()], [1]);
  assert.equal(error.handles[1], null);
  assert.equal(await error.handles[2].result(soon), 3);
});

test("a list goes over pages", async () => {
  const handles = await client.submitMany("told", Array.from({ length: 7 }, () => ({})));
  await Promise.all(handles.map((one) => one.wait(soon)));
  const rows = await all(client.list({ workflow: "told", status: "SUCCESS", pageSize: 2 }));
  const ids = new Set(rows.map((row) => row.executionId));
  assert(handles.every((one) => ids.has(one.id)));
  const found = async (status) => (await all(client.list({ workflow: "told", status }))).length;
  assert.equal(await found(["FAILED", "SUCCESS"]), rows.length);
  assert.equal(await found(["FAILED", "TIMEOUT"]), 0);
});

test("logs page by page and as they grow", async () => {
  const messages = async (logs) => (await all(logs)).map((line) => line.message);
  const expected = (count) => Array.from({ length: count }, (_, one) => `line ${one} \u2028 of it`);
  assert.deepEqual(await messages(client.submit("count", { lines: 20 }).logs({ follow: true })), expected(20));
  const many = await client.submit("count", { lines: 2_500 });
  await many.wait(soon);
  assert.deepEqual(await messages(many.logs()), expected(2_500));
  const lines = await all(many.logs({ follow: true }));
  assert.deepEqual([lines[0].attempt, lines[0].sequence, lines[0].level], [1, 1, "info"]);
  assert.equal(lines.length, 2_500);
});

test("what is submitted twice with one key is one execution", async () => {
  const once = { idempotencyKey: randomUUID(), idempotency: 3600 };
  const first = await client.submit("greet", { name: "Ada" }, once);
  const second = await client.submit("greet", { name: "Ada" }, once);
  assert.deepEqual([first.existing, second.existing, second.id], [false, true, first.id]);
  assert.deepEqual(await client.submit("greet", { name: "Ada" }, once).result(soon), { greeting: "Hello, Ada!" });
  assert.equal((await second.get()).idempotencyKey, once.idempotencyKey);
  await assert.rejects(client.submit("greet", { name: "Bo" }, once), muster.IdempotencyKeyReused);
  await assert.rejects(client.submitMany("greet", [{}], once), { message: /idempotencyKey/ });
});

test("an id stands for one request", async () => {
  const named = { executionId: randomUUID() };
  const first = await client.submit("greet", { name: "Ada" }, named);
  assert.deepEqual(await client.submit("greet", { name: "Ada" }, named).result(soon), { greeting: "Hello, Ada!" });
  const other = client.submit("greet", { name: "Bo" }, named);
  await assert.rejects(other, { name: "Conflict", message: new RegExp(`${first.id} belongs to an execution of another workflow`) });
});

test("it is tried again as it was asked for, explained and found", async () => {
  const since = new Date(Date.now() - 5_000);
  const waits = await client.submit("greet", {}, { delay: 3600 });
  const [first] = await waits.explain();
  assert.deepEqual([first.kind, first.isBlocking], ["starts_later", true]);
  await waits.cancel();
  const retry = { maxAttempts: 2, backoffSeconds: 0.01, retryOn: ["RangeError"] };
  const failed = await client.submit("broken", { message: "no" }, { retry });
  const row = await failed.wait(soon);
  assert.deepEqual([row.attempt, row.errorType], [2, "RangeError"]);
  const found = async (options) => {
    for await (const one of client.list({ errorType: "RangeError", ...options })) if (one.executionId === failed.id) return true;
    return false;
  };
  assert.deepEqual([await found({ since }), await found({ until: since })], [true, false]);
});
