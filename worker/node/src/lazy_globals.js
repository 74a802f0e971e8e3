// Globals of Node's that are loaded when they are first looked at. To look at each would load them all, so a setter of ours
// notices when one is replaced.

const { apply, defineProperty, getOwnPropertyDescriptor, ownKeys } = Reflect;

export class LazyGlobals {
  /** @type {[PropertyKey, PropertyDescriptor][]} */
  #all = [];
  #isChanged = false;

  /** `others` are looked after elsewhere. */
  constructor(others) {
    for (const key of ownKeys(globalThis)) {
      /** @type {PropertyDescriptor} */
      const found = getOwnPropertyDescriptor(globalThis, key);
      if (found.get === undefined || !found.configurable || others.includes(key)) continue;
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
    if (!this.#isChanged) return;
    this.#all = this.#all.filter(([key, { get }]) => getOwnPropertyDescriptor(globalThis, key)?.get === get);
    this.#isChanged = false;
  }

  /** `always`: also what is not known to have changed. */
  putBack(always = false) {
    if (!this.#isChanged && !always) return;
    for (let at = 0; at < this.#all.length; at++) defineProperty(globalThis, this.#all[at][0], this.#all[at][1]);
    this.#isChanged = false;
  }
}
