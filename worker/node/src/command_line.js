// The command line: `serve`, `run`, `replay`, `list`.

import { writeSync } from "node:fs";
import { parseArgs } from "node:util";
import { areMoved, FRAMES_IN_FD, FRAMES_OUT_FD, relaunch, STDOUT_FD } from "./streams.js";
import { VERSION } from "./version.js";
import { EXIT_DONE, EXIT_USAGE } from "./wire/limits.js";

const USAGE = `Runs Muster workflows written in JavaScript.

usage: muster-worker COMMAND

  list [--json]                  the workflows and where they are
  run WORKFLOW                   one execution here, without a supervisor
      --params JSON|@FILE|-      its parameters (default: {})
      --code FILE                run this file's workflow instead of one by name
      --timeout SECONDS          end it after so long
      --config KEY=VALUE|@FILE   configuration it will see; VALUE is JSON or text, FILE a JSON object
      --state KEY=VALUE|@FILE    state it will find; it is kept in memory for this run only
  replay FILE                    an execution of production again, from its saved transcript
      --config KEY=VALUE|@FILE   what stands for a masked secret
  serve [--json]                 serve frames on stdin and stdout; --json: a JSON line per message

  --workflows-dir DIR            the workflows folder (default: $MUSTER_WORKFLOWS_DIR, else ./workflows)
  --version, --help

--config and --state may be repeated; the last value of a key counts.

examples:
  muster-worker list
  muster-worker run greet --params '{"name": "Ada"}'
  muster-worker run report --params @report.json --timeout 30 --config @config.json --config api_key=secret
  muster-worker replay failure.jsonl --config api_key=secret
  node --inspect-brk node_modules/muster-worker/bin/muster-worker.js run greet      breakpoints; the clock stands still

exit status:
  run      0 it succeeded, 1 it failed, 124 it ran out of time, 130 it was cancelled
  replay   0 the same as then, 1 not the same, 2 the file cannot be replayed
  64 the command line makes no sense

As a worker of a supervisor: worker_command = "node_modules/.bin/muster-worker"
`;

const FOLDER = { "workflows-dir": { type: "string", default: process.env.MUSTER_WORKFLOWS_DIR ?? "./workflows" } };
const JSON_OUT = { json: { type: "boolean", default: false } };
const ENTRIES = { type: "string", multiple: true, default: [] };
const ALWAYS = { help: { type: "boolean", short: "h" }, version: { type: "boolean", short: "V" } };

/** Each command: the options it knows, the word it takes, and what it does. Loaded only when it is called. */
const COMMANDS = {
  serve: { options: JSON_OUT, start: serve },
  list: { options: { ...FOLDER, ...JSON_OUT }, start: async (_, values) => (await import("./terminal/list.js")).listCommand(values) },
  run: {
    options: {
      ...FOLDER,
      params: { type: "string", default: "{}" },
      code: { type: "string" },
      timeout: { type: "string" },
      config: ENTRIES,
      state: ENTRIES,
    },
    word: "the name of a workflow",
    start: async (workflow, values) => (await import("./terminal/run.js")).runCommand(workflow, values),
  },
  replay: {
    options: { ...FOLDER, config: ENTRIES },
    word: "the file of a transcript",
    start: async (file, values) => (await import("./terminal/replay.js")).replayCommand(file, values),
  },
};

/** Runs one command; resolves with the exit code. */
export async function main(given) {
  const [name, ...rest] = given[0]?.startsWith("-") || given.length === 0 ? [defaultCommand(), ...given] : given;
  const command = name === "help" ? { options: {} } : COMMANDS[name];
  if (command === undefined) return usage(`there is no command ${name}; there are ${Object.keys(COMMANDS).join(", ")}`);
  let values, words;
  try {
    ({ values, positionals: words } = parseArgs({ args: rest, options: { ...command.options, ...ALWAYS }, allowPositionals: true }));
  } catch (error) {
    if (name === "help") return usage(`${given[0]}: the command comes first`);
    return usage(`${name}: ${error.message.split(". ")[0]}`);
  }
  if (values.version) return version();
  if (values.help || command.start === undefined) return help(values.help || given[0] === "help");
  const wanted = command.word === undefined ? [] : [command.word];
  if (words.length !== wanted.length) {
    return usage(wanted.length === 0 ? `${name} takes no ${JSON.stringify(words[0])}` : `${name} takes ${command.word}, and one only`);
  }
  return command.start(words[0], values);
}

/** A supervisor says in the environment what it wants. */
function defaultCommand() {
  return process.env.MUSTER_PROTOCOL ? "serve" : "help";
}

async function serve(_, { json }) {
  if (!areMoved()) return relaunch();
  const { Connection } = await import("./wire/connection.js");
  const { Session } = await import("./session.js");
  const code = await new Session(new Connection(FRAMES_IN_FD, FRAMES_OUT_FD, json)).serve();
  process.exit(code);
}

function help(asked) {
  writeSync(asked ? STDOUT_FD : 2, USAGE);
  return asked || process.stderr.isTTY ? EXIT_DONE : EXIT_USAGE;
}

function version() {
  writeSync(STDOUT_FD, `muster-worker ${VERSION}\n`);
  return EXIT_DONE;
}

function usage(problem) {
  process.stderr.write(`error: ${problem}; see --help\n`);
  return EXIT_USAGE;
}
