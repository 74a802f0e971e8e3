// Workflows in unit tests: run one as a worker would, with what it asks for given, and what it says recorded.

import { randomUUID } from "node:crypto";
import { contextOf } from "./context.js";
import { nearest } from "./nearest.js";
import { CallError, outcomeOf, readParams, toJson } from "./outcome.js";
import { CANCELLED, Run } from "./run.js";
import { parse, show, write } from "./values.js";

const GIVEN = ["config", "state", "answers", "organization", "caller", "startup", "traceparent", "workflow", "executionId", "attempt", "timeoutMs"];

const METHODS = ["config.get", "state.get", "state.set", "state.delete", "execution.submit"];

/** What a workflow was given, and what it did. */
export class Recording {
  logs = [];
  progresses = [];
  calls = [];
  submitted = [];
  state;
  /** What the workflow threw; undefined when it succeeded. */
  error;
  #answers;
  #run;
  #result;

  constructor(given) {
    const unknown = Object.keys(given).find((key) => !GIVEN.includes(key));
    if (unknown !== undefined) throw new TypeError(`there is no ${unknown} to be given; there are ${GIVEN.join(", ")}`);
    this.state = parse(write(given.state ?? {}));
    this.#answers = given.answers ?? {};
    const { organization = null, caller = null, startup = null, traceparent = null, config = {} } = given;
    const execute = {
      run: 1,
      executionId: given.executionId ?? randomUUID(),
      attempt: given.attempt ?? 1,
      workflow: given.workflow ?? "test",
      context: write({ organization, caller, startup, traceparent, config }),
      timeoutMs: given.timeoutMs ?? 0,
    };
    this.#run = new Run(execute, (message) => this.#hear(message), new Int32Array(1));
    /** What the workflow gets as its second argument. */
    this.ctx = contextOf(this.#run);
  }

  /** What the workflow returned, as the caller gets it: read from JSON. Throws what the workflow threw. */
  get result() {
    if (this.error !== undefined) throw this.error;
    return this.#result;
  }

  /** Asks the workflow to end, as a supervisor would. */
  cancel(reason = "User", message = "cancelled") {
    Atomics.store(this.#run.flags, CANCELLED, this.#run.number);
    this.#run.cancel(reason, message);
  }

  /** @param {Function} workflow */
  async perform(workflow, params) {
    try {
      const text = toJson(await workflow(readParams(write(params ?? null)), this.ctx));
      this.#result = parse(text);
      this.#run.finish({ type: "Succeeded", result: text });
    } catch (error) {
      this.error = error ?? new Error(`thrown: ${error}`);
      this.#run.finish(outcomeOf(this.#run, error));
    }
  }

  /** An answer to a call that there is not, and that nothing made, is a mistake of the test. */
  checkAnswers() {
    const stray = Object.keys(this.#answers).find((method) => !METHODS.includes(method) && !this.calls.some((one) => one.method === method));
    if (stray === undefined) return;
    const near = nearest(stray, METHODS);
    const known = near === null ? `there are ${METHODS.join(", ")}` : `did you mean ${near}?`;
    throw new TypeError(`answers: there is no call ${JSON.stringify(stray)}, and nothing made it; ${known}`);
  }

  #hear(message) {
    switch (message.type) {
      case "log": {
        const { level, logger, message: text, fields } = message.record;
        return void this.logs.push({ level: level.toLowerCase(), message: text, fields: fields === "" ? {} : parse(fields), logger });
      }
      case "progress":
        return void this.progresses.push({ current: message.current, total: message.total, message: message.message });
      case "call":
        return void this.#answer(message.method, parse(message.params)).then((result) => this.#run.resolve(message.call, result));
      default:
    }
  }

  async #answer(method, params) {
    this.calls.push({ method, params });
    try {
      const given = Object.hasOwn(this.#answers, method) ? this.#answers[method] : this.#ownAnswer(method, params);
      if (given instanceof Error) throw given;
      const value = typeof given === "function" ? await given(params) : given;
      return { type: "Ok", value: write(value ?? null) };
    } catch (error) {
      return { type: "Err", error: { kind: error.kind ?? error.name, message: error.message } };
    }
  }

  #ownAnswer(method, params) {
    switch (method) {
      case "config.get":
        return null;
      case "state.get":
        return Object.hasOwn(this.state, params.key) ? this.state[params.key] : null;
      case "state.set":
        this.state[params.key] = params.value;
        return null;
      case "state.delete":
        delete this.state[params.key];
        return null;
      case "execution.submit": {
        const executionId = randomUUID();
        this.submitted.push({ workflow: params.workflow, params: params.params, executionId });
        return { execution_id: executionId };
      }
      default:
        throw new CallError("UnknownMethod", `there is no method ${method}; give an answer with answers: {"${method}": …}`);
    }
  }
}

/** Runs a workflow function as a worker would. What the workflow throws does not reject: it is `error`, and asking for `result` throws it. */
export async function runWorkflow(workflow, params = {}, given = {}) {
  if (typeof workflow !== "function") throw new TypeError(`runWorkflow(workflow, params, given): the workflow must be its function, not ${show(workflow)}`);
  const recording = new Recording({ workflow: workflow.name || "test", ...given });
  await recording.perform(workflow, params);
  recording.checkAnswers();
  return recording;
}

/** A recording whose `ctx` is for code that is called directly. */
export function record(given = {}) {
  return new Recording(given);
}
