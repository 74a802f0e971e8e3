// `process.env` of the user thread: what a run changes in it is gone when the next one looks.

import { syncBuiltinESMExports } from "node:module";
import process from "node:process";
import { owner } from "./owner.js";
import { Run } from "./run.js";

const { keys, hasOwn } = Object;

export class Environment {
  #real = process.env;
  #kept = { ...process.env };
  #isChanged = false;
  #shown;

  /** From here on changes are noticed; reading costs nothing more. */
  constructor() {
    const noting = (method) => (...call) => {
      const whose = owner.getStore();
      // What an ended execution left running has no say in what the present one finds.
      if (whose instanceof Run && whose.closed) return true;
      this.#isChanged = true;
      return method(...call);
    };
    // This one does not go through the proxy.
    process.loadEnvFile = /** @type {any} */ (noting(process.loadEnvFile));
    this.#shown = new Proxy(this.#real, {
      // The real one makes texts of values, so it and not the proxy must be told.
      set: noting((real, key, value) => Reflect.set(real, key, value)),
      defineProperty: noting(Reflect.defineProperty),
      deleteProperty: noting(Reflect.deleteProperty),
    });
    process.env = this.#shown;
    syncBuiltinESMExports();
  }

  /** Takes what is there now for what is to be there. */
  accept() {
    if (process.env !== this.#shown) for (const key of keys(process.env)) this.#shown[key] = process.env[key];
    if (this.#isChanged) this.#kept = { ...this.#real };
    this.#isChanged = false;
    process.env = this.#shown;
  }

  putBack() {
    if (process.env !== this.#shown) process.env = this.#shown;
    if (!this.#isChanged) return;
    for (const key of keys(this.#real)) if (!hasOwn(this.#kept, key)) delete this.#real[key];
    for (const key of keys(this.#kept)) if (this.#real[key] !== this.#kept[key]) this.#real[key] = this.#kept[key];
    this.#isChanged = false;
  }
}
