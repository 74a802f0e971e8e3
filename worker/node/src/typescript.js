// TypeScript as JavaScript: its types are replaced by spaces, so lines and columns stay what they are. Node does it
// from version 22.18 on; before, the package `amaro` does, which is the one inside of Node.

import * as modules from "node:module";

/** True when Node reads TypeScript. */
export const readsTypeScript = Boolean(Reflect.get(process.features, "typescript"));
const ofNode = readsTypeScript ? Reflect.get(modules, "stripTypeScriptTypes") : undefined;

/** The file's text without its types. `root` is the workflows folder, where packages may be installed, or null. */
export function stripTypes(text, file, root) {
  const strip = ofNode ?? ofPackage(file, root);
  try {
    return strip(text);
  } catch (error) {
    throw mistake(error, file);
  }
}

/** @returns {(text: string) => string} */
function ofPackage(file, root) {
  for (const from of [root, import.meta.url]) {
    if (from === null) continue;
    const require = modules.createRequire(from);
    let path;
    try {
      path = require.resolve("amaro");
    } catch {
      continue;
    }
    const { transformSync } = require(path);
    return (text) => transformSync(text, { mode: "strip-only" }).code;
  }
  throw new Error(`${file} is TypeScript, and Node ${process.versions.node} cannot read it by itself: run "npm install amaro", or use Node 22.18 or newer`);
}

/** The compiler's error, with the place where people look for it. Node tells that in the stack's first lines, the package in properties. */
function mistake(error, file) {
  const [, ofStack, code] = /^[^\n]*?:(\d+)\n([^]*?)\n\n/.exec(String(error.stack)) ?? [];
  const line = error.startLine ?? ofStack;
  const place = line === undefined ? file : `${file}:${line}`;
  const told = new SyntaxError(`${String(error.message).split("\n", 1)[0]} (${place})`);
  told.stack = [place, error.snippet ?? code ?? "", `SyntaxError: ${told.message}`].join("\n");
  return told;
}
