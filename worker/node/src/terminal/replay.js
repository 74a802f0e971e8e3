// `replay FILE`: an execution of production once more on a desk, with the answers it got then.

import { writeSync } from "node:fs";
import { setTimeout as timer } from "node:timers/promises";
import { Rejection } from "../outcome.js";
import { areMoved, relaunch, STDOUT_FD } from "../streams.js";
import { EXIT_DONE } from "../wire/limits.js";
import { isDebugged, leave, openHost, runAlone } from "./alone.js";
import { Comparison } from "./comparison.js";
import { GivenError, readEntries, readText } from "./given.js";
import { Masks } from "./masks.js";
import { Memory } from "./memory.js";
import { say, showLog, showProgress, showStack } from "./screen.js";
import { parseTranscript, TranscriptError } from "./transcript.js";

const EXIT_DIFFERENT = 1;
/** So long a recorded cancel waits for the calls that came before it. */
const CALLS_MAX_MS = 5000;
const EXIT_NOT_REPLAYABLE = 2;

/** Resolves with the exit code: 0 the same, 1 not the same, 2 the file cannot be replayed. */
export async function replayCommand(file, values) {
  if (!areMoved() && !isDebugged()) return relaunch();
  let recording, masks, config;
  try {
    recording = parseTranscript(readText(file));
    config = readEntries("--config", values.config);
    masks = new Masks(config, recording.execute.context);
  } catch (error) {
    if (!(error instanceof GivenError || error instanceof TranscriptError)) throw error;
    say(`error: ${error.message}`);
    return EXIT_NOT_REPLAYABLE;
  }
  announce(recording, masks);
  const host = await openHost(values["workflows-dir"], { inProcess: isDebugged() });
  if (host === null) return EXIT_NOT_REPLAYABLE;
  const comparison = new Comparison(recording, masks, new Memory(config, new Map()));
  const outcome = await replay(host, recording, masks, comparison);
  comparison.end(outcome);
  return leave(host, report(comparison, outcome, values["workflows-dir"]));
}

function announce({ header, calls, cancels }, masks) {
  const { execution_id, attempt, workflow, recorded_at, implementation, implementation_version, language } = header;
  say(`replaying ${workflow}, execution ${execution_id}, attempt ${attempt}, recorded ${recorded_at} by ${implementation} ${implementation_version} (${language})`);
  const { missing, unused } = masks.unmatched(calls);
  for (const key of missing) say(`note: the value of ${key} is masked; give the run one with --config ${key}=VALUE`);
  for (const key of unused) say(`note: --config ${key} is not used: the recording has no masked entry of this name`);
  if (isDebugged() && cancels.length > 0) say("note: the recorded cancel is left out, because no clock runs under a debugger");
}

async function replay(host, { execute, cancels }, masks, comparison) {
  let job;
  try {
    job = await host.find(execute.workflow, execute.source);
  } catch (error) {
    if (!(error instanceof Rejection)) throw error;
    return { type: "Rejected", reason: error.message };
  }
  const request = {
    run: execute.run,
    executionId: execute.execution_id,
    attempt: execute.attempt,
    workflow: execute.workflow,
    params: execute.params,
    context: masks.context(),
    timeoutMs: Number(execute.timeout_ms),
  };
  const isOver = new AbortController();
  const { outcome } = await runAlone(host, job, request, {
    log(record) {
      showLog(record);
      comparison.log(record);
    },
    progress: showProgress,
    call: (method, params) => comparison.call(method, params),
    started(execution) {
      if (!isDebugged()) for (const one of cancels) cancelAsThen(execution, one, comparison, isOver.signal);
    },
  });
  isOver.abort();
  return outcome;
}

/** A run that is slower than it was then is not cancelled before it has made the calls that it had made by then; unless it makes others. */
async function cancelAsThen(execution, { afterMs, calls, reason, message, graceMs }, comparison, signal) {
  const options = { signal, ref: false };
  try {
    await timer(afterMs, null, options);
    await Promise.race([comparison.made(calls), timer(CALLS_MAX_MS, null, options)]);
  } catch {
    // It is over.
    return;
  }
  execution.cancel(reason, message || "cancelled", graceMs);
}

/** Shows the first difference, then both outcomes; returns the exit code. */
function report(comparison, outcome, folder) {
  showStack(outcome);
  const { difference, past } = comparison;
  say("");
  if (past.length > 0) say(wordsOf(past));
  if (comparison.gap !== null) say(`note: ${comparison.gap}`);
  if (difference === null) say(`no difference: ${comparison.extent} are the same`);
  else say(`first difference: ${difference.what}`);
  // The outcomes follow in any case.
  if (difference !== null && difference.what !== "outcome") say(`  then: ${indented(difference.then)}\n  now:  ${indented(difference.now)}`);
  say(`outcome then: ${comparison.then()}\noutcome now:  ${comparison.now(outcome)}`);
  if (outcome.type === "Rejected" && difference !== null) say(`the workflows are looked for in ${folder}; --workflows-dir DIR names another folder`);
  if (outcome.type === "Succeeded") writeSync(STDOUT_FD, `${outcome.result}\n`);
  return difference === null ? EXIT_DONE : EXIT_DIFFERENT;
}

function wordsOf(past) {
  const calls = past.length === 1 ? "it was" : `it and ${past.length - 1} more were`;
  return `the run went past the recording, which has no answer to ${past[0]}: ${calls} answered here as in \`run\`, with the recorded state, and nothing was written or submitted`;
}

function indented(text) {
  return text.replaceAll("\n", "\n        ");
}
