// Messages as lines of JSON, for workers and people without a bincode: `{"Started":{"run":7}}`.
//
// `json` fields are the value itself; unknown fields are ignored; a variant without fields is a string.

import { clean, parse, show, write as writeValue } from "../values.js";
import { DecodeError } from "./binary.js";

const fatalUtf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const HALF_PAIR = new DecodeError("half of a surrogate pair is no text");

/** One line, without its end. */
export function encode(variants, message) {
  return Buffer.from(write(variants, message));
}

/** Reads one line; null when the message is of a later version and to be skipped. */
export function decode(variants, line) {
  let text, value;
  try {
    text = fatalUtf8.decode(line);
    value = parse(text);
  } catch (error) {
    throw new DecodeError(`the line is not JSON: ${error.message}`);
  }
  const message = readLine(variants, value);
  if (message?.type === "Ping" || message?.type === "Pong") message.nonce = exactNonce(text, message.nonce);
  return message;
}

/** Half of a surrogate pair where a text is expected: a line that was cut by hand must not cost its execution. */
function readLine(variants, value) {
  try {
    return fromValue(variants, value);
  } catch (error) {
    if (error instanceof RangeError) throw new DecodeError(`a value is nested too deep (${error.message})`);
    if (error !== HALF_PAIR) throw error;
    return fromValue(variants, whole(value));
  }
}

/** The value with U+FFFD for what no store keeps, in every text of it. */
function whole(value) {
  if (typeof value === "string") return clean(value);
  if (Array.isArray(value)) return value.map(whole);
  return isObject(value) ? Object.fromEntries(Object.entries(value).map(([key, one]) => [clean(key), whole(one)])) : value;
}

/** Reads a message that is a JSON value already; null when it is of a later version and to be skipped. */
export function fromValue(variants, value) {
  const keys = value !== null && typeof value === "object" && !Array.isArray(value) ? Object.keys(value) : [];
  if (keys.length === 1 && !variants.byName.has(keys[0])) return null;
  return read(variants, value);
}

/** A nonce is sent back as it came, also where a number is too small for it. */
function exactNonce(text, parsed) {
  const digits = /"nonce"\s*:\s*(\d+)/.exec(text);
  return digits && !Number.isSafeInteger(parsed) ? BigInt(digits[1]) : parsed;
}

function write(kind, value) {
  switch (kind.kind) {
    case "uint":
      return String(value);
    case "json":
      // Line breaks are legal between JSON tokens and nowhere else, but a message is one line.
      return value === "" ? "null" : value.replace(/[\r\n]/g, " ");
    case "list":
      return `[${value.map((one) => write(kind.item, one)).join(",")}]`;
    case "option":
      return value == null ? "null" : write(kind.item, value);
    case "struct":
      return writeFields(kind.fields, value);
    case "variants": {
      const variant = kind.byName.get(value.type);
      const name = JSON.stringify(variant.type);
      return variant.fields.length === 0 ? name : `{${name}:${writeFields(variant.fields, value)}}`;
    }
    default:
      return JSON.stringify(value);
  }
}

function writeFields(fields, value) {
  const shown = fields.filter((field) => field.name !== "fields" || value.fields !== "");
  return `{${shown.map((field) => `"${field.name}":${write(field.kind, value[field.name])}`).join(",")}}`;
}

function read(kind, value) {
  switch (kind.kind) {
    case "uint": {
      const limit = 2 ** (8 * kind.bytes);
      const fits = (typeof value === "bigint" || Number.isInteger(value)) && value >= 0 && value < limit;
      return expect(fits, value, `an unsigned integer of ${kind.bytes} bytes`);
    }
    case "bool":
      return expect(typeof value === "boolean", value, "a boolean");
    case "text":
    case "code":
      expect(typeof value === "string", value, "a string");
      if (!value.isWellFormed()) throw HALF_PAIR;
      return value;
    case "json":
      return value === null ? "" : payloadOf(value);
    case "names":
      return expect(kind.values.includes(value), value, `one of ${kind.values}`);
    case "list":
      return expect(Array.isArray(value), value, "an array").map((one) => read(kind.item, one));
    case "option":
      return value === null ? null : read(kind.item, value);
    case "struct":
      return readFields(kind.fields, value, {}, "a struct");
    default:
      return readVariant(kind, value);
  }
}

/** A value as JSON text again. A number that is too large for a double is one again: who reads the payload refuses it. */
function payloadOf(value) {
  try {
    return writeValue(value);
  } catch {
    return payloadWithInfinite(value);
  }
}

function payloadWithInfinite(value) {
  const mark = `infinite${Math.random().toString(36).slice(2)}:`;
  const marked = mapped(value, (one) => (Math.abs(one) === Infinity ? `${mark}${one < 0 ? "-" : ""}1e999` : one));
  return writeValue(marked).replaceAll(new RegExp(`"${mark}([^"]*)"`, "g"), "$1");
}

/** The value with another in place of each number in it. */
function mapped(value, change) {
  if (Array.isArray(value)) return value.map((one) => mapped(one, change));
  if (isObject(value)) return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, mapped(one, change)]));
  return typeof value === "number" ? change(value) : value;
}

function readVariant(kind, value) {
  const bare = typeof value === "string";
  const entries = bare ? [[value, null]] : Object.entries(expect(isObject(value), value, kind.name));
  const [name, body] = expect(entries.length === 1, value, `an object with one key, a ${kind.name}`) && entries[0];
  const variant = kind.byName.get(name);
  if (variant === undefined || (bare && variant.fields.length > 0)) {
    throw new DecodeError(`${kind.name} has no variant ${show(value)}`);
  }
  return readFields(variant.fields, body, { type: variant.type }, variant.type);
}

function readFields(fields, value, into, name) {
  expect(fields.length === 0 ? value === null : isObject(value), value, name);
  for (const field of fields) {
    if (Object.hasOwn(value, field.name)) into[field.name] = read(field.kind, value[field.name]);
    else if (field.optional) into[field.name] = nothing(field.kind);
    else throw new DecodeError(`${name} lacks the field ${field.name}`);
  }
  return into;
}

/** What a field left out means. */
function nothing(kind) {
  switch (kind.kind) {
    case "uint":
      return 0;
    case "bool":
      return false;
    case "list":
      return [];
    case "option":
      return null;
    case "names":
      return "Info";
    case "struct":
      return readFields(kind.fields, {}, {}, "a struct");
    default:
      return "";
  }
}

function isObject(value) {
  return value !== null && typeof value === "object" && !Array.isArray(value);
}

function expect(holds, value, what) {
  if (!holds) throw new DecodeError(`${show(value)} is not ${what}`);
  return value;
}
