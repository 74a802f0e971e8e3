// Module hooks of the user thread, registered only where they are needed: files of the workflows folder are ES
// modules whatever the package.json above them says, and `muster-worker` is found when nothing is installed.

import { existsSync, readFileSync } from "node:fs";
import * as modules from "node:module";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";

export const SDK_URL = new URL("./index.js", import.meta.url).href;

let given;

/** Registers the module hooks if this folder needs them. */
export function prepareModules(root) {
  const sdk = isResolvable(root) ? null : SDK_URL;
  if (sdk !== null || typeAbove(root) !== "module") {
    registerHooks({ sdk, root: pathToFileURL(join(root, "/")).href });
  }
}

/**
 * `module.registerHooks`, which older versions of Node do not have.
 * @type {((hooks: { resolve: typeof resolve }) => void) | undefined}
 */
const registerHere = Reflect.get(modules, "registerHooks");

/** Registers the hooks: in this thread where Node can do that (22.15), else in a thread of Node's own, which takes longer to start. */
function registerHooks(data) {
  initialize(data);
  if (registerHere !== undefined) registerHere({ resolve });
  else modules.register(import.meta.url, { data });
}

export function initialize(data) {
  given = data;
}

export function resolve(specifier, context, next) {
  if (specifier === "muster-worker" && given.sdk) return { url: given.sdk, shortCircuit: true };
  const found = next(specifier, context);
  return found instanceof Promise ? found.then(asModule) : asModule(found);
}

function asModule(found) {
  const own = found.url.startsWith(given.root) && found.url.endsWith(".js") && !found.url.includes("/node_modules/");
  return own ? { ...found, format: "module" } : found;
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
