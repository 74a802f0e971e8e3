// Says what the Node SDK's decoder makes of each line on stdin: see `speakers.rs`.

import { createInterface } from "node:readline";
import * as binary from "../../../worker/node/src/wire/binary.js";
import * as jsonLines from "../../../worker/node/src/wire/json_lines.js";
import { TO_SUPERVISOR, TO_WORKER } from "../../../worker/node/src/wire/messages.js";

function said(direction, spelling, digits = "") {
  const variants = direction === "to_worker" ? TO_WORKER : TO_SUPERVISOR;
  const codec = spelling === "line" ? jsonLines : binary;
  let message;
  try {
    message = codec.decode(variants, Buffer.from(digits, "hex"));
  } catch (error) {
    if (!(error instanceof binary.DecodeError)) throw error;
    return "refused";
  }
  if (message === null) return "skipped";
  if (codec === jsonLines) return `ok ${codec.encode(variants, message)}`;
  return holdsNoText(message) ? "ok ?" : `ok ${Buffer.from(codec.encode(variants, message)).toString("hex")}`;
}

/** True for a message with a payload that is no text. */
function holdsNoText(value, key) {
  if (value === null) return key === "code";
  if (typeof value === "string") return value.startsWith("\ufffd");
  return typeof value === "object" && Object.entries(value).some(([key, one]) => holdsNoText(one, key));
}

for await (const line of createInterface({ input: process.stdin })) process.stdout.write(`${said(...line.split(" "))}\n`);
