// One object as it is to be found: its properties, its prototype, that it can be changed. A run may change what it
// likes; here that is noticed and put back.
//
// What is needed for that is taken before any user code runs, so that it works whatever a run replaced.

const { defineProperty, deleteProperty, getOwnPropertyDescriptor, getPrototypeOf, isExtensible, ownKeys, set, setPrototypeOf } = Reflect;
const { create, keys: enumerableKeys } = Object;

/** What stands for a property that should not be there. */
/** @type {PropertyDescriptor} */
const ABSENT = { value: undefined };

export class Kept {
  object;
  #listed;
  #extra;
  #everyValue;
  #noticesNew;
  #readsGetters;
  #keys;
  #descriptors;
  #values;
  #known;
  #prototype;
  #isExtensible;

  /**
   * `keys`: only these are looked at, whether they are there or not; `extra`: these besides all others. `everyValue`: also numbers and texts;
   * `noticesNew`: properties that somebody adds are noticed; `readsGetters`: its getters only hand out what was made long ago, and may be called.
   * @param {object} object
   * @param {{ keys?: PropertyKey[], extra?: PropertyKey[], everyValue?: boolean, noticesNew?: boolean, readsGetters?: boolean }} [how]
   */
  constructor(object, { keys, extra = [], everyValue = false, noticesNew = true, readsGetters = false } = {}) {
    this.object = object;
    this.#listed = keys;
    this.#extra = extra;
    this.#everyValue = everyValue;
    this.#noticesNew = keys === undefined && noticesNew;
    this.#readsGetters = readsGetters;
    this.accept();
  }

  get #isWhole() {
    return this.#listed === undefined;
  }

  /** Takes what is there now for what is to be there. */
  accept() {
    const { object } = this;
    this.#keys = this.#listed ?? [...new Set([...ownKeys(object).filter((key) => this.#isWorthKeeping(key)), ...this.#extra])];
    this.#descriptors = this.#keys.map((key) => getOwnPropertyDescriptor(object, key) ?? ABSENT);
    this.#values = this.#keys.map((key, at) => (this.#isComparedByValue(at) ? object[key] : undefined));
    this.#known = create(null);
    for (const key of [...ownKeys(object), ...this.#extra]) this.#known[key] = true;
    this.#prototype = getPrototypeOf(object);
    this.#isExtensible = isExtensible(object);
  }

  /** Lengths, names and constants do not change, and are many. */
  #isWorthKeeping(key) {
    const descriptor = getOwnPropertyDescriptor(this.object, key);
    if (!("value" in descriptor)) return descriptor.configurable || this.#readsGetters;
    return (descriptor.writable || descriptor.configurable) && (this.#everyValue || !["number", "string"].includes(typeof descriptor.value));
  }

  #isComparedByValue(at) {
    return "value" in this.#descriptors[at] || this.#readsGetters;
  }

  /** Expressions that are true as long as it is what it is to be, as far as assignments go: the rest is `Tampering`. `take` gives a value a name. */
  tests(take) {
    const { object } = this;
    const name = take(object);
    const tests = this.#keys.map((key, at) => {
      const property = typeof key === "string" ? JSON.stringify(key) : take(key);
      if (this.#isComparedByValue(at)) return `${name}[${property}] === ${take(this.#values[at])}`;
      return `${property} in ${name}`;
    });
    if (this.#noticesNew) tests.push(`${take(enumerableKeys)}(${name}).length === ${enumerableKeys(object).length}`);
    return tests;
  }

  /** False when anything at all is not as it was accepted. */
  isExact() {
    const { object } = this;
    if (this.#isWhole && (getPrototypeOf(object) !== this.#prototype || isExtensible(object) !== this.#isExtensible)) return false;
    if (this.#isWhole && ownKeys(object).some((key) => !this.#known[key])) return false;
    return this.#keys.every((key, at) => this.#isBack(key, at));
  }

  putBack() {
    if (this.#isWhole) this.#putBackShape();
    for (let at = 0; at < this.#keys.length; at++) this.#putBackProperty(this.#keys[at], at);
  }

  #putBackShape() {
    const { object } = this;
    if (getPrototypeOf(object) !== this.#prototype) setPrototypeOf(object, this.#prototype);
    const present = ownKeys(object);
    for (let at = 0; at < present.length; at++) if (!this.#known[present[at]]) deleteProperty(object, present[at]);
  }

  #putBackProperty(key, at) {
    if (this.#isBack(key, at)) return;
    const { object } = this;
    const descriptor = this.#descriptors[at];
    if (descriptor === ABSENT) deleteProperty(object, key);
    else defineProperty(object, key, descriptor);
    // Behind a setter is a value of its own.
    if (descriptor.set !== undefined && this.#readsGetters && object[key] !== this.#values[at]) set(object, key, this.#values[at]);
  }

  #isBack(key, at) {
    const kept = this.#descriptors[at];
    /** @type {PropertyDescriptor} */
    const found = getOwnPropertyDescriptor(this.object, key) ?? ABSENT;
    if (kept === ABSENT || found === ABSENT) return kept === found;
    const isSame = found.value === kept.value && found.get === kept.get && found.set === kept.set && found.writable === kept.writable;
    if (!isSame || found.enumerable !== kept.enumerable || found.configurable !== kept.configurable) return false;
    return !this.#readsGetters || "value" in kept || this.object[key] === this.#values[at];
  }
}

/** So many tests are one function: the engine makes fast code of what runs long, so few functions with many tests become fast soon. */
const TESTS_AT_ONCE = 150;

/**
 * Functions that tell whether all of these are what they are to be: made so that properties are compared by name, which the
 * engine does several times faster than a loop over names. They throw when a run put something that throws in their way.
 * @returns {(() => boolean)[]}
 */
export function comparisons(all) {
  const functions = [];
  for (let next = 0; next < all.length; ) {
    const names = new Map();
    const take = (value) => {
      if (!names.has(value)) names.set(value, `v${names.size}`);
      return names.get(value);
    };
    const tests = [];
    while (next < all.length && tests.length < TESTS_AT_ONCE) tests.push(...all[next++].tests(take));
    const taken = [...names].map(([, name], at) => `${name} = values[${at}]`);
    functions.push(new Function("values", `const ${taken.join(", ")}; return () => ${tests.join(" && ")};`)([...names.keys()]));
  }
  return functions;
}
