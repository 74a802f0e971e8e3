// The client.

import { setTimeout as sleep } from "node:timers/promises";

import { InvalidRequest, MusterError, NotFinished, NotFound, SubmitManyFailed, UnexpectedAnswer, outcomeError } from "./errors.js";
import { Follower, linesOf } from "./following.js";
import { Submission, Submitted } from "./handles.js";
import { known } from "./known.js";
import { request } from "./options.js";
import { execution, logLine, record } from "./records.js";
import { ANSWER_MS, PAUSE_MS, Patience, Transport, isPassing, toldError } from "./transport.js";
import { encode, newId } from "./values.js";

/** How long one question waits for the end of an execution. */
const WAIT_MS = 30_000;
const CLIENT_OPTIONS = ["url", "token", "patienceMs", "fetch"];
const WAIT_OPTIONS = ["timeoutMs", "signal"];
/** The pauses for a message that was published and is no row yet: most are within milliseconds. */
const ABSENT_MS = 10;
const ABSENT_MAX_MS = 2_000;
const LOG_OPTIONS = ["follow", "signal"];
const LIST_OPTIONS = ["status", "workflow", "queue", "organization", "errorType", "since", "until", "pageSize"];
/** So many submits are one question, or so many characters. */
const MANY = 1_000;
const MANY_LENGTH = 8 * 1024 * 1024;

/** A supervisor, as applications see it. */
export class Client {
  #transport;
  #patienceMs;

  /** @param {import("./index.js").ClientOptions} [options] */
  constructor(options) {
    const { url, token, patienceMs = 30_000, fetch } = known("new Client", options, CLIENT_OPTIONS);
    this.#transport = new Transport({ url, token, fetch });
    this.#patienceMs = patienceMs;
  }

  get url() {
    return this.#transport.url;
  }

  submit(workflow, parameters = {}, options = {}) {
    let asked;
    try {
      asked = request(workflow, parameters, options);
    } catch (error) {
      // A promise is what is given, so that is where whoever waits hears it.
      return new Submission(this, newId(), Promise.reject(error));
    }
    const { executionId, body } = asked;
    const accepted = this.#ask({ method: "POST", path: "/api/executions", body });
    return new Submission(
      this,
      executionId,
      // With the id of ours it is what this very call made, and asked for twice.
      accepted.then((told) => ({
        id: told.execution_id,
        existing: told.existing === true && told.execution_id !== executionId,
        pausedBy: (told.paused_by ?? []).map(record),
      })),
    );
  }

