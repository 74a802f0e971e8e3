// What a person sees of an execution in the terminal. All of it goes to stderr: stdout is for the result.

import { writeAll } from "../capture.js";
import { parse, write } from "../values.js";

const STDERR_FD = 2;

const COLOURS = { Debug: 2, Info: 32, Warn: 33, Error: 31 };
const coloured = Boolean(process.stderr.isTTY) && !("NO_COLOR" in process.env);

const OBEYED = /[\x00-\x08\x0b-\x1f\x7f-\x9f]/g;

/** Text without power over a terminal: control characters are spelled out, all but line ends and tabs. */
export function spelledOut(text) {
  return text.replace(OBEYED, (one) => `\\x${one.charCodeAt(0).toString(16).padStart(2, "0")}`);
}

/** A line that may hold text of somebody else's run. */
export function say(line) {
  writeLine(spelledOut(line));
}

/** Past `process.stderr`, which is user code's own: under a debugger both are in one thread. */
function writeLine(line) {
  writeAll(STDERR_FD, `${line}\n`);
}

export function showLog({ timestamp_us, level, logger, message, fields }) {
  const at = new Date(timestamp_us / 1000).toTimeString().slice(0, 8);
  const name = level.toUpperCase().padEnd(5);
  const shown = coloured ? `\x1b[${COLOURS[level]}m${name}\x1b[0m` : name;
  const extra = fields ? Object.entries(parse(fields)).map(([key, value]) => ` ${key}=${write(value)}`) : [];
  writeLine(`${at} ${shown} ${spelledOut(`${logger}: ${message}${extra.join("")}`)}`);
}

export function showProgress({ current, total, message }) {
  const share = total > 0 ? `${current}/${total} (${Math.floor((100 * current) / total)} %)` : current;
  say(`progress ${share} ${message}`.trimEnd());
}

/** Where it happened, if the outcome says. */
export function showStack(outcome) {
  if (outcome.type === "Failed" && outcome.error.stack) say(outcome.error.stack.trimEnd());
}
