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

/** The compiler's error, with the place where people look for it. */
function mistake(error, file) {
  const { message, line, code } = typeof error === "string" ? drawn(error) : told(error);
  const place = line === undefined ? file : `${file}:${line}`;
  const mistake = new SyntaxError(`${message} (${place})`);
  mistake.stack = [place, code, `SyntaxError: ${mistake.message}`].join("\n");
  return mistake;
}

/** Node tells the place in the stack's first lines, the package in properties. */
function told({ message, stack, startLine, snippet }) {
  const [, line, code] = /^[^\n]*?:(\d+)\n([^]*?)\n\n/.exec(String(stack)) ?? [];
  return { message: String(message).split("\n", 1)[0], line: startLine ?? line, code: snippet ?? code ?? "" };
}

/** The package for Node 20 throws a text: the message behind an x, then the code as a drawing with the line at its head. */
function drawn(text) {
  const [, message, line, code] = /^\s*x (.*)\n\s*,-+(?:\[(\d+):\d+\])?\n([^]*?)\n\s*`-+/.exec(text) ?? [];
  if (message === undefined) return { message: text.trim(), line: undefined, code: "" };
  return { message, line: line ?? "1", code };
}
