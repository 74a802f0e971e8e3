// What code does that nobody waits for: errors that nobody catches, and an end of the process. Each is charged to
// the run it belongs to, and to no other.

import { outcomeOf } from "./outcome.js";
import { LoadedFile, owner } from "./owner.js";
import { Run } from "./run.js";
import { show } from "./values.js";

const UNCAUGHT = "uncaughtException";
const listenerCount = process.listenerCount.bind(process);
const { nextTick } = process;

/** From here on errors that nobody catches cost their own run only. `post` reaches the main thread, `nobody` is the log of code without an owner. */
export function watchStrays(post, nobody) {
  process.on(UNCAUGHT, (error) => onUncaught(error, post, nobody));
  process.on("worker", (thread) => noteThread(thread));
  keepOwnerInMicrotasks();
  guardExit();
}

/** A thread that outlives the execution that started it. */
function noteThread(thread) {
  const whose = owner.getStore();
  if (!(whose instanceof Run)) return;
  whose.threads ??= new Set();
  whose.threads.add(thread);
  thread.once("exit", () => whose.threads.delete(thread));
}

function onUncaught(error, post, nobody) {
  const whose = owner.getStore();
  if (whose instanceof Run && !whose.closed) {
    // Code that listens itself has decided what its errors mean.
    if (listenerCount(UNCAUGHT) === 1) whose.onUncaught(error).finally(() => whose.finish(outcomeOf(whose, error), "an error that nobody caught"));
    return;
  }
  if (whose instanceof Run) post({ type: "worn", reason: "code of an ended execution threw an error that nobody caught" });
  (whose ?? nobody).log("Error", "muster-worker", `an error that nobody caught: ${show(error)}`, "");
}

/** Node forgets the owner before it tells of an error in a microtask. */
function keepOwnerInMicrotasks() {
  const plain = globalThis.queueMicrotask;
  globalThis.queueMicrotask = function queueMicrotask(callback) {
    if (typeof callback !== "function") return plain(callback);
    plain(() => {
      try {
        callback();
      } catch (error) {
        nextTick(() => {
          throw error;
        });
      }
    });
  };
}

/** Ends the execution that calls it, and nothing for one that has ended or a file that is loaded. */
function guardExit() {
  const plain = process.exit.bind(process);
  /** @type {any} */
  const guarded = function exit(code) {
    refuse("process.exit");
    return plain(code);
  };
  process.exit = guarded;
  const kill = process.kill.bind(process);
  process.kill = (pid, signal) => {
    if (pid === process.pid && signal !== 0) refuse("process.kill");
    return kill(pid, signal);
  };
}

function refuse(call) {
  const whose = owner.getStore();
  if (whose instanceof LoadedFile) throw new Error(`${call} was called by a workflow file outside of an execution, so nothing was ended`);
  if (whose instanceof Run) whose.mustBeOn();
}
