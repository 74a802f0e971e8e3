// Secrets in a transcript read `***`. With --config a person puts values in their place, and what the run then says
// of them is masked again before it is compared.

export const MASK = "***";
/** A supervisor masks no shorter text: it would be found everywhere. */
const SECRET_MIN_BYTES = 4;

export class Masks {
  #given;
  #texts;
  #inContext;

  /** `given` is a Map of what stands for which masked entry; `context` the recorded one, as JSON text. */
  constructor(given, context) {
    this.#given = given;
    this.#inContext = (context ? JSON.parse(context) : null) ?? {};
    const texts = [...given.values()].flatMap(textsIn).filter((text) => Buffer.byteLength(text) >= SECRET_MIN_BYTES);
    // The longest first, so that one that contains another is masked whole.
    this.#texts = texts.sort((one, other) => other.length - one.length);
  }

  /** The context with the given values in the place of masked ones, as JSON text. */
  context() {
    const config = this.#inContext.config ?? {};
    const filled = Object.fromEntries(Object.entries(config).map(([key, value]) => [key, this.#filled(key, value)]));
    return JSON.stringify(this.#inContext.config == null ? this.#inContext : { ...this.#inContext, config: filled });
  }

  /** A recorded reply with the given value in the place of a masked one. */
  reply(call, result) {
    if (call.method !== "config.get" || result.type !== "Ok" || !result.value) return result;
    return { ...result, value: JSON.stringify(this.#filled(call.params?.key, JSON.parse(result.value))) };
  }

  /** The keys of masked entries for which nothing is given, and given keys that no masked entry has. */
  unmatched(calls) {
    const answered = calls.filter(({ method, reply }) => method === "config.get" && reply?.type === "Ok" && isMasked(reply.value));
    const inContext = Object.entries(this.#inContext.config ?? {}).filter(([, value]) => isMasked(JSON.stringify(value)));
    const masked = new Set([...inContext.map(([key]) => key), ...answered.map(({ params }) => params?.key)]);
    return {
      missing: [...masked].filter((key) => !this.#given.has(key)),
      unused: [...this.#given.keys()].filter((key) => !masked.has(key)),
    };
  }

  /** The text as a supervisor would have written it down. */
  text(text) {
    return this.#texts.reduce((masked, secret) => masked.replaceAll(secret, MASK), text);
  }

  /** A JSON value with every text in it masked. */
  value(value) {
    if (typeof value === "string") return this.text(value);
    if (Array.isArray(value)) return value.map((one) => this.value(one));
    if (value === null || typeof value !== "object") return value;
    return Object.fromEntries(Object.entries(value).map(([key, one]) => [this.text(key), this.value(one)]));
  }

  #filled(key, recorded) {
    return this.#given.has(key) && isMasked(JSON.stringify(recorded)) ? this.#given.get(key) : recorded;
  }
}

function isMasked(json) {
  return json.includes(MASK);
}

function textsIn(value) {
  if (typeof value === "string") return [value];
  return value !== null && typeof value === "object" ? Object.values(value).flatMap(textsIn) : [];
}
