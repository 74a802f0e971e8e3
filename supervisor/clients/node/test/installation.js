// A real supervisor on the embedded store, in a temporary folder, with the default worker.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

const REPOSITORY = resolve(import.meta.dirname, "../../../..");
const READY_MS = 60_000;

for (const name of Object.keys(process.env)) if (name.startsWith("MUSTER_")) delete process.env[name];

/** A binary as `cargo build --workspace --bins` leaves it. */
export function binary(name) {
  const found = resolve(REPOSITORY, process.env.CARGO_TARGET_DIR ?? "target", "debug", name);
  assert(existsSync(found), `${found} is not built: run \`cargo build --workspace --bins\` first, as scripts/test does`);
  return found;
}

/** A port below the range that the kernel hands out by itself, so that it can be taken again after a restart. */
async function freePort() {
  for (let port = 20_000 + (process.pid % 8_000); port < 32_000; port++) {
    const server = createServer();
    const isFree = await new Promise((done) => {
      server.once("error", () => done(false));
      server.listen(port, "127.0.0.1", () => server.close(() => done(true)));
    });
    if (isFree) return port;
  }
  throw new Error("no port is free");
}

/** Waits until it gives something, with a deadline. */
export async function eventually(what, ask) {
  const end = Date.now() + READY_MS;
  for (;;) {
    const given = await ask();
    if (given) return given;
    assert(Date.now() < end, what);
    await sleep(50);
  }
}

/** Settings, workflows and data in a folder, and at most one supervisor that runs there. */
export class Installation {
  #process = null;

  static async make(settings = {}) {
    const made = new Installation();
    made.folder = mkdtempSync(join(tmpdir(), "muster-client-"));
    mkdirSync(join(made.folder, "workflows"));
    const port = await freePort();
    made.url = `http://127.0.0.1:${port}`;
    made.settings = {
      workflows_dir: join(made.folder, "workflows"),
      data_dir: join(made.folder, "data"),
      http_bind: `127.0.0.1:${port}`,
      worker_command: binary("worker"),
      min_workers: 1,
      max_workers: 4,
      graceful_shutdown_seconds: 1,
      ...settings,
    };
    return made;
  }

  workflow(file, text) {
    writeFileSync(join(this.folder, "workflows", file), text);
  }

  /** Starts a supervisor; resolves when it is ready. */
  async start() {
    const log = openSync(join(this.folder, "supervisor.log"), "a");
    const named = Object.entries(this.settings).map(([key, value]) => [`MUSTER_${key.toUpperCase()}`, String(value)]);
    this.#process = spawn(binary("supervisor"), ["run"], {
      cwd: this.folder,
      env: { ...process.env, ...Object.fromEntries(named) },
      stdio: ["ignore", log, log],
    });
    await eventually(`the supervisor is ready: ${this.log}`, async () => {
      assert(this.#process.exitCode === null, this.log);
      const answer = await fetch(`${this.url}/readyz`).catch(() => null);
      return answer?.status === 200;
    });
  }

  /** Ends the supervisor and waits for that. */
  async stop(how = "SIGTERM") {
    const supervisor = this.#process;
    this.#process = null;
    if (!supervisor || supervisor.exitCode !== null || supervisor.signalCode !== null) return;
    const ended = once(supervisor, "exit");
    supervisor.kill(how);
    const insist = setTimeout(() => supervisor.kill("SIGKILL"), 30_000);
    await ended;
    clearTimeout(insist);
  }

  /** What operators ask of it, which is none of the client's questions. */
  async put(path, body) {
    await this.#ask(path, { method: "PUT", body: JSON.stringify(body) });
  }

  /** The same, for what is only looked at. */
  get(path) {
    return this.#ask(path);
  }

  async #ask(path, asked) {
    const token = readFileSync(join(this.settings.data_dir, "http_token"), "utf8").trim();
    const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };
    const answer = await fetch(this.url + path, { headers, ...asked });
    const text = await answer.text();
    assert.equal(answer.status, 200, text);
    return JSON.parse(text);
  }

  get log() {
    return readFileSync(join(this.folder, "supervisor.log"), "utf8");
  }

  /** Ends it and removes the folder. */
  async remove() {
    await this.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

export const WORKFLOWS = {
  "greet.js": `export default async function ({ name = "world" }, ctx) {
    ctx.log.info("greeting", { name });
    return { greeting: \`Hello, \${name}!\` };
  }`,
  "echo.js": `export default async (params) => params;`,
  "told.js": `export default async (params, { caller, startup, attempt }) => ({ caller, startup, attempt });`,
  "broken.js": `export default async ({ message }) => { throw new RangeError(message); };`,
  "slow.js": `export default async ({ seconds = 60 }, ctx) => {
    ctx.log.info("began");
    await ctx.sleep(seconds * 1000);
    ctx.log.info("ended");
    return "done";
  };`,
  "count.js": `export default async ({ lines }, ctx) => {
    for (let one = 0; one < lines; one++) {
      ctx.log.info(\`line \${one} \\u2028 of it\`);
      if (lines < 100) await ctx.sleep(20);
    }
    return lines;
  };`,
};

/** One that serves the workflows of the tests. */
export async function served(settings) {
  const made = await Installation.make(settings);
  for (const [file, text] of Object.entries(WORKFLOWS)) made.workflow(file, text);
  await made.start();
  return made;
}
