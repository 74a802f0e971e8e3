// The descriptors of the frames, and the relaunch that moves them away from user code.

import { spawn } from "node:child_process";

export const FRAMES_IN_FD = 3;
export const FRAMES_OUT_FD = 4;

/** True when fds 0 and 1 are harmless already: `bin/muster-worker`, or the relaunch below, moved the frames. */
export function areMoved() {
  return process.env.MUSTER_STREAMS === `${FRAMES_IN_FD}:${FRAMES_OUT_FD}`;
}

/** The streams the process was started with, wherever they are: of `serve` the frames, else where a person is. */
const moved = areMoved();
export const STDIN_FD = moved ? FRAMES_IN_FD : 0;
export const STDOUT_FD = moved ? FRAMES_OUT_FD : 1;

/** Removes the SDK's own variables, so that a child process does not take itself for a worker. */
export function scrubEnvironment() {
  for (const name of ["MUSTER_PROTOCOL", "MUSTER_CONFORMANCE", "MUSTER_STREAMS"]) delete process.env[name];
}

/**
 * Starts this program again with the frames on fds 3 and 4, and ends as it ends. A process cannot replace
 * itself in Node, so this one stays and waits; `bin/muster-worker` costs no second process.
 */
export function relaunch() {
  const child = spawn(process.execPath, [...process.execArgv, ...process.argv.slice(1)], {
    stdio: ["ignore", 2, 2, 0, 1],
    env: { ...process.env, MUSTER_STREAMS: `${FRAMES_IN_FD}:${FRAMES_OUT_FD}` },
  });
  // The child decides what signals mean. Ctrl-C reaches it from the terminal, as the two share a group.
  for (const signal of /** @type {const} */ (["SIGTERM", "SIGHUP"])) process.on(signal, () => child.kill(signal));
  process.on("SIGINT", () => {});
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("exit", (code, signal) => {
      if (signal === null) return resolve(code);
      for (const one of ["SIGTERM", "SIGINT", "SIGHUP"]) process.removeAllListeners(one);
      process.kill(process.pid, signal);
    });
  });
}
