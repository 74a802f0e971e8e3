// Workflows in unit tests, without a worker.

import assert from "node:assert/strict";
import { test } from "node:test";
import { RAW } from "../src/context.js";
import { CallError } from "../src/index.js";
import { record, runWorkflow } from "../src/testing.js";

async function report({ day = "monday" }, ctx) {
  ctx.log.info("reporting", { day });
  ctx.progress(1, 2, "half");
  const seen = (await ctx.state.get("seen", 0)) + 1;
  await ctx.state.set("seen", seen);
  const id = await ctx.submit("send", { day });
  return { seen, region: await ctx.config.get("region"), other: await ctx.config.get("other", "none"), id, at: new Date(0) };
}

test("a workflow gets what is given, and what it does is recorded", async () => {
  const run = await runWorkflow(report, { day: "friday" }, { config: { region: "eu" }, state: { seen: 4 } });
  assert.deepEqual(run.result, { seen: 5, region: "eu", other: "none", id: run.submitted[0].executionId, at: "1970-01-01T00:00:00.000Z" });
  assert.deepEqual(run.state, { seen: 5 });
  assert.deepEqual(run.logs, [{ level: "info", message: "reporting", fields: { day: "friday" }, logger: "report" }]);
  assert.deepEqual(run.progresses, [{ current: 1, total: 2, message: "half" }]);
  assert.deepEqual(run.submitted.map(({ workflow, params }) => [workflow, params]), [["send", { day: "friday" }]]);
  assert.deepEqual(run.calls.map(({ method }) => method), ["state.get", "state.set", "execution.submit", "config.get"]);
});

test("what is given is not changed, and values travel as they would", async () => {
  const state = { list: [1] };
  const run = await runWorkflow(async (params, ctx) => [(await ctx.state.get("list")).push(2), params.big, params.undefined], { big: 2n ** 60n, undefined }, { state });
  assert.deepEqual([state, run.state, run.result], [{ list: [1] }, { list: [1] }, [2, 2n ** 60n, null]]);
  const bad = await runWorkflow(() => NaN);
  assert.equal(bad.error.name, "InvalidResult");
  assert.throws(() => bad.result, /the result is refused/);
});

test("a mistake in the test itself is told at once", async () => {
  const wrong = /** @type {any} */ ({ conifg: {} });
  await assert.rejects(runWorkflow(report, {}, wrong), /there is no conifg to be given; there are config, state, answers/);
  assert.throws(() => record(wrong), /there is no conifg/);
  for (const none of /** @type {any[]} */ ([undefined, "report", { report }])) {
    await assert.rejects(runWorkflow(none), /^TypeError: runWorkflow\(workflow, params, given\): the workflow must be its function, not /);
  }
});

test("answers stand in for the supervisor", async () => {
  const answers = { "state.get": new CallError("StateUnavailable", "no database"), "config.get": ({ key }) => `${key}!` };
  const run = await runWorkflow(async (params, ctx) => [await ctx.config.get("a"), await ctx.state.get("k").catch((error) => [error.name, error.kind, error.message])], {}, { answers });
  assert.deepEqual(run.result, ["a!", ["CallError", "StateUnavailable", "no database"]]);
});

test("an answer to a call there is not is a mistake of the test", async () => {
  const gets = (_, ctx) => ctx.state.get("k");
  await assert.rejects(runWorkflow(gets, {}, { answers: { "state.gete": 1 } }), /^TypeError: answers: there is no call "state.gete", and nothing made it; did you mean state.get\?/);
  await assert.rejects(runWorkflow(gets, {}, { answers: { nothing: 1 } }), /there are config.get, state.get/);
  const made = await runWorkflow((_, ctx) => ctx[RAW]("odd.method", {}), {}, { answers: { "odd.method": 7, "state.set": null } });
  assert.equal(made.result, 7);
});

test("errors, and what it is told of itself", async () => {
  const run = await runWorkflow(() => { throw new RangeError("no"); });
  assert.ok(run.error instanceof RangeError);
  const given = { organization: { id: "o", name: "Org" }, caller: "Ada", startup: 1, workflow: "w", executionId: "e", attempt: 2, timeoutMs: 5000 };
  const about = await runWorkflow((_, ctx) => [ctx.organization.name, ctx.caller, ctx.startup, ctx.workflow, ctx.executionId, ctx.attempt, ctx.remainingMs > 4000], {}, given);
  assert.deepEqual(about.result, ["Org", "Ada", 1, "w", "e", 2, true]);
});

test("a cancel, and code that is called directly", async () => {
  const recording = record({ state: { k: 1 } });
  assert.equal(await recording.ctx.state.get("k"), 1);
  const slept = recording.ctx.sleep(60_000);
  recording.cancel();
  await assert.rejects(slept, { name: "Cancelled" });
  assert.equal(recording.ctx.cancelled, true);
});

test("after its end a workflow has no say, as in a worker", async () => {
  let late;
  await runWorkflow((_, ctx) => void (late = ctx));
  await assert.rejects(late.state.set("k", 1), { kind: "Closed" });
});
