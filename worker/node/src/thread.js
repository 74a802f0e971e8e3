// The thread of user code as the main thread holds it: asked one thing at a time, and ended when it must be.

import { MessageChannel, Worker } from "node:worker_threads";
import { describe } from "./outcome.js";
import { CANCELLED, OFFERED } from "./run.js";

const RUNTIME = new URL("./user_thread.js", import.meta.url);
const TERMINATE_MS = 300;
/** So long it may take to take an execution up: what the ones before left behind may keep it busy, or have made it deaf. */
const TAKE_UP_MS = 1000;
const TOO_BUSY = `what executions before left behind kept the thread from the next one for ${TAKE_UP_MS / 1000} s`;
/** And so long on a thread that none was on: it has things to prepare, for which a busy machine may have little time. */
const FIRST_TAKE_UP_MS = 5000;
const FIRST_TOO_BUSY = `what the workflow files do on their own kept the thread from its first execution for ${FIRST_TAKE_UP_MS / 1000} s`;

/** A thread of user code, from its start to its end. */
export class UserThread {
  /** Why it is not to run another execution; null when it may. */
  worn = null;
  /** True when the whole process is not to. */
  isProcessWorn = false;
  isDead = false;
  /** True once it was told to end. */
  isTerminated = false;
  /** True once it took an execution up. */
  #isUsed = false;
  #worker;
  #flags;
  #isDebugged;
  /** @type {(message: any) => void} */
  #onMessage = () => {};
  /** @type {((error: any) => void) | null} */
  #onDeath = null;
  #failure = null;
  #cause = null;
  #resourcesAre = null;

  /** Starts one. `onLate` gets what belongs to no execution that goes on: a run's number or 0, and a log record. */
  static async start({ conformance, root, hasTypeScript, limits, inProcess, onLate }) {
    const flags = new Int32Array(new SharedArrayBuffer(8));
    const workerData = { flags: flags.buffer, conformance, root, hasTypeScript };
    const worker = inProcess
      ? await startInProcess(workerData)
      : new Worker(RUNTIME, { workerData, stdin: false, name: "muster-user", resourceLimits: limits });
    return new UserThread(worker, flags, onLate, inProcess);
  }

