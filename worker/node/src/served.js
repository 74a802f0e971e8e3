// One execution as a supervisor has it: Started, what user code says meanwhile, Finished, Idle.

import { Execution } from "./execution.js";
import { LoadError } from "./host.js";
import { LogBatch } from "./log_batch.js";
import { describe, Rejection } from "./outcome.js";

/** The supervisor's clock starts when it reads Started, and its Cancel should come first. */
const DEADLINE_SLACK_MS = 25;
/**
 * Ends the process without its exit handlers. Node's types do not know this method.
 * @type {(code: number) => never}
 */
const exitAtOnce = Reflect.get(process, "reallyExit").bind(process);

export class Served {
  #connection;
  #host;
  #meter;
  #features;
  #execute;
  #execution;
  #batch;
  /** The supervisor knows the workflow's own limit, and enforces it. */
  #isLimited;

  /** `desk` is what the executions of a process share. */
  constructor({ connection, host, meter, features, logLevel, described }, execute) {
    this.#connection = connection;
    this.#host = host;
    this.#meter = meter;
    this.#features = features;
    this.#execute = execute;
    this.#isLimited = execute.source.type === "Named" && described.has(execute.workflow);
    this.#execution = new Execution(host, execute.run, execute.workflow);
    this.#batch = new LogBatch(execute.run, logLevel, (...messages) => connection.send(...messages));
    meter.start();
  }

  get run() {
    return this.#execute.run;
  }

  get workflow() {
    return this.#execute.workflow;
  }

  get runningMs() {
    return this.#execution.runningMs;
  }

  cancel({ reason, message, grace_ms: graceMs }) {
    this.#execution.cancel(reason, message || "cancelled", graceMs);
  }

  /** Ends it now, whatever it does. */
  end(reason, message) {
    this.#execution.end(reason, message);
  }

  reply(message) {
    this.#host.post({ ...message, type: "reply" });
  }

  /** Runs it and resolves with its outcome. `cancel` is one that came before. */
  async perform(cancel) {
    try {
      if (this.#host.isSpent) await this.#host.restart();
      const job = await this.#host.find(this.#execute.workflow, this.#execute.source);
      this.#meter.start();
      this.#connection.send({ type: "Started", run: this.run });
      if (cancel !== null) this.cancel(cancel);
      return await this.#enter(job);
    } catch (error) {
      if (error instanceof Rejection) return { type: "Rejected", reason: error.message };
      return { type: "Failed", error: error instanceof LoadError ? error.info : describe(error) };
    } finally {
      this.#execution.close();
    }
  }

  async #enter(job) {
    const execution = this.#execution;
    if (execution.request !== null) return { type: "Cancelled", message: execution.request.message };
    const { run, execution_id: executionId, attempt, workflow, params, context, grace_ms: graceMs } = this.#execute;
    const timeoutMs = Number(this.#execute.timeout_ms);
    execution.enter(timeoutMs, DEADLINE_SLACK_MS, graceMs);
    const request = { run, executionId, attempt, workflow, params, context, timeoutMs, job };
    const ended = await this.#host.execute(request, (message) => this.#heard(message));
    if (execution.notice !== null) this.#log(execution.notice);
    return execution.settle(ended);
  }

  /** Says how it ended, and that the slot is free; before that what is to be said in between. */
  async finish(outcome, between) {
    const parts = this.#batch.take().map((one) => this.#connection.encode(one));
    parts.push(this.#finished(outcome));
    const isTerminated = this.#execution.terminated;
    // Of a process that is to be replaced the thread is not.
    if ((isTerminated || this.#host.isSpent) && !this.#host.isProcessWorn) {
      this.#connection.write(Buffer.concat(parts.splice(0)));
      await this.#host.restart();
    }
    const recycle = isTerminated || this.#host.isHung || this.#host.isProcessWorn || isOutOfMemory(outcome);
    between();
    parts.push(this.#connection.encode({ type: "Idle", run: this.run, rss_bytes: this.#meter.rssBytes(), recycle }));
    this.#connection.write(Buffer.concat(parts));
    this.#meter.rest();
  }

  #finished(outcome) {
    const message = { type: "Finished", run: this.run, outcome, metrics: this.#meter.read(), log_records: this.#batch.sent };
    const encoded = this.#connection.encode(message);
    if (this.#connection.fits(encoded)) return encoded;
    const error = tooLarge(encoded.length, this.#connection.frameMaxBytes);
    return this.#connection.encode({ ...message, outcome: { type: "Failed", error } });
  }

  /** A word from the user thread. */
  #heard(message) {
    switch (message.type) {
      case "log":
        return this.#log(message.record);
      case "progress":
        if (this.#features.includes("progress")) this.#batch.setProgress(message);
        return;
      case "call":
        return this.#call(message);
      case "looked":
        return this.#execution.looked();
      case "limit":
        if (this.#isLimited) return;
        return this.#execution.limit(message.ms, this.#execute.grace_ms);
      case "exit":
        return exitAtOnce(message.code);
      default:
        throw new Error(`the user thread said ${message.type}`);
    }
  }

  #log(record) {
    if (this.#features.includes("log")) this.#batch.add(record);
  }

  #call({ run, call, method, params }) {
    const refuse = (kind, message) => this.reply({ run, call, result: { type: "Err", error: { kind, message } } });
    if (!this.#features.includes("call")) return refuse("NotSupported", "this supervisor answers no calls");
    this.#batch.flush();
    const encoded = this.#connection.encode({ type: "Call", run, call, method, params });
    if (!this.#connection.fits(encoded)) return refuse("RequestTooLarge", `${encoded.length} bytes do not fit in a frame`);
    this.#connection.write(encoded);
  }
}

/** A heap that was full once leaves the process's memory in pieces. */
const isOutOfMemory = ({ type, error }) => type === "Failed" && error.kind === "OutOfMemory";

function tooLarge(size, limit) {
  const message = `the outcome takes ${size} bytes and a frame holds ${limit}; store the data and return a reference`;
  return { kind: "ResultTooLarge", message, stack: "", retryable: false };
}
