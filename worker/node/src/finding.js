// What code a job means: a registered workflow, a file of the folder, or code that came with the execution.

import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";
import { literalIn, NOT_CUT_OUT } from "./declaration.js";
import { SDK_URL } from "./hooks.js";
import "./index.js";
import { Rejection } from "./outcome.js";
import { labelOf } from "./source_files.js";
import { stripTypes } from "./typescript.js";

/** The workflows by name, as `workflow()` notes them. */
export const registered = globalThis[Symbol.for("muster-worker.workflows")];
/** What inline code registered, by its text. */
const remembered = new Map();

/** Drops what a file registered before it failed: nothing of it counts until it can be loaded. */
export function forgetWorkflowsOf(file) {
  for (const [name, { where, callers }] of registered) if ((callers ?? where).includes(`${file}:`)) registered.delete(name);
}

/** The files that runs had loaded. */
const loaded = new Set();

/** The function a run means, with what was registered beside it. `onLoaded` is called when a file was loaded for it. */
export async function find(run, onLoaded) {
  const { workflow, job } = run.execute;
  if (job.kind === "registered") return registered.get(workflow);
  if (job.kind === "inline") return findInline(workflow, job.isTypeScript ? stripTypes(job.code, labelOf(workflow), null) : job.code);
  const module = loaded.has(job.file) ? await importFile(job.file) : await load(run, job.file, onLoaded);
  if (job.function) return named(module, job);
  const main = mainOf(module);
  if (main !== null) return { run: main };
  return single([...registered.values()].filter((one) => one.where.startsWith(`${job.file}:`)), job.file, module);
}

const importFile = (file) => import(pathToFileURL(file).href);

/** The main thread looks at the clock meanwhile. */
async function load(run, file, onLoaded) {
  run.post({ type: "importing", file });
  const module = await importFile(file);
  await onLoaded();
  run.post({ type: "imported" });
  loaded.add(file);
  warnOfPolicy(run, file, module);
  return module;
}

/** Only a module that was loaded tells for certain that it exports a policy. Once its file was read, that is too late for the supervisor. */
function warnOfPolicy(run, file, module) {
  if ((module.muster ?? module.default?.muster) === undefined || literalIn(readFileSync(file, "utf8")) !== null) return;
  run.log("Warn", "muster-worker", `the export "muster" of ${file} does not count: ${NOT_CUT_OUT}`, "");
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
    return single(remembered.get(code) ?? [], "the code", module);
  } finally {
    registered.clear();
    for (const [name, entry] of folder) registered.set(name, entry);
  }
}

function single(found, where, module) {
  if (found.length === 1) return found[0];
  if (found.length > 1) throw new Rejection(`${where} registers several workflows: say which one`);
  const names = Object.keys(module).filter((name) => name !== "module.exports");
  const exported = names.length > 0 ? `it exports: ${names.join(", ")}` : "it exports nothing";
  const help = "a workflow is `export default async function (params, ctx) { … }`";
  throw new Rejection(`${where} has no function as its default export and registers no workflow; ${help} (${exported})`);
}

/** The function of a default export, also of one that was compiled to CommonJS; null when there is none. */
function mainOf(module) {
  const exported = typeof module.default === "object" ? module.default?.default : module.default;
  return typeof exported === "function" ? exported : null;
}

function named(module, job) {
  const exported = module[job.function] ?? module.default?.[job.function];
  if (typeof exported === "function") return { run: exported };
  if (registered.has(job.function)) return registered.get(job.function);
  throw new Rejection(`${job.file} exports no function ${job.function}`);
}

/** Code in a data URL can import by full URL only. */
function inlineUrl(workflow, text) {
  const code = text.replace(/(\bfrom\s*|\bimport\s*\(?\s*)(["'])muster-worker\2/g, `$1"${SDK_URL}"`);
  return `data:text/javascript;base64,${Buffer.from(`${code}\n//# sourceURL=${labelOf(workflow)}`).toString("base64")}`;
}
