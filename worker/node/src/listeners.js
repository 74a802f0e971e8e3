// Who listens to the events of `process`: what a run adds there, or removes, is put back before the next one.

import process from "node:process";

const { eventNames, rawListeners, on, removeListener, removeAllListeners } = process;

export class Listeners {
  /** @type {{ name: string | symbol, listeners: Function[] }[]} */
  #kept = [];
  #noted = {};

  constructor() {
    this.accept();
  }

  /** Takes those who listen now for those who are to listen. */
  accept() {
    this.#kept = eventNames.call(process).map((name) => ({ name, listeners: rawListeners.call(process, name) }));
    this.#noted = table();
  }

  putBack() {
    if (this.#areSame()) return;
    for (const name of eventNames.call(process)) {
      if (!this.#kept.some((one) => one.name === name)) removeAllListeners.call(process, name);
    }
    for (const { name, listeners } of this.#kept) {
      const present = rawListeners.call(process, name);
      for (const one of present) if (!listeners.includes(one)) removeListener.call(process, name, one.listener ?? one);
      for (const one of listeners) if (!present.includes(one)) on.call(process, name, one);
    }
    this.#noted = table();
  }

  /** Looks into the emitter itself: asking it for its names and listeners makes lists, which takes longer than all else. */
  #areSame() {
    const now = table();
    if (now !== this.#noted || countOfNames() !== this.#kept.length) return false;
    for (let at = 0; at < this.#kept.length; at++) {
      const { name, listeners } = this.#kept[at];
      const present = now[name];
      if (typeof present === "function" ? listeners.length !== 1 || present !== listeners[0] : present?.length !== listeners.length) return false;
    }
    return true;
  }
}

const table = () => Reflect.get(process, "_events");
/** @returns {number} */
const countOfNames = () => Reflect.get(process, "_eventsCount");
