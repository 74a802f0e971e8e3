// The conversation with the supervisor: handshake, executions one after another, the end.

import { readFileSync } from "node:fs";
import { descriptionsOf } from "./describing.js";
import { Host, LoadError } from "./host.js";
import { fitted, isLogged } from "./log_batch.js";
import { Meter } from "./meter.js";
import { describe } from "./outcome.js";
import { Served } from "./served.js";
import { stateOf } from "./stacks.js";
import { scrubEnvironment } from "./streams.js";
import { VERSION } from "./version.js";
import { PeerError } from "./wire/decoder.js";
import {
  EXIT_DONE,
  EXIT_INIT_FAILED,
  EXIT_NO_COMMON_VERSION,
  EXIT_OUT_OF_MEMORY,
  EXIT_PEER_BROKE_PROTOCOL,
  EXIT_SDK_BUG,
  PROTOCOL_VERSION,
} from "./wire/limits.js";
import { FEATURES } from "./wire/messages.js";

const LEAVE_MS = 1500;
/** A signal to the group comes twice when a launcher passes it on; the echo must not hit the idle worker. */
const SIGNAL_ECHO_MS = 500;

export class Session {
  #connection;
  #conformance = Boolean(process.env.MUSTER_CONFORMANCE);
  #supervised = Boolean(process.env.MUSTER_PROTOCOL);
  #meter = new Meter();
  #features = [];
  #logLevel = "Info";
  #host = null;
  /** What runs until its Finished is about to be written; `#running` holds until its Idle is. */
  #served = null;
  #running = false;
  #queued = null;
  #draining = null;
  #leaving = false;
  #ready = false;
  /** The workflows whose limits the supervisor knows. */
  #described = new Set();
  #describedVersion = -1;
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
        return void this.#welcome(message).catch((error) => this.#fail(error));
      case "Execute":
        return this.#accept(message);
      case "Cancel":
        return this.#cancel(message);
      case "Reply":
        if (this.#served?.run === message.run) this.#served.reply(message);
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
      process.stderr.write(`the supervisor chose protocol version ${welcome.protocol}; this worker speaks ${PROTOCOL_VERSION}\n`);
      return this.#leave(EXIT_NO_COMMON_VERSION);
    }
    this.#features = welcome.features;
    this.#logLevel = welcome.log_level;
    this.#connection.frameMaxBytes = Math.min(this.#connection.frameMaxBytes, welcome.max_frame_bytes);
    const config = welcome.config ? JSON.parse(welcome.config) : {};
    this.#host = new Host(config.workflows_dir, {
      conformance: this.#conformance,
      memoryLimitMb: config.memory_limit_mb,
      loadSeconds: config.worker_load_seconds,
    });
    this.#host.onLate = (run, record) => this.#tellLate(run, record);
    try {
      await this.#host.start();
    } catch (error) {
      this.#connection.send({ type: "InitFailed", error: error instanceof LoadError ? error.info : describe(error) });
      return this.#leave(EXIT_INIT_FAILED);
    }
    // Before Ready, so that it counts for the first Execute.
    this.#describe();
    this.#connection.send({ type: "Ready", workflows: this.#host.names() });
    this.#meter.rest();
    this.#ready = true;
    this.#next();
  }

  /** Describes the workflows to a supervisor that listens, if they were loaded since. */
  #describe() {
    if (!this.#features.includes("describe") || this.#host.version === this.#describedVersion) return;
    this.#describedVersion = this.#host.version;
    const messages = descriptionsOf(this.#host);
    this.#described = new Set(messages.flatMap((message) => message.workflows.map(({ name }) => name)));
    this.#connection.send(...messages);
  }

  #accept(execute) {
    if (this.#served !== null || this.#queued !== null) {
      throw new PeerError(`Execute ${execute.run} came while another run is on`);
    }
    // One that comes after Drain is refused by not starting it: the supervisor hands it to another worker.
    if (this.#draining !== null) return;
    this.#queued = { execute, cancel: null };
    this.#next();
  }

  #cancel(cancel) {
    if (this.#served?.run === cancel.run) this.#served.cancel(cancel);
    else if (this.#queued?.execute.run === cancel.run) this.#queued.cancel ??= cancel;
  }

  /** Takes up what is due, if nothing runs. */
  #next() {
    if (this.#running || !this.#ready || this.#leaving) return;
    if (this.#queued !== null) {
      const { execute, cancel } = this.#queued;
      this.#queued = null;
      this.#running = true;
      this.#run(execute, cancel).catch((error) => this.#fail(error));
    } else if (this.#draining !== null) {
      this.#connection.send({ type: "Goodbye", reason: this.#draining });
      this.#leave(EXIT_DONE);
    }
  }

  async #run(execute, cancel) {
    const desk = { connection: this.#connection, host: this.#host, meter: this.#meter, features: this.#features, logLevel: this.#logLevel, described: this.#described };
    const served = new Served(desk, execute);
    this.#served = served;
    const outcome = await served.perform(cancel);
    // Before the supervisor can know that the slot is free, an Execute must not look like a second one.
    this.#served = null;
    await served.finish(outcome, () => this.#describe());
    this.#running = false;
    this.#next();
  }

  /** What belongs to no execution that goes on is nobody's log: it travels under the number of the run that ended. */
  #tellLate(run, record) {
    if (!this.#ready) process.stderr.write(`${record.message}\n`);
    else if (!this.#leaving && this.#features.includes("log") && isLogged(record.level, this.#logLevel)) {
      this.#connection.send({ type: "Log", run, records: [fitted(record)] });
    }
  }

  async #dump(run) {
    const served = this.#served;
    const text = served === null ? "no execution is running\n" : await stateOf(this.#host, served.workflow, served.runningMs);
    this.#connection.send({ type: "Stacks", run, text });
  }

  #terminate() {
    if (this.#leaving) return;
    const now = performance.now();
    if (this.#served !== null) {
      this.#terminatedMs = now;
      this.#served.end("Shutdown", "the process was told to end (SIGTERM)");
    } else if (now - this.#terminatedMs > SIGNAL_ECHO_MS) {
      this.#leave(EXIT_DONE);
    }
  }

  /** The supervisor is gone: end the run if it lets itself be ended, and leave in any case. */
  #lose() {
    if (this.#served === null) return this.#leave(EXIT_DONE);
    this.#served.cancel({ reason: "Shutdown", message: "the supervisor is gone", grace_ms: LEAVE_MS });
    setTimeout(() => this.#leave(EXIT_DONE), LEAVE_MS);
  }

  #fail(error) {
    const [text, code] =
      error instanceof PeerError ? [`the supervisor broke the protocol: ${error.message}`, EXIT_PEER_BROKE_PROTOCOL]
      : error instanceof LoadError ? [`the workflows cannot be loaded any more: ${error.message}`, EXIT_INIT_FAILED]
      : isOutOfMemory(error) ? [`the worker ran out of memory outside of a workflow: ${error.message}`, EXIT_OUT_OF_MEMORY]
      : [`a mistake in muster-worker itself: ${error.stack}`, EXIT_SDK_BUG];
    process.stderr.write(`${text}\n`);
    this.#leave(code);
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

/** What V8 and Node say when they are refused memory and go on. */
function isOutOfMemory(error) {
  return error?.code === "ERR_WORKER_OUT_OF_MEMORY" || error?.code === "ERR_MEMORY_ALLOCATION_FAILED"
    || (error instanceof RangeError && /allocation failed/i.test(error.message));
}

function leadsGroup() {
  try {
    const afterName = readFileSync("/proc/self/stat", "utf8").split(") ").pop().split(" ");
    return Number(afterName[2]) === process.pid;
  } catch {
    return false;
  }
}
