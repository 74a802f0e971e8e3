// What code declares of a workflow beside its function: policies that the supervisor enforces.
//
// Of a registered workflow they are its options. Of a file with a default export they are the literal of
// `export const muster = { … }`, cut out of the text and evaluated alone: a file runs when an execution needs it, and not
// to be asked something.

import { runInNewContext } from "node:vm";
import { literalIn } from "./declaration.js";

const SECONDS_MAX = Number.MAX_SAFE_INTEGER / 1000;
const EVALUATED_WITHIN_MS = 200;

/** Every key there is, and how its value is read. */
const KEYS = {
  description: text,
  timeout: (key, value) => Math.max(1, milliseconds(key, value, 0.001)),
  timeoutSeconds: (key, value) => Math.max(1, milliseconds(key, value, 0.001)),
  retries: (key, value) => whole(key, value, 0) + 1,
  backoff: milliseconds,
  backoffFactor: (key, value) => Math.round(number(key, value, 0) * 100),
  backoffMax: milliseconds,
  retryOn: texts,
  giveUpOn: texts,
  maxConcurrent: (key, value) => whole(key, value, 1),
  key: text,
  limits: texts,
  queue: text,
  parameters: (key, value) => {
    if (typeof value !== "object" || value === null) throw wrong(key, value, "a JSON Schema");
    return JSON.stringify(value);
  },
};

/** A description without its name, as the protocol has it. Throws what a person should read. */
export function policyOf(options) {
  const said = {};
  for (const [key, value] of Object.entries(options ?? {})) {
    if (!Object.hasOwn(KEYS, key)) throw new TypeError(`there is no option ${key}; there are ${Object.keys(KEYS).join(", ")}`);
    if (value !== undefined) said[key] = KEYS[key](key, value);
  }
  if (said.limits?.length > 4) throw new TypeError("limits: at most 4");
  const most = said.maxConcurrent ?? null;
  return {
    description: said.description ?? "",
    timeout_ms: said.timeout ?? said.timeoutSeconds ?? null,
    retry: {
      max_attempts: said.retries ?? null,
      backoff_ms: said.backoff ?? null,
      backoff_factor_percent: said.backoffFactor ?? null,
      backoff_max_ms: said.backoffMax ?? null,
      retry_on: said.retryOn ?? [],
      give_up_on: said.giveUpOn ?? [],
    },
    concurrency: { total: said.key ? null : most, per_key: said.key ? most : null, key: said.key ?? "", on_full: "" },
    limits: said.limits ?? [],
    queue: said.queue ?? "",
    parameters: said.parameters ?? "",
    more: "",
  };
}

/** What the text of a file declares; null when it declares nothing. Throws what a person should read. */
export function policyIn(source) {
  const literal = literalIn(source);
  return literal === null ? null : policyOf(evaluated(literal));
}

function evaluated(literal) {
  const named = "(_, value) => (typeof value === 'function' ? value.name : value)";
  try {
    return JSON.parse(runInNewContext(`JSON.stringify((${literal}), ${named})`, Object.create(null), { timeout: EVALUATED_WITHIN_MS }));
  } catch (error) {
    throw new TypeError(`it must be a plain literal, which stands without the rest of the file: ${error.message}`);
  }
}

function number(key, value, least) {
  if (typeof value !== "number" || !(value >= least && value <= SECONDS_MAX)) {
    throw wrong(key, value, least > 0 ? "a number above 0" : "a number of at least 0");
  }
  return value;
}

function milliseconds(key, value, least = 0) {
  return Math.round(number(key, value, least) * 1000);
}

function whole(key, value, least) {
  if (!Number.isInteger(value) || value < least || value >= 2 ** 31) throw wrong(key, value, `a whole number of at least ${least}`);
  return value;
}

function text(key, value) {
  if (typeof value !== "string") throw wrong(key, value, "a text");
  return value;
}

function texts(key, value) {
  return (Array.isArray(value) ? value : [value]).map((one) => (typeof one === "function" ? one.name : text(key, one)));
}

function wrong(key, value, wanted) {
  return new TypeError(`${key} must be ${wanted}, not ${JSON.stringify(value) ?? String(value)}`);
}
