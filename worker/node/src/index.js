// What a workflow file imports.

import { policyOf } from "./policy.js";
import { addHook } from "./run_hooks.js";

export { CallError, Cancelled } from "./outcome.js";

// Shared by every copy of the package in the process: the worker's own and one in a project's node_modules.
const registered = (globalThis[Symbol.for("muster-worker.workflows")] ??= new Map());

const NAME = /^[A-Za-z0-9_.-]+(\/[A-Za-z0-9_.-]+)*$/;

/** Makes a function a workflow that can be run by name. Returns the function unchanged. */
export function workflow(name, run, options = {}) {
  if (typeof name !== "string") throw new TypeError(`workflow(name, function, options): the name comes first and is a text, not a ${typeof name}`);
  if (!NAME.test(name)) {
    throw new TypeError(`workflow name ${JSON.stringify(name)}: use letters, digits, "_", "-", "." and "/" between them`);
  }
  if (typeof run !== "function") throw new TypeError(`workflow ${name}: the second argument must be a function; options come third`);
  const policy = declared(name, options);
  const { stack } = new Error();
  const where = callerOf(stack);
  const other = registered.get(name);
  if (other !== undefined) {
    const error = new Error(`two workflows are called "${name}": ${other.where} and ${where}; rename one of them`);
    error.name = "DuplicateWorkflow";
    throw error;
  }
  registered.set(name, { name, run, policy, where, callers: callersOf(stack) });
  return run;
}

function declared(name, options) {
  try {
    return policyOf(options);
  } catch (error) {
    throw new TypeError(`workflow ${name}: ${error.message}`);
  }
}

/** Called once in each worker, when the file it stands in has been loaded, and awaited. */
export const onWorkerStart = (run) => addHook("workerStart", run, fileOfCaller());

/** Called before each run, with its context, and awaited. */
export const onRunStart = (run) => addHook("runStart", run, fileOfCaller());

/** Called after each run, with its context and what it threw, or null, and awaited. */
export const onRunEnd = (run) => addHook("runEnd", run, fileOfCaller());

function fileOfCaller() {
  return callerOf(new Error().stack.replace(/\n.*/, "")).replace(/:\d+$/, "");
}

/** File and line of the second frame of a stack: who called `workflow`. */
function callerOf(stack) {
  return /^.*\n.*\n.*?((?:file:\/\/|\/)[^\s()]+:\d+):\d+\)?$/m.exec(stack)?.[1].replace("file://", "") ?? "unknown";
}

/** The frames of who called `workflow`, also through functions of other files; not of who loaded the outermost file. */
function callersOf(stack) {
  return stack.split(/\n.*\bnode:internal/)[0].replaceAll("file://", "");
}
