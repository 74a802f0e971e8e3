// Looks at pages for a while, as a person would who leaves them open: `node watch.js URL TOKEN SECONDS ADDRESS...`.
// Prints, for each, how often what it shows changed and the longest time in which it did not, as JSON.

import { launch, open } from "./browser.js";

const [url, token, seconds, ...addresses] = process.argv.slice(2);
const browser = await launch();
const pages = [];
for (const address of addresses) {
  const page = await open(browser, url, token, { width: 1280, colorScheme: "light" });
  await page.go(address);
  await page.evaluate(() => {
    const seen = { changes: 0, longest_ms: 0, last: performance.now() };
    globalThis.seenChanges = seen;
    const note = () => {
      const now = performance.now();
      seen.longest_ms = Math.max(seen.longest_ms, now - seen.last);
      seen.last = now;
      seen.changes++;
    };
    new MutationObserver(note).observe(document.querySelector("main"), { subtree: true, childList: true, characterData: true, attributes: true });
  });
  pages.push([address, page]);
}
process.stdout.write("ready\n");
await new Promise(done => setTimeout(done, seconds * 1000));
const told = {};
for (const [address, page] of pages) {
  const { changes, longest_ms } = await page.evaluate(() => globalThis.seenChanges);
  told[address || "overview"] = { changes, longest_ms: Math.round(longest_ms), faults: page.faults };
}
process.stdout.write(`${JSON.stringify(told)}\n`);
await browser.close();
