// What runs cost: wall clock, CPU, memory. One for the process, as runs come one after another.
//
// System calls are most of what a short run costs the worker, so none is made twice while somebody waits.

/** So old may the resident set that Idle reports be. A run that takes longer than this is always looked at afresh. */
const RSS_MAX_AGE_MS = 50;

export class Meter {
  #startedMs = performance.now();
  #before = process.resourceUsage();
  #rssBytes = 0;
  #rssAtMs = -Infinity;

  /** A run begins, or its user code is entered. What the process used since `rest` is counted as its own. */
  start() {
    this.#startedMs = performance.now();
  }

  /** What was used since. */
  read() {
    const now = process.resourceUsage();
    return {
      wall_us: Math.round((performance.now() - this.#startedMs) * 1000),
      cpu_user_us: now.userCPUTime - this.#before.userCPUTime,
      cpu_system_us: now.systemCPUTime - this.#before.systemCPUTime,
      peak_rss_bytes: now.maxRSS * 1024,
    };
  }

  /** The resident set, at most a moment old. */
  rssBytes() {
    const now = performance.now();
    if (now - this.#rssAtMs > RSS_MAX_AGE_MS) {
      this.#rssBytes = process.memoryUsage.rss();
      this.#rssAtMs = now;
    }
    return this.#rssBytes;
  }

  /** The process is ready, or a run is over and said to be: nobody waits for this look. */
  rest() {
    this.#before = process.resourceUsage();
  }
}
