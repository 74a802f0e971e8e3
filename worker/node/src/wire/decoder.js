// Cuts what the supervisor sends into messages, whatever portions it comes in.

import * as binary from "./binary.js";
import * as jsonLines from "./json_lines.js";
import { FRAME_HEADER_BYTES, FRAME_MAX_BYTES } from "./limits.js";
import { TO_WORKER } from "./messages.js";

const NEWLINE = 0x0a;

/** The supervisor sent something that is no message. */
export class PeerError extends Error {
  name = "PeerError";
}

/** Cuts bytes into messages. */
export class Decoder {
  #chunks = [];
  #bytes = 0;
  #jsonMode;

  constructor(jsonMode) {
    this.#jsonMode = jsonMode;
  }

  /** The messages that are complete with these bytes. */
  *push(chunk) {
    this.#chunks.push(chunk);
    this.#bytes += chunk.length;
    for (let body = this.#next(); body !== null; body = this.#next()) {
      const message = this.#decode(body);
      if (message !== null) yield message;
    }
  }

  #next() {
    return this.#jsonMode ? this.#nextLine() : this.#nextFrame();
  }

  #decode(body) {
    try {
      return (this.#jsonMode ? jsonLines : binary).decode(TO_WORKER, body);
    } catch (error) {
      throw new PeerError(error.message);
    }
  }

  #joined() {
    if (this.#chunks.length > 1) this.#chunks = [Buffer.concat(this.#chunks)];
    return this.#chunks[0] ?? Buffer.alloc(0);
  }

  #take(bytes, whole) {
    this.#bytes -= bytes;
    this.#chunks = this.#bytes > 0 ? [whole.subarray(bytes)] : [];
  }

  #nextFrame() {
    if (this.#bytes < FRAME_HEADER_BYTES) return null;
    if (this.#chunks[0].length < FRAME_HEADER_BYTES) this.#joined();
    const length = this.#chunks[0].readUInt32BE(0);
    if (length < 1 || length > FRAME_MAX_BYTES) {
      throw new PeerError(`a frame of ${length} bytes is not between 1 and ${FRAME_MAX_BYTES}`);
    }
    const end = FRAME_HEADER_BYTES + length;
    // Large frames come in many chunks; they are joined once, when the last is there.
    if (this.#bytes < end) return null;
    const whole = this.#joined();
    this.#take(end, whole);
    return whole.subarray(FRAME_HEADER_BYTES, end);
  }

  #nextLine() {
    while (this.#bytes > 0) {
      const whole = this.#joined();
      const end = whole.indexOf(NEWLINE);
      if (end < 0) {
        if (whole.length > FRAME_MAX_BYTES) throw new PeerError(`a line is longer than ${FRAME_MAX_BYTES} bytes`);
        return null;
      }
      this.#take(end + 1, whole);
      const line = whole.subarray(0, end);
      if (line.toString().trim() !== "") return line;
    }
    return null;
  }
}
