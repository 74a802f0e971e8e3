// Functions of the user's that are called when a worker starts, and around every run: for pools and error trackers.

import { kindOf, messageOf, show } from "./values.js";

/** Shared by every copy of the package in the process, as the workflows are. */
const all = (globalThis[Symbol.for("muster-worker.hooks")] ??= { workerStart: [], runStart: [], runEnd: [] });

/** Notes a hook with the file that it stands in. */
export function addHook(when, run, file) {
  if (typeof run !== "function") throw new TypeError(`a hook must be a function, and this is ${show(run)}`);
  all[when].push({ run, file });
  return run;
}

/** The hooks of the user thread. */
export class RunHooks {
  #kept = { workerStart: 0, runStart: 0, runEnd: 0 };
  #started = 0;

  /** Hooks of the folder's files stay. Those that a run adds, inline code say, are gone when it has ended. */
  accept() {
    for (const when of Object.keys(all)) this.#kept[when] = all[when].length;
  }

  putBack() {
    const kept = this.#kept;
    if (all.workerStart.length !== kept.workerStart) all.workerStart.length = kept.workerStart;
    if (all.runStart.length !== kept.runStart) all.runStart.length = kept.runStart;
    if (all.runEnd.length !== kept.runEnd) all.runEnd.length = kept.runEnd;
  }

  get isEmpty() {
    return all.runStart.length === 0 && all.runEnd.length === 0;
  }

  /** The files with hooks around runs. */
  files() {
    return [...all.runStart, ...all.runEnd].map(({ file }) => file);
  }

  /** Drops the hooks of a file that failed after it had named them: they were not called yet. */
  forgetThoseOf(file) {
    for (const when of Object.keys(all)) {
      const others = all[when].filter((one) => one.file !== file);
      all[when].splice(0, Infinity, ...others);
    }
  }

  /** Calls what came since the last time. Resolves with the files whose hooks failed, and how. */
  async startWorker(describe) {
    const failed = [];
    while (this.#started < all.workerStart.length) {
      const { run, file } = all.workerStart[this.#started++];
      try {
        await run();
      } catch (error) {
        failed.push({ file, error: describe(error) });
      }
    }
    return failed;
  }

  /** Before a run, in the order in which they came. One of a file that the workflow's own file imports fails it. */
  async startRun(ctx, near, log) {
    for (const { run, file } of all.runStart) {
      try {
        await run(ctx);
      } catch (error) {
        if (near.includes(file)) throw error;
        tell("onRunStart", file, error, log);
      }
    }
  }

  /** After a run, the last one first. `error` is what the workflow threw, or null. */
  async endRun(ctx, error, log) {
    for (const { run, file } of all.runEnd.toReversed()) {
      try {
        await run(ctx, error);
      } catch (failure) {
        tell("onRunEnd", file, failure, log);
      }
    }
  }
}

function tell(hook, file, error, log) {
  log("Warn", "muster-worker", `a hook of ${hook} in ${file} failed: ${kindOf(error)}: ${messageOf(error)}`, "");
}
