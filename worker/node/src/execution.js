// One execution in the main thread: its clock, its cancel, and the end of a thread that does not heed it.

import { warning } from "./log_batch.js";
import { endedBy } from "./outcome.js";

const WATCH_MS = 30;
const PATIENCE_SHARE = 0.6;

export class Execution {
  request = null;
  terminated = false;
  /** Called when the thread is ended. */
  onTerminate = () => {};
  #host;
  #timers = [];
  #looked = false;
  #uninterruptible;
  #entered = false;
  /** True once there is nothing that could be ended. */
  #isOver = false;
  #startedMs;
  #endTimer = null;
  #graceMs = 0;

  constructor(host, run, workflow) {
    this.run = run;
    this.workflow = workflow;
    this.#startedMs = performance.now();
    this.#host = host;
    this.#uninterruptible = host.conformance && workflow === "conformance.ignore_cancel";
  }

  /** User code is about to be entered. The cancel is requested when the time is up; the supervisor's clock starts later than ours, hence the slack. */
  enter(timeoutMs, slackMs, graceMs) {
    this.#entered = true;
    if (timeoutMs > 0) {
      this.#after(timeoutMs + slackMs, () => this.cancel("Timeout", `the time limit of ${timeoutMs / 1000} s passed`, graceMs));
    }
  }

  /** The workflow's own limit, beside the execution's. */
  limit(ms, graceMs) {
    this.#after(ms, () => this.cancel("WorkflowTimeout", `the workflow's own limit of ${ms / 1000} s passed`, graceMs));
  }

  /** The user code holds the signal, so it is given time to react. */
  looked() {
    this.#looked = true;
    if (this.#endTimer !== null) this.#endSoon();
  }

  /** Tells user code, and ends its thread if it does not end. The first reason stands. */
  cancel(reason, message, graceMs) {
    if (this.request !== null) return;
    this.request = { reason, message };
    this.#graceMs = graceMs;
    if (!this.#entered || this.#uninterruptible) return;
    this.#isOver = this.#host.cancel(this.run, reason, message);
    if (!this.#isOver) this.#endSoon();
  }

  /** Ends the thread now: SIGTERM came, or the supervisor is gone. */
  end(reason, message) {
    if (this.request === null) this.cancel(reason, message, 0);
    if (this.#entered && !this.#isOver && !this.#uninterruptible) this.#terminate();
  }

  get runningMs() {
    return performance.now() - this.#startedMs;
  }

  /** A log record for code whose thread was ended: its author would wonder why no `finally` ran. Else null. */
  get notice() {
    if (!this.terminated) return null;
    const message = this.#looked
      ? "the code heard of its cancel and did not end in time, so its thread was ended; no further finally block ran"
      : "the code did not react to its cancel, so its thread was ended and no finally block ran; ctx.signal, ctx.sleep or ctx.cancelled give it time";
    return warning(message);
  }

  /** The outcome, from what the user thread said last: how it ended, or of what it `died`; or that it was not asked, being `withdrawn`. */
  settle({ outcome, died, withdrawn = false }) {
    if (outcome === undefined) return withdrawn || this.terminated ? endedBy(this.request) : { type: "Failed", error: died };
    // User code may see the cancel, and say so in its own words, before the thread has heard of it.
    const aborted = outcome.type === "Failed" && ["AbortError", "Cancelled"].includes(outcome.error.kind);
    return aborted && this.request !== null ? endedBy(this.request) : outcome;
  }

  close() {
    for (const timer of this.#timers) clearTimeout(timer);
    clearTimeout(this.#endTimer);
  }

  #endSoon() {
    clearTimeout(this.#endTimer);
    const patience = this.#looked ? Math.max(WATCH_MS, this.#graceMs * PATIENCE_SHARE) : WATCH_MS;
    this.#endTimer = setTimeout(() => this.#terminate(), patience);
  }

  #terminate() {
    this.terminated = true;
    this.#host.terminate();
    this.onTerminate();
  }

  // A timer of more than 2^31 ms fires at once in Node.
  #after(ms, action) {
    if (ms < 2 ** 31) this.#timers.push(setTimeout(action, ms));
  }
}
