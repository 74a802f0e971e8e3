// Where a mistake of syntax is. Node does not tell for ES modules, so another Node is asked to read the files.

import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { isTypeScript } from "./source_files.js";

const CHECK_MS = 5000;
const FILES_MAX = 50;
/** How Node writes a place: alone on the first line of a stack. */
const PLACE = /^(?:file:\/\/)?(\/[^\n]+:\d+)$/m;

/** The error of a module that cannot be read, with file and line; any other error as it is. */
export async function withPlace(error, sources) {
  if (error.kind !== "SyntaxError" || /\(\S+:\d+\)$/.test(error.message)) return error;
  const known = PLACE.exec(error.stack);
  if (known !== null) return { ...error, message: `${error.message}${hint(error.message, known[1])} (${known[1]})` };
  // An error of a run has the lines of the code that threw it.
  if (/^\s+at /m.test(error.stack)) return error;
  for (const { name, text } of sources().slice(0, FILES_MAX)) {
    const found = await check(text);
    if (found === null || found.message !== error.message) continue;
    const place = `${name}:${found.line}`;
    return { ...error, message: `${error.message} (${place})`, stack: `${place}\n${found.code}\n${error.stack}` };
  }
  return error;
}

/** What TypeScript calls an export may be a type, of which nothing is left when it runs. */
function hint(message, place) {
  const isMaybeType = message.includes("does not provide an export named") && isTypeScript(place.replace(/:\d+$/, ""));
  return isMaybeType ? '; if that is a type, write "import type"' : "";
}

/** The sources of these files, as far as Node reads them as modules. */
export function sourcesOf(files) {
  return files.filter((file) => !isTypeScript(file) && !file.endsWith(".cjs")).map((file) => ({ name: file, text: readFileSync(file, "utf8") }));
}

/** The first mistake in the text of a module; null when there is none. */
function check(text) {
  return new Promise((resolve) => {
    const args = ["--check", "--input-type=module", "-"];
    const options = { timeout: CHECK_MS, env: { PATH: process.env.PATH } };
    const child = execFile(process.execPath, args, options, (failed, _, stderr) => {
      const [, line, code, message] = /^\[stdin\]:(\d+)\n([^]*?)\n\nSyntaxError: (.*)$/m.exec(stderr) ?? [];
      resolve(failed && line !== undefined ? { line, code, message } : null);
    });
    child.stdin.on("error", () => {}).end(text);
  });
}
