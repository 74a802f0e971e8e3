// `run WORKFLOW`: one execution; logs and prints on stderr, the result on stdout.

import { randomUUID } from "node:crypto";
import { writeSync } from "node:fs";
import { policyOfFile } from "../describing.js";
import { areMoved, relaunch, STDIN_FD, STDOUT_FD } from "../streams.js";
import { EXIT_DONE, EXIT_USAGE } from "../wire/limits.js";
import { isDebugged, leave, openHost, runAlone } from "./alone.js";
import { GivenError, readEntries, readParams, readText, readTimeout } from "./given.js";
import { Memory } from "./memory.js";
import { say, showStack } from "./screen.js";

const EXIT_FAILED = 1;
const EXIT_TIMEOUT = 124;
const EXIT_CANCELLED = 130;

/** Resolves with the exit code, which tells how the execution ended. */
export async function runCommand(workflow, values) {
  if (!areMoved() && !isDebugged()) return relaunch();
  let given;
  try {
    given = readGiven(values);
  } catch (error) {
    if (!(error instanceof GivenError)) throw error;
    say(`error: ${error.message}`);
    return EXIT_USAGE;
  }
  const host = await openHost(values["workflows-dir"], { inProcess: isDebugged() });
  if (host === null) return EXIT_FAILED;
  const source = given.code === null ? { type: "Named" } : { type: "Inline", language: "", code: given.code };
  let job;
  try {
    job = await host.find(workflow, source);
  } catch (error) {
    say(`error: ${error.message}`);
    return leave(host, EXIT_FAILED);
  }
  if (job.kind === "file" && job.function === "") policyOfFile(job.file);
  const request = { run: 1, executionId: randomUUID(), attempt: 1, workflow, params: given.params, context: "", timeoutMs: given.timeoutMs };
  const { outcome, reason } = await runAlone(host, job, request, new Memory(given.config, given.state));
  return leave(host, report(outcome, reason));
}

function readGiven(values) {
  return {
    params: readParams(values.params, STDIN_FD),
    config: readEntries("--config", values.config),
    state: readEntries("--state", values.state),
    code: values.code === undefined ? null : readText(values.code),
    timeoutMs: readTimeout(values.timeout),
  };
}

/** Prints the outcome and returns its exit code. */
function report(outcome, reason) {
  const timedOut = ["Timeout", "WorkflowTimeout"].includes(reason);
  showStack(outcome);
  switch (outcome.type) {
    case "Succeeded":
      writeSync(STDOUT_FD, `${outcome.result}\n`);
      return EXIT_DONE;
    case "Failed":
      say(`failed: ${outcome.error.kind}: ${outcome.error.message}`);
      return outcome.error.kind === "WorkflowTimeout" ? EXIT_TIMEOUT : EXIT_FAILED;
    case "Cancelled":
      say(`${timedOut ? "timeout" : "cancelled"}: ${outcome.message}`);
      return timedOut ? EXIT_TIMEOUT : EXIT_CANCELLED;
    default:
      say(`error: ${outcome.reason}`);
      return EXIT_FAILED;
  }
}
