// Module hooks of the user thread: where `import ... from "muster-worker"` leads when nothing is installed.

let sdk;

export function initialize({ url }) {
  sdk = url;
}

export async function resolve(specifier, context, next) {
  return specifier === "muster-worker" ? { url: sdk, shortCircuit: true } : next(specifier, context);
}
