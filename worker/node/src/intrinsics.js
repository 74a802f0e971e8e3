// The language's own objects and those of Node as user code found them. A run may replace what it likes, `JSON.stringify`
// or `Date.now`; the next one finds them as they were. They are looked at for each run, so it must cost next to nothing.

import { syncBuiltinESMExports } from "node:module";
import { comparisons } from "./kept.js";
import { language } from "./language.js";
import { LazyGlobals } from "./lazy_globals.js";
import { GLOBALS, ofNode, settingsOfModules } from "./of_node.js";
import { Tampering } from "./tampering.js";

/** The language and what Node adds to it, as they are when they are accepted for the first time. */
export class Intrinsics {
  /** @type {import("./kept.js").Kept[]} */
  #all = [];
  /** @type {(() => boolean)[]} */
  #comparisons = [];
  #lazy = new LazyGlobals(GLOBALS);
  #tampering = new Tampering();

  /** Takes what is there now for what is to be there: files of the workflows folder may extend the language. */
  accept() {
    this.#lazy.accept();
    this.#tampering.isNoticed = false;
    if (this.#all.length === 0) this.#gather();
    else if (this.#all.every((kept) => kept.isExact())) return;
    else for (const kept of this.#all) kept.accept();
    this.#comparisons = comparisons(this.#all);
  }

  /** Takes longer than all else, so it is not done before somebody accepts: nobody waits then. */
  #gather() {
    const node = [...ofNode(), ...settingsOfModules()];
    this.#all = [...language(node.map(({ object }) => object)), ...node];
    this.#tampering.guard(this.#all.map(({ object }) => object));
  }

  /** False when something does not let itself be put back. Needs nothing that a run could have replaced. */
  putBack() {
    if (!this.#lazy.putBack()) return false;
    if (this.#isSame()) return true;
    if (!this.#lazy.putBack(true)) return false;
    for (let at = 0; at < this.#all.length; at++) this.#all[at].putBack();
    if (!this.#all.every((kept) => kept.isExact())) return false;
    this.#tampering.isNoticed = false;
    syncBuiltinESMExports();
    return true;
  }

  #isSame() {
    if (this.#tampering.isNoticed) return false;
    try {
      for (let at = 0; at < this.#comparisons.length; at++) if (!this.#comparisons[at]()) return false;
      return true;
    } catch {
      // A getter that throws stands where a value was.
      return false;
    }
  }
}
