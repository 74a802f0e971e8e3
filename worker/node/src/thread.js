// The thread of user code as the main thread holds it: asked one thing at a time, and ended when it must be.

import { MessageChannel, Worker } from "node:worker_threads";
import { describe } from "./outcome.js";

const RUNTIME = new URL("./user_thread.js", import.meta.url);
const TERMINATE_MS = 300;

/** A thread of user code, from its start to its end. */
export class UserThread {
  /** Why it is not to run another execution; null when it may. */
  worn = null;
  isDead = false;
  #worker;
  #flags;
  /** @type {(message: any) => void} */
  #onMessage = () => {};
  /** @type {((error: any) => void) | null} */
  #onDeath = null;
  #failure = null;
  #cause = null;
  #resourcesAre = null;

  /** Starts one. `onLate` gets what belongs to no execution that goes on: a run's number or 0, and a log record. */
  static async start({ conformance, root, hasTypeScript, limits, inProcess, onLate }) {
    const flags = new Int32Array(new SharedArrayBuffer(4));
    const workerData = { flags: flags.buffer, conformance, root, hasTypeScript };
    const worker = inProcess
      ? await startInProcess(workerData)
      : new Worker(RUNTIME, { workerData, stdin: false, name: "muster-user", resourceLimits: limits });
    return new UserThread(worker, flags, onLate);
  }

  constructor(worker, flags, onLate) {
    this.#worker = worker;
    this.#flags = flags;
    worker.on("message", (message) => {
      if (message.type === "resources") this.#resourcesAre?.(message.list);
      else if (message.type === "late") onLate(message.late, message.record);
      else if (message.type === "worn") this.worn = message.reason;
      else this.#onMessage(message);
    });
    worker.on("error", (error) => (this.#failure = error));
    worker.on("exit", (code) => this.#exited(code));
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

  post(message) {
    if (!this.isDead) this.#worker.postMessage(message);
  }

  /** Tells the code of a run that it is to end; also code that never comes back to its event loop can see it. */
  cancel(run, reason, message) {
    Atomics.store(this.#flags, 0, run);
    this.post({ type: "cancel", run, reason, message });
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

function exitedBy(code) {
  return { kind: "ProcessExit", message: `the workflow called process.exit(${code})`, stack: "", retryable: null };
}
