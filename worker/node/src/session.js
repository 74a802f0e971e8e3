// The conversation with the supervisor: handshake, executions one after another, the end.

import { readFileSync } from "node:fs";
import { Execution } from "./execution.js";
import { Host, LoadError } from "./host.js";
import { Rejection } from "./library.js";
import { LogBatch } from "./log_batch.js";
import { Meter } from "./meter.js";
import { describe } from "./outcome.js";
import { stateOf } from "./stacks.js";
import { scrubEnvironment } from "./streams.js";
import { VERSION } from "./version.js";
import { PeerError } from "./wire/connection.js";
import {
  EXIT_DONE,
  EXIT_INIT_FAILED,
  EXIT_NO_COMMON_VERSION,
  EXIT_PEER_BROKE_PROTOCOL,
  PROTOCOL_VERSION,
} from "./wire/limits.js";
import { FEATURES } from "./wire/messages.js";

const DEADLINE_SLACK_MS = 25;
const LEAVE_MS = 1500;
/** A signal to the group comes twice when a launcher passes it on; the echo must not hit the idle worker. */
const SIGNAL_ECHO_MS = 500;

export class Session {
  #connection;
  #conformance = Boolean(process.env.MUSTER_CONFORMANCE);
  #supervised = Boolean(process.env.MUSTER_PROTOCOL);
  #features = [];
  #host = null;
  #execution = null;
  #batch = null;
  #queued = null;
  #draining = null;
  #running = false;
  #meter = new Meter();
  #leaving = false;
  #ready = false;
  #logLevel = "Info";
  #terminatedMs = -Infinity;
  #resolve;

  constructor(connection) {
    this.#connection = connection;
  }

