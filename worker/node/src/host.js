// The user thread as the main thread sees it: started, given one execution at a time, ended when it must be.

import { createHash } from "node:crypto";
import { MessageChannel, Worker } from "node:worker_threads";
import { Library } from "./library.js";
import { describe, Rejection } from "./outcome.js";

const RUNTIME = new URL("./user_thread.js", import.meta.url);
const TERMINATE_MS = 300;
/** Modules cannot be unloaded in Node, so a thread that holds so many of inline code is replaced. */
const INLINE_MODULES_MAX = 500;

/** The thread cannot be made what it was, and has not entered user code: the execution is for another one. */
const UNFIT = {};

/** A mistake in the workflows folder that no execution can be run beside. */
export class LoadError extends Error {
  constructor(info) {
    super(info.message);
    this.info = info;
  }
}

export class Host {
  entries = new Map();
  broken = {};
  /** Why the thread is not to run another execution; null when it may. */
  worn = null;
  /** What code of no execution, or of one that has ended, says: the number of its run, or 0, and a log record. */
  onLate = (run, record) => {};
  #inProcess;
  #limits = { maxYoungGenerationSizeMb: 8 };
  #inline = new Set();
  #worker = null;
  #flags = new Int32Array(new SharedArrayBuffer(4));
  /** @type {(message: any) => void} */
  #onMessage = () => {};
  #onDeath = null;
  #failure = null;
  #resourcesAre = null;

  constructor(folder, options) {
    this.library = new Library(folder);
    this.conformance = options.conformance;
    this.#inProcess = options.inProcess ?? false;
    if (options.memoryLimitMb > 0) this.#limits.maxOldGenerationSizeMb = options.memoryLimitMb;
  }

  /** What can be run by name. */
  names() {
    return [...new Set([...this.entries.keys(), ...this.library.fileNames()])].sort();
  }

