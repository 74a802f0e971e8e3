// The language's own objects as user code found them. A run may replace what it likes, `JSON.stringify` or
// `Date.now`; the next one finds them as they were.
//
// They are looked at for each run, so it must cost next to nothing: functions are made that compare properties by name,
// which the engine does several times faster than a loop over names.

const { getOwnPropertyDescriptor, ownKeys, getPrototypeOf, defineProperty, deleteProperty } = Reflect;

const words = (text) => text.trim().split(/\s+/);

/** What stands for a key that should not be there. */
const ABSENT = { value: undefined };
/** So many objects are compared by one function. */
const GROUP = 25;
/** Keys that change the language when somebody adds them. */
const FORBIDDEN = ["toJSON", "then", "get", "set"];
/** Globals of Node's, and what of theirs is often replaced. Looking at a global may load what is behind it, so these are few. */
const OF_NODE = words(`
  console URL URLSearchParams EventTarget Event AbortController AbortSignal TextEncoder TextDecoder Buffer fetch
  queueMicrotask structuredClone setTimeout setInterval setImmediate clearTimeout clearInterval clearImmediate
  performance process
`);
/** Too seldom replaced to be looked at each time. */
const NOT_LOOKED_AT = words(`
  globalThis WebAssembly DataView Atomics
`);
const OF_CONSOLE = words(`
  log debug info warn error trace dir table assert group groupEnd time timeEnd
`);
const OF_BUFFER = words(`
  from alloc allocUnsafe concat isBuffer byteLength
`);
const OF_BUFFERS = words(`
  toString write slice subarray copy equals indexOf fill toJSON
`);
const OF_PERFORMANCE = words(`
  now mark measure
`);
const OF_CRYPTO = words(`
  getRandomValues randomUUID
`);
const OF_SIGNAL = words(`
  abort timeout any
`);
const OF_PROCESS = words(`
  exit nextTick emitWarning hrtime cwd chdir umask kill abort memoryUsage uptime stdout stderr
`);

/** One object, and the values its properties are to have. */
class Kept {
  object;
  keys;
  #descriptors;

  constructor(object, keys) {
    this.object = object;
    this.keys = keys;
    this.accept();
  }

  /** Takes what is there now for what is to be there. */
  accept() {
    if (isOpen(this.object)) this.keys = [...new Set([...this.keys, ...keysOf(this.object)])];
    this.#descriptors = this.keys.map((key) => getOwnPropertyDescriptor(this.object, key) ?? ABSENT);
  }

  /** The keys that can be compared. Getters are not called, but for the global object's own: those hand out what was made long ago. */
  comparable() {
    return this.keys.filter((_, at) => this.object === globalThis || "value" in this.#descriptors[at]);
  }

  /** True when it has keys that are not looked at. */
  hasGrown() {
    return isOpen(this.object) && keysOf(this.object).some((key) => !this.keys.includes(key));
  }

  /** Needs nothing that a run could have replaced. */
  putBack() {
    for (let at = 0; at < this.keys.length; at++) {
      const descriptor = this.#descriptors[at];
      if (descriptor === ABSENT) deleteProperty(this.object, this.keys[at]);
      else defineProperty(this.object, this.keys[at], descriptor);
    }
  }
}

/** A function that tells whether the properties of these objects have the values that they have now. */
function comparison(group) {
  const objects = [];
  const keys = [];
  const values = [];
  const tests = [];
  for (const kept of group) {
    for (const key of kept.comparable()) {
      const at = keys.length;
      const name = typeof key === "symbol" ? `keys[${at}]` : JSON.stringify(key);
      tests.push(`object${objects.length}[${name}] === value${at}`);
      keys.push(key);
      values.push(kept.object[key]);
    }
    objects.push(kept.object);
  }
  const names = [...objects.map((_, at) => `object${at} = objects[${at}]`), ...values.map((_, at) => `value${at} = values[${at}]`)];
  return new Function("objects", "keys", "values", `const ${names.join(", ")}; return () => ${tests.join(" && ")};`)(objects, keys, values);
}

/** The language and what Node adds to it, as they are when this is made. */
export class Intrinsics {
  #all = [...everything()].map(([object, keys]) => new Kept(object, keys));
  /** @type {(() => boolean)[]} */
  #comparisons = [];
  #strangers = "";

  constructor() {
    this.#compile();
  }

