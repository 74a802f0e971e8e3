// What cannot be undone: a run that does it costs its thread, or the process where it holds for all of that.

import modules, { syncBuiltinESMExports } from "node:module";
import process from "node:process";
import { owner } from "./owner.js";
import { Run } from "./run.js";

const { getBuiltinModule, pid } = process;
const always = () => true;

/** Functions by module: whether a call of one changes anything that lasts, and whether that holds for the whole process. */
function functions() {
  const [crypto, os, tls, v8] = ["crypto", "os", "tls", "v8"].map((name) => getBuiltinModule(name));
  return [
    { module: modules, name: "register", lasts: always },
    { module: modules, name: "registerHooks", lasts: always },
    { module: tls, name: "setDefaultCACertificates", lasts: always },
    { module: v8, name: "setHeapSnapshotNearHeapLimit", lasts: always },
    { module: v8, name: "setFlagsFromString", lasts: always, ofProcess: true },
    { module: crypto, name: "setEngine", lasts: always, ofProcess: true },
    { module: os, name: "setPriority", lasts: (whose, priority) => priority === undefined || whose === 0 || whose === pid, ofProcess: true },
  ];
}

export class Lasting {
  #isWatched = false;

  /** From here on such calls are noticed. What files of the workflows folder did while they were loaded stays. */
  accept() {
    if (this.#isWatched) return;
    this.#isWatched = true;
    for (const one of functions()) if (typeof one.module[one.name] === "function") watch(one);
    syncBuiltinESMExports();
  }
}

function watch({ module, name, lasts, ofProcess = false }) {
  const plain = module[name];
  const watched = function (...args) {
    const result = Reflect.apply(plain, this, args);
    const whose = owner.getStore();
    if (whose instanceof Run && lasts(...args)) whose.wear(`the execution called ${name}, which cannot be undone`, ofProcess);
    return result;
  };
  module[name] = Object.defineProperty(watched, "name", { value: name });
}
