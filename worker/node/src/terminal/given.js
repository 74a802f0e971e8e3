// What a person gave on the command line, read and checked before anything runs.

import { readFileSync } from "node:fs";
import { parse } from "../values.js";

/** The words of the command line make no sense; the message says which and what would. */
export class GivenError extends Error {
  name = "GivenError";
}

/** JSON text: as it stands, from `@FILE`, or from stdin (`-`). */
export function readParams(given, stdin) {
  if (given === "-") return checked("stdin", readText(stdin, "stdin"));
  if (given.startsWith("@")) return checked(given.slice(1), readText(given.slice(1), given.slice(1)));
  return checked("--params", given);
}

/** Entries from `KEY=VALUE`, where VALUE is JSON or else text, and from `@FILE`, a JSON object. The last one wins. */
export function readEntries(option, given) {
  return new Map(given.flatMap((one) => (one.startsWith("@") ? entriesOf(option, one.slice(1)) : [entryOf(option, one)])));
}

/** Milliseconds; 0 means no limit. */
export function readTimeout(given) {
  if (given === undefined) return 0;
  const ms = Math.round(Number(given) * 1000);
  if (!(ms >= 0) || given.trim() === "") throw new GivenError(`--timeout ${given}: it must be a number of seconds; 0 means no limit`);
  return ms;
}

/** The text of a file, by path or descriptor. */
export function readText(file, shown = file) {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    throw new GivenError(`${shown} cannot be read: ${error.message}`);
  }
}

function entryOf(option, given) {
  const at = given.indexOf("=");
  if (at < 1) throw new GivenError(`${option} ${given}: write KEY=VALUE, or @FILE with a JSON object`);
  const text = given.slice(at + 1);
  try {
    return [given.slice(0, at), parse(text)];
  } catch {
    return [given.slice(0, at), text];
  }
}

function entriesOf(option, file) {
  const entries = parse(checked(file, readText(file)));
  if (entries === null || typeof entries !== "object" || Array.isArray(entries)) {
    throw new GivenError(`${option} @${file}: the file must hold a JSON object, {"KEY": VALUE, ...}`);
  }
  return Object.entries(entries);
}

function checked(where, text) {
  try {
    parse(text);
  } catch (error) {
    throw new GivenError(`${where} is not JSON: ${error.message}`);
  }
  return text;
}
