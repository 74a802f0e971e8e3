// What goes on in the user thread: loads workflow files and runs one execution at a time. The main thread never runs user code.

import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { captureConsole, captureStreams, currentRun, writeAll } from "./capture.js";
import { contextOf, Run } from "./context.js";
import { registerHooks } from "./hooks.js";
import { describe, endedBy, toJson } from "./outcome.js";
import "./index.js";

const SDK = new URL("./index.js", import.meta.url).href;
const registered = globalThis[Symbol.for("muster-worker.workflows")];
const remembered = new Map();
let flags;
let post;
let current = null;

/** Attends to the main thread's messages from here on. */
export async function start(port, data) {
  flags = new Int32Array(data.flags);
  post = (message) => port.postMessage(message);
  captureStreams(data.inProcess);
  captureConsole();
  if (data.conformance) {
    const { definitions } = await import("./conformance.js");
    for (const [name, run] of definitions(post)) registered.set(name, { name, run, where: "muster-worker" });
  }
  if (data.root) prepareModules(data.root);
  port.on("message", heed);
}

function heed(message) {
  if (message.type === "load") load(message.files);
  else if (message.type === "resources") post({ type: "resources", list: waitedFor() });
  else if (message.type === "execute") execute(message);
  else if (current?.number !== message.run) return;
  else if (message.type === "cancel") current.cancel(message.reason, message.message);
  else if (message.type === "reply") current.resolve(message.call, message.result);
}

function waitedFor() {
  return process.getActiveResourcesInfo().filter((name) => name !== "MessagePort");
}

/** Imports the files that register workflows. A broken file costs only its own workflows. */
async function load(files) {
  const broken = {};
  for (const file of files) {
    try {
      await import(pathToFileURL(file).href);
    } catch (error) {
      if (error?.name === "DuplicateWorkflow") return post({ type: "loadFailed", error: describe(error) });
      broken[file] = describe(error);
      writeAll(2, `${file} cannot be loaded: ${error?.stack ?? error}\n`);
    }
  }
  const names = [...registered.values()].map(({ name, where }) => ({ name, where }));
  post({ type: "loaded", names, broken });
}

async function execute(message) {
  const run = new Run(message, post, flags);
  current = run;
  let outcome;
  try {
    const result = await currentRun.run(run, () => enter(run));
    outcome = { type: "Succeeded", result: toJson(result) };
  } catch (error) {
    outcome = outcomeOf(run, error);
  }
  run.post({ type: "finished", outcome });
  run.closed = true;
  current = null;
}

async function enter(run) {
  const { run: workflow, timeoutSeconds } = await find(run.execute);
  if (timeoutSeconds !== undefined) run.post({ type: "limit", ms: timeoutSeconds * 1000 });
  const params = run.execute.params ? JSON.parse(run.execute.params) : null;
  return workflow(params, contextOf(run));
}

async function find({ workflow, job }) {
  if (job.kind === "registered") return registered.get(workflow);
  if (job.kind === "inline") return findInline(workflow, job.code);
  const module = await import(pathToFileURL(job.file).href);
  if (job.function) return named(module, job);
  if (typeof module.default === "function") return { run: module.default };
  return single([...registered.values()].filter((one) => one.where.startsWith(`${job.file}:`)), job.file);
}

/** Inline code has names of its own: they neither clash with those of the folder nor stay. */
async function findInline(workflow, code) {
  const folder = [...registered];
  registered.clear();
  try {
    const module = await import(inlineUrl(workflow, code));
    if (typeof module.default === "function") return { run: module.default };
    // The same code again is the same module, and registers nothing anew.
    if (registered.size > 0) remembered.set(code, [...registered.values()]);
    return single(remembered.get(code) ?? [], "the code");
  } finally {
    registered.clear();
    for (const [name, entry] of folder) registered.set(name, entry);
  }
}

function single(found, where) {
  if (found.length === 1) return found[0];
  if (found.length > 1) throw rejection(`${where} registers several workflows: say which one`);
  throw rejection(`${where} has no default export and registers no workflow`);
}

function named(module, job) {
  if (typeof module[job.function] === "function") return { run: module[job.function] };
  if (registered.has(job.function)) return registered.get(job.function);
  throw rejection(`${job.file} exports no function ${job.function}`);
}

function rejection(reason) {
  return Object.assign(new Error(reason), { name: "Rejection" });
}

/** Registers the module hooks if this folder needs them. */
function prepareModules(root) {
  const sdk = isResolvable(root) ? null : SDK;
  if (sdk !== null || typeAbove(root) !== "module") {
    registerHooks({ sdk, root: pathToFileURL(join(root, "/")).href });
  }
}

function isResolvable(root) {
  try {
    createRequire(join(root, "any.js")).resolve("muster-worker");
    return true;
  } catch {
    return false;
  }
}

/** What the nearest package.json calls .js files. When it does not say, Node looks at the file itself and warns of it. */
function typeAbove(folder) {
  const file = join(folder, "package.json");
  if (existsSync(file)) return JSON.parse(readFileSync(file, "utf8")).type;
  return dirname(folder) === folder ? undefined : typeAbove(dirname(folder));
}

/** Code in a data URL can import by full URL only. */
function inlineUrl(workflow, text) {
  const code = text.replace(/(\bfrom\s*|\bimport\s*\(?\s*)(["'])muster-worker\2/g, `$1"${SDK}"`);
  const label = `inline-${workflow.replace(/[^\w.-]/g, "_") || "code"}.js`;
  return `data:text/javascript;base64,${Buffer.from(`${code}\n//# sourceURL=${label}`).toString("base64")}`;
}

function outcomeOf(run, error) {
  if (error?.name === "Rejection") return { type: "Rejected", reason: error.message };
  const cancellation = run.cancellation;
  if (cancellation && (error === cancellation || error?.name === "AbortError" || error?.cause === cancellation)) {
    return endedBy(cancellation);
  }
  return { type: "Failed", error: describe(error) };
}