  /** Starts the thread and loads the files that register workflows. */
  async start() {
    this.library.forgetLoaded();
    this.#inline.clear();
    this.#failure = null;
    this.worn = null;
    const workerData = { flags: this.#flags.buffer, conformance: this.conformance, root: this.library.root };
    this.#worker = this.#inProcess
      ? await startInProcess(workerData)
      : new Worker(RUNTIME, { workerData, stdin: false, name: "muster-user", resourceLimits: this.#limits });
    this.#worker.on("message", (message) => {
      if (message.type === "resources") this.#resourcesAre?.(message.list);
      else if (message.type === "late") this.onLate(message.late, message.record);
      else if (message.type === "worn") this.worn = message.reason;
      else this.#onMessage(message);
    });
    this.#worker.on("error", (error) => (this.#failure = error));
    this.#worker.on("exit", (code) => this.#exited(code));
    const files = this.library.registering();
    for (const file of files) this.library.noteLoaded(file);
    const answer = await new Promise((resolve, reject) => {
      this.#onMessage = resolve;
      this.#onDeath = (failure) => reject(failure ?? new Error("the user thread ended while it loaded the workflows"));
      this.#worker.postMessage({ type: "load", files });
    });
    this.#onDeath = null;
    this.#onMessage = () => {};
    if (answer.type === "loadFailed") {
      // What it did load must not run beside the mistake.
      await this.stop();
      throw new LoadError(answer.error);
    }
    this.broken = answer.broken;
    this.entries = new Map(answer.names.map(({ name, where }) => [name, where]));
  }

  /** Ends the thread, whatever it does, and starts another. */
  async restart() {
    await this.stop();
    await this.start();
  }

  /** Ends the thread. False when it hangs in native code and did not end in time. */
  async stop() {
    const worker = this.#worker;
    this.#worker = null;
    if (worker === null) return true;
    worker.removeAllListeners("exit");
    let timer;
    const late = new Promise((resolve) => (timer = setTimeout(resolve, TERMINATE_MS, false)));
    const ended = await Promise.race([worker.terminate().then(() => true), late]);
    clearTimeout(timer);
    return ended;
  }

  /** What to run, with a fresh thread if the files changed; a Rejection when there is no such thing. */
  async find(workflow, source) {
    if (source.type === "Inline") return this.#findInline(source);
    let job = this.#findFile(workflow, source);
    if (job === null && this.library.hasNews()) {
      // A file that came, or was mended, after the start.
      await this.restart();
      job = this.#findFile(workflow, source);
    }
    if (job === null) throw new Rejection(this.#notFound(workflow));
    if (job.file !== undefined && this.library.isStale(job.file)) {
      await this.restart();
      return this.find(workflow, source);
    }
    if (job.file !== undefined) this.library.noteLoaded(job.file);
    return job;
  }

  async #findInline(source) {
    if (!["", "javascript", "js", "node"].includes(source.language.toLowerCase())) {
      throw new Rejection(`the code is ${source.language}; this worker runs JavaScript`);
    }
    if (source.code === null) throw new Rejection("the code is not UTF-8 text");
    const digest = createHash("sha1").update(source.code).digest("base64");
    if (!this.#inline.has(digest) && this.#inline.size >= INLINE_MODULES_MAX) await this.restart();
    this.#inline.add(digest);
    return { kind: "inline", code: source.code };
  }

  #findFile(workflow, source) {
    if (source.type === "Path") return { kind: "file", file: this.library.fileAt(source.path), function: source.function };
    const where = this.entries.get(workflow);
    if (where !== undefined) {
      const file = where.replace(/:\d+$/, "");
      return { kind: "registered", file: file === "muster-worker" ? undefined : file };
    }
    const file = this.library.fileOf(workflow);
    if (file !== null) return { kind: "file", file, function: "" };
    return null;
  }

  #notFound(workflow) {
    const names = this.names();
    const where = this.library.folder ?? "any workflows folder";
    const known = names.length > 0 ? `; there are ${names.slice(0, 10).join(", ")}${names.length > 10 ? " ..." : ""}` : "";
    const broken = Object.keys(this.broken);
    const mend = broken.length > 0 ? `; ${broken.join(", ")} could not be loaded` : "";
    return `there is no workflow ${JSON.stringify(workflow)} in ${where}${known}${mend}`;
  }

  /** Runs one execution. Resolves with its outcome, or with `died` when the thread ended under it. */
  async execute(execution, onMessage) {
    for (;;) {
      const ended = await this.#execute(execution, onMessage);
      if (ended !== UNFIT) return ended;
      await this.restart();
    }
  }

  #execute(execution, onMessage) {
    return new Promise((resolve) => {
      this.#onMessage = (message) => {
        if (message.run !== undefined && message.run !== execution.run) return;
        if (message.type === "unfit") return resolve(UNFIT);
        if (message.type !== "finished") return onMessage(message);
        this.worn ??= message.worn;
        resolve({ outcome: message.outcome });
      };
      this.#onDeath = (failure, code) => resolve({ died: failure ? describe(failure) : exitedBy(code) });
      this.#worker.postMessage({ type: "execute", ...execution });
    }).finally(() => {
      this.#onMessage = () => {};
      this.#onDeath = null;
    });
  }

  post(message) {
    this.#worker?.postMessage(message);
  }

  cancel(run, reason, message) {
    Atomics.store(this.#flags, 0, run);
    this.post({ type: "cancel", run, reason, message });
  }

  /** What the thread's event loop waits for; null when it does not answer. */
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

  /** Ends the thread under its execution, which then resolves with `died`. */
  terminate() {
    this.#worker?.terminate();
  }

  #exited(code) {
    this.#worker = null;
    const onDeath = this.#onDeath;
    if (onDeath !== null) onDeath(this.#failure, code);
    else if (this.#failure !== null) process.stderr.write(`user code failed between executions: ${this.#failure.stack}\n`);
  }

  /** True when there is no thread to run on. */
  get isDead() {
    return this.#worker === null;
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
