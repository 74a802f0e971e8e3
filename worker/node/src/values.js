// Values on their way in and out: as JSON that changes nothing, and as text for people, which never fails.
//
// Both JavaScript workers use this file, so it imports nothing and asks for nothing but the language. What it needs
// of that is taken before user code runs. An integer beyond 2^53 - 1 is a BigInt here: a number would round it.

const { parse: parseJson, stringify } = JSON;
const { isSafeInteger, isFinite, isNaN } = Number;
const { max, min, trunc, random } = Math;
const { fromEntries, getPrototypeOf, keys } = Object;
const PLAIN = Object.prototype;
const LIST = Array.prototype;
/**
 * What `JSON.stringify` writes as an empty object, and what to do instead.
 * @type {[any, string][]}
 */
const LOST = [
  [Promise, "a promise; put await before the call that gave it"],
  [Map, "a Map, which JSON does not have; write Object.fromEntries(it)"],
  [Set, "a Set, which JSON does not have; write [...it]"],
  [Error, "an Error, which JSON does not have; throw it, or write its message"],
];
const wellFormed = Function.prototype.call.bind(String.prototype.toWellFormed);

/** The highest count of a progress: what every language holds exactly. */
const COUNT_MAX = Number.MAX_SAFE_INTEGER;
/** Fields are shown so deep. */
const SHOWN_DEPTH_MAX = 20;
const CAUSES_MAX = 8;

/** @type {(line: string) => boolean} */
let isOwnLine = () => false;

/** From here on stacks are shown without the lines for which this is true. */
export function hideLines(isOwn) {
  isOwnLine = isOwn;
}
const ERRORS_SHOWN_MAX = 5;

// ---- JSON that changes nothing ------------------------------------------------------------------------------

