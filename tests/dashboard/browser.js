// A headless Chromium, and what a page must be: without an error, without a fault that axe finds, no wider than its window.

import assert from "node:assert/strict";
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { basename, join } from "node:path";

import { REPOSITORY } from "./stand.js";

const TOOLS = join(REPOSITORY, "target/dashboard/");
const PLACES = [process.env.MUSTER_CHROMIUM, "/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];

/** The variants in which each page is looked at. */
export const LOOKS = [1280, 390].flatMap(width => ["light", "dark"].map(colorScheme => ({ width, colorScheme })));

export async function launch() {
  const executablePath = PLACES.find(place => place && existsSync(place));
  assert(executablePath, "there is no browser: `apt-get install -y chromium`, or name one in MUSTER_CHROMIUM");
  assert(existsSync(join(TOOLS, "node_modules/playwright-core")), "playwright-core is not installed: run `scripts/test dashboard`, which does that");
  const { chromium } = createRequire(TOOLS)("playwright-core");
  return chromium.launch({ executablePath, args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"] });
}

/** A window that is let in, and notes what goes wrong in it and what it asks of others than `origin`. */
export async function open(browser, url, token, { width, colorScheme, height = 900, locale = "en-GB" }) {
  const context = await browser.newContext({ viewport: { width, height }, colorScheme, locale, timezoneId: "Europe/Berlin", reducedMotion: "reduce" });
  const page = await context.newPage();
  // To look at a change without building it: MUSTER_PAGES=supervisor/src/http/dashboard.
  const files = process.env.MUSTER_PAGES;
  if (files) await context.route("**/dashboard/*", route => route.fulfill({ path: join(REPOSITORY, files, basename(new URL(route.request().url()).pathname)) }));
  page.faults = [];
  page.on("pageerror", error => page.faults.push(String(error)));
  page.on("console", message => { if (message.type() === "error") page.faults.push(message.text()); });
  page.on("request", request => { if (!request.url().startsWith(new URL(url).origin) && !/^(data|blob):/.test(request.url())) page.faults.push(`asked ${request.url()}`); });
  await page.addInitScript(() => addEventListener("securitypolicyviolation", event => console.error(`policy: ${event.violatedDirective} ${event.blockedURI}`)));
  page.go = async address => {
    await page.goto(`${url}/${address}`);
    await page.waitForSelector("body[data-ready]");
  };
  await page.goto(`${url}/#token=${token}`);
  await page.waitForSelector("body[data-ready]");
  return page;
}

/** What must be true of every page. */
export async function check(page, what) {
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  assert(wide <= 0, `${what}: ${wide} pixels wider than its window`);
  await page.evaluate(readFileSync(join(TOOLS, "node_modules/axe-core/axe.min.js"), "utf8"));
  const { violations } = await page.evaluate(() => globalThis.axe.run({ runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"] }));
  const told = violations.map(({ id, help, nodes }) => `${id}: ${help}\n${nodes.slice(0, 4).map(node => `    ${node.target} ${node.failureSummary.replaceAll("\n", " ")}`).join("\n")}`);
  assert.equal(told.join("\n"), "", what);
  assert.deepEqual(page.faults, [], what);
}

/** A picture, where somebody wants to look: MUSTER_PICTURES names a folder. */
export async function picture(page, name) {
  const folder = process.env.MUSTER_PICTURES;
  if (!folder) return;
  mkdirSync(folder, { recursive: true });
  await page.screenshot({ path: join(folder, `${name}.png`), fullPage: true });
}
