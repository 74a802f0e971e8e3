// The golden vectors of the protocol, both ways, both spellings.

import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { test } from "node:test";
import * as binary from "../src/wire/binary.js";
import { Decoder, PeerError } from "../src/wire/decoder.js";
import * as jsonLines from "../src/wire/json_lines.js";
import { TO_SUPERVISOR, TO_WORKER } from "../src/wire/messages.js";
import { isAlike } from "../src/terminal/alike.js";
import { parse, write } from "../src/values.js";

const FOLDER = new URL("../../../protocol/vectors/", import.meta.url);
const DIRECTIONS = { to_supervisor: TO_SUPERVISOR, to_worker: TO_WORKER };
const options = { skip: !existsSync(FOLDER) && "the golden vectors live in the repository" };
const load = (name) => JSON.parse(readFileSync(new URL(`${name}.json`, FOLDER), "utf8"));
const lines = (name) => readFileSync(new URL(`${name}.json`, FOLDER), "utf8").split("\n").filter((line) => line.startsWith("{"));
const body = (vector) => Buffer.from(vector.hex, "hex").subarray(4);

for (const name of ["to_supervisor", "to_worker"]) {
  test(`${name}: accepted and written back`, options, () => {
    const texts = lines(name);
    for (const [at, vector] of load(name).entries()) {
      const variants = DIRECTIONS[vector.direction];
      const message = binary.decode(variants, body(vector));
      assert.equal(message.type, Object.keys(vector.json)[0], vector.name);
      assert.equal(binary.encode(variants, message).toString("hex"), body(vector).toString("hex"), vector.name);
      assert.deepEqual(JSON.parse(jsonLines.encode(variants, message)), vector.json, vector.name);
      const line = /"json":(.*),"hex"/.exec(texts[at])[1];
      const again = jsonLines.decode(variants, Buffer.from(line));
      assert.deepEqual(JSON.parse(jsonLines.encode(variants, again)), vector.json, vector.name);
    }
  });
}

test("whole numbers of every size, and texts that look broken and are not", () => {
  for (const rss_bytes of [0, 1, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 53 - 1, 2n ** 53n, 2n ** 64n - 1n]) {
    const message = { type: "Idle", run: 2 ** 32 - 1, rss_bytes, recycle: true };
    const written = binary.encode(TO_SUPERVISOR, message);
    assert.equal(written.readBigUInt64LE(8), BigInt(rss_bytes));
    assert.deepEqual(binary.decode(TO_SUPERVISOR, written), message);
  }
  assert.throws(() => binary.encode(TO_SUPERVISOR, { type: "Idle", run: 1, recycle: true }), TypeError);
  for (const reason of ["", "größer", "\ufeffmark", "\ufffd stands here", "😀".repeat(100)]) {
    const message = { type: "Goodbye", reason };
    assert.deepEqual(binary.decode(TO_SUPERVISOR, binary.encode(TO_SUPERVISOR, message)), message);
  }
  const broken = Buffer.from(binary.encode(TO_SUPERVISOR, { type: "Goodbye", reason: "a\ufffd" }));
  broken[13] = 0xff;
  assert.throws(() => binary.decode(TO_SUPERVISOR, broken), binary.DecodeError);
});

test("skipped", options, () => {
  for (const vector of load("skipped")) {
    const variants = DIRECTIONS[vector.direction];
    assert.equal(binary.decode(variants, body(vector)), null);
    assert.equal(jsonLines.decode(variants, Buffer.from(JSON.stringify(vector.json))), null);
  }
});

test("rejected", options, () => {
  const vectors = load("rejected");
  assert.ok(vectors.length > 100);
  for (const vector of vectors) {
    if (["bad_length", "polluted"].includes(vector.error)) {
      assert.throws(() => [...new Decoder(false).push(Buffer.from(vector.hex, "hex"))], PeerError, vector.name);
    } else {
      assert.throws(() => binary.decode(DIRECTIONS[vector.direction], body(vector)), binary.DecodeError, vector.name);
    }
  }
});

test("replayed values: the same or not", options, () => {
  const rows = readFileSync(new URL("replayed_values.jsonl", FOLDER), "utf8").trimEnd().split("\n").map(parse);
  assert.ok(rows.length > 30);
  // There is one kind of number here: of a pair that only differs in it nothing can be said.
  const isOneKind = ({ then, now, same }) => !same && typeof then === "number" && Object.is(then, now);
  assert.equal(rows.filter(isOneKind).length, 3);
  for (const row of rows.filter((row) => !isOneKind(row))) assert.equal(isAlike(row.then, row.now), row.same, write(row));
});
