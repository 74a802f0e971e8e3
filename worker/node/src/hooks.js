// Module hooks of the user thread, registered only where they are needed: files of the workflows folder are ES
// modules whatever the package.json above them says, and `muster-worker` is found when nothing is installed.

import * as modules from "node:module";

let given;

/** Registers the hooks: in this thread where Node can do that (22.15), else in a thread of Node's own, which takes longer to start. */
export function registerHooks(data) {
  initialize(data);
  if (modules.registerHooks !== undefined) modules.registerHooks({ resolve });
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
