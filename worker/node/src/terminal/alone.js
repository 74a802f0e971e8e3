// One execution without a supervisor: the machinery of `serve`, with a stand-in where the supervisor would be.
//
// Under `node --inspect` user code runs in the main thread, where breakpoints stop it, and no clock runs.

import inspector from "node:inspector";
import { Execution } from "../execution.js";
import { Host } from "../host.js";
import { scrubEnvironment } from "../streams.js";
import { endChildren } from "./children.js";
import { say } from "./screen.js";
import { parse } from "../values.js";

const GRACE_MS = 1000;
/** A thread that was ended and is still there after this hangs in a blocking call. */
const HANG_MS = 200;

/** True when a debugger can stop user code, so that no clock may run. */
export const isDebugged = () => inspector.url() !== undefined;

/** A user thread with the folder's workflows loaded; null, and said why, when they cannot be. */
export async function openHost(folder, options = {}) {
  const conformance = Boolean(process.env.MUSTER_CONFORMANCE);
  scrubEnvironment();
  const host = new Host(folder, { conformance, ...options });
  host.onLate = (_, record) => say(record.message);
  try {
    await host.start();
    return host;
  } catch (error) {
    say(`error: ${error.message}`);
    await host.stop();
    return null;
  }
}

/** Ends the user thread and the process with it. */
export async function leave(host, code) {
  if (!(await host.stop())) {
    say("user code hangs in a blocking call of native code, so the process is killed");
    process.kill(process.pid, "SIGKILL");
  }
  process.exit(code);
}

/**
 * Runs one execution. `standIn` hears of it: `log(record)`, `progress(message)`, `call(method, params)`, which
 * returns a CallResult, or null for no answer at all; and `started(execution)`.
 */
export async function runAlone(host, job, request, standIn) {
  const timeoutMs = isDebugged() ? 0 : request.timeoutMs;
  const execution = new Execution(host, request.run, request.workflow);
  execution.enter(timeoutMs, 0, GRACE_MS);
  process.once("SIGINT", () => execution.cancel("User", "interrupted (Ctrl-C)", GRACE_MS));
  process.once("SIGTERM", () => execution.end("User", "told to end (SIGTERM)"));
  standIn.started?.(execution);
  const hung = new Promise((resolve) => {
    execution.onTerminate = () => {
      setTimeout(endChildren, HANG_MS).unref();
      setTimeout(resolve, 2 * HANG_MS, { died: null }).unref();
    };
  });
  const ended = await Promise.race([hung, host.execute({ ...request, timeoutMs, job }, (message) => hear(host, execution, standIn, message))]);
  execution.close();
  if (execution.notice !== null) standIn.log(execution.notice);
  return { outcome: execution.settle(ended), reason: execution.request?.reason };
}

function hear(host, execution, standIn, message) {
  switch (message.type) {
    case "log":
      return standIn.log(message.record);
    case "progress":
      return standIn.progress(message);
    case "call": {
      const result = standIn.call(message.method, parse(message.params));
      if (result !== null) host.post({ type: "reply", run: message.run, call: message.call, result });
      return;
    }
    case "looked":
      return execution.looked();
    case "limit":
      if (!isDebugged()) execution.limit(message.ms, GRACE_MS);
      return;
    case "exit":
      return process.exit(message.code);
    default:
      throw new Error(`the user thread said ${message.type}`);
  }
}
