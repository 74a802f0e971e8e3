// A transcript: the frames of one run, as a supervisor saved them. See "Transcripts" in protocol/SPEC.md.

import { fromValue } from "../wire/json_lines.js";
import { TO_SUPERVISOR, TO_WORKER } from "../wire/messages.js";
import { parse } from "../values.js";

const TRANSCRIPT_VERSION = 1;
const SAVE_ONE = "save one with `supervisor transcript ID --out FILE`";

/** The text is no transcript, or none that can be replayed; the message says why. */
export class TranscriptError extends Error {
  name = "TranscriptError";
}

/**
 * Reads lines of JSON into what a replay needs: the Execute, the calls with their replies, the log, the cancels and
 * how it ended. Lines, keys and messages of later versions are passed over.
 */
export function parseTranscript(text) {
  const lines = text.split("\n").map((line, at) => ({ line, number: at + 1 })).filter(({ line }) => line.trim() !== "");
  if (lines.length === 0) throw new TranscriptError(`the file is empty; ${SAVE_ONE}`);
  const recording = new Recording(readHeader(lines.shift()));
  for (const { line, number } of lines) {
    try {
      recording.add(parse(line));
    } catch (error) {
      throw new TranscriptError(`line ${number} of the transcript cannot be read: ${error.message}`);
    }
  }
  recording.check();
  return recording;
}

function readHeader({ line, number }) {
  let header;
  try {
    header = parse(line);
  } catch (error) {
    throw new TranscriptError(`line ${number} is not the head of a transcript (${error.message}); ${SAVE_ONE}`);
  }
  if (!Number.isInteger(header?.transcript)) {
    throw new TranscriptError(`line ${number} is not the head of a transcript (it has no key "transcript"); ${SAVE_ONE}`);
  }
  if (header.transcript !== TRANSCRIPT_VERSION) {
    throw new TranscriptError(
      `the transcript has version ${header.transcript}, and this program reads version ${TRANSCRIPT_VERSION}: use a newer one`,
    );
  }
  return header;
}

/** What passed in one run. */
export class Recording {
  /** The Execute message. */
  execute = null;
  /** `{ method, params, reply }` in the order they were made; `reply` is a CallResult, or null when none was kept. */
  calls = [];
  /** So many calls at the front are known to be all there were until then. */
  callsInOrder = 0;
  /** `{ level, message }` of each record, as far as nothing is missing. */
  logs = [];
  /** Frames that were not kept. */
  dropped = 0;
  /** `{ afterMs, calls, reason, message, graceMs }`: how long after Started it came, and after how many calls. */
  cancels = [];
  /** The outcome the worker sent; null when it was ended before it could. */
  outcome = null;
  /** The supervisor's word on the end, if it is there. */
  ended = null;
  #startedUs = 0;
  #byNumber = new Map();

  constructor(header) {
    this.header = header;
  }

  add(entry) {
    if (entry?.to_worker !== undefined) this.#toWorker(fromValue(TO_WORKER, entry.to_worker), entry.at_us ?? 0);
    else if (entry?.to_supervisor !== undefined) this.#toSupervisor(fromValue(TO_SUPERVISOR, entry.to_supervisor), entry.at_us ?? 0);
    else if (entry?.dropped !== undefined) this.dropped += entry.dropped;
    else if (entry?.ended !== undefined) this.ended = entry.ended;
  }

  check() {
    if (this.execute !== null) return;
    const why = this.dropped > 0 ? "its Execute was too large to be kept" : "it holds no Execute";
    throw new TranscriptError(`the transcript cannot be replayed because ${why}; run the workflow itself: muster-worker run ${this.header.workflow}`);
  }

  /** True when something of the run is missing from here on. */
  get hasGap() {
    return this.dropped > 0;
  }

  #toWorker(message, atUs) {
    switch (message?.type) {
      case "Execute":
        this.execute ??= message;
        return;
      case "Reply": {
        const call = this.#byNumber.get(message.call);
        if (call !== undefined) call.reply = message.result;
        return;
      }
      case "Cancel": {
        const { reason, message: text, grace_ms: graceMs } = message;
        const afterMs = Math.max(0, (atUs - this.#startedUs) / 1000);
        this.cancels.push({ afterMs, calls: this.callsInOrder, reason, message: text, graceMs });
        return;
      }
      default: // Neither a Ping nor a Dump changes what the run does.
    }
  }

  #toSupervisor(message, atUs) {
    switch (message?.type) {
      case "Started":
        this.#startedUs = atUs;
        return;
      case "Call": {
        const call = { method: message.method, params: message.params ? parse(message.params) : null, reply: null };
        this.calls.push(call);
        this.#byNumber.set(message.call, call);
        if (!this.hasGap) this.callsInOrder = this.calls.length;
        return;
      }
      case "Log":
        if (!this.hasGap) for (const { level, message: text } of message.records) this.logs.push({ level, message: text });
        return;
      case "Finished":
        this.outcome ??= message.outcome;
        return;
      default: // Progress and the like are shown and not compared.
    }
  }
}