  constructor(worker, flags, onLate, isDebugged) {
    this.#worker = worker;
    this.#isDebugged = isDebugged;
    this.#flags = flags;
    worker.on("message", (message) => {
      if (message.type === "resources") this.#resourcesAre?.(message.list);
      else if (message.type === "late") onLate(message.late, message.record);
      else if (message.type === "worn") this.wear(message.reason, message.ofProcess);
      else if (message.type === "broken") this.giveUp(brokenBy(message.error));
      else this.#onMessage(message);
    });
    worker.on("error", (error) => (this.#failure = error));
    worker.on("exit", (code) => this.#exited(code));
  }

  /** The first reason stands. */
  wear(reason, ofProcess) {
    this.worn ??= reason;
    this.isProcessWorn ||= ofProcess;
  }

  /** Asks it something. `listen(message, done)` hears what it says, and calls `done` when that is all. Resolves with what was done, or with `died` and an error. */
  converse(question, listen) {
    return new Promise((resolve) => {
      this.#onMessage = (message) => listen(message, resolve);
      this.#onDeath = (error) => resolve({ died: error });
      this.#worker.postMessage(question);
    }).finally(() => {
      this.#onMessage = () => {};
      this.#onDeath = null;
    });
  }

  /**
   * Has it run an execution. Resolves as `converse` does; or with `unfit` and the reason when it cannot, or does not come to it, and
   * with `withdrawn` when it was cancelled before that: no user code was entered then.
   */
  async execute(execution, listen) {
    const { run } = execution;
    Atomics.store(this.#flags, OFFERED, run);
    const [patienceMs, reason] = this.#isUsed ? [TAKE_UP_MS, TOO_BUSY] : [FIRST_TAKE_UP_MS, FIRST_TOO_BUSY];
    const impatience = this.#isDebugged ? null : setTimeout(() => this.#withdraw(run) && this.#onMessage({ type: "unfit", run, reason }), patienceMs);
    const ended = await this.converse({ type: "execute", ...execution }, (message, done) => {
      if (message.run !== undefined && message.run !== run) return;
      if (message.type === "unfit") return done({ unfit: message.reason });
      if (message.type === "withdrawn") return done({ withdrawn: true });
      if (message.type !== "finished") return listen(message);
      this.wear(message.worn, message.ofProcess);
      done({ outcome: message.outcome });
    });
    clearTimeout(impatience);
    this.#isUsed ||= ended.withdrawn === undefined;
    const isInnocent = ended.died !== undefined && !this.isTerminated && this.#withdraw(run);
    return isInnocent ? { unfit: `what executions before left behind ended the thread (${ended.died.message})` } : ended;
  }

  /** True when it has not taken the run up, and will not then. */
  #withdraw(run) {
    return Atomics.compareExchange(this.#flags, OFFERED, run, 0) === run;
  }

  post(message) {
    if (!this.isDead) this.#worker.postMessage(message);
  }

  /**
   * Tells the code of a run that it is to end; also code that never comes back to its event loop can see it. True when there is nobody
   * to tell: the thread has not taken the run up, and will not.
   */
  cancel(run, reason, message) {
    if (this.#withdraw(run)) {
      this.#onMessage({ type: "withdrawn", run });
      return true;
    }
    Atomics.store(this.#flags, CANCELLED, run);
    this.post({ type: "cancel", run, reason, message });
    return false;
  }

  /** What its event loop waits for; null when it does not answer. */
  resources(waitMs) {
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.#resourcesAre?.(null), waitMs);
      this.#resourcesAre = (list) => {
        clearTimeout(timer);
        this.#resourcesAre = null;
        resolve(list);
      };
      this.post({ type: "resources" });
    });
  }

  /** Ends it under whatever it does, which then has `died`. */
  terminate() {
    this.isTerminated = true;
    this.#worker.terminate();
  }

  /** Ends it because of this error, and does not wait for a blocking call of native code. */
  giveUp(cause) {
    this.#cause = cause;
    this.#worker.terminate();
    const mourn = () => {
      this.isDead = true;
      this.#onDeath?.(cause);
    };
    setTimeout(mourn, TERMINATE_MS).unref();
  }

  /** Ends it, and nobody is told. False when it hangs in native code and did not end in time. */
  async stop() {
    this.#worker.removeAllListeners("exit");
    this.isDead = true;
    let timer;
    const late = new Promise((resolve) => (timer = setTimeout(resolve, TERMINATE_MS, false)));
    const ended = await Promise.race([this.#worker.terminate().then(() => true), late]);
    clearTimeout(timer);
    return ended;
  }

  #exited(code) {
    this.isDead = true;
    const onDeath = this.#onDeath;
    if (onDeath !== null) onDeath(this.#cause ?? (this.#failure === null ? exitedBy(code) : describe(this.#failure)));
    else if (this.#failure !== null) process.stderr.write(`user code failed between executions: ${this.#failure.stack}\n`);
  }
}

/** For debuggers: user code in the main thread, where `node --inspect` stops it. It cannot be ended. */
async function startInProcess(workerData) {
  const { port1, port2 } = new MessageChannel();
  const { start } = await import("./runtime.js");
  await start(port2, { ...workerData, inProcess: true });
  return Object.assign(port1, { terminate: async () => {} });
}

/** An error of the SDK's own code in the thread. */
function brokenBy(error) {
  return { ...error, message: `the worker could not go on in its thread, where an execution may have replaced what it needs: ${error.message}` };
}

function exitedBy(code) {
  return { kind: "ProcessExit", message: `the workflow called process.exit(${code})`, stack: "", retryable: null };
}
