// User code as the main thread sees it: what there is to run, and a thread to run it on, one execution at a time.

import { createHash } from "node:crypto";
import { HookFiles } from "./hook_files.js";
import { fileJob, inlineJob, notFound } from "./jobs.js";
import { Library } from "./library.js";
import { LOAD_TIMEOUT, Loading } from "./loading.js";
import { warning } from "./log_batch.js";
import { describe, Rejection } from "./outcome.js";
import { isTypeScript, labelOf } from "./source_files.js";
import { sourcesOf, withPlace } from "./syntax.js";
import { UserThread } from "./thread.js";

/** Modules cannot be unloaded in Node, so a thread that holds so many of inline code is replaced. */
const INLINE_MODULES_MAX = 500;
/** So many threads are tried for one execution, each a new one. */
const THREADS_MAX = 3;

/** A mistake in a workflow file: `info` is the error as a supervisor is told of it. */
export class LoadError extends Error {
  constructor(info) {
    super(info.message);
    this.info = info;
  }
}

export class Host {
  entries = new Map();
  /** What registered workflows declare. */
  policies = new Map();
  broken = {};
  /** Counts how often the workflows were loaded. */
  version = 0;
  /** True once a thread could not be ended, because it hangs in native code. */
  isHung = false;
  /** True once an execution changed the process for good. */
  isProcessWorn = false;
  /** True once the execution that is on was told to end, on whatever thread it is. */
  #isToEnd = false;
  /** What code of no execution, or of one that has ended, says: the number of its run, or 0, and a log record. */
  onLate = (run, record) => {};
  #inProcess;
  #limits = { maxYoungGenerationSizeMb: 8 };
  #inline = new Set();
  /** @type {UserThread | null} */
  #thread = null;
  /** The thread while it has the execution; another may be loading files meanwhile, and is not to be ended for it. */
  #running = null;
  /** How the execution that is on was told to end; null when it was not. */
  #cancellation = null;
  #loading;
  #readsTypeScript = false;
  #hooks = new HookFiles();

  constructor(folder, options) {
    this.#loading = new Loading(options.loadSeconds);
    this.library = new Library(folder);
    this.conformance = options.conformance;
    this.#inProcess = options.inProcess ?? false;
    if (options.memoryLimitMb > 0) this.#limits.maxOldGenerationSizeMb = options.memoryLimitMb;
  }

  /** What can be run by name. */
  names() {
    return [...new Set([...this.entries.keys(), ...this.library.fileNames()])].sort();
  }

  /** Starts a thread and loads the files that register workflows. Those that do not come back are left out. */
  async start() {
    do {
      this.library.forgetLoaded();
      this.#inline.clear();
      this.#thread = await UserThread.start({
        conformance: this.conformance,
        root: this.library.root,
        hasTypeScript: (this.#readsTypeScript = this.library.hasTypeScript()),
        limits: this.#limits,
        inProcess: this.#inProcess,
        onLate: (run, record) => this.onLate(run, record),
      });
    } while (!(await this.#load()));
  }

  /** False when a file did not come back; the thread is ended then. */
  async #load() {
    this.broken = {};
    this.#hooks.begin();
    // A thread takes its time to start, and on a busy machine a lot of it: that is no file's.
    const begun = await this.#askForOwn({ type: "begin" });
    if (begun.died) throw await this.#loadError(begun.died);
    for (const file of this.library.registering()) {
      this.library.noteLoaded(file);
      const fingerprint = this.library.fingerprint(file);
      const known = this.#loading.whyLeftOut(file, fingerprint);
      const began = performance.now();
      const { type, error, died, failed = [] } = known === null ? await this.#ask({ type: "load", file }, file, this.#loading.nextMs) : { type: "leftOut", error: known };
      if (type === "duplicate") throw await this.#loadError(error);
      if (error || died) await this.#tellBroken(file, error ?? died);
      for (const one of failed) {
        this.#hooks.fail(one.file, one.error);
        await this.#tellBroken(one.file, one.error);
      }
      if (died) {
        this.#loading.leaveOut(file, fingerprint, died, performance.now() - began);
        await this.stop();
        return false;
      }
    }
    const { names, hookFiles, died } = await this.#askForOwn({ type: "names" });
    if (died) throw await this.#loadError(died);
    this.entries = new Map(names.map(({ name, where }) => [name, where]));
    this.policies = new Map(names.map(({ name, policy }) => [name, policy]));
    this.version++;
    this.#hooks.done(hookFiles);
    this.#loading.done();
    return true;
  }

