// What is read of a run's AbortSignal follows the flag that both threads see, so a loop without `await` that asks it ends as
// well as one that awaits: its listeners are told by a message, which such a loop does not hear.

import { Cancelled } from "./outcome.js";

const { apply, defineProperty } = Reflect;
const { aborted, reason } = Object.getOwnPropertyDescriptors(AbortSignal.prototype);

export class RunSignal {
  controller = new AbortController();
  #isCancelled;
  /** What was given for a reason before the message came: it is the reason from then on. */
  #early = null;

  /** `isCancelled` looks at the flag. @param {() => boolean} isCancelled */
  constructor(isCancelled) {
    this.#isCancelled = isCancelled;
  }

  /** From here on what is read of the signal follows the flag. */
  follow() {
    const { signal } = this.controller;
    const isAborted = () => apply(aborted.get, signal, []) || this.#isCancelled();
    const reasonNow = () => apply(reason.get, signal, []) ?? (this.#isCancelled() ? (this.#early ??= new Cancelled()) : undefined);
    replace(signal, "aborted", { get: isAborted });
    replace(signal, "reason", { get: reasonNow });
    replace(signal, "throwIfAborted", { value: () => { if (isAborted()) throw reasonNow(); }, writable: true });
  }

  /** The message came. Returns the reason. */
  abort(message, why) {
    const cancellation = this.#early ?? new Cancelled();
    Object.assign(cancellation, { message, reason: why });
    this.controller.abort(cancellation);
    return cancellation;
  }
}

function replace(signal, name, property) {
  defineProperty(signal, name, { ...property, enumerable: false, configurable: true });
}
