// The processes user code started. A supervisor ends them by a signal to the worker's process group; a process in a
// terminal shares its group with others, so it looks for its children itself.

import { readdirSync, readFileSync } from "node:fs";

/** Asks every child to end, so that a thread that waits for one in a blocking call comes back. */
export function endChildren() {
  for (const pid of children()) {
    try {
      process.kill(pid, "SIGTERM");
    } catch (error) {
      if (error.code !== "ESRCH") throw error;
    }
  }
}

/** The ids of this process's children; none where the system does not tell. */
function children() {
  try {
    const threads = readdirSync("/proc/self/task");
    return threads.flatMap((thread) => readFileSync(`/proc/self/task/${thread}/children`, "utf8").split(" ").filter(Boolean).map(Number));
  } catch {
    return [];
  }
}
