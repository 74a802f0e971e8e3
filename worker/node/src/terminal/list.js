// `list`: every workflow, and every file that cannot be loaded.

import { writeSync } from "node:fs";
import { STDOUT_FD } from "../streams.js";
import { EXIT_DONE } from "../wire/limits.js";
import { leave, openHost } from "./alone.js";
import { say } from "./screen.js";

const EXIT_FAILED = 1;

export async function listCommand(values) {
  const host = await openHost(values["workflows-dir"]);
  if (host === null) return EXIT_FAILED;
  const found = host.names().map((workflow) => ({ workflow, where: host.entries.get(workflow) ?? host.library.fileOf(workflow) }));
  const width = Math.max(0, ...found.map(({ workflow }) => workflow.length));
  if (values.json) writeSync(STDOUT_FD, `${JSON.stringify(found)}\n`);
  else for (const { workflow, where } of found) writeSync(STDOUT_FD, `${workflow.padEnd(width)}  ${where}\n`);
  if (found.length === 0) say(`there are no workflows in ${values["workflows-dir"]}`);
  return leave(host, Object.keys(host.broken).length > 0 ? EXIT_FAILED : EXIT_DONE);
}
