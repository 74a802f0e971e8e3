// Every block of JavaScript on the pages for applications runs, each as a program of its own.
//
// A block with the word `workflow` is a file of the workflows folder, one with `bullmq` shows what was before.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { after, before, test } from "node:test";
import { promisify } from "node:util";

import { Installation } from "./installation.js";

const REPOSITORY = resolve(import.meta.dirname, "../../../..");
const PAGES = ["supervisor/clients/node/README.md", "supervisor/clients/MIGRATING.md", "README.md"];
const BLOCK = /^```(\w+)([^\n]*)\n(.*?)^```$/gms;

const folder = mkdtempSync(join(tmpdir(), "muster-client-pages-"));
let installation;

const blocks = PAGES.flatMap((page) => {
  const text = readFileSync(join(REPOSITORY, page), "utf8");
  return [...text.matchAll(BLOCK)].map(([, language, words, code], place) => ({
    language,
    words: words.trim().split(" "),
    code,
    name: `${page}, block ${place + 1}`,
  }));
});
const runs = blocks.filter(({ language, code }) => language === "js" && code.includes('from "muster-client"'));

before(async () => {
  mkdirSync(join(folder, "node_modules"));
  symlinkSync(resolve(import.meta.dirname, ".."), join(folder, "node_modules", "muster-client"));
  installation = await Installation.make();
  for (const { language, words, code } of blocks) {
    if (language === "js" && words[0] === "workflow") installation.workflow(`${words[1] ?? "greet"}.js`, code);
  }
  installation.workflow("hello.js", "export default ({ name }) => `Hello, ${name}!`;");
  await installation.start();
});
after(async () => {
  await installation.remove();
  rmSync(folder, { recursive: true });
});

test("there are blocks", () => assert(runs.length >= 6));

for (const [place, { code, name }] of runs.entries()) {
  test(name, async () => {
    const file = join(folder, `block_${place}.mjs`);
    writeFileSync(file, code);
    const env = { ...process.env, MUSTER_URL: installation.url };
    const { stdout } = await promisify(execFile)(process.execPath, [file], { env, cwd: folder });
    for (const [, expected] of code.matchAll(/\/\/ (\{ greeting.*\}|sent to .*)$/gm)) assert(stdout.includes(expected), stdout);
  });
}
