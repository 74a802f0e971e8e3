// The descriptors the whole process shares. Node ends the process when a file that it opened has the number of a
// standard stream, so none of these is ever closed by user code.

import fs from "node:fs";
import { FRAMES_IN_FD, FRAMES_OUT_FD } from "./streams.js";

/** Code that closes a standard stream goes on as if it had; the frames are nobody's but the worker's. */
export function guardDescriptors() {
  const { close, closeSync } = fs;
  fs.closeSync = function (fd) {
    if (!isGuarded(fd)) closeSync(fd);
  };
  fs.close = /** @type {any} */ (
    function (fd, done) {
      if (!isGuarded(fd)) close(fd, done);
      else if (typeof done === "function") process.nextTick(done, null);
    }
  );
}

function isGuarded(fd) {
  if (fd === FRAMES_IN_FD || fd === FRAMES_OUT_FD) {
    const message = `EBADF: bad file descriptor, close: ${fd} belongs to the worker`;
    throw Object.assign(new Error(message), { code: "EBADF", syscall: "close" });
  }
  return fd === 0 || fd === 1 || fd === 2;
}
