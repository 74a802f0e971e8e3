// Log records and progress on their way out: batched, bounded, in order.

import { clean } from "./values.js";
import {
  LOG_BATCH_MAX_AGE_MS,
  LOG_BATCH_MAX_BYTES,
  LOG_BATCH_MAX_RECORDS,
  LOG_MESSAGE_MAX_BYTES,
  PROGRESS_MESSAGE_MAX_BYTES,
} from "./wire/limits.js";

const FIELDS_MAX_BYTES = 64 * 1024;
const LEVELS = ["Trace", "Debug", "Info", "Warn", "Error"];

export class LogBatch {
  sent = 0;
  #run;
  #send;
  #least;
  #records = [];
  #bytes = 0;
  #progress = null;
  #timer = null;

  constructor(run, least, send) {
    this.#run = run;
    this.#least = least;
    this.#send = send;
  }

  add(record) {
    if (!isLogged(record.level, this.#least)) return;
    const kept = fitted(record);
    this.#records.push(kept);
    this.#bytes += kept.message.length + kept.fields.length + 64;
    if (this.#bytes >= LOG_BATCH_MAX_BYTES || this.#records.length >= LOG_BATCH_MAX_RECORDS) this.flush();
    else this.#later();
  }

  /** The latest progress replaces one that was not sent yet. */
  setProgress({ current, total, message }) {
    this.#progress = { type: "Progress", run: this.#run, current, total, message: cutMessage(message, PROGRESS_MESSAGE_MAX_BYTES) };
    this.#later();
  }

  flush() {
    const messages = this.take();
    if (messages.length > 0) this.#send(...messages);
  }

  /** The messages that are still to be sent. */
  take() {
    clearTimeout(this.#timer);
    this.#timer = null;
    const messages = [];
    if (this.#records.length > 0) {
      messages.push({ type: "Log", run: this.#run, records: this.#records });
      this.sent += this.#records.length;
      this.#records = [];
      this.#bytes = 0;
    }
    if (this.#progress !== null) messages.push(this.#progress);
    this.#progress = null;
    return messages;
  }

  #later() {
    this.#timer ??= setTimeout(() => this.flush(), LOG_BATCH_MAX_AGE_MS);
  }
}

/** True when a supervisor that asked for `least` and above wants a record of this level. */
export function isLogged(level, least) {
  return LEVELS.indexOf(level) >= LEVELS.indexOf(least);
}

/** A record of the SDK's own. */
export function warning(message) {
  return { timestamp_us: Date.now() * 1000, level: "Warn", logger: "muster-worker", message, fields: "" };
}

/** A record as it is sent. */
export function fitted(record) {
  return { ...record, message: cutMessage(record.message), logger: clean(record.logger), fields: fieldsWithin(record.fields) };
}

/** The message as it is sent: clean, and whole or cut at a character's border and marked. */
export function cutMessage(message, maxBytes = LOG_MESSAGE_MAX_BYTES) {
  const text = clean(message);
  if (text.length * 3 <= maxBytes) return text;
  const bytes = Buffer.from(text);
  if (bytes.length <= maxBytes) return text;
  const mark = ` ... [cut, ${bytes.length} bytes in all]`;
  let end = maxBytes - mark.length;
  // Back to a character's border: its first byte is not 10xxxxxx.
  while ((bytes[end] & 0xc0) === 0x80) end--;
  return bytes.subarray(0, end).toString() + mark;
}

function fieldsWithin(fields) {
  const bytes = Buffer.byteLength(fields);
  return bytes <= FIELDS_MAX_BYTES ? fields : JSON.stringify({ cut: `the fields were ${bytes} bytes` });
}
