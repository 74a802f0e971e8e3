// What a run costs: wall clock, CPU, memory.

export class Meter {
  #startedMs = performance.now();
  #before = process.resourceUsage();

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
}
