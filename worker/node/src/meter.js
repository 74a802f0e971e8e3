// What a run costs: wall clock, CPU, memory.

export class Meter {
  #startedMs = performance.now();
  #cpu = process.cpuUsage();

  /** What was used since. */
  read() {
    const { user, system } = process.cpuUsage(this.#cpu);
    return {
      wall_us: Math.round((performance.now() - this.#startedMs) * 1000),
      cpu_user_us: user,
      cpu_system_us: system,
      peak_rss_bytes: process.resourceUsage().maxRSS * 1024,
    };
  }
}
