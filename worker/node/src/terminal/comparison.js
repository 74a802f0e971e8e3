// What a run does beside what it did: calls, log and outcome, and the first difference between them.

import { cutMessage } from "../log_batch.js";
import { isAlike, isAlikeText } from "./alike.js";
import { parse, write } from "../values.js";

const SHOWN_MAX_CHARACTERS = 2000;

/** Follows a run as it goes on. It also answers its calls, because which answer is due depends on what compares equal. */
export class Comparison {
  /** `{ what, then, now }` of the first difference. */
  difference = null;
  /** The calls that the recording knows no answer to, in words. */
  past = [];
  #recording;
  #masks;
  #memory;
  #calls = 0;
  #logs = 0;
  #used = new Set();
  /** Those who wait for calls, as more than one cancel may. @type {((value?: any) => void)[]} */
  #onCall = [];

  /** `memory` answers past the recording. */
  constructor(recording, masks, memory) {
    this.#recording = recording;
    this.#masks = masks;
    this.#memory = memory;
  }

  /** Resolves once the run has made so many calls. */
  async made(calls) {
    while (this.#calls < calls) await new Promise((resolve) => this.#onCall.push(resolve));
  }

  /** The CallResult for the run's next call; null when the recording has none and a cancel is still to come. */
  call(method, params) {
    const { calls, callsInOrder, cancels } = this.#recording;
    const isEqual = (one) => one !== undefined && one.method === method && isAlike(one.params, params);
    const kth = calls[this.#calls];
    this.#calls += 1;
    for (const wake of this.#onCall.splice(0)) wake();
    const known = this.#calls <= callsInOrder || !this.#recording.hasGap;
    if (!isEqual(kth) && known) this.#differ(`call ${this.#calls}`, kth && shownCall(kth), shownCall({ method, params }));
    const found = isEqual(kth) ? kth : calls.find((one) => isEqual(one) && !this.#used.has(one));
    if (found === undefined) return this.#pastIt(method, params, "such call:");
    this.#used.add(found);
    if (found.reply !== null) {
      const reply = this.#masks.reply(found, found.reply);
      this.#memory.remember(method, params, reply);
      return reply;
    }
    return cancels.length > 0 ? null : this.#pastIt(method, params, "reply to");
  }

  /** There is no answer to this. After a gap it may have been lost; else whoever fixed the workflow sees it through to its end. */
  #pastIt(method, params, what) {
    const shown = shownCall({ method, params });
    if (this.#recording.hasGap) return notRecorded(`the recording has no ${what} ${shown}`);
    this.past.push(`call ${this.#calls}, ${shown}`);
    return this.#memory.call(method, params);
  }

  log({ level, message }) {
    const recorded = this.#recording.logs[this.#logs];
    this.#logs += 1;
    const now = { level, message: cutMessage(message) };
    if (recorded === undefined && this.#recording.hasGap) return;
    const isSame = recorded?.level === level && isAlikeText(recorded.message, now.message);
    if (!isSame) this.#differ(`log record ${this.#logs}`, recorded && shownLog(recorded), shownLog(now));
  }

  /** The run has ended: what it did not do, and how it ended. */
  end(outcome) {
    const { calls, callsInOrder, logs } = this.#recording;
    if (this.#calls < callsInOrder) this.#differ(`call ${this.#calls + 1}`, shownCall(calls[this.#calls]), undefined);
    if (this.#logs < logs.length) this.#differ(`log record ${this.#logs + 1}`, shownLog(logs[this.#logs]), undefined);
    if (this.#succeededUnseen && outcome.type === "Succeeded") return;
    const then = this.#recording.outcome;
    if (then === null || !isAlikeOutcome(then, outcome)) this.#differ("outcome", this.then(), this.now(outcome));
  }

  /** How the run ended then, for a person. */
  then() {
    const { outcome, ended } = this.#recording;
    if (outcome !== null) return shownOutcome(outcome);
    if (this.#succeededUnseen) return "the outcome was not kept: the supervisor recorded SUCCESS";
    const end = ended === null ? "" : `: ${[ended.status, ended.error_type, ended.error_message].filter(Boolean).join(" ")}`;
    return `no outcome, because the worker was ended${end}`;
  }

  /** How it ended now. */
  now(outcome) {
    return shownOutcome(outcome);
  }

  /** What was compared, in words. */
  get extent() {
    const all = `${this.#calls} calls, ${this.#logs} log records and the outcome`;
    return this.#recording.hasGap ? `${all}, as far as frames were kept,` : all;
  }

  /** What could not be compared, in words; null when all could. */
  get gap() {
    if (!this.#recording.hasGap) return null;
    return `${this.#recording.dropped} frames of the recording were not kept; calls and log records after the gap were not compared`;
  }

  /** True when the supervisor saw it succeed, and the result was too large to be kept. */
  get #succeededUnseen() {
    const { outcome, ended, hasGap } = this.#recording;
    return outcome === null && hasGap && ended?.status === "SUCCESS";
  }

  #differ(what, then, now) {
    this.difference ??= { what, then: then ?? "(nothing)", now: now ?? "(nothing)" };
  }
}

/** The words of Cancelled and Rejected hold times and paths, so their kind is what counts. */
function isAlikeOutcome(then, now) {
  if (then.type !== now.type) return false;
  if (then.type === "Succeeded") return isAlike(resultOf(then), resultOf(now));
  return then.type !== "Failed" || (then.error.kind === now.error.kind && isAlikeText(then.error.message, now.error.message));
}

function resultOf({ result }) {
  return result ? parse(result) : null;
}

function notRecorded(message) {
  return { type: "Err", error: { kind: "NotRecorded", message } };
}

function shownCall({ method, params }) {
  return cut(`${method} ${write(params)}`);
}

function shownLog({ level, message }) {
  return cut(`${level.toUpperCase().padEnd(5)} ${message}`);
}

function shownOutcome(outcome) {
  switch (outcome.type) {
    case "Succeeded":
      return cut(`succeeded with ${outcome.result || "null"}`);
    case "Failed":
      return cut(`failed: ${outcome.error.kind}: ${outcome.error.message}`);
    case "Cancelled":
      return cut(`cancelled: ${outcome.message}`);
    default:
      return cut(`rejected: ${outcome.reason}`);
  }
}

function cut(text) {
  return text.length <= SHOWN_MAX_CHARACTERS ? text : `${text.slice(0, SHOWN_MAX_CHARACTERS)} ... [cut, ${text.length} characters in all]`;
}
