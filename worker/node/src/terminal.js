// `run` and `list`: the same user code with a terminal in the supervisor's place.
//
// Logs and prints go to stderr, the result to stdout. State lives in memory. Under `node --inspect` user code
// runs in the main thread, where breakpoints stop it, and no clock runs.

import { randomUUID } from "node:crypto";
import { readFileSync, writeSync } from "node:fs";
import inspector from "node:inspector";
import { Execution } from "./execution.js";
import { Host } from "./host.js";
import { areMoved, FRAMES_IN_FD, FRAMES_OUT_FD, relaunch, scrubEnvironment } from "./streams.js";
import { EXIT_DONE, EXIT_USAGE } from "./wire/limits.js";

const EXIT_FAILED = 1;
const EXIT_TIMEOUT = 124;
const EXIT_CANCELLED = 130;
const GRACE_MS = 1000;
const COLOURS = { Debug: 2, Info: 32, Warn: 33, Error: 31 };

/** `run WORKFLOW`: one execution; the exit code tells how it ended. */
export async function runCommand(workflow, values) {
  const debugged = inspector.url() !== undefined;
  if (!areMoved() && !debugged) return relaunch();
  const [stdin, stdout] = areMoved() ? [FRAMES_IN_FD, FRAMES_OUT_FD] : [0, 1];
  let given;
  try {
    given = readGiven(values, stdin);
  } catch (error) {
    process.stderr.write(`error: ${error.message}\n`);
    return EXIT_USAGE;
  }
  const conformance = Boolean(process.env.MUSTER_CONFORMANCE);
  scrubEnvironment();
  const host = new Host(values["workflows-dir"], { conformance, inProcess: debugged });
  const source = given.code === null ? { type: "Named" } : { type: "Inline", language: "", code: given.code };
  let job;
  try {
    await host.start();
    job = await host.find(workflow, source);
  } catch (error) {
    process.stderr.write(`error: ${error.message}\n`);
    return leave(host, EXIT_FAILED);
  }
  const terminal = new Terminal(host, workflow, given.config);
  const { outcome, execution } = await terminal.run(job, given.params, debugged ? 0 : given.timeoutMs);
  return leave(host, report(outcome, execution, stdout));
}

async function leave(host, code) {
  if (!(await host.stop())) process.kill(process.pid, "SIGKILL");
  process.exit(code);
}

class Terminal {
  #host;
  #workflow;
  #config;
  #state = new Map();
  #colour = process.stderr.isTTY && !("NO_COLOR" in process.env);

  constructor(host, workflow, config) {
    this.#host = host;
    this.#workflow = workflow;
    this.#config = config;
  }

  async run(job, params, timeoutMs) {
    const execution = new Execution(this.#host, 1, this.#workflow);
    execution.enter(timeoutMs, 0, GRACE_MS);
    process.once("SIGINT", () => execution.cancel("User", "interrupted (Ctrl-C)", GRACE_MS));
    process.once("SIGTERM", () => execution.end("User", "told to end (SIGTERM)"));
    const request = { run: 1, executionId: randomUUID(), attempt: 1, workflow: this.#workflow, params, context: "", timeoutMs, job };
    const { outcome, died } = await this.#host.execute(request, (message) => this.#heard(execution, message));
    execution.close();
    if (outcome !== undefined) return { outcome, execution };
    if (execution.terminated) return { outcome: { type: "Cancelled", message: execution.request.message }, execution };
    return { outcome: { type: "Failed", error: died }, execution };
  }

  #heard(execution, message) {
    if (message.type === "log") this.#log(message.record);
    else if (message.type === "progress") this.#progress(message);
    else if (message.type === "looked") execution.looked();
    else if (message.type === "limit") execution.limit(message.ms, GRACE_MS);
    else if (message.type === "exit") process.exit(message.code);
    else if (message.type === "call") {
      this.#host.post({ type: "reply", run: 1, call: message.call, result: this.#answer(message.method, JSON.parse(message.params)) });
    }
  }

  #log({ timestamp_us, level, logger, message, fields }) {
    const at = new Date(timestamp_us / 1000).toTimeString().slice(0, 8);
    const name = level.toUpperCase().padEnd(5);
    const shown = this.#colour ? `\x1b[${COLOURS[level]}m${name}\x1b[0m` : name;
    const extra = fields ? Object.entries(JSON.parse(fields)).map(([key, value]) => ` ${key}=${JSON.stringify(value)}`) : [];
    process.stderr.write(`${at} ${shown} ${logger}: ${message}${extra.join("")}\n`);
  }

