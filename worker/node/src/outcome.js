// How an execution ends: results as JSON text, errors as a person reads them.

import { fileURLToPath } from "node:url";

const HERE = new URL(".", import.meta.url).href;
const HERE_PATH = fileURLToPath(HERE);
const MESSAGE_MAX_CHARACTERS = 64 * 1024;
const STACK_MAX_CHARACTERS = 256 * 1024;
const LONE_SURROGATE = /(?:^|[^\\])(?:\\\\)*\\ud[89a-f]/;

/** Rejects `ctx.sleep`, is the reason of `ctx.signal`, and means that the execution was asked to end. */
export class Cancelled extends Error {
  name = "Cancelled";

  constructor(message = "cancelled", reason = "User") {
    super(message);
    this.reason = reason;
  }
}

/** The supervisor refused or failed a call; `kind` says which error it was. */
export class CallError extends Error {
  name = "CallError";

  constructor(kind, message) {
    super(message || kind);
    this.kind = kind;
  }
}

/** The execution cannot be run here; user code was not entered. */
export class Rejection extends Error {
  name = "Rejection";
}

/** The outcome of an execution that its cancel ended. A workflow's own limit is a failure: the supervisor set no such limit. */
export function endedBy({ reason, message }) {
  if (reason !== "WorkflowTimeout") return { type: "Cancelled", message };
  return { type: "Failed", error: { kind: "WorkflowTimeout", message, stack: "", retryable: null } };
}

/** The JSON text of a result; undefined is null, as JavaScript has it inside of arrays. */
export function toJson(value, what = "the result") {
  let text;
  try {
    text = value === undefined ? "null" : JSON.stringify(value);
  } catch (error) {
    throw invalid(what, error.message.split("\n")[0]);
  }
  if (text === undefined) throw invalid(what, `it is a ${typeof value}`);
  if (LONE_SURROGATE.test(text)) throw invalid(what, "it holds text that is not valid Unicode (a lone surrogate)");
  return text;
}

function invalid(what, problem) {
  const error = new Error(`${what} is not JSON: ${problem}`);
  error.name = "InvalidResult";
  error.retryable = false;
  error.stack = "";
  return error;
}

/** Kind, message, stack without the SDK's own frames, and whether another attempt could help. */
export function describe(error) {
  if (!(error instanceof Error) && !(error?.stack && error?.message !== undefined)) {
    return { kind: "Error", message: cut(`thrown: ${shown(error)}`), stack: "", retryable: null };
  }
  return {
    kind: kindOf(error),
    message: cut(String(error.message || kindOf(error))),
    stack: stackOf(error).slice(0, STACK_MAX_CHARACTERS),
    retryable: typeof error.retryable === "boolean" ? error.retryable : null,
  };
}

/** `class CardDeclined extends Error {}` is called Error unless it says otherwise; its class tells more. */
function kindOf(error) {
  // An answer of the supervisor that nobody caught is known by what the supervisor called it.
  if (error instanceof CallError) return error.kind;
  const name = String(error.name ?? "Error");
  const ofClass = error.constructor?.name;
  return name === "Error" && ofClass ? ofClass : name;
}

function stackOf(error) {
  const lines = String(error.stack ?? "").split("\n");
  const kept = lines.filter((line) => !line.includes(HERE) && !line.includes(HERE_PATH) && !line.includes("(node:internal"));
  const cause = error.cause instanceof Error ? `\nCaused by: ${stackOf(error.cause)}` : "";
  return kept.filter((line) => !/^\s+at (async )?node:internal/.test(line)).join("\n") + cause;
}

function shown(value) {
  try {
    return typeof value === "string" ? value : (JSON.stringify(value) ?? String(value));
  } catch {
    return typeof value;
  }
}

function cut(message) {
  return message.slice(0, MESSAGE_MAX_CHARACTERS);
}
