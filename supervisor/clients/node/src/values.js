// JSON as it travels. An integer beyond `Number.MAX_SAFE_INTEGER` is a BigInt, both ways: a number would round it.

import { randomBytes } from "node:crypto";

import { InvalidRequest } from "./errors.js";

/** Numbers that `JSON.parse` might round: as long as none is in the text, it is let do its work. */
const LONG_NUMBER = /\d{16}/;
const STRING_OR_NUMBER = /"[^"\\]*(?:\\.[^"\\]*)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g;
const INTEGER = /^-?\d+$/;

/** `JSON.parse`, which keeps each integer. */
export function parse(text) {
  if (!LONG_NUMBER.test(text)) return JSON.parse(text);
  const mark = newMark();
  let marked = false;
  const withMarks = text.replace(STRING_OR_NUMBER, (token) => {
    if (token.length < 16 || !INTEGER.test(token) || Number.isSafeInteger(Number(token))) return token;
    marked = true;
    return `"${mark}${token}"`;
  });
  if (!marked) return JSON.parse(text);
  const isMarked = (value) => typeof value === "string" && value.startsWith(mark);
  return JSON.parse(withMarks, (_, value) => (isMarked(value) ? BigInt(value.slice(mark.length)) : value));
}

/** The JSON text of a request, or `InvalidRequest`. What JSON would lose without a word is refused. */
export function encode(value) {
  const mark = newMark();
  let marked = false;
  const replace = (key, inner) => {
    if (typeof inner === "bigint" || Object.is(inner, -0)) {
      marked = true;
      return `${mark}${typeof inner === "bigint" ? inner : "-0.0"}`;
    }
    const lost = whyLost(inner);
    if (lost !== null) throw new TypeError(`${key} is ${lost}`);
    return inner;
  };
  try {
    const text = JSON.stringify(value, replace);
    return marked ? text.replace(new RegExp(`"${mark}([^"]*)"`, "g"), "$1") : text;
  } catch (error) {
    const problem = `the parameters cannot be written as JSON: ${error.message}`;
    throw new InvalidRequest(`${problem}; convert them before they are submitted`, [problem], { cause: error });
  }
}

/**
 * What `JSON.stringify` writes as an empty object, and what to do instead.
 * @type {[any, string][]}
 */
const LOST = [
  [Promise, "a promise; put await before the call that gave it"],
  [Map, "a Map; write Object.fromEntries(it)"],
  [Set, "a Set; write [...it]"],
  [Error, "an Error; write its message"],
];

/** What a value is when JSON would lose it or write another one; null when it would not. */
function whyLost(value) {
  if (typeof value === "number") return Number.isFinite(value) ? null : String(value);
  if (typeof value === "function" || typeof value === "symbol") return `a ${typeof value}`;
  if (typeof value !== "object" || value === null) return null;
  return LOST.find(([type]) => value instanceof type)?.[1] ?? null;
}

/** A text that stands in no value: nobody can guess it. */
function newMark() {
  return `muster-${randomBytes(9).toString("hex")}-`;
}

/** A UUID of version 7: in the order of time, as databases like their keys. */
export function newId() {
  const bytes = randomBytes(16);
  bytes.writeUIntBE(Date.now(), 0, 6);
  bytes[6] = (bytes[6] & 0x0f) | 0x70;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  return bytes.toString("hex").replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}
