// What an execution asks for, in terms of files and code: a job, as the user thread takes it.

import { nearest } from "./nearest.js";
import { Rejection } from "./outcome.js";

/** What inline code may be called. */
const LANGUAGES = ["", "javascript", "js", "node", "typescript", "ts"];
const NAMES_SHOWN_MAX = 10;

/** The job of code that came with the execution. */
export function inlineJob(source) {
  const language = source.language.toLowerCase();
  if (!LANGUAGES.includes(language)) throw new Rejection(`the code is ${source.language}; this worker runs JavaScript and TypeScript`);
  if (source.code === null) throw new Rejection("the code is not UTF-8 text");
  return { kind: "inline", code: source.code, isTypeScript: ["typescript", "ts"].includes(language) };
}

/** The job of a workflow in the folder; null when there is none. `entries` are those that files registered. */
export function fileJob(library, entries, workflow, source) {
  if (source.type === "Path") return { kind: "file", file: library.fileAt(source.path), function: source.function };
  const where = entries.get(workflow);
  if (where !== undefined) {
    const file = where.replace(/:\d+$/, "");
    return { kind: "registered", file: file === "muster-worker" ? undefined : file };
  }
  const file = library.fileOf(workflow);
  return file === null ? null : { kind: "file", file, function: "" };
}

/** Why there is no such job, and what there is. */
export function notFound(workflow, folder, names, broken) {
  const near = nearest(workflow, names);
  const more = names.length > NAMES_SHOWN_MAX ? " ..." : "";
  const all = names.length > 0 ? `; there are ${names.slice(0, NAMES_SHOWN_MAX).join(", ")}${more}` : "";
  const known = near === null ? all : `; did you mean ${JSON.stringify(near)}?`;
  const told = Object.entries(broken).map(([file, { message }]) => (message.startsWith(file) ? message : `${file} could not be loaded: ${message}`));
  return [`there is no workflow ${JSON.stringify(workflow)} in ${folder ?? "any workflows folder"}${known}`, ...told].join("; ");
}
