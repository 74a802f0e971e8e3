// What code does that nobody waits for: errors that nobody catches, and an end of the process. Each is charged to
// the run it belongs to, and to no other.

import channels from "node:diagnostics_channel";
import process from "node:process";
import { outcomeOf } from "./outcome.js";
import { LoadedFile, owner } from "./owner.js";
import { Run } from "./run.js";
import { show } from "./values.js";

const UNCAUGHT = "uncaughtException";
const listenerCount = process.listenerCount.bind(process);
const { nextTick } = process;

/** From here on errors that nobody catches cost their own run only. `nobody` is the log of code without an owner; `giveUp` ends the thread. */
export function watchStrays(nobody, giveUp) {
  process.on(UNCAUGHT, (error) => onUncaught(error, nobody, giveUp));
  channels.subscribe("worker_threads", noteThread);
  keepOwnerInMicrotasks();
  guardExit();
}

/** A thread may outlive the execution that starts it. The channel tells of it at once, the event of `process` when code has gone on. */
function noteThread({ worker }) {
  const whose = owner.getStore();
  if (whose instanceof Run) whose.noteThread(worker);
}

function onUncaught(error, nobody, giveUp) {
  const whose = owner.getStore();
  if (whose instanceof Run && !whose.closed) {
    // Code that listens itself has decided what its errors mean.
    if (listenerCount(UNCAUGHT) === 1) endBy(error, whose).catch(giveUp);
    return;
  }
  if (whose instanceof Run) whose.wear("code of an ended execution threw an error that nobody caught");
  (whose ?? nobody).log("Error", "muster-worker", `an error that nobody caught: ${show(error)}`, "");
}

async function endBy(error, whose) {
  whose.wear("an error that nobody caught");
  await whose.onUncaught(error);
  whose.finish(outcomeOf(whose, error));
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
