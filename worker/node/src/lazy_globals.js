// Globals of Node's that are loaded when they are first looked at. To look at each would load them all, so a getter of ours
// stands in the place of each, which says that it is there instead, while we look.

/** What the getters give then. */
const IN_PLACE = Symbol("in place");

const { apply, defineProperty, getOwnPropertyDescriptor, ownKeys } = Reflect;

export class LazyGlobals {
  /** @type {[PropertyKey, PropertyDescriptor][]} */
  #all = [];
  #isLooking = false;
  /** @type {(() => boolean) | null} */
  #areInPlace = null;

  /** `others` are looked after elsewhere. */
  constructor(others) {
    for (const key of ownKeys(globalThis)) {
      /** @type {PropertyDescriptor} */
      const found = getOwnPropertyDescriptor(globalThis, key);
      if (typeof key !== "string" || found.get === undefined || !found.configurable || others.includes(key)) continue;
      const kept = this.#noticing(key, found);
      this.#all.push([key, kept]);
      defineProperty(globalThis, key, kept);
    }
  }

  /** @param {PropertyKey} key @param {PropertyDescriptor} found */
  #noticing(key, { get, enumerable }) {
    const replace = (value) => defineProperty(globalThis, key, { value, writable: true, enumerable, configurable: true });
    /** @type {PropertyDescriptor} */
    const kept = {
      get: () => {
        if (this.#isLooking) return IN_PLACE;
        const value = apply(get, globalThis, []);
        // Node has made a value of it now.
        defineProperty(globalThis, key, kept);
        return value;
      },
      set: replace,
      enumerable,
      configurable: true,
    };
    return kept;
  }

  /** Those that files of the workflows folder replaced stay so. */
  accept() {
    const found = this.#all.filter(isInPlace);
    if (this.#areInPlace !== null && found.length === this.#all.length) return;
    this.#all = found;
    const tests = found.map(([key]) => `all[${JSON.stringify(key)}] === place`);
    this.#areInPlace = new Function("all", "place", `return () => ${["true", ...tests].join(" && ")};`)(globalThis, IN_PLACE);
  }

  #isSame() {
    this.#isLooking = true;
    try {
      return this.#areInPlace !== null && this.#areInPlace();
    } catch {
      // A getter that throws stands where ours was.
      return false;
    } finally {
      this.#isLooking = false;
    }
  }

  /** False when one does not let itself be put back. `always`: also what is not known to have changed. */
  putBack(always = false) {
    if (!always && this.#isSame()) return true;
    for (let at = 0; at < this.#all.length; at++) defineProperty(globalThis, this.#all[at][0], this.#all[at][1]);
    for (let at = 0; at < this.#all.length; at++) if (!isInPlace(this.#all[at])) return false;
    return true;
  }
}

/** Needs nothing that a run could have replaced. @param {[PropertyKey, PropertyDescriptor]} kept */
function isInPlace(kept) {
  return getOwnPropertyDescriptor(globalThis, kept[0])?.get === kept[1].get;
}
