// One connection to the supervisor: two descriptors, one spelling, whole messages in and out.
//
// Writes are blocking: the supervisor always reads, and a frame is never torn by another.

import { createReadStream, fstatSync, writeSync } from "node:fs";
import { Socket } from "node:net";
import { isatty, ReadStream } from "node:tty";
import * as binary from "./binary.js";
import { Decoder } from "./decoder.js";
import * as jsonLines from "./json_lines.js";
import { FRAME_HEADER_BYTES, FRAME_MAX_BYTES } from "./limits.js";
import { TO_SUPERVISOR } from "./messages.js";

const NEWLINE = 0x0a;
const pause = new Int32Array(new SharedArrayBuffer(4));

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
    const frame = binary.encode(TO_SUPERVISOR, message, FRAME_HEADER_BYTES);
    frame.writeUInt32BE(frame.length - FRAME_HEADER_BYTES);
    return frame;
  }

  /** True when the supervisor takes a message of this size. */
  fits(encoded) {
    return encoded.length - FRAME_HEADER_BYTES <= this.frameMaxBytes;
  }

  /** Writes the messages in one go. */
  send(...messages) {
    this.write(messages.length === 1 ? this.encode(messages[0]) : Buffer.concat(messages.map((one) => this.encode(one))));
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
}

function openStream(fd) {
  const status = fstatSync(fd);
  if (status.isFIFO() || status.isSocket()) return new Socket({ fd, readable: true, writable: false });
  if (isatty(fd)) return new ReadStream(fd);
  return createReadStream("", { fd });
}
