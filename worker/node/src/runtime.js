// What goes on in the user thread: loads workflow files and runs one execution at a time. The main thread never runs user code.

import process from "node:process";
import { pathToFileURL } from "node:url";
import { captureConsole, captureStreams } from "./capture.js";
import { contextOf } from "./context.js";
import { guardDescriptors } from "./descriptors.js";
import { find, forgetWorkflowsOf, registered } from "./finding.js";
import { prepareModules } from "./hooks.js";
import { describe, outcomeOf, readParams, toJson } from "./outcome.js";
import { LateLog, LoadedFile, owner } from "./owner.js";
import { policyOf } from "./policy.js";
import { Pristine } from "./pristine.js";
import { OFFERED, Run } from "./run.js";
import { RunHooks } from "./run_hooks.js";
import { watchStrays } from "./strays.js";
import { read } from "./values.js";

const { compareExchange } = Atomics;
/** Before user code has a say in what it does. */
const exit = process.exit.bind(process);

let flags;
let nobody;
let post;
let current = null;
const hooks = new RunHooks();
/** Null under a debugger, where there is one run only. */
let pristine = null;

/** Attends to the main thread's messages from here on. */
export async function start(port, data) {
  flags = new Int32Array(data.flags);
  const send = port.postMessage.bind(port);
  post = (message) => send(message);
  nobody = new LateLog(post, 0, "code of no execution");
  captureStreams(nobody, data.inProcess);
  captureConsole(nobody);
  if (!data.inProcess) watchStrays(nobody, giveUp);
  if (data.conformance) {
    const { DECLARED, definitions } = await import("./conformance.js");
    for (const [name, run] of definitions(post)) registered.set(name, { name, run, policy: policyOf(DECLARED[name]), where: "muster-worker" });
  }
  if (data.root) prepareModules(data.root, data.hasTypeScript);
  if (!data.inProcess) {
    guardDescriptors();
    pristine = new Pristine(hooks);
  }
  port.on("message", heed);
}

/** Whatever a run did to the thread, none waits for an answer that does not come. */
function heed(message) {
  try {
    attendTo(message);
  } catch (error) {
    giveUp(error);
  }
}

/** An error of the SDK's own: the thread is ended, and with it the run that is on. */
function giveUp(error) {
  try {
    // What it takes to describe an error may be what is broken.
    putBack();
    post({ type: "broken", error: describe(error) });
  } catch {
    exit(1);
  }
}

function attendTo(message) {
  if (message.type === "load") load(message.file);
  else if (message.type === "begin") post({ type: "begun" });
  else if (message.type === "names") tellNames();
  else if (message.type === "resources") post({ type: "resources", list: waitedFor() });
  else if (message.type === "execute") execute(message).catch(giveUp);
  else if (current?.number !== message.run) return;
  else if (message.type === "cancel") current.cancel(message.reason, message.message);
  else if (message.type === "reply") current.resolve(message.call, message.result);
}

function waitedFor() {
  return process.getActiveResourcesInfo().filter((name) => name !== "MessagePort");
}

/** Imports a file that registers workflows, and says how that went. */
async function load(file) {
  try {
    const failed = await owner.run(new LoadedFile(post, file), async () => {
      await import(pathToFileURL(file).href);
      return hooks.startWorker(describe);
    });
    post({ type: "loaded", error: null, failed });
  } catch (error) {
    forgetWorkflowsOf(file);
    hooks.forgetThoseOf(file);
    post({ type: read(error, "name") === "DuplicateWorkflow" ? "duplicate" : "loaded", error: describe(error) });
  }
}

/** All that are to be loaded at the start are: what they changed stays. */
function tellNames() {
  post({ type: "names", names: [...registered.values()].map(({ name, where, policy }) => ({ name, where, policy })), hookFiles: hooks.files() });
  pristine?.accept();
}

/** False when what an execution changed does not let itself be put back. */
function putBack() {
  try {
    return pristine === null || pristine.putBack();
  } catch {
    return false;
  }
}

async function execute(message) {
  if (!putBack()) return post({ type: "unfit", run: message.run, reason: "what an execution changed cannot be put back" });
  // The main thread may have given up waiting.
  if (compareExchange(flags, OFFERED, message.run, 0) !== message.run) return;
  const run = new Run(message, post, flags);
  current = run;
  let outcome;
  try {
    const result = await owner.run(run, () => enter(run));
    outcome = { type: "Succeeded", result: toJson(result) };
  } catch (error) {
    outcome = outcomeOf(run, error);
  }
  run.finish(outcome);
  if (current === run) current = null;
}

/** A file was loaded for a run, and may have brought hooks. */
async function startHooks() {
  const [failed] = await hooks.startWorker(describe);
  pristine?.accept();
  if (failed !== undefined) throw Object.assign(new Error(failed.error.message), { name: failed.error.kind, stack: failed.error.stack });
}

/** Finds the workflow and calls it, between the hooks. */
async function enter(run) {
  const { run: workflow, policy } = await find(run, startHooks);
  if (policy?.timeout_ms != null) run.post({ type: "limit", ms: policy.timeout_ms });
  const params = readParams(run.execute.params);
  const ctx = contextOf(run);
  if (hooks.isEmpty) return workflow(params, ctx);
  const log = run.log.bind(run);
  run.onUncaught = (error) => hooks.endRun(ctx, error, log);
  await hooks.startRun(ctx, run.execute.job.near ?? [], log);
  let result;
  try {
    result = await workflow(params, ctx);
  } catch (error) {
    await hooks.endRun(ctx, error, log);
    throw error;
  }
  await hooks.endRun(ctx, null, log);
  return result;
}
