// Who watches what goes on in the thread: hooks of `async_hooks`, subscribers of `diagnostics_channel`, observers of
// performance. One that a run leaves behind would see what later runs do; it is let go before the next one.

import asyncHooks from "node:async_hooks";
import channels from "node:diagnostics_channel";
import { syncBuiltinESMExports } from "node:module";
import { PerformanceObserver } from "node:perf_hooks";

export class Watchers {
  /** What lets go of each, by who it is.
   * @type {Map<object, () => void>} */
  #left = new Map();

  constructor() {
    this.#watchHooks();
    this.#watch(PerformanceObserver.prototype, "observe", "disconnect");
    for (const prototype of channelPrototypes()) this.#watchChannels(prototype);
  }

  /** What files of the workflows folder asked for while they were loaded stays. */
  accept() {
    this.#left.clear();
  }

  putBack() {
    if (this.#left.size === 0) return;
    for (const letGo of this.#left.values()) letGo();
    this.#left.clear();
  }

  #watch(prototype, begin, end) {
    const left = this.#left;
    const [plain, letGo] = [prototype[begin], prototype[end]];
    replace(prototype, begin, function (...args) {
      left.set(this, () => letGo.call(this));
      return plain.apply(this, args);
    });
    replace(prototype, end, function (...args) {
      left.delete(this);
      return letGo.apply(this, args);
    });
  }

  /** Each hook by itself: what Node has made for `AsyncLocalStorage` is one of the same kind. */
  #watchHooks() {
    const watch = (hook) => (this.#watch(hook, "enable", "disable"), hook);
    const plain = asyncHooks.createHook;
    asyncHooks.createHook = (callbacks) => watch(plain(callbacks));
    syncBuiltinESMExports();
  }

  #watchChannels(prototype) {
    const left = this.#left;
    const plain = prototype.subscribe;
    replace(prototype, "subscribe", function (subscriber) {
      plain.call(this, subscriber);
      left.set(subscriber, () => channels.unsubscribe(this.name, subscriber));
    });
  }
}

/** A channel has another prototype while somebody listens. */
function channelPrototypes() {
  const channel = channels.channel("muster-worker");
  const found = [Object.getPrototypeOf(channel)];
  const nobody = () => {};
  channel.subscribe(nobody);
  found.push(Object.getPrototypeOf(channel));
  channel.unsubscribe(nobody);
  return found;
}

function replace(object, name, value) {
  Object.defineProperty(object, name, { value, writable: true, enumerable: false, configurable: true });
}
