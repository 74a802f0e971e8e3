// One connection to the supervisor: two descriptors, one spelling, whole messages in and out.
//
// Writes are blocking: the supervisor always reads, and a frame is never torn by another.

import { closeSync, createReadStream, fstatSync, writeSync } from "node:fs";
import { Socket } from "node:net";
import { isatty, ReadStream } from "node:tty";
import * as binary from "./binary.js";
import * as jsonLines from "./json_lines.js";
import { FRAME_HEADER_BYTES, FRAME_MAX_BYTES } from "./limits.js";
import { TO_SUPERVISOR, TO_WORKER } from "./messages.js";

const NEWLINE = 0x0a;
const pause = new Int32Array(new SharedArrayBuffer(4));

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

/** Messages over two descriptors. */
export class Connection {
  frameMaxBytes = FRAME_MAX_BYTES;
  #inFd;
  #outFd;
  #jsonMode;

  constructor(inFd, outFd, jsonMode) {
    this.#inFd = inFd;
    this.#outFd = outFd;
    this.#jsonMode = jsonMode;
  }

  /** Calls `onMessage` for each message, `onEnd` once at the end, `onError` when the peer breaks the protocol. */
  listen(onMessage, onEnd, onError) {
    const decoder = new Decoder(this.#jsonMode);
    const stream = openStream(this.#inFd);
    stream.on("data", (chunk) => {
      try {
        for (const message of decoder.push(chunk)) onMessage(message);
      } catch (error) {
        onError(error);
      }
    });
    stream.on("end", onEnd);
    stream.on("error", onEnd);
  }

  /** The message as it goes over the wire, its head included. */
  encode(message) {
    if (this.#jsonMode) return Buffer.concat([jsonLines.encode(TO_SUPERVISOR, message), Buffer.of(NEWLINE)]);
    const body = binary.encode(TO_SUPERVISOR, message);
    const head = Buffer.allocUnsafe(FRAME_HEADER_BYTES);
    head.writeUInt32BE(body.length);
    return Buffer.concat([head, body]);
  }

  /** True when the supervisor takes a message of this size. */
  fits(encoded) {
    return encoded.length - FRAME_HEADER_BYTES <= this.frameMaxBytes;
  }

  /** Writes the messages in one go. */
  send(...messages) {
    this.write(Buffer.concat(messages.map((one) => this.encode(one))));
  }

  /** Writes all of it. A broken pipe means the supervisor is gone; reading will tell. */
  write(data) {
    for (let at = 0; at < data.length; ) {
      try {
        at += writeSync(this.#outFd, data, at);
      } catch (error) {
        if (error.code === "EPIPE") return;
        if (error.code !== "EAGAIN") throw error;
        // Somebody made the descriptor non-blocking: wait a moment for the reader.
        Atomics.wait(pause, 0, 0, 1);
      }
    }
  }

  /** Closes the writing end, so that the supervisor sees the end of the stream. */
  close() {
    closeSync(this.#outFd);
  }
}

function openStream(fd) {
  const status = fstatSync(fd);
  if (status.isFIFO() || status.isSocket()) return new Socket({ fd, readable: true, writable: false });
  if (isatty(fd)) return new ReadStream(fd);
  return createReadStream("", { fd });
}
