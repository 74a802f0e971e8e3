// Module hooks of the user thread, registered only where they are needed: files of the workflows folder are ES
// modules whatever the package.json above them says, and `muster-worker` is found when nothing is installed.

let given;

export function initialize(data) {
  given = data;
}

export async function resolve(specifier, context, next) {
  if (specifier === "muster-worker" && given.sdk) return { url: given.sdk, shortCircuit: true };
  const found = await next(specifier, context);
  const own = found.url.startsWith(given.root) && found.url.endsWith(".js") && !found.url.includes("/node_modules/");
  return own ? { ...found, format: "module" } : found;
}
