// Notices who changes an object by other means than an assignment: freezes it, gives it another prototype, defines a
// property. To look for such changes before each run would take long; to be told of them costs nothing.

const { apply, defineProperty, getOwnPropertyDescriptor } = Reflect;

/**
 * The functions that change their first argument, and those that change what they are called on.
 * @type {[any, string[]][]}
 */
const OF_FIRST = [
  [Object, ["freeze", "seal", "preventExtensions", "setPrototypeOf", "defineProperty", "defineProperties"]],
  [Reflect, ["preventExtensions", "setPrototypeOf", "defineProperty"]],
];
const OF_THIS = ["__defineGetter__", "__defineSetter__"];

export class Tampering {
  /** True when one of the objects was changed so, or somebody tried. */
  isNoticed = false;
  #guarded = new WeakSet();
  #has = WeakSet.prototype.has.bind(this.#guarded);

  /** Takes the place of the functions, before they are looked after themselves. */
  constructor() {
    for (const [owner, names] of OF_FIRST) for (const name of names) this.#replace(owner, name, this.#ofFirst(owner[name]));
    for (const name of OF_THIS) this.#replace(Object.prototype, name, this.#ofThis(Object.prototype[name]));
    const { set, ...proto } = getOwnPropertyDescriptor(Object.prototype, "__proto__");
    defineProperty(Object.prototype, "__proto__", { ...proto, set: this.#ofThis(set) });
  }

  guard(objects) {
    for (const object of objects) this.#guarded.add(object);
  }

  /** Bound, because some libraries use only functions that say of themselves that they are native code. */
  #ofFirst(plain) {
    return ((object, ...more) => {
      if (this.#has(object)) this.isNoticed = true;
      return plain(object, ...more);
    }).bind(null);
  }

  #ofThis(plain) {
    const noticing = (object) => {
      if (this.#has(object)) this.isNoticed = true;
    };
    return function (...args) {
      noticing(this);
      return apply(plain, this, args);
    };
  }

  #replace(owner, name, value) {
    const plain = owner[name];
    defineProperty(value, "name", { value: name, configurable: true });
    defineProperty(value, "length", { value: plain.length, configurable: true });
    defineProperty(owner, name, { value, writable: true, enumerable: false, configurable: true });
  }
}
