// The user thread as a run is to find it: before each one, what the last one changed is put back. See the README for
// what a warm thread keeps.

import process from "node:process";
import { Environment } from "./environment.js";
import { Intrinsics } from "./intrinsics.js";
import { Lasting } from "./lasting.js";
import { Listeners } from "./listeners.js";
import { Settings } from "./settings.js";
import { Watchers } from "./watchers.js";

export class Pristine {
  #hooks;
  #environment = new Environment();
  #listeners = new Listeners();
  #intrinsics = new Intrinsics();
  #watchers = new Watchers();
  #settings = new Settings();
  #lasting = new Lasting();
  #arguments = [process.argv, process.execArgv].map((list) => ({ list, kept: [...list] }));

  /** @param {import("./run_hooks.js").RunHooks} hooks */
  constructor(hooks) {
    this.#hooks = hooks;
  }

  /** What files of the workflows folder changed while they were loaded stays: they are loaded once. */
  accept() {
    this.#environment.accept();
    this.#intrinsics.accept();
    this.#listeners.accept();
    this.#hooks.accept();
    this.#watchers.accept();
    this.#settings.accept();
    this.#lasting.accept();
  }

  /** Called when a run is about to begin, as what the last one left behind may act until then. False when it cannot be done. */
  putBack() {
    // First the language itself: all that follows needs it.
    if (!this.#intrinsics.putBack()) return false;
    this.#environment.putBack();
    this.#hooks.putBack();
    this.#listeners.putBack();
    this.#watchers.putBack();
    this.#settings.putBack();
    for (const { list, kept } of this.#arguments) if (list.length !== kept.length) list.splice(0, list.length, ...kept);
    if (process.hasUncaughtExceptionCaptureCallback()) process.setUncaughtExceptionCaptureCallback(null);
    if (process.exitCode !== undefined) process.exitCode = undefined;
    return true;
  }
}
