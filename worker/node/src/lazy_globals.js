// Globals of Node's that are loaded when they are first looked at. To look at each would load them all, so a setter of ours
// notices when one is replaced. One that is deleted is missed; one that is made anew after that is not, unless all are put back.

const { apply, defineProperty, getOwnPropertyDescriptor, ownKeys } = Reflect;

export class LazyGlobals {
  /** @type {[PropertyKey, PropertyDescriptor][]} */
  #all = [];
  #isChanged = false;
  /** @type {(() => boolean) | null} */
  #areThere = null;

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
        const value = apply(get, globalThis, []);
        // Node has made a value of it now.
        defineProperty(globalThis, key, kept);
        return value;
      },
      set: (value) => {
        this.#isChanged = true;
        replace(value);
      },
      enumerable,
      configurable: true,
    };
    return kept;
  }

  /** Those that files of the workflows folder replaced stay so. */
  accept() {
    this.#isChanged = false;
    const found = this.#all.filter(isInPlace);
    if (this.#areThere !== null && found.length === this.#all.length) return;
    this.#all = found;
    const tests = found.map(([key]) => `${JSON.stringify(key)} in all`);
    this.#areThere = new Function("all", `return () => ${["true", ...tests].join(" && ")};`)(globalThis);
  }

  /** False when one does not let itself be put back. `always`: also what is not known to have changed. */
  putBack(always = false) {
    if (!this.#isChanged && !always && this.#areThere?.()) return true;
    for (let at = 0; at < this.#all.length; at++) defineProperty(globalThis, this.#all[at][0], this.#all[at][1]);
    this.#isChanged = false;
    for (let at = 0; at < this.#all.length; at++) if (!isInPlace(this.#all[at])) return false;
    return true;
  }
}

/** Needs nothing that a run could have replaced. @param {[PropertyKey, PropertyDescriptor]} kept */
function isInPlace(kept) {
  return getOwnPropertyDescriptor(globalThis, kept[0])?.get === kept[1].get;
}
