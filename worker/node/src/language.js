// Which objects are the language's own: all that its globals lead to, and those that no name leads to.

import { Kept } from "./kept.js";

const { getOwnPropertyDescriptor, getPrototypeOf, ownKeys } = Reflect;

/** Keys that change what the language, or Node, does with everything that has them, and whose they are by nature or by mistake. */
const CHANGING = [
  ...Object.getOwnPropertyNames(Symbol).map((name) => Symbol[name]).filter((value) => typeof value === "symbol"),
  Symbol.for("nodejs.util.inspect.custom"),
  Symbol.for("nodejs.util.promisify.custom"),
];
const CHANGED = [Object.prototype, Array.prototype, Function.prototype];

/** The names of the language's globals. They are not enumerable, but neither are Node's constructors, which are loaded when they are first looked at. */
export function namesOfLanguage() {
  return ownKeys(globalThis).filter((key) => {
    const descriptor = getOwnPropertyDescriptor(globalThis, key);
    return typeof key === "string" && !descriptor.enumerable && descriptor.writable && key !== "globalThis";
  });
}

/** What is to be looked after; `others` are looked after elsewhere. */
export function language(others) {
  const seen = new Set([globalThis, ...others]);
  const found = [];
  const visit = (object) => {
    if (Object(object) !== object || seen.has(object)) return;
    seen.add(object);
    if (!isMethod(object)) found.push(object);
    visit(getPrototypeOf(object));
    for (const key of ownKeys(object)) visit(getOwnPropertyDescriptor(object, key).value);
  };
  for (const name of namesOfLanguage()) visit(globalThis[name]);
  for (const hidden of hiddenPrototypes()) visit(hidden);
  return found.map((object) => new Kept(object, howToKeep(object)));
}

function howToKeep(object) {
  // What its other properties tell is of the last match.
  if (object === RegExp) return { keys: ["prototype", Symbol.species, "escape"] };
  if (object === Error) return { extra: ["prepareStackTrace", "stackTraceLimit"] };
  if (CHANGED.includes(object)) return { extra: CHANGING };
  // What is added to a constructor is as a global that somebody makes.
  return { noticesNew: typeof object !== "function" || object === Function.prototype };
}

/** A function with nothing of its own to be changed. */
function isMethod(object) {
  return typeof object === "function" && ownKeys(object).every((key) => key === "length" || key === "name");
}

/** Prototypes that no global name leads to. */
function hiddenPrototypes() {
  const list = [][Symbol.iterator]();
  const iterators = [list, new Map()[Symbol.iterator](), new Set()[Symbol.iterator](), ""[Symbol.iterator](), "".matchAll(/a/g)];
  // Helpers of iterators, which older versions do not have.
  const map = Reflect.get(list, "map");
  if (map !== undefined) iterators.push(map.call(list, Boolean), Reflect.get(globalThis, "Iterator").from({ next() {} }));
  const functions = [function* () {}, async function* () {}, async () => {}];
  return [...iterators, ...functions].map(getPrototypeOf);
}
