// What user code prints: console becomes log records of the run that printed; raw writes go to fd 1 at once.

import { AsyncLocalStorage } from "node:async_hooks";
import { writeSync } from "node:fs";
import { format } from "node:util";
import { show } from "./values.js";

/** The run the calling code belongs to, through every await and callback. */
export const currentRun = new AsyncLocalStorage();

const LEVELS = { debug: "Debug", log: "Info", info: "Info", warn: "Warn", error: "Error", trace: "Debug" };

/** As `console` formats; values that cannot be formatted are shown one by one. */
function formatted(values) {
  try {
    return format(...values);
  } catch {
    return values.map(show).join(" ");
  }
}

export function captureConsole() {
  for (const [method, level] of Object.entries(LEVELS)) {
    const plain = (...values) => {
      const message = method === "trace" ? `${formatted(values)}\n${new Error().stack.split("\n").slice(2).join("\n")}` : formatted(values);
      const run = currentRun.getStore();
      if (run === undefined) writeAll(2, `${message}\n`);
      else run.log(level, "console", message, "");
    };
    console[method] = plain;
  }
}

/**
 * A thread's stdout goes through the main thread, later; the stream here must not. In the main thread of a
 * debugged run fd 1 is for the result, so prints go to fd 2.
 */
export function captureStreams(inProcess) {
  captureStream(process.stdout, inProcess ? 2 : 1);
  captureStream(process.stderr, 2);
}

/** @param {NodeJS.WriteStream} stream @param {number} fd */
function captureStream(stream, fd) {
  /** @param {any} chunk @param {any} [encoding] may be the callback @param {() => void} [done] */
  stream.write = (chunk, encoding, done) => {
    const charset = /** @type {BufferEncoding} */ (typeof encoding === "string" ? encoding : "utf8");
    writeAll(fd, typeof chunk === "string" ? Buffer.from(chunk, charset) : chunk);
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
