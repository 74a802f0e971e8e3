// The log of an execution as it grows: server-sent events, picked up again where a connection broke.

import { logLine } from "./records.js";
import { parse } from "./values.js";

/** A stream of events says something more often than this. */
const SILENCE_MS = 60_000;

/** Reads events line by line. A line of the log is given once, however often the connection breaks. */
export class Follower {
  /** The id of the last line that was given, to go on after it. */
  last = null;
  isOver = false;
  #event = "";
  #id = null;
  #data = [];

  /** The query of the next connection; an event that was cut off is dropped, and comes again. */
  restart() {
    [this.#event, this.#id, this.#data] = ["", null, []];
    return { follow: "true", ...(this.last ? { cursor: this.last } : {}) };
  }

  /** Takes a line of the stream without its end; a line of the log when that is complete with it. */
  feed(line) {
    if (line !== "") {
      const [, name, value] = /^([^:]*):? ?(.*)$/s.exec(line);
      if (name === "event") this.#event = value;
      else if (name === "id") this.#id = value;
      else if (name === "data") this.#data.push(value);
      return null;
    }
    const [event, id, data] = [this.#event, this.#id, this.#data.join("\n")];
    this.restart();
    if (event === "end") this.isOver = true;
    // Gaps, progress and changes of the status are for screens.
    if (event !== "log" || data === "") return null;
    this.last = id ?? this.last;
    return logLine(parse(data));
  }
}

/** The lines of a stream of bytes. A stream that breaks, or says nothing for too long, ends here. */
export async function* linesOf(body, controller) {
  const decoder = new TextDecoder();
  let rest = "";
  let timer;
  const watch = () => {
    clearTimeout(timer);
    timer = setTimeout(() => controller.abort(), SILENCE_MS);
    timer.unref();
  };
  try {
    watch();
    for await (const chunk of body) {
      watch();
      const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
      rest = lines.pop();
      for (const line of lines) yield line.endsWith("\r") ? line.slice(0, -1) : line;
    }
  } catch {
    // What comes next goes on after the last line that was given.
  } finally {
    clearTimeout(timer);
    controller.abort();
  }
}
