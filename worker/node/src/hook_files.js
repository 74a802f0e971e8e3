// The files with hooks, as the main thread knows them: which could not be started, and which concern a workflow.

/** So seldom a start that failed is tried again. */
const RETRY_MS = 1000;

export class HookFiles {
  /** @type {Map<string, any>} */
  #failed = new Map();
  #around = [];
  #triedAtMs = 0;

  /** A thread is about to load everything. */
  begin() {
    this.#failed.clear();
  }

  /** The hooks of a file could not be started. */
  fail(file, error) {
    this.#failed.set(file, error);
  }

  /** Everything is loaded; these files have hooks around runs. */
  done(around) {
    this.#around = around;
    this.#triedAtMs = performance.now();
  }

  get isEmpty() {
    return this.#around.length === 0 && this.#failed.size === 0;
  }

  /** The error of the first of these files that could not be started; null when all could. */
  errorOf(files) {
    const failed = files.find((file) => this.#failed.has(file));
    return failed === undefined ? null : this.#failed.get(failed);
  }

  get isTimeToRetry() {
    return performance.now() - this.#triedAtMs > RETRY_MS;
  }

  /** Those of these files whose hooks have a say in a run. */
  near(files) {
    return files.filter((file) => this.#around.includes(file));
  }
}
