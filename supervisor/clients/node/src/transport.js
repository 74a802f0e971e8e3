// The HTTP under the client: the token, how often a supervisor that does not answer is asked again, and what answers mean.

import { setTimeout as sleep } from "node:timers/promises";

import {
  Conflict,
  Forbidden,
  IdempotencyKeyReused,
  InvalidRequest,
  LimitReached,
  MusterUnavailable,
  NotFound,
  Unauthorized,
  UnexpectedAnswer,
} from "./errors.js";
import { givenToken, isOfThisMachine, tokenOf, urlOf } from "./tokens.js";
import { parse } from "./values.js";
import { VERSION } from "./version.js";

/** How long an answer may take, beyond the time it was asked to wait. */
export const ANSWER_MS = 30_000;
/** The pause before a question is asked again, at first and at most. */
export const PAUSE_MS = 100;
const PAUSE_MAX_MS = 2_000;
const PASSING = [502, 503, 504];

/** No answer came. */
class Unreachable extends Error {
  constructor(error) {
    const cause = error.cause ?? error;
    super(cause.message || cause.code || error.message, { cause: error });
  }
}

/** How long a supervisor that does not answer is asked again, ever less often. */
export class Patience {
  #url;
  #ms;
  #deadline;
  #awaySince = null;
  #pause = PAUSE_MS;

  constructor(url, ms, deadline = Infinity) {
    this.#url = url;
    this.#ms = ms;
    this.#deadline = deadline;
  }

  /** It answered. */
  renew() {
    this.#awaySince = null;
    this.#pause = PAUSE_MS;
  }

  /** It did not: resolves when it is to be asked again, or throws `MusterUnavailable`. */
  async spend(reason, signal, cause) {
    const now = performance.now();
    this.#awaySince ??= now;
    const end = Math.min(this.#awaySince + this.#ms, this.#deadline);
    if (now >= end) {
      const seconds = Math.round((now - this.#awaySince) / 1000);
      throw new MusterUnavailable(
        `no supervisor answers at ${this.#url} (${reason}), asked for ${seconds} s: start one with \`supervisor run\`, ` +
          "or name another with new Client({ url }) or MUSTER_URL",
        { cause },
      );
    }
    const pause = Math.min(this.#pause * (0.5 + Math.random()), end - now + 10);
    this.#pause = Math.min(this.#pause * 2, PAUSE_MAX_MS);
    await sleep(pause, undefined, { signal });
  }
}

/** Asks a supervisor. */
export class Transport {
  #given;
  #fetch;
  #looked = false;
  #found = null;

  constructor({ url, token, fetch }) {
    this.url = urlOf(url);
    this.#given = givenToken(token);
    this.#fetch = fetch ?? globalThis.fetch;
  }

  /** The JSON of an answer. Every question may be asked twice: what makes something says its id. */
  async ask(question, patience) {
    for (;;) {
      let answer, text;
      try {
        answer = await this.send(question);
        text = await answer.text().catch((error) => {
          throw new Unreachable(error);
        });
      } catch (error) {
        if (!(error instanceof Unreachable) || question.signal?.aborted) throw question.signal?.reason ?? error;
        await patience.spend(error.message, question.signal, error);
        continue;
      }
      if (PASSING.includes(answer.status)) {
        await patience.spend(problemOf(text).detail ?? `status ${answer.status}`, question.signal);
        continue;
      }
      patience.renew();
      return parsed(answer.status, text);
    }
  }

  /** The bytes of an answer as they come; null when there was none, and it is to be asked again. */
  async stream(question, patience) {
    try {
      const answer = await this.send(question);
      if (answer.status === 200) return answer.body;
      const text = await answer.text();
      if (!PASSING.includes(answer.status)) throw refusal(answer.status, text);
      await patience.spend(problemOf(text).detail ?? `status ${answer.status}`, question.signal);
    } catch (error) {
      if (!(error instanceof Unreachable) || question.signal?.aborted) throw question.signal?.reason ?? error;
      await patience.spend(error.message, question.signal, error);
    }
    return null;
  }

  /** One question. A token that was found and is not right any more is looked for once more. */
  async send(question) {
    const token = await this.#token();
    const answer = await this.#once(question, token);
    if (answer.status !== 401 || this.#given || !isOfThisMachine(this.url)) return answer;
    [this.#looked, this.#found] = [false, null];
    const other = await this.#token();
    if (other === token) return answer;
    await answer.body?.cancel();
    return this.#once(question, other);
  }

  async #token() {
    if (this.#given || this.#looked || !isOfThisMachine(this.url)) return this.#given ?? this.#found;
    const answer = await this.#once({ path: "/api/openapi.json" }, null);
    const text = await answer.text();
    // One that is only starting is asked again.
    if (answer.status < 500) {
      this.#looked = true;
      this.#found = answer.status === 401 ? tokenOf(problemOf(text)) : null;
    }
    return this.#found;
  }

  /** @param {{ path: string, method?: string, query?: object, body?: string, ms?: number | null, signal?: AbortSignal }} question */
  async #once({ method = "GET", path, query = {}, body, ms = ANSWER_MS, signal }, token) {
    const url = new URL(this.url + path);
    for (const [name, value] of Object.entries(query)) for (const one of [value].flat()) url.searchParams.append(name, one);
    const headers = { "user-agent": `muster-client-node/${VERSION}` };
    if (body !== undefined) headers["content-type"] = "application/json";
    if (token) headers.authorization = `Bearer ${token}`;
    const limits = [ms === null ? null : AbortSignal.timeout(Math.ceil(ms)), signal].filter((one) => one);
    try {
      return await this.#fetch(url, { method, headers, body, redirect: "manual", signal: limits.length ? AbortSignal.any(limits) : undefined });
    } catch (error) {
      throw new Unreachable(error);
    }
  }
}

function parsed(status, text) {
  if (status !== 200 && status !== 202) throw refusal(status, text);
  try {
    return parse(text);
  } catch (error) {
    throw new UnexpectedAnswer(`what answers is no supervisor: ${error.message}`, { cause: error });
  }
}

/** The error that an answer tells. */
function refusal(status, text) {
  return toldError(status, problemOf(text));
}

/** True of a status that passes: the same is asked again. */
export function isPassing(status) {
  return PASSING.includes(status);
}

/** The error of such a status that says this of itself. */
export function toldError(status, problem) {
  const detail = problem.detail ?? `it answers with status ${status}`;
  if (problem.type === "/problems/idempotency-key-reused") return new IdempotencyKeyReused(detail, problem.problems ?? [detail]);
  if ([400, 413, 422].includes(status)) return new InvalidRequest(detail, problem.problems ?? [detail]);
  if (status === 401) return new Unauthorized(`${detail}; give it with new Client({ token }) or MUSTER_HTTP_TOKEN`);
  if (status === 403 && problem.detail) return new Forbidden(detail);
  if (status === 404 && problem.detail) return new NotFound(detail);
  if (problem.type === "/problems/limit-reached") return new LimitReached(detail, problem.execution_id ?? undefined);
  if (status === 409 && problem.detail) return new Conflict(detail);
  if (problem.detail) return new UnexpectedAnswer(`${detail} (HTTP status ${status})`);
  return new UnexpectedAnswer(`what answers is no supervisor, with HTTP status ${status}: name its address with new Client({ url }) or MUSTER_URL`);
}

/** What an error says of itself; empty when it is not a supervisor's. */
function problemOf(text) {
  try {
    return Object(parse(text));
  } catch {
    return {};
  }
}
