// Whom running code belongs to. It is told through every await, timer and callback, so what an execution left
// behind is known for what it is, whatever runs by then.

import { AsyncLocalStorage } from "node:async_hooks";
import { LATE_RECORDS_EVERY_MS, LATE_RECORDS_MAX } from "./wire/limits.js";

const { now } = Date;

/** The `Run` or the `LoadedFile` the calling code belongs to; undefined when that got lost. Each has a `log`. */
export const owner = new AsyncLocalStorage();

/** Log records that are in no execution's log but in the worker's: few, because nobody asked for them. */
export class LateLog {
  #post;
  #run;
  #about;
  #sinceMs = -Infinity;
  #records = 0;

  /** `run` is the number of the run that ended; or 0, and `about` says in words whose records these are. */
  constructor(post, run, about = "") {
    this.#post = post;
    this.#run = run;
    this.#about = about === "" ? "" : `${about}: `;
  }

  log(level, logger, message, fields) {
    const timeMs = now();
    if (timeMs - this.#sinceMs > LATE_RECORDS_EVERY_MS) [this.#sinceMs, this.#records] = [timeMs, 0];
    this.#records += 1;
    if (this.#records > LATE_RECORDS_MAX) return;
    const last = this.#records === LATE_RECORDS_MAX ? " (more of its records are dropped for a minute)" : "";
    const record = { timestamp_us: timeMs * 1000, level, logger, message: `${this.#about}${message}${last}`, fields };
    this.#post({ type: "late", late: this.#run, record });
  }
}

/** A workflow file while it is loaded, and what it started meanwhile. */
export class LoadedFile extends LateLog {
  constructor(post, file) {
    super(post, 0, `${file}, outside of an execution`);
    this.file = file;
  }
}