  #progress({ current, total, message }) {
    const share = total > 0 ? `${current}/${total} (${Math.floor((100 * current) / total)} %)` : current;
    process.stderr.write(`progress ${share} ${message}`.trimEnd() + "\n");
  }

  #answer(method, params) {
    const ok = (value) => ({ type: "Ok", value: JSON.stringify(value ?? null) });
    switch (method) {
      case "config.get":
        return ok(this.#config[params.key]);
      case "state.get":
        return ok(this.#state.get(params.key));
      case "state.set":
        this.#state.set(params.key, params.value);
        return ok(null);
      case "state.delete":
        this.#state.delete(params.key);
        return ok(null);
      case "execution.submit":
        process.stderr.write(`submit ${params.workflow} ${JSON.stringify(params.params)} (not run here)\n`);
        return ok({ execution_id: randomUUID() });
      default:
        return { type: "Err", error: { kind: "UnknownMethod", message: `there is no method ${method}` } };
    }
  }
}

function report(outcome, execution, stdout) {
  switch (outcome.type) {
    case "Succeeded":
      writeSync(stdout, `${outcome.result}\n`);
      return EXIT_DONE;
    case "Failed": {
      const { kind, message, stack } = outcome.error;
      process.stderr.write(`${stack ? `${stack.trimEnd()}\n` : ""}failed: ${kind}: ${message}\n`);
      return kind === "WorkflowTimeout" ? EXIT_TIMEOUT : EXIT_FAILED;
    }
    case "Cancelled": {
      const timedOut = ["Timeout", "WorkflowTimeout"].includes(execution.request?.reason);
      process.stderr.write(`${timedOut ? "timeout" : "cancelled"}: ${outcome.message}\n`);
      return timedOut ? EXIT_TIMEOUT : EXIT_CANCELLED;
    }
    default:
      process.stderr.write(`error: ${outcome.reason}\n`);
      return EXIT_FAILED;
  }
}

function readGiven(values, stdin) {
  const timeoutMs = values.timeout === undefined ? 0 : Math.round(Number(values.timeout) * 1000);
  if (!(timeoutMs >= 0)) throw new Error(`--timeout ${values.timeout}: it must be a number of seconds`);
  return {
    params: readParams(values.params, stdin),
    config: Object.fromEntries(values.config.map(readEntry)),
    code: values.code === undefined ? null : readFileSync(values.code, "utf8"),
    timeoutMs,
  };
}

function readParams(given, stdin) {
  const [where, text] =
    given === "-" ? ["stdin", readFileSync(stdin, "utf8")]
    : given.startsWith("@") ? [given.slice(1), readFileSync(given.slice(1), "utf8")]
    : ["--params", given];
  try {
    JSON.parse(text);
  } catch (error) {
    throw new Error(`${where} is not JSON: ${error.message}`);
  }
  return text;
}

function readEntry(entry) {
  const at = entry.indexOf("=");
  if (at < 1) throw new Error(`--config ${entry}: write KEY=VALUE`);
  const text = entry.slice(at + 1);
  try {
    return [entry.slice(0, at), JSON.parse(text)];
  } catch {
    return [entry.slice(0, at), text];
  }
}

/** `list`: every workflow, and every file that cannot be loaded. */
export async function listCommand(values) {
  const stdout = areMoved() ? FRAMES_OUT_FD : 1;
  const conformance = Boolean(process.env.MUSTER_CONFORMANCE);
  scrubEnvironment();
  const host = new Host(values["workflows-dir"], { conformance });
  try {
    await host.start();
  } catch (error) {
    process.stderr.write(`error: ${error.message}\n`);
    return leave(host, EXIT_FAILED);
  }
  const found = host.names().map((workflow) => ({ workflow, where: host.entries.get(workflow) ?? host.library.fileOf(workflow) }));
  const width = Math.max(0, ...found.map(({ workflow }) => workflow.length));
  if (values.json) writeSync(stdout, `${JSON.stringify(found)}\n`);
  else for (const { workflow, where } of found) writeSync(stdout, `${workflow.padEnd(width)}  ${where}\n`);
  if (found.length === 0) process.stderr.write(`there are no workflows in ${values["workflows-dir"]}\n`);
  return leave(host, Object.keys(host.broken).length > 0 ? EXIT_FAILED : EXIT_DONE);
}
