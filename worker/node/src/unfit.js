// Looks for what cannot be kept in JSON text: the bounds and the words are those of every Muster SDK.
//
// Text is looked at once and made no tree of. This is no validator: what it is given must be JSON already.

import { step } from "./values.js";
import { JSON_DEPTH_MAX } from "./wire/limits.js";

const PATH_MAX_CHARACTERS = 200;
const TOO_DEEP = `is nested more than ${JSON_DEPTH_MAX} deep; flatten it, or store it elsewhere and pass a reference`;
const TOO_LARGE = "is a number that no double holds; write it as a string";
const HALF_PAIR = "holds half of a surrogate pair, which is no text; cut text between whole characters";
const NUL = "holds the character U+0000, which databases do not keep; remove it";

/** Most texts hold none of these, and are too short to be nested deep. */
const SUSPECT = /\\u(?:0000|[dD][89a-fA-F])|[eE]\+?\d{3}|\d{300}/;
const NUMBER = /-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const STRING = /"[^"\\]*(?:\\[^][^"\\]*)*"?/y;
const UNIT = /\\(?:u([0-9a-fA-F]{4})|[^])/g;

/** The first place that cannot be kept, in words; null when there is none. */
export function findUnfit(json, root) {
  return find(json, root, true);
}

/** `findUnfit` of numbers and depth alone: a worker may be given any text, and it is refused where it is passed on. */
export function findUnfitShape(json, root) {
  return find(json, root, false);
}

function find(json, root, withTexts) {
  if (json.length <= JSON_DEPTH_MAX * 2 && !SUSPECT.test(json)) return null;
  let depth = 0;
  for (let at = 0; at < json.length; ) {
    const start = at;
    const code = json.charCodeAt(at);
    let problem = null;
    if (code === 0x22) {
      at = endOf(STRING, json, at);
      if (withTexts) problem = unfitText(json.slice(start, at));
    } else if (code === 0x2d || (code >= 0x30 && code <= 0x39)) {
      at = endOf(NUMBER, json, at);
      if (!Number.isFinite(Number(json.slice(start, at)))) problem = TOO_LARGE;
    } else {
      at += 1;
      if (code === 0x5b || code === 0x7b) depth += 1;
      else if (code === 0x5d || code === 0x7d) depth -= 1;
      if (depth > JSON_DEPTH_MAX) problem = TOO_DEEP;
    }
    if (problem !== null) return `${pathTo(json, start, root)} ${problem}`;
  }
  return null;
}

function endOf(token, json, at) {
  token.lastIndex = at;
  token.test(json);
  return Math.max(token.lastIndex, at + 1);
}

function unfitText(string) {
  if (!string.includes("\\u")) return null;
  let high = null; // where the first half of a pair ended
  for (const { 0: escape, 1: digits, index } of string.matchAll(UNIT)) {
    const unit = digits === undefined ? -1 : parseInt(digits, 16);
    const isLow = unit >= 0xdc00 && unit <= 0xdfff;
    if (high !== null ? !isLow || index !== high : isLow) return HALF_PAIR;
    high = unit >= 0xd800 && unit <= 0xdbff ? index + escape.length : null;
    if (unit === 0) return NUL;
  }
  return high === null ? null : HALF_PAIR;
}

/** The path to what begins at `end`. */
function pathTo(json, end, root) {
  const steps = []; // {item} or {key}; a key of null is still to come
  for (let at = 0; at < end; ) {
    const character = json[at];
    const top = steps.at(-1);
    const start = at;
    at = character === '"' ? endOf(STRING, json, at) : at + 1;
    if (character === '"' && top?.key === null) top.key = JSON.parse(json.slice(start, at));
    else if (character === "[") steps.push({ item: 0 });
    else if (character === "{") steps.push({ key: null });
    else if (character === "]" || character === "}") steps.pop();
    else if (character === "," && top?.item !== undefined) top.item += 1;
    else if (character === "," && top !== undefined) top.key = null;
  }
  let path = root;
  for (const { item, key } of steps) {
    if (item !== undefined) path = step(path, item, true);
    else if (key !== null) path = step(path, key, false);
  }
  if (path.length > PATH_MAX_CHARACTERS) path = `${path.slice(0, PATH_MAX_CHARACTERS)}…`;
  if (steps.at(-1)?.key !== null) return path;
  return path === "" ? "a key" : `a key of ${path}`;
}
