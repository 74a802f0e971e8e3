// For tests of the command line: folders of workflow files, and the program as a person starts it.

import { spawn, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after } from "node:test";
import { LAUNCHERS } from "./supervisor.js";

const made = [];
after(() => made.forEach((folder) => rmSync(folder, { recursive: true, force: true })));

/** A new folder with these files, gone after the tests. */
export function folderOf(files) {
  const folder = mkdtempSync(join(tmpdir(), "muster-node-"));
  made.push(folder);
  for (const [name, text] of Object.entries(files)) write(folder, name, text);
  return folder;
}

export function write(folder, name, text) {
  mkdirSync(dirname(join(folder, name)), { recursive: true });
  writeFileSync(join(folder, name), text);
}

/** Runs `muster-worker` to its end. */
export function run(args, { launcher = "shell", ...options } = {}) {
  const [command, ...first] = LAUNCHERS[launcher];
  return spawnSync(command, [...first, ...args], { encoding: "utf8", timeout: 20_000, ...options });
}

/** Starts `muster-worker`; `saying(text)` resolves when stderr has it, `ended` with code and stdout. */
export function launch(args, launcher = "shell") {
  const [command, ...first] = LAUNCHERS[launcher];
  const child = spawn(command, [...first, ...args]);
  let [stdout, stderr] = ["", ""];
  child.stdout.setEncoding("utf8").on("data", (text) => (stdout += text));
  const saying = (text) =>
    new Promise((resolve) => {
      const look = () => stderr.includes(text) && resolve();
      child.stderr.on("data", look);
      look();
    });
  child.stderr.setEncoding("utf8").on("data", (text) => (stderr += text));
  const ended = new Promise((resolve) => child.on("close", (code) => resolve({ status: code, stdout, stderr })));
  return { child, saying, ended };
}