  /** Takes what is there now for what is to be there: files of the workflows folder may extend the language. */
  accept() {
    if (this.#isSame() && !this.#all.some((kept) => kept.hasGrown())) return;
    for (const kept of this.#all) kept.accept();
    this.#compile();
  }

  /** False when something does not let itself be put back. */
  putBack() {
    if (this.#isSame()) return true;
    for (let at = 0; at < this.#all.length; at++) this.#all[at].putBack();
    removeStrangers(this.#strangers);
    return this.#isSame();
  }

  /** The engine makes fast code of what runs long, so few functions with many tests each become fast soon. */
  #compile() {
    this.#comparisons = [];
    for (let at = 0; at < this.#all.length; at += GROUP) this.#comparisons.push(comparison(this.#all.slice(at, at + GROUP)));
    this.#strangers = strangers();
  }

  #isSame() {
    for (let at = 0; at < this.#comparisons.length; at++) if (!this.#comparisons[at]()) return false;
    return strangers() === this.#strangers;
  }
}

/** The keys that a `for in` over anything would meet, a line each. */
function strangers() {
  let keys = "";
  for (const key in []) keys += `${key}\n`;
  for (const key in strangers) keys += `${key}\n`;
  return keys;
}

/** Removes what a run gave to all objects, arrays or functions. */
function removeStrangers(known) {
  for (const prototype of [Object.prototype, Array.prototype, Function.prototype]) {
    for (const key of Object.keys(prototype)) if (!known.split("\n").includes(key)) deleteProperty(prototype, key);
  }
}

/** Each object to look after, with the keys that matter. */
function everything() {
  const found = new Map();
  const gather = (object) => {
    if (Object(object) !== object || found.has(object)) return;
    found.set(object, keysOf(object));
    if (typeof object === "function" && object.prototype) gather(object.prototype);
    gather(getPrototypeOf(object));
  };
  const language = ownKeys(globalThis).filter((key) => isOfLanguage(key));
  for (const key of language) gather(globalThis[key]);
  for (const hidden of hiddenPrototypes()) gather(hidden);
  for (const owner of [Object, Array, String, Number, Boolean, BigInt, Date, Map, Set, Error, Function]) {
    found.get(owner.prototype).push(...FORBIDDEN.filter((key) => !Object.hasOwn(owner.prototype, key)));
  }
  found.get(Error).push("prepareStackTrace", "stackTraceLimit");
  found.set(globalThis, [...language, ...OF_NODE]);
  found.set(process, OF_PROCESS);
  found.set(console, OF_CONSOLE);
  found.set(Buffer, OF_BUFFER);
  for (const [object, keys] of ofNode()) found.set(object, keys);
  for (const stream of [process.stdout, process.stderr]) found.set(stream, ["write"]);
  return found;
}

/** What else of Node's is often replaced, and would make later results wrong. */
function ofNode() {
  return new Map([
    [Buffer.prototype, OF_BUFFERS],
    [TextDecoder.prototype, ["decode"]],
    [TextEncoder.prototype, ["encode", "encodeInto"]],
    [performance, OF_PERFORMANCE],
    [Object.getPrototypeOf(performance), OF_PERFORMANCE],
    [Object.getPrototypeOf(globalThis.crypto), OF_CRYPTO],
    [globalThis.crypto, OF_CRYPTO],
    [AbortSignal, OF_SIGNAL],
  ]);
}

const OF_NODE_OBJECTS = new Set(ofNode().keys());

/** Of these some keys matter only: the others are loaded when they are first looked at, or change by themselves. */
function isOpen(object) {
  return ![globalThis, process, console, Buffer, process.stdout, process.stderr].includes(object) && !OF_NODE_OBJECTS.has(object);
}

function keysOf(object) {
  return ownKeys(object).filter((key) => isWorthKeeping(getOwnPropertyDescriptor(object, key)));
}

function isWorthKeeping(descriptor) {
  return "value" in descriptor && (descriptor.writable || descriptor.configurable) && !["number", "string"].includes(typeof descriptor.value);
}

/** The language's own globals are not enumerable, but neither are Node's constructors, which are loaded when they are first looked at. */
function isOfLanguage(key) {
  const descriptor = getOwnPropertyDescriptor(globalThis, key);
  return typeof key === "string" && !descriptor.enumerable && descriptor.writable && !NOT_LOOKED_AT.includes(key);
}

/** Prototypes that no global name leads to. */
function hiddenPrototypes() {
  const iterators = [[][Symbol.iterator](), new Map()[Symbol.iterator](), new Set()[Symbol.iterator](), ""[Symbol.iterator](), "".matchAll(/a/g)];
  const functions = [function* () {}, async function* () {}, async () => {}].map(getPrototypeOf);
  const generators = functions.map((one) => Reflect.get(one, "prototype")).filter((one) => one !== undefined);
  return [...iterators.map(getPrototypeOf), ...functions, ...generators];
}
