// One execution in the user thread: its calls, whether it is cancelled, its way out.

import { CallError, callJson } from "./outcome.js";
import { LateLog } from "./owner.js";
import { RunSignal } from "./run_signal.js";
import { parse } from "./values.js";
import { CALLS_IN_FLIGHT_MAX } from "./wire/limits.js";

/** What the flags that both threads see are for: the run that is to end, and the one that is offered and not taken up yet. */
export const CANCELLED = 0;
export const OFFERED = 1;

const { now } = Date;
const { load } = Atomics;
/** @type {(error: any) => Promise<void>} */
const doNothing = async () => {};

export class Run {
  closed = false;
  looked = false;
  /** Threads that its code started and that have not ended; null when there was none. */
  threads = null;
  /** What is called, and waited for, when an error that nobody caught ends it. */
  onUncaught = doNothing;
  #post;
  #waiting = new Map();
  #queue = [];
  #nextCall = 0;
  #late = null;
  /** Why the thread is not to run another execution, and whether that is so of the whole process. */
  #worn = null;
  #isProcessWorn = false;
  #signal = new RunSignal(() => this.isToEnd);

  constructor(execute, post, flags) {
    this.number = execute.run;
    this.execute = execute;
    this.flags = flags;
    this.context = execute.context ? parse(execute.context) : {};
    this.startedMs = performance.now();
    this.#post = post;
  }

  /** Sends a message about this run; nothing after its end. */
  post(message) {
    if (!this.closed) this.#post({ ...message, run: this.number });
  }

  /** Its thread, or the whole process, is not to run another execution. */
  wear(reason, ofProcess = false) {
    if (this.closed) return this.#post({ type: "worn", reason, ofProcess });
    this.#worn ??= reason;
    this.#isProcessWorn ||= ofProcess;
  }

  /** A thread that its code started. One that it left behind may do so after its end. */
  noteThread(thread) {
    if (this.closed) return this.#warnOfThread();
    this.threads ??= new Set();
    this.threads.add(thread);
    thread.once("exit", () => this.threads.delete(thread));
  }

  #warnOfThread() {
    const reason = "a thread that the execution started runs on";
    this.wear(reason);
    this.log("Warn", "muster-worker", `${reason}, so the worker's own thread is replaced, and that one ended with it`, "");
  }

  /** Tells how it ended; the first outcome stands. */
  finish(outcome) {
    if (this.threads?.size > 0 && !this.closed) this.#warnOfThread();
    this.post({ type: "finished", outcome, worn: this.#worn, ofProcess: this.#isProcessWorn });
    this.closed = true;
    for (const one of this.#queue.splice(0)) one.reject(ended());
  }

  log(level, logger, message, fields) {
    if (this.closed) return this.#lateLog().log(level, logger, message, fields);
    this.post({ type: "log", record: { timestamp_us: now() * 1000, level, logger, message, fields } });
  }

  /** The log of what this run left behind. */
  #lateLog() {
    this.#late ??= new LateLog(this.#post, this.number);
    return this.#late;
  }

  /** Throws once the execution has ended: what it left behind has no say any more. */
  mustBeOn() {
    if (this.closed) throw ended();
  }

  /** Asks the supervisor; above 64 at once the others wait their turn. */
  call(method, params) {
    this.mustBeOn();
    const text = callJson(method, params);
    return new Promise((resolve, reject) => {
      this.#queue.push({ method, text, resolve, reject });
      this.#pump();
    });
  }

  #pump() {
    while (this.#queue.length > 0 && this.#waiting.size < CALLS_IN_FLIGHT_MAX) {
      const { method, text, resolve, reject } = this.#queue.shift();
      const call = ++this.#nextCall;
      this.#waiting.set(call, { resolve, reject });
      this.post({ type: "call", call, method, params: text });
    }
  }

  resolve(call, result) {
    const waiting = this.#waiting.get(call);
    this.#waiting.delete(call);
    if (result.type === "Ok") waiting?.resolve(result.value ? parse(result.value) : null);
    else waiting?.reject(new CallError(result.error.kind, result.error.message));
    this.#pump();
  }

  cancel(reason, message) {
    this.cancellation = this.#signal.abort(message, reason);
  }

  /** Also seen by code that never comes back to its event loop. */
  get isToEnd() {
    return load(this.flags, CANCELLED) === this.number;
  }

  /** From here on the execution can react to its cancel, and is given the time to. */
  look() {
    if (!this.looked) {
      this.looked = true;
      this.#signal.follow();
      this.post({ type: "looked" });
    }
    return this.#signal.controller.signal;
  }
}

function ended() {
  return new CallError("Closed", "the execution has ended");
}