/** Numbers that `JSON.parse` might round: as long as the first one is not in it, it is let do its work. */
const LONG_NUMBER = /\d{16}/;
const STRING_OR_NUMBER = /"[^"\\]*(?:\\.[^"\\]*)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g;

/** `JSON.parse`, which keeps each integer. */
export function parse(text) {
  if (!LONG_NUMBER.test(text)) return parseJson(text);
  const mark = newMark();
  let marked = false;
  const withMarks = text.replace(STRING_OR_NUMBER, (token) => {
    if (token.length < 16 || !/^-?\d+$/.test(token) || isSafeInteger(Number(token))) return token;
    marked = true;
    return `"${mark}${token}"`;
  });
  if (!marked) return parseJson(text);
  const isMarked = (value) => typeof value === "string" && value.startsWith(mark);
  return parseJson(withMarks, (key, value) => {
    // Where a name belongs no number may stand, and there `JSON.parse` has to say so.
    if (isMarked(key)) parseJson(text);
    return isMarked(value) ? BigInt(value.slice(mark.length)) : value;
  });
}

/** The JSON text of a value; `refuse` makes the error of one that has none, from words about the place. */
export function encode(value, root, refuse) {
  if (value === undefined) return "null";
  const mark = newMark();
  let marked = false;
  let lost = false;
  const replace = (_, inner) => {
    if (typeof inner === "bigint" || Object.is(inner, -0)) {
      marked = true;
      return `${mark}${typeof inner === "bigint" ? inner : "-0.0"}`;
    }
    if (whyLost(inner) !== null) lost = true;
    return inner;
  };
  let text;
  try {
    text = stringify(value, replace);
  } catch (error) {
    const place = findUnfit(value, root);
    if (place === null && !(error instanceof TypeError)) throw error;
    throw refuse(place ?? `${root} cannot be written as JSON (${firstLine(read(error, "message"))})`);
  }
  if (lost) throw refuse(findUnfit(value, root) ?? `${root} holds what JSON does not have`);
  if (text === undefined) throw refuse(`${root} is written as nothing by its toJSON`);
  return marked ? text.replace(new RegExp(`"${mark}([^"]*)"`, "g"), "$1") : text;
}

/** `JSON.stringify` for values that came from JSON. */
export function write(value) {
  return encode(value, "the value", (why) => new TypeError(why));
}

/** What a value is when JSON would lose it without a word, or write another one; null when it would not. */
function whyLost(value) {
  switch (typeof value) {
    case "number":
      return isFinite(value) ? null : `${value}; JSON has no such number, write null or a string instead`;
    case "function":
    case "symbol":
      return `a ${typeof value}; JSON has no such value`;
    case "object": {
      const prototype = value === null ? null : getPrototypeOf(value);
      if (prototype === PLAIN || prototype === LIST || prototype === null) return null;
      return LOST.find(([type]) => value instanceof type)?.[1] ?? null;
    }
    default:
      return null;
  }
}

/** Where a value is none that JSON has, in words; null when there is no such place. */
function findUnfit(value, root) {
  const places = new Map(); // holder -> {above, path, value}
  let found = null;
  try {
    stringify(value, function (key, inner) {
      const above = places.get(this);
      const path = above === undefined ? root : step(above.path, key, Array.isArray(this));
      const lost = whyLost(inner);
      if (lost !== null) found ??= `${path} is ${lost}`;
      if (typeof inner === "bigint") return 0;
      if (typeof inner !== "object" || inner === null) return inner;
      for (let at = above; at !== undefined; at = at.above) {
        if (at.value !== inner) continue;
        found ??= `${path} contains itself; write a copy without the cycle`;
        return null;
      }
      places.set(inner, { above, path, value: inner });
      return inner;
    });
  } catch {
    // Whatever a getter threw is told by who called.
  }
  return found;
}

/** The path of what stands below another, as every Muster SDK writes it. */
export function step(path, key, isItem) {
  if (isItem) return `${path}[${key}]`;
  if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(key)) return `${path}[${stringify(key)}]`;
  return path === "" ? key : `${path}.${key}`;
}

function newMark() {
  return `number${random().toString(36).slice(2)}:`;
}

// ---- text for people, which never fails ---------------------------------------------------------------------

/** Reads a property that may be a getter that throws. */
export function read(of, name) {
  try {
    return of[name];
  } catch {
    return undefined;
  }
}

export function isError(value) {
  try {
    return value instanceof Error || (typeof value === "object" && value !== null && typeof read(value, "stack") === "string" && read(value, "message") !== undefined);
  } catch {
    return false;
  }
}

/** True also for a plain object with a name and a message: who throws one means an error. */
export function isThrownError(value) {
  return isError(value) || (typeof read(value, "name") === "string" && typeof read(value, "message") === "string");
}

/** Any value as text. */
export function show(value) {
  try {
    return clean(typeof value === "string" ? value : shown(value));
  } catch {
    return "[a value that cannot be shown]";
  }
}

/** Text as every store keeps it: U+FFFD stands for half surrogate pairs and U+0000. */
export function clean(text) {
  const whole = wellFormed(text);
  return whole.includes("\0") ? whole.replaceAll("\0", "\ufffd") : whole;
}

function shown(value) {
  if (typeof value === "bigint") return `${value}n`;
  if (typeof value === "function") return `[function ${String(value.name || "anonymous")}]`;
  if (typeof value !== "object" || value === null) return String(value);
  return isError(value) ? stackOf(value) : (stringify(tame(value, [], (error) => stackOf(error))) ?? String(value));
}

/** The fields of a log record as JSON text. A value that JSON does not have is shown as text, and costs no other. */
export function fieldsOf(fields) {
  if (fields === undefined || fields === null) return "";
  try {
    const tamed = tame(fields, [], partsOf);
    const isObject = typeof tamed === "object" && tamed !== null && !Array.isArray(tamed);
    return stringify(isObject ? tamed : { value: tamed }).replace(/\\(?:u(?:d[89a-f]..|0000)|.)/g, whole);
  } catch (error) {
    return stringify({ fields_dropped: show(read(error, "message")) });
  }
}

/** An escape of JSON text as every store keeps it. `stringify` writes whole pairs as they are, so what it escapes is half. */
function whole(escape) {
  return escape.length > 2 ? "\ufffd" : escape;
}

/** A value in terms of JSON. */
function tame(value, above, ofError) {
  switch (typeof value) {
    case "string":
    case "boolean":
      return value;
    case "number":
      return isFinite(value) ? value : String(value);
    case "undefined":
      return undefined;
    case "bigint":
    case "symbol":
    case "function":
      return show(value);
    default:
      if (value === null) return null;
  }
  if (above.includes(value)) return "[seen above]";
  if (above.length >= SHOWN_DEPTH_MAX) return "[deeper values]";
  try {
    return tameObject(value, [...above, value], ofError);
  } catch {
    return "[a value that cannot be shown]";
  }
}

function tameObject(value, above, ofError) {
  if (isError(value)) return ofError(value);
  const inner = (one) => tame(one, above, ofError) ?? null;
  if (Array.isArray(value)) return value.map(inner);
  if (value instanceof Set) return [...value].map(inner);
  if (value instanceof Map) return tameMap(value, inner);
  if (value instanceof RegExp) return String(value);
  if (typeof read(value, "toJSON") === "function") return tame(value.toJSON(), above, ofError);
  const entries = keys(value).map((key) => {
    try {
      return [key, tame(value[key], above, ofError)];
    } catch (error) {
      return [key, `[its getter threw: ${show(read(error, "message"))}]`];
    }
  });
  return fromEntries(entries);
}

function tameMap(map, inner) {
  const tamed = new Map();
  for (const [key, value] of map) {
    let name = show(key);
    // Keys of two types may be shown alike.
    while (tamed.has(name)) name += ` (${typeof key})`;
    tamed.set(name, inner(value));
  }
  return fromEntries(tamed);
}

function partsOf(error) {
  return { name: kindOf(error), message: messageOf(error), stack: stackOf(error) };
}

/** `class CardDeclined extends Error {}` is called Error unless it says otherwise; its class tells more. */
export function kindOf(error) {
  const name = show(read(error, "name") || "Error");
  const ofClass = read(read(error, "constructor"), "name");
  return name === "Error" && typeof ofClass === "string" && ofClass ? ofClass : name;
}

export function messageOf(error) {
  const message = read(error, "message");
  return message === undefined ? "" : show(message);
}

/** Name, message, frames, what it gathers and its causes. */
export function stackOf(error, above = []) {
  const stack = read(error, "stack");
  const lines = typeof stack === "string" ? stack.split("\n").filter((line) => line.trim() && !isOwnLine(line)) : [];
  // Some engines begin a stack with name and message, others with the first frame.
  if (lines.length === 0 || /^\s+at /.test(lines[0])) lines.unshift(`${kindOf(error)}: ${messageOf(error)}`);
  let text = lines.join("\n");
  const gathered = read(error, "errors");
  if (isArray(gathered)) {
    for (const one of gathered.slice(0, ERRORS_SHOWN_MAX)) text += `\n  - ${isError(one) ? `${kindOf(one)}: ${messageOf(one)}` : show(one)}`;
  }
  const cause = read(error, "cause");
  if (cause === undefined) return clean(text);
  if (cause === error || above.includes(cause)) return clean(`${text}\nCaused by: an error above`);
  if (above.length >= CAUSES_MAX) return clean(`${text}\nCaused by: further errors`);
  return clean(`${text}\nCaused by: ${isError(cause) ? stackOf(cause, [...above, error]) : show(cause)}`);
}

function isArray(value) {
  try {
    return Array.isArray(value);
  } catch {
    return false;
  }
}

/** A count of a progress: whole, not below nothing, not above what every language holds. */
export function count(value) {
  try {
    const number = Number(value);
    return isNaN(number) ? 0 : min(max(0, trunc(number)), COUNT_MAX);
  } catch {
    return 0;
  }
}

function firstLine(text) {
  return show(text).split("\n", 1)[0];
}

export default { clean, count, encode, fieldsOf, hideLines, isError, isThrownError, kindOf, messageOf, parse, read, show, stackOf };