  /** What the thread answers, or of what it died: it is ended when it does not answer in time. */
  async #ask(question, file, limitMs) {
    const timer = this.#limitLoading(file, limitMs);
    const answer = await this.#thread.converse(question, (message, done) => done(message));
    clearTimeout(timer);
    return answer;
  }

  #askForOwn(question) {
    return this.#ask(question, "the workflows folder", this.#loading.ownMs);
  }

  /** Ends the thread unless the file is loaded in time. A debugger may stop it for as long as it likes. */
  #limitLoading(file, limitMs) {
    return this.#inProcess ? undefined : setTimeout(() => this.#thread?.giveUp(this.#loading.timedOut(file, limitMs)), limitMs);
  }

  async #tellBroken(file, cause) {
    const error = await withPlace(cause, () => sourcesOf(this.library.closure(file)));
    this.broken[file] = error;
    this.onLate(0, warning(`${file} cannot be loaded: ${error.stack || `${error.kind}: ${error.message}`}`));
  }

  /** What the thread did load must not run beside such a mistake. */
  async #loadError(error) {
    await this.stop();
    return new LoadError(error);
  }

  /** Ends the thread, whatever it does, and starts another. */
  async restart() {
    await this.stop();
    await this.start();
  }

  /** Ends the thread. False when one hangs in native code and did not end in time. */
  async stop() {
    const thread = this.#thread;
    this.#thread = null;
    if (thread !== null && !(await thread.stop())) this.isHung = true;
    return !this.isHung;
  }

  /** True when there is no thread to run on, or one that must not run another execution. */
  get isSpent() {
    return this.#thread === null || this.#thread.isDead || this.#thread.worn !== null;
  }

  /** What to run, with a fresh thread if the files changed; a Rejection when there is no such thing. */
  async find(workflow, source) {
    if (source.type === "Inline") return this.#findInline(source);
    let job = fileJob(this.library, this.entries, workflow, source);
    if (job === null && this.library.hasNews()) {
      // A file that came, or was mended, after the start.
      await this.restart();
      job = fileJob(this.library, this.entries, workflow, source);
    }
    if (job === null) throw new Rejection(notFound(workflow, this.library.folder, this.names(), this.broken));
    const isNewKind = !this.#readsTypeScript && isTypeScript(job.file ?? "");
    if (job.file !== undefined && (isNewKind || this.library.isStale(job.file))) {
      await this.restart();
      return this.find(workflow, source);
    }
    if (job.file === undefined) return job;
    const broken = this.#loading.whyLeftOut(job.file, this.library.fingerprint(job.file));
    if (broken !== null) throw new LoadError(broken);
    this.library.noteLoaded(job.file);
    return this.#hooks.isEmpty ? job : this.#withHooks(job);
  }

  /** The job with the hook files that its own file imports. Those that could not be started are tried again. */
  async #withHooks(job) {
    const files = this.library.closure(job.file);
    if (this.#hooks.errorOf(files) !== null && this.#hooks.isTimeToRetry) await this.restart();
    const error = this.#hooks.errorOf(files);
    if (error !== null) throw new LoadError(error);
    return { ...job, near: this.#hooks.near(files) };
  }

  async #findInline(source) {
    const job = inlineJob(source);
    const digest = createHash("sha1").update(source.code).digest("base64");
    if (!this.#inline.has(digest) && this.#inline.size >= INLINE_MODULES_MAX) await this.restart();
    this.#inline.add(digest);
    return job;
  }

  /** Runs one execution. Resolves with its outcome, with `died` when the thread ended under it, or with `withdrawn` when it was cancelled before it began. */
  async execute(execution, onMessage) {
    this.#isToEnd = false;
    this.#cancellation = null;
    for (let tried = 0; tried < THREADS_MAX && !this.#isToEnd; tried++) {
      const ended = await this.#execute(execution, onMessage);
      if (ended.unfit === undefined) return ended;
      this.onLate(0, warning(`${ended.unfit}, so the worker's thread is replaced`));
      await this.restart();
    }
    return { died: describe(new Error(`none of ${THREADS_MAX} threads took the execution up: look at what the workflow files do on their own`)) };
  }

  async #execute(execution, onMessage) {
    let importing = null;
    this.#running = this.#thread;
    const ending = this.#running.execute(execution, (message) => {
      switch (message.type) {
        case "importing":
          importing = { file: message.file, timer: this.#limitLoading(message.file, this.#loading.importMs) };
          return;
        case "imported":
          clearTimeout(importing.timer);
          importing = null;
          return;
        default:
          return onMessage(message);
      }
    });
    // The thread before this one was told, and is gone.
    if (this.#cancellation !== null) this.#running.cancel(...this.#cancellation);
    const ended = await ending;
    this.#running = null;
    this.isProcessWorn ||= this.#thread?.isProcessWorn ?? false;
    if (importing !== null) this.#importEnded(importing, ended);
    if (ended.outcome?.type === "Failed") ended.outcome.error = await withPlace(ended.outcome.error, () => this.#sourcesOf(execution));
    return ended;
  }

  /** An execution ended while a file was loaded for it. One that hung is not tried again before it changes. */
  #importEnded({ file, timer }, { died }) {
    clearTimeout(timer);
    if (died?.kind === LOAD_TIMEOUT) this.#loading.leaveOut(file, this.library.fingerprint(file), died, 0);
  }

  #sourcesOf({ workflow, job }) {
    if (job.kind === "inline") return [{ name: labelOf(workflow), text: job.code }];
    return job.file === undefined ? [] : sourcesOf(this.library.closure(job.file));
  }

  post(message) {
    this.#thread?.post(message);
  }

  /** Tells the execution, on whatever thread it is or will be. True when that ended it, because no user code was entered yet. */
  cancel(run, reason, message) {
    this.#cancellation = [run, reason, message];
    return this.#running?.cancel(...this.#cancellation) ?? false;
  }

  /** What the thread's event loop waits for; null when it does not answer. */
  async resources(waitMs) {
    return this.#thread === null ? null : this.#thread.resources(waitMs);
  }

  /** Ends the thread under its execution, which then resolves with `died`; it goes to no other thread. */
  terminate() {
    this.#isToEnd = true;
    this.#running?.terminate();
  }
}
