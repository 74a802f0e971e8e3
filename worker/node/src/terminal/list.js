// `list`: every workflow, and every file that cannot be loaded.

import { writeSync } from "node:fs";
import { descriptionsOf } from "../describing.js";
import { STDOUT_FD } from "../streams.js";
import { EXIT_DONE } from "../wire/limits.js";
import { leave, openHost } from "./alone.js";
import { say } from "./screen.js";

const EXIT_FAILED = 1;

export async function listCommand(values) {
  const host = await openHost(values["workflows-dir"]);
  if (host === null) return EXIT_FAILED;
  const described = new Map(descriptionsOf(host).flatMap(({ workflows }) => workflows.map((one) => [one.name, one])));
  const found = host.names().map((workflow) => ({
    workflow,
    where: host.entries.get(workflow) ?? host.library.fileOf(workflow),
    ...policyFields(described.get(workflow)),
  }));
  const width = Math.max(0, ...found.map(({ workflow }) => workflow.length));
  if (values.json) writeSync(STDOUT_FD, `${JSON.stringify(found)}\n`);
  else for (const one of found) writeSync(STDOUT_FD, `${one.workflow.padEnd(width)}  ${one.where}${inWords(one)}\n`);
  if (found.length === 0) say(`there are no workflows in ${values["workflows-dir"]}`);
  return leave(host, Object.keys(host.broken).length > 0 ? EXIT_FAILED : EXIT_DONE);
}

/** What is declared, as `GET /api/workflows` of a supervisor names it. What is not declared is left out of the JSON. */
function policyFields(described) {
  const { timeout_ms: timeoutMs, retry, parameters } = described;
  return {
    timeout_seconds: timeoutMs === null ? undefined : timeoutMs / 1000,
    max_attempts: retry.max_attempts ?? undefined,
    backoff_seconds: retry.backoff_ms === null ? undefined : retry.backoff_ms / 1000,
    parameters: parameters ? JSON.parse(parameters) : undefined,
  };
}

function inWords({ timeout_seconds: timeout, max_attempts: attempts }) {
  const said = [timeout !== undefined && `timeout ${timeout} s`, attempts !== undefined && `${attempts} attempts`].filter(Boolean);
  return said.length > 0 ? `  (${said.join(", ")})` : "";
}
