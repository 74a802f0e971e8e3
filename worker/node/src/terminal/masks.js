// Secrets in a transcript read `***`. With --config a person puts values in their place.

import { MASK } from "./alike.js";
import { parse, write } from "../values.js";

export class Masks {
  #given;
  #inContext;

  /** `given` is a Map of what stands for which masked entry; `context` the recorded one, as JSON text. */
  constructor(given, context) {
    this.#given = given;
    this.#inContext = (context ? parse(context) : null) ?? {};
  }

  /** The context with the given values in the place of masked ones, as JSON text. */
  context() {
    const config = this.#inContext.config ?? {};
    const filled = Object.fromEntries(Object.entries(config).map(([key, value]) => [key, this.#filled(key, value)]));
    return write(this.#inContext.config == null ? this.#inContext : { ...this.#inContext, config: filled });
  }

  /** A recorded reply with the given value in the place of a masked one. */
  reply(call, result) {
    if (call.method !== "config.get" || result.type !== "Ok" || !result.value) return result;
    return { ...result, value: write(this.#filled(call.params?.key, parse(result.value))) };
  }

  /** The keys of masked entries for which nothing is given, and given keys that no masked entry has. */
  unmatched(calls) {
    const answered = calls.filter(({ method, reply }) => method === "config.get" && reply?.type === "Ok" && isMasked(reply.value));
    const inContext = Object.entries(this.#inContext.config ?? {}).filter(([, value]) => isMasked(write(value)));
    const masked = new Set([...inContext.map(([key]) => key), ...answered.map(({ params }) => params?.key)]);
    return {
      missing: [...masked].filter((key) => !this.#given.has(key)),
      unused: [...this.#given.keys()].filter((key) => !masked.has(key)),
    };
  }

  #filled(key, recorded) {
    return this.#given.has(key) && isMasked(write(recorded)) ? this.#given.get(key) : recorded;
  }
}

function isMasked(json) {
  return json.includes(MASK);
}
