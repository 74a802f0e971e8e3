// What user code prints: console becomes log records of the run that printed, raw writes go to fd 1 at once. What
// belongs to no run that goes on is kept out of the log of the one that does.

import { writeSync } from "node:fs";
import { format } from "node:util";
import { owner } from "./owner.js";
import { Run } from "./run.js";
import { show } from "./values.js";

const LEVELS = { debug: "Debug", log: "Info", info: "Info", warn: "Warn", error: "Error", trace: "Debug" };

/** As `console` formats; values that cannot be formatted are shown one by one. */
function formatted(values) {
  try {
    return format(...values);
  } catch {
    return values.map(show).join(" ");
  }
}

/** `nobody` is the log of code without an owner. */
export function captureConsole(nobody) {
  for (const [method, level] of Object.entries(LEVELS)) {
    const plain = (...values) => {
      const message = method === "trace" ? `${formatted(values)}\n${new Error().stack.split("\n").slice(2).join("\n")}` : formatted(values);
      (owner.getStore() ?? nobody).log(level, "console", message, "");
    };
    console[method] = plain;
  }
}

/**
 * A thread's stdout goes through the main thread, later; the stream here must not. In the main thread of a
 * debugged run fd 1 is for the result, so prints go to fd 2.
 */
export function captureStreams(nobody, inProcess) {
  captureStream(process.stdout, inProcess ? 2 : 1, nobody);
  captureStream(process.stderr, 2, nobody);
}

/** @param {NodeJS.WriteStream} stream @param {number} fd @param {import("./owner.js").LateLog} nobody */
function captureStream(stream, fd, nobody) {
  /** @param {any} chunk @param {any} [encoding] may be the callback @param {() => void} [done] */
  stream.write = (chunk, encoding, done) => {
    const charset = /** @type {BufferEncoding} */ (typeof encoding === "string" ? encoding : "utf8");
    const bytes = typeof chunk === "string" ? Buffer.from(chunk, charset) : chunk;
    const whose = owner.getStore();
    if (whose instanceof Run && !whose.closed) writeAll(fd, bytes);
    else (whose ?? nobody).log("Info", "print", Buffer.from(bytes).toString().trimEnd(), "");
    const callback = typeof encoding === "function" ? encoding : done;
    if (callback) queueMicrotask(callback);
    return true;
  };
}

export function writeAll(fd, data) {
  const bytes = typeof data === "string" ? Buffer.from(data) : data;
  for (let at = 0; at < bytes.length; ) {
    try {
      at += writeSync(fd, bytes, at);
    } catch (error) {
      if (error.code !== "EAGAIN") return;
    }
  }
}
