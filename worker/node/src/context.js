// `ctx`: what a workflow knows about its execution and can ask for. Lives in the user thread.

import { setTimeout as timer } from "node:timers/promises";
import { count, fieldsOf, show } from "./values.js";

/** How the conformance kit's workflow reaches any method. */
export const RAW = Symbol("muster-worker.call");

/** The object user code gets. */
export function contextOf(run) {
  const { execute, context } = run;
  const write = (level) => (message, fields) => run.log(level, execute.workflow, show(message), fieldsOf(fields));
  return {
    executionId: execute.executionId,
    attempt: execute.attempt,
    workflow: execute.workflow,
    organization: context.organization ?? null,
    caller: context.caller ?? null,
    startup: context.startup ?? null,
    traceparent: context.traceparent ?? null,
    raw: context,
    get signal() {
      return run.look();
    },
    get cancelled() {
      run.look();
      return run.isToEnd;
    },
    get remainingMs() {
      if (!execute.timeoutMs) return null;
      return Math.max(0, execute.timeoutMs - (performance.now() - run.startedMs));
    },
    log: { debug: write("Debug"), info: write("Info"), warn: write("Warn"), error: write("Error") },
    config: { get: (key, fallback) => configOf(run, key, fallback) },
    state: {
      get: async (key, fallback = null) => (await run.call("state.get", { key })) ?? fallback,
      set: async (key, value) => void (await run.call("state.set", { key, value })),
      delete: async (key) => void (await run.call("state.delete", { key })),
    },
    progress(current, total = 0, message = "") {
      run.post({ type: "progress", current: count(current), total: count(total), message: show(message) });
    },
    sleep: (ms) => sleep(run, ms),
    fetch: async (input, init = {}) => {
      run.mustBeOn();
      return fetch(input, { signal: run.look(), ...init });
    },
    [RAW]: (method, params) => run.call(method, params),
    submit: async (workflow, params = {}) => (await run.call("execution.submit", { workflow, params })).execution_id,
  };
}

async function configOf(run, key, fallback = null) {
  run.mustBeOn();
  const known = run.context.config;
  if (known && Object.hasOwn(known, key)) return known[key] ?? fallback;
  return (await run.call("config.get", { key })) ?? fallback;
}

async function sleep(run, ms) {
  run.mustBeOn();
  const signal = run.look();
  try {
    await timer(ms, undefined, { signal });
  } catch (error) {
    throw signal.aborted ? signal.reason : error;
  }
}
