// How long files of the workflows folder may take to be loaded, and which are left out because they did not come back.
// One that hangs or ends the thread costs only its own workflows, and that once: until its content changes it is left out.

/** The kind of the error of a file that takes too long. */
export const LOAD_TIMEOUT = "LoadTimeout";
const LOAD_SECONDS = 10;
/** How long the SDK's own part of it may take, which no setting shortens: to start a thread, and to prepare it for executions. */
const OWN_MS = 10_000;
/** What all files that hang may cost the start together. The supervisor waits longer than that. */
const START_LOST_MAX_MS = 40_000;
/** And what they may cost later, when a thread is replaced: the supervisor waits 10 s for an execution to begin, and for a slot. */
const RESTART_LOST_MAX_MS = 8000;
const LIMIT_MIN_MS = 1000;

export class Loading {
  /** How long a file may take that an execution has loaded. */
  importMs;
  /** @type {Map<string, { fingerprint: string, error: any }>} */
  #leftOut = new Map();
  #lostMaxMs = START_LOST_MAX_MS;
  #lostMs = 0;

  constructor(limitSeconds) {
    this.importMs = 1000 * (limitSeconds > 0 ? limitSeconds : LOAD_SECONDS);
  }

  /** How long the next file may take. Less, once others took their time and did not end. */
  get nextMs() {
    return Math.min(this.importMs, this.#shareMs);
  }

  /** How long the thread may take for what is no file's. When it does not come to it, no file can be run. */
  get ownMs() {
    return Math.min(Math.max(this.importMs, OWN_MS), this.#shareMs);
  }

  get #shareMs() {
    return Math.max(LIMIT_MIN_MS, (this.#lostMaxMs - this.#lostMs) / 2);
  }

  /** All files are loaded, or known not to be. */
  done() {
    this.#lostMs = 0;
    this.#lostMaxMs = RESTART_LOST_MAX_MS;
  }

  /** The thread is not waited for any longer, or is gone. */
  leaveOut(file, fingerprint, error, tookMs) {
    this.#lostMs += tookMs;
    this.#leftOut.set(file, { fingerprint, error });
  }

  /** Why a file of this content is not loaded; null when it is. */
  whyLeftOut(file, fingerprint) {
    const known = this.#leftOut.get(file);
    return known?.fingerprint === fingerprint ? known.error : null;
  }

  /** The error of a file that took longer than it may. */
  timedOut(file, limitMs) {
    const message = `${file} was still being loaded after ${limitMs / 1000} s; move what waits or takes long from the top of the file into the workflow`;
    return { kind: LOAD_TIMEOUT, message, stack: "", retryable: false };
  }
}
