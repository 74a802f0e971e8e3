// The workflows of the conformance kit, offered when MUSTER_CONFORMANCE is set. See protocol/SPEC.md.

import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync, writeSync } from "node:fs";
import { setTimeout as timer } from "node:timers/promises";
import { RAW } from "./context.js";

/** What the kit looks for in the description of one. */
export const DECLARED = {
  "conformance.declared": {
    timeout: 90.5,
    retries: 2,
    backoff: 2.5,
    backoffFactor: 1.5,
    backoffMax: 60,
    retryOn: ["Busy"],
    giveUpOn: ["Fatal"],
    parameters: { type: "object", properties: { count: { type: "integer" } } },
  },
};

/** All of them by name. `post` reaches the main thread. */
export function definitions(post) {
  return Object.entries({
    echo: (params) => params,
    fail({ kind = "ExecutionError", message = "" }) {
      throw Object.assign(new Error(message), { name: kind });
    },
    sleep: async ({ seconds }, ctx) => {
      await ctx.sleep(seconds * 1000);
      return seconds;
    },
    // The main thread knows the name, and neither ends the thread nor heeds SIGTERM.
    ignore_cancel: async ({ seconds }) => {
      await timer(seconds * 1000);
      return "ignored";
    },
    print({ text, count = 1 }) {
      for (let at = 0; at < count; at++) process.stdout.write(`${text}\n`);
      return count;
    },
    raw_print: ({ text }) => writeSync(1, `${text}\n`),
    child_print: ({ text }) => spawnSync("/bin/echo", [text], { stdio: "inherit" }).status,
    log({ count }, ctx) {
      for (let at = 0; at < count; at++) ctx.log.info(`line ${at}`);
      return count;
    },
    // Whatever it is given.
    tell({ text, times, count }, ctx) {
      ctx.log.info(text.repeat(times), { text, count });
      ctx.progress(count, count, text.repeat(times));
    },
    call: ({ method, params = null, count = 1 }, ctx) =>
      Promise.all(Array.from({ length: count }, () => ctx[RAW](method, params))),
    linger({ until, done }, ctx) {
      const timer = setInterval(async () => {
        if (!existsSync(until)) return;
        clearInterval(timer);
        ctx.log.info("left behind");
        const told = await ctx[RAW]("config.get", { key: "left" }).then(
          () => "answered",
          (error) => error.kind ?? error.name,
        );
        writeFileSync(done, told);
      }, 2);
    },
    disturb() {
      process.env.MUSTER_DISTURBED = "1";
      process.exitCode = 3;
      Reflect.set(Array.prototype, "disturbed", true);
    },
    surroundings: () => ({
      directory: process.cwd(),
      variable: process.env.MUSTER_DISTURBED ?? null,
      exit_code: process.exitCode ?? null,
      prototypes: Reflect.get([], "disturbed") ?? null,
    }),
    crash() {
      process.kill(process.pid, "SIGKILL");
    },
    exit: async ({ code = 0 }) => {
      post({ type: "exit", code });
      await new Promise(() => {});
    },
    big: ({ bytes }) => "x".repeat(bytes),
    hold_pipes: ({ seconds }) => spawnSync("/bin/sh", ["-c", `sleep ${Number(seconds)} &`], { stdio: "inherit" }).status,
    declared: () => null,
    stdin: () => readFileSync(0, "utf8"),
  }).map(([name, run]) => [`conformance.${name}`, run]);
}
