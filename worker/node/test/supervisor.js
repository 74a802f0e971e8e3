// A tiny supervisor: drives a real worker process through frames, one message at a time.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync } from "node:fs";
import { setTimeout as timer } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { inspect } from "node:util";
import * as binary from "../src/wire/binary.js";
import { FEATURES, TO_SUPERVISOR, TO_WORKER } from "../src/wire/messages.js";

export const PACKAGE = fileURLToPath(new URL("..", import.meta.url));
export const LAUNCHERS = { shell: [`${PACKAGE}bin/muster-worker`], node: [process.execPath, `${PACKAGE}bin/muster-worker.js`] };
const WAIT_MS = 20_000;

export function frame(message) {
  const body = binary.encode(TO_WORKER, message);
  const head = Buffer.alloc(4);
  head.writeUInt32BE(body.length);
  return Buffer.concat([head, body]);
}

/** What one execution sent. */
export class Run {
  constructor(messages, ms) {
    this.messages = messages;
    this.ms = ms;
    this.types = messages.map(({ type }) => type);
    this.finished = messages.find(({ type }) => type === "Finished");
    this.idle = messages.at(-1);
    this.outcome = this.finished.outcome;
    this.kind = this.outcome.type;
    const logs = messages.filter(({ type }) => type === "Log");
    this.records = logs.filter(({ run }) => run === this.finished.run).flatMap(({ records }) => records);
    /** What belongs to no execution that goes on: the number of its run, or 0, and the message. */
    this.late = logs.filter(({ run }) => run !== this.finished.run).flatMap(({ run, records }) => records.map(({ message }) => [run, message]));
    this.lines = this.records.map(({ message }) => message);
  }

  get result() {
    assert.equal(this.kind, "Succeeded", JSON.stringify(this.outcome));
    return JSON.parse(this.outcome.result);
  }

  get error() {
    assert.equal(this.kind, "Failed", JSON.stringify(this.outcome));
    return this.outcome.error;
  }
}

export class Supervisor {
  stderr = "";
  /** What it described. */
  described = [];
  #bytes = Buffer.alloc(0);
  #messages = [];
  #wake = () => {};
  #ended = false;
  #run = 0;

  constructor({ launcher = "shell", handshake = true, env = {} } = {}) {
    const [command, ...args] = LAUNCHERS[launcher];
    this.process = spawn(command, args, {
      env: { ...process.env, MUSTER_PROTOCOL: "1", MUSTER_CONFORMANCE: "1", ...env },
      stdio: ["pipe", "pipe", "pipe"],
      detached: true,
    });
    this.exit = once(this.process, "exit");
    this.process.stdin.on("error", () => {});
    this.process.stderr.setEncoding("utf8").on("data", (text) => (this.stderr += text));
    this.process.stdout.on("data", (chunk) => this.#read(chunk)).on("end", () => {
      this.#ended = true;
      this.#wake();
    });
    this.handshake = handshake;
  }

  static async start({ workflowsDir, features = FEATURES, maxFrameBytes = 16_777_215, config = {}, ...options } = {}) {
    const self = new Supervisor(options);
    if (!self.handshake) return self;
    self.hello = await self.expect("Hello");
    self.send({
      type: "Welcome",
      protocol: 1,
      worker_id: "w1",
      features,
      max_frame_bytes: maxFrameBytes,
      log_level: "Info",
      config: JSON.stringify({ workflows_dir: workflowsDir, ...config }),
    });
    self.ready = await self.receive();
    return self;
  }

  #read(chunk) {
    this.#bytes = Buffer.concat([this.#bytes, chunk]);
    while (this.#bytes.length >= 4) {
      assert.equal(this.#bytes[0], 0, `stdout is polluted: ${this.#bytes.subarray(0, 256)}`);
      const end = 4 + this.#bytes.readUInt32BE(0);
      if (this.#bytes.length < end) break;
      const message = binary.decode(TO_SUPERVISOR, this.#bytes.subarray(4, end));
      // May come at any time, so nobody waits for it.
      (message.type === "Describe" ? this.described : this.#messages).push(message);
      this.#bytes = this.#bytes.subarray(end);
    }
    this.#wake();
  }

  async receive(ms = WAIT_MS) {
    const end = Date.now() + ms;
    while (this.#messages.length === 0) {
      if (this.#ended) throw new Error(`the worker ended; stderr: ${this.stderr}`);
      const left = end - Date.now();
      if (left <= 0) throw new Error(`no message in ${ms} ms; stderr: ${this.stderr}`);
      const stop = new AbortController();
      await Promise.race([new Promise((resolve) => (this.#wake = resolve)), timer(left, null, { signal: stop.signal }).catch(() => {})]);
      stop.abort();
    }
    return this.#messages.shift();
  }

  async expect(type) {
    const message = await this.receive();
    assert.equal(message.type, type, inspect(message));
    return message;
  }

  send(...messages) {
    this.process.stdin.write(Buffer.concat(messages.map(frame)));
  }

  start(workflow, params = {}, more = {}) {
    this.#run += 1;
    this.send({
      type: "Execute",
      run: this.#run,
      execution_id: `run-${this.#run}`,
      attempt: 1,
      workflow,
      source: more.source ?? { type: "Named" },
      params: more.text ?? JSON.stringify(params),
      context: JSON.stringify(more.context ?? {}),
      timeout_ms: more.timeoutMs ?? 0,
      grace_ms: 1000,
    });
    return this.#run;
  }

  async finish() {
    const began = Date.now();
    const messages = [];
    do messages.push(await this.receive());
    while (messages.at(-1).type !== "Idle");
    return new Run(messages, Date.now() - began);
  }

  run(workflow, params, more) {
    this.start(workflow, params, more);
    return this.finish();
  }

  code(text, params = {}, more = {}) {
    return this.run("inline", params, { ...more, source: { type: "Inline", language: "", code: text } });
  }

  async startCode(text, params = {}, more = {}) {
    const run = this.start("inline", params, { ...more, source: { type: "Inline", language: "", code: text } });
    await this.expect("Started");
    return run;
  }

  cancel(run, reason = "User") {
    this.send({ type: "Cancel", run, reason, message: "please stop", grace_ms: 1000 });
  }

  async stderrWith(text) {
    const end = Date.now() + WAIT_MS;
    while (!this.stderr.includes(text)) {
      assert.ok(Date.now() < end, `${text} is not in ${this.stderr}`);
      await timer(5);
    }
  }

  /** The exit code, or the signal. */
  async exited(ms = 3000) {
    const stop = new AbortController();
    const late = timer(ms, null, { signal: stop.signal }).then(() => assert.fail(`still alive after ${ms} ms`), () => {});
    const [code, signal] = await Promise.race([this.exit, late]);
    stop.abort();
    return code ?? signal;
  }

  descriptors() {
    return readdirSync(`/proc/${this.hello.pid}/fd`).length;
  }

  kill(signal = "SIGKILL") {
    try {
      process.kill(-this.process.pid, signal);
    } catch (error) {
      if (error.code !== "ESRCH") throw error;
    }
  }
}
