// What the worker describes of its workflows to a supervisor that listens.

import { readFileSync } from "node:fs";
import { relative } from "node:path";
import { NOT_CUT_OUT, seemsToDeclare } from "./declaration.js";
import { policyIn, policyOf } from "./policy.js";

/** So many workflows go into one message: far from a frame's end, whatever their schemas. */
const AT_ONCE = 200;

/** Everything there is, in place of what was described before. */
export function descriptionsOf(host) {
  const { root } = host.library;
  const within = (file) => (root !== null && file.startsWith(`${root}/`) ? relative(root, file) : file);
  const described = new Map();
  for (const name of host.library.fileNames()) {
    const file = host.library.fileOf(name);
    if (file !== null) described.set(name, { ...policyOfFile(file), name, source_file: within(file) });
  }
  for (const [name, where] of host.entries) {
    described.set(name, { ...host.policies.get(name), name, source_file: within(where.replace(/:\d+$/, "")) });
  }
  const workflows = [...described.values()];
  const broken = Object.entries(host.broken).map(([file, { kind, message, stack }]) => ({
    file: within(file),
    error: { kind, message, stack: (stack ?? "").slice(0, 1000), retryable: null },
  }));
  const messages = [{ type: "Describe", replaces: true, workflows: workflows.splice(0, AT_ONCE), broken }];
  while (workflows.length > 0) {
    messages.push({ type: "Describe", replaces: false, workflows: workflows.splice(0, AT_ONCE), broken: [] });
  }
  return messages;
}

/** What a file declares of its default export; a warning when it does not count. */
export function policyOfFile(file) {
  try {
    const source = readFileSync(file, "utf8");
    const policy = policyIn(source);
    if (policy !== null) return policy;
    if (seemsToDeclare(source)) warn(file, NOT_CUT_OUT);
  } catch (error) {
    warn(file, error.message);
  }
  return policyOf({});
}

function warn(file, why) {
  process.stderr.write(`${file}: "export const muster" does not count: ${why}\n`);
}
