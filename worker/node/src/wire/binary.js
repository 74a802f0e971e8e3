// Messages as bytes: little-endian integers of fixed width, a u64 length before text and lists, a u32 before
// enums. A u64 above what a number holds exactly is a BigInt.

import { isUtf8 } from "node:buffer";

const TWO_TO_32 = 2 ** 32;
const fatalUtf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** The bytes are not a message of this direction. */
export class DecodeError extends Error {
  name = "DecodeError";
}

/** The body of one frame, behind so many bytes for its head. */
export function encode(variants, message, headBytes = 0) {
  const writer = new Writer(headBytes);
  writer.write(variants, message);
  return writer.done();
}

/** Reads one body, all of it; null when the message is of a later version and to be skipped. */
export function decode(variants, body) {
  if (body.length < 4) throw new DecodeError(`a message of ${body.length} bytes is shorter than its index`);
  if (body.readUInt32LE(0) >= variants.all.length) return null;
  const reader = new Reader(body);
  const message = reader.read(variants);
  if (reader.at !== body.length) {
    throw new DecodeError(`${message.type} ends after ${reader.at} of ${body.length} bytes`);
  }
  return message;
}

class Writer {
  #buffer = Buffer.allocUnsafe(256);
  #at;

  constructor(at) {
    this.#at = at;
  }

  done() {
    return this.#buffer.subarray(0, this.#at);
  }

  write(kind, value) {
    switch (kind.kind) {
      case "uint":
        return this.#uint(kind.bytes, value);
      case "bool":
        return this.#uint(1, value ? 1 : 0);
      case "text":
      case "json":
      case "code":
        return this.#text(value);
      case "names":
        return this.#uint(4, kind.values.indexOf(value));
      case "list":
        this.#uint(8, value.length);
        for (const one of value) this.write(kind.item, one);
        return;
      case "option":
        this.#uint(1, value == null ? 0 : 1);
        if (value != null) this.write(kind.item, value);
        return;
      case "struct":
        for (const field of kind.fields) this.write(field.kind, value[field.name]);
        return;
      case "variants": {
        const variant = kind.byName.get(value.type);
        this.#uint(4, variant.index);
        for (const field of variant.fields) this.write(field.kind, value[field.name]);
        return;
      }
      default:
        throw new TypeError(`no such kind: ${kind.kind}`);
    }
  }

  #room(bytes) {
    if (this.#at + bytes <= this.#buffer.length) return;
    const larger = Buffer.allocUnsafe(Math.max(this.#buffer.length * 2, this.#at + bytes));
    this.#buffer.copy(larger, 0, 0, this.#at);
    this.#buffer = larger;
  }

  #uint(bytes, value) {
    this.#room(bytes);
    if (bytes === 8) this.#uint64(value);
    else if (bytes === 4) this.#buffer.writeUInt32LE(value, this.#at);
    else this.#buffer.writeUIntLE(value, this.#at, bytes);
    this.#at += bytes;
  }

  // Nearly all are small, and a BigInt is an object to be made.
  #uint64(value) {
    if (!(value < TWO_TO_32)) return this.#buffer.writeBigUInt64LE(BigInt(value), this.#at);
    this.#buffer.writeUInt32LE(Number(value), this.#at);
    this.#buffer.writeUInt32LE(0, this.#at + 4);
  }

  #text(value) {
    const bytes = Buffer.byteLength(value);
    this.#uint(8, bytes);
    this.#room(bytes);
    this.#at += this.#buffer.write(value, this.#at);
  }
}

class Reader {
  at = 0;
  #body;

  constructor(body) {
    this.#body = body;
  }

  read(kind) {
    switch (kind.kind) {
      case "uint":
        return this.#uint(kind.bytes);
      case "bool":
        return this.#bool();
      case "text":
        return this.#text();
      case "json":
        // It travels unparsed. What is no text is the fault of who sent it: it is no JSON either, for what stands before it.
        return this.#code() ?? "\ufffd";
      case "code":
        return this.#code();
      case "names":
        return this.#name(kind);
      case "list":
        return Array.from({ length: this.#length() }, () => this.read(kind.item));
      case "option":
        return this.#bool() ? this.read(kind.item) : null;
      case "struct":
        return this.#fields(kind.fields, {});
      case "variants": {
        const index = this.#uint(4);
        const variant = kind.all[index];
        if (variant === undefined) throw new DecodeError(`${kind.name} has no variant ${index}`);
        return this.#fields(variant.fields, { type: variant.type });
      }
      default:
        throw new TypeError(`no such kind: ${kind.kind}`);
    }
  }

  #fields(fields, into) {
    for (const field of fields) into[field.name] = this.read(field.kind);
    return into;
  }

  #take(bytes) {
    const start = this.at;
    if (bytes > this.#body.length - start) {
      throw new DecodeError(`the message breaks off at byte ${this.#body.length}`);
    }
    this.at += bytes;
    return start;
  }

  #uint(bytes) {
    const start = this.#take(bytes);
    if (bytes === 4) return this.#body.readUInt32LE(start);
    if (bytes < 8) return this.#body.readUIntLE(start, bytes);
    if (this.#body.readUInt32LE(start + 4) === 0) return this.#body.readUInt32LE(start);
    const value = this.#body.readBigUInt64LE(start);
    return value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : value;
  }

  #bool() {
    const value = this.#uint(1);
    if (value > 1) throw new DecodeError(`no boolean at byte ${this.at - 1}`);
    return value === 1;
  }

  // A length is believed only as far as there are bytes, so a hostile one costs no memory.
  #length() {
    const length = this.#uint(8);
    if (length > this.#body.length - this.at) {
      throw new DecodeError(`a length of ${length} at byte ${this.at} is more than the message holds`);
    }
    return length;
  }

  #text() {
    const length = this.#length();
    const start = this.#take(length);
    // What is no UTF-8 is read as U+FFFD. Where there is none, which is nearly always, the slow decoder need not look.
    const text = this.#body.toString("utf8", start, start + length);
    if (!text.includes("\ufffd")) return text;
    try {
      return fatalUtf8.decode(this.#body.subarray(start, start + length));
    } catch {
      throw new DecodeError(`text at byte ${start} is not UTF-8`);
    }
  }

  // Code travels as bytes: what is no text is the fault of who sent it, and not of the frame. Null stands for it.
  #code() {
    const length = this.#length();
    const bytes = this.#body.subarray(this.#take(length), this.at);
    return isUtf8(bytes) ? bytes.toString("utf8") : null;
  }

  #name(kind) {
    const index = this.#uint(4);
    if (index >= kind.values.length) throw new DecodeError(`no variant ${index} among ${kind.values}`);
    return kind.values[index];
  }
}