  /** Runs until the supervisor says so or is gone; resolves with the exit code. */
  serve() {
    scrubEnvironment();
    process.on("SIGTERM", () => this.#terminate());
    return new Promise((resolve) => {
      this.#resolve = resolve;
      this.#connection.listen(
        (message) => this.#dispatch(message),
        () => this.#lose(),
        (error) => this.#fail(error),
      );
      this.#connection.send({
        type: "Hello",
        protocol_min: PROTOCOL_VERSION,
        protocol_max: PROTOCOL_VERSION,
        implementation: "muster-worker-node",
        implementation_version: VERSION,
        language: "javascript",
        pid: process.pid,
        features: FEATURES,
      });
    });
  }

  #dispatch(message) {
    if (this.#leaving) return;
    if (this.#host === null && message.type !== "Welcome") throw new PeerError(`${message.type} came where Welcome was due`);
    switch (message.type) {
      case "Welcome":
        return this.#welcome(message);
      case "Execute":
        return this.#accept(message);
      case "Cancel":
        return this.#cancel(message);
      case "Reply":
        if (this.#execution?.run === message.run) this.#host.post({ ...message, type: "reply" });
        return;
      case "Ping":
        return this.#connection.send({ type: "Pong", nonce: message.nonce });
      case "Drain":
        this.#draining = message.reason || "drained";
        return this.#next();
      case "Dump":
        return void this.#dump(message.run);
      default:
        throw new PeerError(`${message.type} cannot be handled`);
    }
  }

  async #welcome(welcome) {
    if (this.#host !== null) throw new PeerError("Welcome came twice");
    if (welcome.protocol !== PROTOCOL_VERSION) {
      process.stderr.write(`the supervisor chose protocol version ${welcome.protocol}; this worker speaks 1\n`);
      return this.#leave(EXIT_NO_COMMON_VERSION);
    }
    this.#features = welcome.features;
    this.#logLevel = welcome.log_level;
    this.#connection.frameMaxBytes = Math.min(this.#connection.frameMaxBytes, welcome.max_frame_bytes);
    const config = welcome.config ? JSON.parse(welcome.config) : {};
    this.#host = new Host(config.workflows_dir, { conformance: this.#conformance });
    try {
      await this.#host.start();
    } catch (error) {
      return this.#initFailed(error);
    }
    this.#connection.send({ type: "Ready", workflows: this.#host.names() });
    this.#ready = true;
    this.#next();
  }

  #initFailed(error) {
    this.#connection.send({ type: "InitFailed", error: error instanceof LoadError ? error.info : describe(error) });
    this.#leave(EXIT_INIT_FAILED);
  }

  #accept(execute) {
    if (this.#execution !== null || this.#queued !== null) {
      throw new PeerError(`Execute ${execute.run} came while another run is on`);
    }
    // One that comes after Drain is refused by not starting it: the supervisor hands it to another worker.
    if (this.#draining !== null) return;
    this.#queued = { execute, cancel: null };
    this.#next();
  }

  #cancel(cancel) {
    if (this.#execution?.run === cancel.run) {
      this.#execution.cancel(cancel.reason, cancel.message || "cancelled", cancel.grace_ms);
    } else if (this.#queued?.execute.run === cancel.run) {
      this.#queued.cancel = cancel;
    }
  }

  /** Takes up what is due, if nothing runs. */
  #next() {
    if (this.#running || !this.#ready || this.#leaving) return;
    if (this.#queued !== null) {
      const { execute, cancel } = this.#queued;
      this.#running = true;
      this.#run(execute, cancel).catch((error) => this.#fail(error));
    } else if (this.#draining !== null) {
      this.#connection.send({ type: "Goodbye", reason: this.#draining });
      this.#leave(EXIT_DONE);
    }
  }

  async #run(execute, cancel) {
    const execution = new Execution(this.#host, execute.run, execute.workflow);
    const batch = new LogBatch(execute.run, this.#logLevel, (...messages) => this.#connection.send(...messages));
    this.#queued = null;
    this.#execution = execution;
    this.#batch = batch;
    this.#meter.start();
    let outcome;
    try {
      if (this.#host.isDead) await this.#host.start();
      const job = await this.#host.find(execute.workflow, execute.source);
      this.#meter.start();
      this.#connection.send({ type: "Started", run: execute.run });
      outcome = await this.#execute(execution, execute, job, cancel);
    } catch (error) {
      if (error instanceof Rejection) outcome = { type: "Rejected", reason: error.message };
      else outcome = { type: "Failed", error: error instanceof LoadError ? error.info : describe(error) };
    }
    await this.#finish(execution, batch, outcome);
  }

  async #execute(execution, execute, job, cancel) {
    if (cancel !== null) execution.cancel(cancel.reason, cancel.message || "cancelled", cancel.grace_ms);
    if (execution.request !== null) return { type: "Cancelled", message: execution.request.message };
    execution.enter(Number(execute.timeout_ms), DEADLINE_SLACK_MS, execute.grace_ms);
    const ended = await this.#host.execute(
      {
        run: execute.run,
        executionId: execute.execution_id,
        attempt: execute.attempt,
        workflow: execute.workflow,
        params: execute.params,
        context: execute.context,
        timeoutMs: Number(execute.timeout_ms),
        job,
      },
      (message) => this.#heard(execution, execute, message),
    );
    if (execution.notice !== null) this.#log(execution.notice);
    return execution.settle(ended);
  }

  /** A word from the user thread. */
  #heard(execution, execute, message) {
    switch (message.type) {
      case "log":
        return this.#log(message.record);
      case "progress":
        if (this.#features.includes("progress")) this.#batch.setProgress(message);
        return;
      case "call":
        return this.#call(message);
      case "looked":
        return execution.looked();
      case "limit":
        return execution.limit(message.ms, execute.grace_ms);
      case "exit":
        return process.reallyExit(message.code);
      default:
        throw new Error(`the user thread said ${message.type}`);
    }
  }

  #log(record) {
    if (this.#features.includes("log")) this.#batch.add(record);
  }

  #call({ run, call, method, params }) {
    const refuse = (kind, message) =>
      this.#host.post({ type: "reply", run, call, result: { type: "Err", error: { kind, message } } });
    if (!this.#features.includes("call")) return refuse("NotSupported", "this supervisor answers no calls");
    this.#batch.flush();
    const encoded = this.#connection.encode({ type: "Call", run, call, method, params });
    if (!this.#connection.fits(encoded)) return refuse("RequestTooLarge", `${encoded.length} bytes do not fit in a frame`);
    this.#connection.write(encoded);
  }

  async #finish(execution, batch, outcome) {
    execution.close();
    // Before the supervisor can know that the slot is free, an Execute must not look like a second one.
    this.#execution = null;
    this.#batch = null;
    const parts = batch.take().map((one) => this.#connection.encode(one));
    const finished = { type: "Finished", run: execution.run, outcome, metrics: this.#meter.read(), log_records: batch.sent };
    let encoded = this.#connection.encode(finished);
    if (!this.#connection.fits(encoded)) {
      const error = tooLarge(encoded.length, this.#connection.frameMaxBytes);
      encoded = this.#connection.encode({ ...finished, outcome: { type: "Failed", error } });
    }
    parts.push(encoded);
    const recycle = execution.terminated;
    if (recycle || this.#host.isDead) {
      this.#connection.write(Buffer.concat(parts.splice(0)));
      await this.#host.restart();
    }
    parts.push(this.#connection.encode({ type: "Idle", run: execution.run, rss_bytes: this.#meter.rssBytes(), recycle }));
    this.#connection.write(Buffer.concat(parts));
    this.#meter.rest();
    this.#running = false;
    this.#next();
  }

  async #dump(run) {
    const execution = this.#execution;
    const text =
      execution === null ? "no execution is running\n" : await stateOf(this.#host, execution.workflow, execution.runningMs);
    this.#connection.send({ type: "Stacks", run, text });
  }

  #terminate() {
    if (this.#leaving) return;
    const now = performance.now();
    if (this.#execution !== null) {
      this.#terminatedMs = now;
      this.#execution.end("Shutdown", "the process was told to end (SIGTERM)");
    } else if (now - this.#terminatedMs > SIGNAL_ECHO_MS) {
      this.#leave(EXIT_DONE);
    }
  }

  /** The supervisor is gone: end the run if it lets itself be ended, and leave in any case. */
  #lose() {
    if (this.#execution === null) return this.#leave(EXIT_DONE);
    this.#execution.cancel("Shutdown", "the supervisor is gone", LEAVE_MS);
    setTimeout(() => this.#leave(EXIT_DONE), LEAVE_MS);
  }

  #fail(error) {
    const known = error instanceof PeerError;
    process.stderr.write(known ? `the supervisor broke the protocol: ${error.message}\n` : `${error.stack}\n`);
    this.#leave(known ? EXIT_PEER_BROKE_PROTOCOL : EXIT_INIT_FAILED);
  }

  async #leave(code) {
    if (this.#leaving) return;
    this.#leaving = true;
    const ended = this.#host === null || (await this.#host.stop());
    this.#endChildren();
    // A thread that hangs in native code would hold up an orderly exit for as long.
    if (!ended) process.kill(process.pid, "SIGKILL");
    this.#resolve(code);
  }

  /** Tells what user code left running to end, if the supervisor gave the worker a group of its own. */
  #endChildren() {
    if (this.#supervised && leadsGroup()) process.kill(-process.pid, "SIGTERM");
  }
}

function leadsGroup() {
  try {
    const afterName = readFileSync("/proc/self/stat", "utf8").split(") ").pop().split(" ");
    return Number(afterName[2]) === process.pid;
  } catch {
    return false;
  }
}

function tooLarge(size, limit) {
  const message = `the outcome takes ${size} bytes and a frame holds ${limit}; store the data and return a reference`;
  return { kind: "ResultTooLarge", message, stack: "", retryable: false };
}