  /** @param {import("./index.js").SubmitOptions} options */
  async submitMany(workflow, parameters, options = {}) {
    for (const name of ["executionId", "idempotencyKey"]) {
      if (!options[name]) continue;
      const problem = `${name}: each of many has one of its own; submit one by one to choose them`;
      throw new InvalidRequest(problem, [problem]);
    }
    if (typeof parameters !== "object" || typeof parameters?.[Symbol.iterator] !== "function") {
      throw new TypeError('submitMany(workflow, parameters, options): a list with the parameters of each, as in [{ name: "Ada" }]');
    }
    const handles = [];
    const errors = new Map();
    let waiting = [];
    for (const value of parameters) {
      const place = handles.push(null) - 1;
      try {
        waiting.push({ place, body: request(workflow, value, options).body });
      } catch (error) {
        if (!(error instanceof MusterError)) throw error;
        errors.set(place, error);
      }
    }
    const patience = new Patience(this.url, this.#patienceMs);
    while (waiting.length) {
      const size = groupSize(waiting);
      const group = waiting.slice(0, size);
      const body = `[${group.map((one) => one.body).join(",")}]`;
      const told = await this.#transport.ask({ method: "POST", path: "/api/executions/batch", body }, patience);
      if (told.executions?.length !== group.length) throw new UnexpectedAnswer("what answers is no supervisor: it does not say what became of each of many");
      const again = [];
      group.forEach((one, index) => {
        const { execution_id: id, existing, paused_by: pausedBy = [], problem } = told.executions[index];
        if (!problem) handles[one.place] = new Submitted(this, id, existing === true, pausedBy.map(record));
        else if (isPassing(problem.status)) again.push(one);
        else errors.set(one.place, toldError(problem.status, problem));
      });
      if (again.length) await patience.spend("the database does not answer");
      waiting = [...again, ...waiting.slice(size)];
    }
    if (errors.size) throw new SubmitManyFailed(handles, new Map([...errors].sort(([a], [b]) => a - b)));
    return handles;
  }

  handle(executionId) {
    return new Submitted(this, executionId);
  }

  async get(executionId) {
    return execution(await this.#ask({ path: pathOf(executionId) }));
  }

  /** @type {(executionId: string, options?: import("./index.js").WaitOptions) => Promise<any>} */
  wait(executionId, options) {
    return this.#wait(executionId, known("waiting", options, WAIT_OPTIONS), false);
  }

  /** @type {(executionId: string, options?: import("./index.js").WaitOptions) => Promise<any>} */
  waitForPublished(executionId, options) {
    return this.#wait(executionId, known("waiting", options, WAIT_OPTIONS), true);
  }

  /** @type {(executionId: string, options?: { signal?: AbortSignal }) => Promise<any>} */
  async untilTakenIn(executionId, { signal } = {}) {
    for (let pause = ABSENT_MS; ; pause = Math.min(pause * 2, ABSENT_MAX_MS)) {
      try {
        return await this.get(executionId);
      } catch (error) {
        if (!(error instanceof NotFound)) throw error;
      }
      await sleep(pause, undefined, { signal });
    }
  }

  /** @type {(executionId: string, options: import("./index.js").WaitOptions, isPublished: boolean) => Promise<any>} */
  async #wait(executionId, { timeoutMs = Infinity, signal }, isPublished) {
    const deadline = performance.now() + timeoutMs;
    const patience = new Patience(this.url, this.#patienceMs, deadline);
    let absent = ABSENT_MS;
    let seen = false;
    for (;;) {
      signal?.throwIfAborted();
      const began = performance.now();
      const left = Math.min(WAIT_MS, Math.max(0, deadline - began));
      const query = { wait: (left / 1000).toFixed(3) };
      const asked = { path: pathOf(executionId), query, ms: left + ANSWER_MS, signal };
      let row;
      try {
        row = execution(await this.#transport.ask(asked, patience));
      } catch (error) {
        if (!isPublished || seen || !(error instanceof NotFound)) throw error;
        if (performance.now() >= deadline) {
          throw new NotFinished(
            `execution ${executionId} was published, and no supervisor has taken it in after ${timeoutMs} ms: it waits in RabbitMQ, ` +
              "is among the dead letters (`supervisor dead list`), or repeats an idempotency key: then the execution that came first " +
              "with it has the result",
            null,
          );
        }
        await sleep(Math.min(absent, Math.max(deadline - performance.now(), 0)), undefined, { signal });
        absent = Math.min(absent * 2, ABSENT_MAX_MS);
        continue;
      }
      seen = true;
      if (row.isOver) return row;
      if (performance.now() >= deadline) {
        throw new NotFinished(
          `execution ${executionId} is ${row.status} after ${timeoutMs} ms of waiting: it goes on; ` +
            "wait again with handle(id).result(), or cancel it",
          row,
        );
      }
      // It leaves and answers at once; the next one may be a while.
      if (performance.now() - began < left / 2) await sleep(PAUSE_MS, undefined, { signal });
    }
  }

  async result(executionId, options) {
    const row = await this.wait(executionId, options);
    if (row.status !== "SUCCESS") throw outcomeError(row);
    return row.result;
  }

  /** @param {import("./index.js").ListOptions} [options] */
  list(options) {
    return this.#list(known("list", options, LIST_OPTIONS));
  }

  /** @param {import("./index.js").ListOptions} options */
  async *#list({ status, workflow, queue, organization, errorType, since, until, pageSize = 100 }) {
    const moment = (value) => (value instanceof Date ? value.toISOString() : value);
    const narrowed = { status, workflow, queue, organization, error_type: errorType, since: moment(since), until: moment(until) };
    const asked = Object.entries({ ...narrowed, limit: String(pageSize) });
    const query = Object.fromEntries(asked.filter(([, value]) => value !== undefined && value !== null));
    for (;;) {
      const page = await this.#ask({ path: "/api/executions", query });
      for (const row of page.executions) yield execution(row);
      if (!page.next_cursor) return;
      query.cursor = page.next_cursor;
    }
  }

  /** @type {(executionId: string, options?: import("./index.js").LogOptions) => AsyncGenerator<any, void, void>} */
  logs(executionId, options) {
    const { follow = false, signal } = known("logs", options, LOG_OPTIONS);
    return follow ? this.#follow(executionId, signal) : this.#stored(executionId, signal);
  }

  async explain(executionId) {
    const told = await this.#ask({ path: pathOf(executionId, "explain") });
    return told.reasons.map(record);
  }

  async cancel(executionId) {
    return record(await this.#ask({ method: "POST", path: pathOf(executionId, "cancel"), body: "{}" }));
  }

  async retry(executionId) {
    const body = encode({ execution_id: newId() });
    const told = await this.#ask({ method: "POST", path: pathOf(executionId, "retry"), body });
    return new Submitted(this, told.execution_id);
  }

  /** @param {{ why?: string }} [options] */
  async pause(target, options) {
    const { why } = known("pause", options, ["why"]);
    return record(await this.#ask({ method: "PUT", path: pausePathOf(target), body: encode({ why }) }));
  }

  async resume(target) {
    return (await this.#ask({ method: "DELETE", path: pausePathOf(target) })).was_paused;
  }

  async pauses() {
    return (await this.#ask({ path: "/api/pauses" })).pauses.map(record);
  }

  async limits() {
    const { limits } = await this.#ask({ path: "/api/limits" });
    return limits.map((one) => record({ ...one, terms: one.terms ? record(one.terms) : null }));
  }

  #ask(question) {
    return this.#transport.ask(question, new Patience(this.url, this.#patienceMs));
  }

  async *#stored(executionId, signal) {
    const query = {};
    for (;;) {
      const page = await this.#ask({ path: pathOf(executionId, "logs"), query, signal });
      for (const line of page.logs) yield logLine(line);
      if (!page.next_cursor) return;
      query.cursor = page.next_cursor;
    }
  }

  async *#follow(executionId, signal) {
    const follower = new Follower();
    const patience = new Patience(this.url, this.#patienceMs);
    while (!follower.isOver) {
      const controller = new AbortController();
      const either = signal ? AbortSignal.any([signal, controller.signal]) : controller.signal;
      const asked = { path: pathOf(executionId, "logs"), query: follower.restart(), ms: null, signal: either };
      const body = await this.#transport.stream(asked, patience);
      if (!body) continue;
      patience.renew();
      for await (const line of linesOf(body, controller)) {
        const whole = follower.feed(line);
        if (whole) yield whole;
      }
      signal?.throwIfAborted();
      if (!follower.isOver) await sleep(PAUSE_MS, undefined, { signal });
    }
  }
}

/** How many of those that wait are one question: at least one. */
function groupSize(waiting) {
  let length = 0;
  const full = waiting.findIndex((one, index) => (length += one.body.length) > MANY_LENGTH || index >= MANY);
  return full === -1 ? waiting.length : Math.max(1, full);
}

function pausePathOf(target) {
  return `/api/pauses/${part(target)}`;
}

function pathOf(executionId, ...more) {
  return ["/api/executions", part(executionId), ...more].join("/");
}

/** A name as a part of a path. What would lead elsewhere is none. */
function part(name) {
  if (["", ".", ".."].includes(name)) {
    const problem = `"${name}" cannot be a name here: in the address of a request it would stand for another place`;
    throw new InvalidRequest(problem, [problem]);
  }
  return encodeURIComponent(name);
}
