// How an execution ends: results as JSON text, errors as a person reads them.

import { fileURLToPath } from "node:url";
import { findUnfit, findUnfitShape } from "./unfit.js";
import { clean, encode, hideLines, isThrownError, kindOf, messageOf, parse, read, show, stackOf } from "./values.js";

const HERE = new URL(".", import.meta.url).href;
const HERE_PATH = fileURLToPath(HERE);
const MESSAGE_MAX_CHARACTERS = 64 * 1024;
const STACK_MAX_CHARACTERS = 256 * 1024;

hideLines((line) => line.includes(HERE) || line.includes(HERE_PATH) || line.includes("(node:internal") || /^\s+at (async )?node:internal/.test(line));

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

/** The outcome of a run that threw. */
export function outcomeOf(run, error) {
  if (error instanceof Rejection) return { type: "Rejected", reason: error.message };
  const cancellation = run.cancellation;
  if (cancellation && (error === cancellation || read(error, "name") === "AbortError" || read(error, "cause") === cancellation)) {
    return endedBy(cancellation);
  }
  return { type: "Failed", error: describe(error) };
}

/** The JSON text of a result; undefined is null, as JavaScript has it inside of arrays. */
export function toJson(value) {
  const refuse = (why) => refusal("InvalidResult", `the result is refused: ${why}`);
  return fit(encode(value, "result", refuse), "result", refuse);
}

/** The JSON text of a call's parameters. */
export function callJson(method, params) {
  const refuse = (why) => Object.assign(new CallError("InvalidValue", `${method} is refused: ${why}`), { retryable: false });
  return fit(encode(params, "", refuse), "", refuse);
}

function fit(text, root, refuse) {
  const problem = findUnfit(text, root);
  if (problem !== null) throw refuse(problem);
  return text;
}

/** The parameters of an execution, unless JavaScript would change them. */
export function readParams(text) {
  if (!text) return null;
  const problem = findUnfitShape(text, "params");
  if (problem !== null) throw refusal("InvalidParameters", `the parameters are refused: ${problem}`);
  return parse(text);
}

function refusal(name, message) {
  return Object.assign(new Error(message), { name, retryable: false, stack: "" });
}

/** Kind, message, stack without the SDK's own frames, and whether another attempt could help. Never fails. */
export function describe(error) {
  if (!isThrownError(error)) return { kind: "Error", message: cut(`thrown: ${show(error)}`), stack: "", retryable: null };
  if (read(error, "code") === "ERR_WORKER_OUT_OF_MEMORY") return outOfMemory(error);
  // An answer of the supervisor that nobody caught is known by what the supervisor called it.
  const kind = error instanceof CallError ? show(error.kind) : kindOf(error);
  const retryable = read(error, "retryable");
  return {
    kind,
    message: cut(messageOf(error) || kind),
    stack: read(error, "stack") === "" ? "" : stackOf(error).slice(0, STACK_MAX_CHARACTERS),
    retryable: typeof retryable === "boolean" ? retryable : null,
  };
}

/** Under the name that every SDK gives it. */
function outOfMemory(error) {
  const message = `the workflow used more memory than its worker may use: ${messageOf(error)}`;
  return { kind: "OutOfMemory", message, stack: "", retryable: null };
}

function cut(message) {
  return clean(message.slice(0, MESSAGE_MAX_CHARACTERS));
}
