// What goes on in the user thread: loads workflow files and runs one execution at a time. The main thread never runs user code.

import { pathToFileURL } from "node:url";
import { captureConsole, captureStreams, writeAll } from "./capture.js";
import { contextOf } from "./context.js";
import { find, registered } from "./finding.js";
import { prepareModules } from "./hooks.js";
import { describe, outcomeOf, readParams, toJson } from "./outcome.js";
import { LoadedFile, owner } from "./owner.js";
import { Run } from "./run.js";
import { watchStrays } from "./strays.js";
import { read, show } from "./values.js";

let flags;
let post;
let current = null;

/** Attends to the main thread's messages from here on. */
export async function start(port, data) {
  flags = new Int32Array(data.flags);
  post = (message) => port.postMessage(message);
  captureStreams(post, data.inProcess);
  captureConsole(post);
  if (!data.inProcess) watchStrays(post);
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
      await owner.run(new LoadedFile(post, file), () => import(pathToFileURL(file).href));
    } catch (error) {
      if (read(error, "name") === "DuplicateWorkflow") return post({ type: "loadFailed", error: describe(error) });
      broken[file] = describe(error);
      writeAll(2, `${file} cannot be loaded: ${show(error)}\n`);
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
    const result = await owner.run(run, () => enter(run));
    outcome = { type: "Succeeded", result: toJson(result) };
  } catch (error) {
    outcome = outcomeOf(run, error);
  }
  run.finish(outcome);
  if (current === run) current = null;
}

async function enter(run) {
  const { run: workflow, timeoutSeconds } = await find(run.execute);
  if (timeoutSeconds !== undefined) run.post({ type: "limit", ms: timeoutSeconds * 1000 });
  const params = readParams(run.execute.params);
  return workflow(params, contextOf(run));
}
