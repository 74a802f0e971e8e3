// The command line: `serve`, `run`, `list`.

import { parseArgs } from "node:util";
import { FRAMES_IN_FD, FRAMES_OUT_FD, areMoved, relaunch } from "./streams.js";
import { EXIT_DONE, EXIT_USAGE } from "./wire/limits.js";

const USAGE = `Runs Muster workflows written in JavaScript.

usage: muster-worker COMMAND

  list [--json]                  the workflows and where they are
  run WORKFLOW                   one execution here, without a supervisor
      --params JSON|@FILE|-      its parameters (default: {})
      --code FILE                run this file's workflow instead of one by name
      --timeout SECONDS          end it after so long (exit 124)
      --config KEY=VALUE         a configuration value, JSON or text; may be repeated
  serve [--json]                 serve frames on stdin and stdout; --json: a JSON line per message

  --workflows-dir DIR            the workflows folder (default: $MUSTER_WORKFLOWS_DIR, else ./workflows)

examples:
  muster-worker list
  muster-worker run greet --params '{"name": "Ada"}'
  muster-worker run report --params @report.json --timeout 30 --config api_key=secret
  node --inspect-brk $(which muster-worker).js run greet      breakpoints; the clock stands still

As a worker of a supervisor: worker_command = "node_modules/.bin/muster-worker"
`;

const OPTIONS = {
  json: { type: "boolean" },
  params: { type: "string", default: "{}" },
  code: { type: "string" },
  timeout: { type: "string" },
  config: { type: "string", multiple: true, default: [] },
  "workflows-dir": { type: "string", default: process.env.MUSTER_WORKFLOWS_DIR ?? "./workflows" },
  help: { type: "boolean", short: "h" },
};

/** Runs one command; resolves with the exit code. */
export async function main(given) {
  let options;
  try {
    options = parseArgs({ args: given, options: OPTIONS, allowPositionals: true });
  } catch (error) {
    return usage(error.message);
  }
  const { values, positionals } = options;
  const command = positionals[0] ?? (process.env.MUSTER_PROTOCOL ? "serve" : "help");
  if (values.help || command === "help") return help(values.help);
  switch (command) {
    case "serve":
      return serve(Boolean(values.json));
    case "run":
      if (positionals.length !== 2) return usage("run takes the name of one workflow");
      return (await import("./terminal.js")).runCommand(positionals[1], values);
    case "list":
      return (await import("./terminal.js")).listCommand(values);
    default:
      return usage(`there is no command ${command}`);
  }
}

async function serve(jsonMode) {
  if (!areMoved()) return relaunch();
  const { Connection } = await import("./wire/connection.js");
  const { Session } = await import("./session.js");
  const code = await new Session(new Connection(FRAMES_IN_FD, FRAMES_OUT_FD, jsonMode)).serve();
  process.exit(code);
}

function help(asked) {
  process.stderr.write(USAGE);
  return asked || process.stderr.isTTY ? EXIT_DONE : EXIT_USAGE;
}

function usage(problem) {
  process.stderr.write(`error: ${problem}; see --help\n`);
  return EXIT_USAGE;
}
