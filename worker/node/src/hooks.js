// Module hooks of the user thread, registered only where they are needed: files of the workflows folder are ES modules
// or CommonJS as they are written, whatever the package.json above them says; TypeScript runs as it is; and
// `muster-worker` is found when nothing is installed.

import { existsSync, readFileSync } from "node:fs";
import * as modules from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { fileFor, isCommonJs, isTypeScript } from "./source_files.js";
import { readsTypeScript, stripTypes } from "./typescript.js";

export const SDK_URL = new URL("./index.js", import.meta.url).href;

let given;

/** Registers the module hooks if this folder needs them. */
export function prepareModules(root, hasTypeScript) {
  const sdk = isResolvable(root) ? null : SDK_URL;
  silenceExperiments();
  if (sdk !== null || hasTypeScript || typeAbove(root) !== "module") {
    registerHooks({ sdk, root: pathToFileURL(join(root, "/")).href }, hasTypeScript);
  }
}

/**
 * `module.registerHooks`, which older versions of Node do not have.
 * @type {((hooks: { resolve: typeof resolve }) => void) | undefined}
 */
const registerHere = Reflect.get(modules, "registerHooks");

/**
 * Registers the hooks: in this thread where Node can do that (22.15), else in a thread of Node's own, which takes longer
 * to start. A hook that loads is for the latter only: in this thread it would change how `require` works.
 */
function registerHooks(data, hasTypeScript) {
  initialize(data);
  if (registerHere !== undefined && (readsTypeScript || !hasTypeScript)) registerHere({ resolve });
  else modules.register(import.meta.url, { data });
  if (data.sdk !== null) answerRequire();
}

export function initialize(data) {
  given = data;
}

/** What TypeScript is for Node, or for us. */
const TYPESCRIPT = readsTypeScript ? "module-typescript" : "module";

export function resolve(specifier, context, next) {
  if (specifier === "muster-worker" && given.sdk) return { url: given.sdk, shortCircuit: true };
  const typed = typeScriptFor(specifier, context.parentURL);
  if (typed !== null) return { url: typed, format: TYPESCRIPT, shortCircuit: true };
  const found = next(specifier, context);
  return found instanceof Promise ? found.then(asWritten) : asWritten(found);
}

export function load(url, context, next) {
  if (readsTypeScript || !isOwn(url) || !isTypeScript(url)) return next(url, context);
  const file = fileURLToPath(url);
  return { format: "module", source: stripTypes(readFileSync(file, "utf8"), file, fileURLToPath(given.root)), shortCircuit: true };
}

/** TypeScript names what it imports as it will be called when it is compiled, or without an extension. */
function typeScriptFor(specifier, parent) {
  if (!/^\.{1,2}\//.test(specifier) || parent === undefined || !isOwn(parent) || !isTypeScript(parent)) return null;
  const file = fileFor(fileURLToPath(new URL(specifier, parent)));
  return file !== null && isTypeScript(file) ? pathToFileURL(file).href : null;
}

/** A file of the folder is what its text says it is. */
function asWritten(found) {
  if (!isOwn(found.url)) return found;
  if (isTypeScript(found.url)) return { ...found, format: TYPESCRIPT };
  if (!found.url.endsWith(".js")) return found;
  // Where the package says "module" Node itself insists on it.
  const isOld = found.format !== "module" && isCommonJs(readFileSync(fileURLToPath(found.url), "utf8"));
  return { ...found, format: isOld ? "commonjs" : "module" };
}

const isOwn = (url) => url.startsWith(given.root) && !url.includes("/node_modules/");

/** `require("muster-worker")` which hooks do not hear of in every version. */
function answerRequire() {
  const plain = Reflect.get(modules.Module, "_resolveFilename");
  const answer = (request, ...rest) => (request === "muster-worker" ? fileURLToPath(SDK_URL) : plain(request, ...rest));
  Reflect.set(modules.Module, "_resolveFilename", answer);
}

/** That Node's way to do these is called an experiment is nothing that the author of a workflow can change. */
function silenceExperiments() {
  const plain = process.emitWarning;
  process.emitWarning = (warning, ...rest) => {
    const isOurs = rest[0] === "ExperimentalWarning" && /stripTypeScriptTypes|Type Stripping|ES Module .* using require/.test(String(warning));
    if (!isOurs) Reflect.apply(plain, process, [warning, ...rest]);
  };
}

function isResolvable(root) {
  try {
    modules.createRequire(join(root, "any.js")).resolve("muster-worker");
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
