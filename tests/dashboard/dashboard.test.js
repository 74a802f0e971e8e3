// Each page of the dashboard, in a browser, on a real supervisor: what it shows, one thing that it does, and what axe
// says of it on wide and narrow, light and dark screens.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { check, launch, LOOKS, open, picture } from "./browser.js";
import { below, eventually, Stand } from "./stand.js";

const WIDE = { width: 1280, colorScheme: "light" };
let stand, browser, page;

before(async () => {
  browser = await launch();
  stand = new Stand();
  await stand.start();
  await stand.fill();
  page = await open(browser, stand.url, stand.token, WIDE);
});
after(async () => {
  await browser?.close();
  await stand?.stop();
});

const said = async (text) => page.locator("#said", { hasText: text }).waitFor({ timeout: 10_000 });
const row = (table, text) => page.locator(`table[aria-label="${table}"] tbody tr`, { hasText: text });
const button = (where, name) => where.getByRole("button", { name });
const dialog = () => page.locator("dialog[open]");
const fill = async (values) => { for (const [label, value] of Object.entries(values)) await dialog().getByLabel(label).first().fill(value); };
const finished = async () => (await stand.ask("GET", "api/executions?status=FAILED&limit=1")).executions[0].execution_id;
const PAGES = async () => ["", "executions", `execution?id=${await finished()}`, `execution?id=${stand.running.execution_id}`, "workflows", "schedules", "limits", "configuration", "organizations", "webhooks", "dead-letters", "tokens", "changes", "fleet"];

for (const look of LOOKS) {
  test(`every page is in order on a ${look.colorScheme} screen of ${look.width}`, async () => {
    const shown = await open(browser, stand.url, stand.token, look);
    for (const [at, address] of (await PAGES()).entries()) {
      await shown.go(address);
      const name = `${String(at).padStart(2, "0")}-${address.replace(/\?.*/, "") || "overview"}-${look.width}-${look.colorScheme}`;
      await picture(shown, name);
      await check(shown, name);
      assert.equal(await shown.locator("h1").count(), 1);
    }
    await shown.context().close();
  });
}

test("a dialog is in order, too", async () => {
  for (const look of LOOKS) {
    const shown = await open(browser, stand.url, stand.token, look);
    await shown.go("schedules");
    await shown.getByRole("button", { name: "New schedule…" }).click();
    await picture(shown, `20-dialog-${look.width}-${look.colorScheme}`);
    await check(shown, "a dialog");
    await shown.keyboard.press("Escape");
    await shown.locator("dialog").waitFor({ state: "detached" });
    await shown.context().close();
  }
});

test("overview: the pool is resized, and what runs leads to its page", async () => {
  await page.go("");
  await page.getByLabel("max").fill("2");
  await button(page, "Resize").click();
  await said("The pool has 2 to 2 workers");
  await page.getByLabel("max").fill("3");
  await button(page, "Resize").click();
  await said("The pool has 2 to 3 workers");
  await page.locator(".cards a:visible", { hasText: "billing/report" }).first().click();
  await page.waitForURL(/execution\?id=/);
  await page.locator("h1", { hasText: "billing/report" }).waitFor();
});

test("overview: charts of the last hour, day and week, step by step with the keyboard", async () => {
  await page.go("");
  const chart = page.locator(".chart", { hasText: "Ended a second" });
  await chart.getByText(/^succeeded [0-9.]+$/).waitFor();
  await button(page, "week").click();
  await page.waitForURL(/span=week/);
  await page.locator(".chart", { hasText: "by organization" }).getByText(/^acme [0-9.]+$/).waitFor();
  const plot = chart.locator(".plot");
  await plot.focus();
  await eventually("steps of the week are said", async () => {
    await page.keyboard.press("ArrowLeft");
    return /^Ended a second, \w{3},? \d\d:\d\d: succeeded [0-9.]+, failed /.test(await plot.getAttribute("aria-label"));
  });
  await page.reload();
  await page.waitForSelector("body[data-ready]");
  assert.equal(await button(page, "week").getAttribute("aria-pressed"), "true");
});

test("dead letters: one is mended and put back, one is thrown away", async () => {
  await page.go("dead-letters");
  const usable = row("Dead letters", "workflow: ");
  await button(usable, "Mend and replay…").click();
  await fill({ Message: '{"workflow": ' });
  await button(dialog(), "Replay").click();
  await dialog().getByText("message: ").waitFor();
  const id = "0198aa00-0000-7000-8000-000000000001";
  await fill({ Message: JSON.stringify({ execution_id: id, workflow: "greet", parameters: { name: "mended" } }) });
  await button(dialog(), "Replay").click();
  await said("1 letter put back");
  // It runs when a worker is free, which those of this stand are not always.
  await eventually("what was mended is an execution", async () => (await stand.ask("GET", "api/executions?workflow=greet&limit=100")).executions.some(one => one.execution_id === id));
  await button(row("Dead letters", "nonsense"), "Throw away…").click();
  await button(dialog(), "Throw away").click();
  await said("1 letter thrown away");
  await page.getByText("There are none.").waitFor();
});

test("executions: what is looked for stands in the address, and all of it is cancelled", async () => {
  await page.go("executions");
  await page.getByLabel("Status").selectOption("PENDING");
  await page.waitForURL(/status=PENDING/);
  await page.getByText("More to look for").click();
  await page.getByLabel("Queue").fill("reports");
  await page.keyboard.press("Enter");
  await page.waitForURL(/queue=reports/);
  await eventually("only what waits there is shown", async () => await row("Executions", "greet").count() === 1);
  // The address alone brings it back.
  await page.go(new URL(page.url()).href.split("/").at(-1));
  assert.equal(await page.getByLabel("Queue").inputValue(), "reports");
  await button(page, "Cancel these…").click();
  await dialog().getByText("Cancel 1 execution?").waitFor();
  await button(dialog(), "Cancel them").click();
  await said("1 cancelled, 0 asked to end");
  const [one] = (await stand.ask("GET", "api/executions?queue=reports")).executions;
  assert.equal(one.status, "CANCELLED");
});

test("executions: an id is found by how it begins, an error by its type, and what failed runs again", async () => {
  const id = await finished();
  await page.go(`executions?id=${id.slice(0, 23)}`);
  await eventually("it is found", async () => await row("Executions", "billing/charge").count() === 1);
  await page.go("executions?error_type=CardDeclined&organization=acme");
  await page.getByText("There are none like that.").waitFor();
  await page.go("executions?error_type=CardDeclined");
  await button(page, "Run these again…").click();
  await dialog().getByText("Run 1 execution again?").waitFor();
  await button(dialog(), "Run them again").click();
  await said("1 run again");
});

test("one execution: its log comes live, and it is cancelled", async () => {
  const { execution_id: id } = await stand.submit("billing/report", { seconds: 8, lines: 40 }, { priority: 9 });
  await page.go(`execution?id=${id}`);
  // Others have the workers: it says so, and runs when they are gone.
  await page.getByRole("region", { name: "Why" }).locator("li").first().waitFor();
  for (const { execution_id: other } of (await stand.ask("GET", "api/executions?status=RUNNING")).executions) await stand.ask("POST", `api/executions/${other}/cancel`);
  await page.locator("[role=log] div", { hasText: "page 2 of 40" }).waitFor({ timeout: 30_000 });
  await page.locator("#progress-text", { hasText: "of 40 pages" }).waitFor();
  await button(page, "Cancel").click();
  await button(dialog(), "Cancel it").click();
  await said("Cancel:");
  await page.locator(".title .pill", { hasText: "CANCELLED" }).waitFor({ timeout: 30_000 });
  await button(page, "Transcript").click();
  await page.locator("pre", { hasText: "Execute" }).first().waitFor();
});

test("one execution: where its time went, attempt by attempt", async () => {
  await page.go(`execution?id=${await finished()}`);
  await page.locator(".timeline li", { hasText: "attempt 1" }).getByText(/^waited .* · was prepared .* · ran .* · was committed /).waitFor();
  assert.equal(await page.locator(".track i").count(), 4);
});

test("one execution: its events tell milliseconds as people write them, in whole words", async () => {
  const id = await finished();
  for (const [locale, time] of [["en-US", /^\w{3} \d+, \d{4}, \d+:\d\d:\d\d\.\d{3}\s[AP]M$/], ["en-GB", /^\d+ \w+ \d{4}, \d\d:\d\d:\d\d\.\d{3}$/]]) {
    const shown = await open(browser, stand.url, stand.token, { width: 900, colorScheme: "light", locale });
    await shown.go(`execution?id=${id}`);
    const cells = shown.locator('table[aria-label="Events"] tbody tr td');
    await cells.first().waitFor();
    assert.match(await cells.first().innerText(), time);
    const lines = await cells.evaluateAll(all => all.filter(one => ["What", "By"].includes(one.dataset.label)).map(one => {
      const range = document.createRange();
      range.selectNodeContents(one);
      return [one.textContent, range.getClientRects().length];
    }));
    assert.deepEqual(lines.filter(([text, count]) => text && count !== 1), [], locale);
    await shown.context().close();
  }
});

test("one execution: a number that no double holds is shown digit by digit", async () => {
  const { executions } = await stand.ask("GET", "api/executions?workflow=greet&status=SUCCESS&limit=1");
  await page.go(`execution?id=${executions[0].execution_id}`);
  await page.getByText("Result", { exact: true }).click();
  await page.locator("pre", { hasText: "9007199254740993" }).waitFor();
});

test("workflows: one runs with what its form asks for", async () => {
  await page.go("workflows");
  const charge = row("Workflows", "billing/charge");
  assert.match(await charge.innerText(), /66\.6 %|50\.0 %|\d %/);
  await button(charge, /^Run/).click();
  // What the schema does not allow is refused, and nothing that was typed is lost.
  await dialog().getByLabel("amount").fill("12.5");
  await dialog().getByLabel("currency").selectOption("\"USD\"");
  await button(dialog(), "Run").click();
  await page.waitForURL(/execution\?id=/);
  await page.locator("pre", { hasText: "\"amount\": 12.5" }).waitFor({ state: "attached" });
  const id = new URL(page.url()).searchParams.get("id");
  await eventually("it is over", async () => (await stand.ask("GET", `api/executions/${id}`)).status === "SUCCESS");
  assert.deepEqual((await stand.ask("GET", `api/executions/${id}`)).result, { charged: 12.5, currency: "USD", note: null });
  await page.go("workflows");
  await button(page, "Define one…").click();
  await fill({ Name: "greet", "Time limit of a run, in seconds": "7", "Days its executions are kept": "30" });
  await button(dialog(), "Save").click();
  await said("Workflow greet is defined");
  const { timeout_seconds, retention_days } = await stand.ask("GET", "api/workflows/greet");
  assert.deepEqual({ timeout_seconds, retention_days }, { timeout_seconds: 7, retention_days: 30 });
});

test("schedules: the next five ticks, a pause, and a run now", async () => {
  await page.go("schedules");
  const nightly = row("Schedules", "nightly");
  assert.equal(await nightly.locator("ol li").count(), 5);
  assert.match(await nightly.locator("ol li").first().innerText(), /02:30:00/);
  await button(nightly, /^Pause/).click();
  await said("nightly is paused");
  assert.equal((await stand.ask("GET", "api/schedules/nightly")).schedule.is_paused, true);
  await button(nightly, /^Resume/).click();
  await said("nightly ticks again");
  await button(row("Schedules", "quarterly"), /^Run now/).click();
  await said("runs.");
  await button(page, "New schedule…").click();
  await fill({ Name: "broken", Workflow: "greet", Cron: "61 * * * *" });
  await button(dialog(), "Save").click();
  await dialog().locator(".wrong", { hasText: /minute|61/ }).waitFor();
  await dialog().getByLabel("Cron").fill("5 4 * * *");
  await button(dialog(), "Save").click();
  await said("Schedule broken is defined");
});

test("limits: one is changed, a queue is paused and resumed", async () => {
  await page.go("limits");
  await button(row("Limits", "crm"), /^Change/).click();
  await fill({ "At once, in all": "5" });
  await button(dialog(), "Save").click();
  await said("Limit crm is set");
  assert.deepEqual((({ total, per_key }) => ({ total, per_key }))((await stand.ask("GET", "api/limits/crm")).terms), { total: 5, per_key: 2 });
  const [{ queue: name }] = (await stand.ask("GET", "api/pool")).queues, queue = row("Queues", name).first();
  await button(queue, /^Pause/).click();
  await fill({ Why: "the tests say so" });
  await button(dialog(), "Pause").click();
  await said(`queue:${name} is paused`);
  await page.locator(".banner", { hasText: "the tests say so" }).waitFor();
  await button(row("Pauses", `queue:${name}`), /^Resume/).click();
  await said(`queue:${name} may start again`);
});

test("an execution by an id that is no workflow's is shown with it, and not as inline code", async () => {
  const workflow = "00000000-0000-5000-8000-00000000dead";
  const { execution_id: id } = await stand.ask("POST", "api/executions", { workflow_id: workflow });
  await page.go("executions");
  await row("Executions", `(workflow ${workflow})`).first().waitFor();
  await page.go(`execution?id=${id}`);
  await page.locator("#title", { hasText: workflow }).waitFor();
});

test("variables and secrets: both are set, and no secret is ever shown", async () => {
  await page.go("configuration");
  await button(page, "Set a variable…").click();
  await fill({ Key: "retries", Value: "12345678901234567890" });
  await button(dialog(), "Save").click();
  await said("Variable retries is set");
  await row("Variables", "12345678901234567890").waitFor();
  await button(page, "Set a secret…").click();
  await fill({ Key: "token", Value: "hunter2-hunter2" });
  await button(dialog(), "Save").click();
  await said("Secret token is set");
  await row("Secrets", "token").waitFor();
  assert(!(await page.content()).includes("hunter2"));
  await button(row("Variables", "retries"), /^Remove/).click();
  await button(dialog(), "Remove it").click();
  await said("The variable retries is removed");
  await page.go("changes");
  const removed = row("Changes", "variable retries").first();
  await removed.locator("summary").click();
  assert.match(await removed.innerText(), /- value = 12345678901234567890/);
});

test("organizations: the weight of one is changed", async () => {
  await page.go("organizations");
  await button(row("Organizations", "globex"), /^Change/).click();
  await fill({ Weight: "6" });
  await button(dialog(), "Save").click();
  await said("Organization globex is defined");
  await row("Organizations", "75.0 %").waitFor();
});

test("webhooks: deliveries by state, and one is begun anew", async () => {
  await page.go("webhooks?state=delivered");
  await button(row("Deliveries", "ops").first(), "Tell again").click();
  await said("ops is told again");
  await page.getByLabel("State").selectOption("pending");
  await page.waitForURL(/state=pending/);
  await row("Deliveries", "pager").first().waitFor();
  await button(row("Webhooks", "ops"), /^Pause/).click();
  await said("ops is told nothing");
});

test("changes: who changed what, line by line, and never a secret", async () => {
  await page.go("changes");
  const changed = row("Changes", "organization globex").first();
  await changed.locator("summary").click();
  assert.match(await changed.innerText(), /\+ weight = 6/);
  await row("Changes", "secret token").first().waitFor();
  assert(!(await page.content()).includes("hunter2"));
});

test("without a token it asks for one, and a tab asks the others first", async () => {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 } }), stranger = await context.newPage();
  await stranger.goto(`${stand.url}/limits`);
  await stranger.locator("dialog[open]").getByLabel("Token").fill("wrong");
  await stranger.keyboard.press("Enter");
  await stranger.locator("dialog[open]", { hasText: "does not know this token" }).getByLabel("Token").fill(stand.token);
  await stranger.keyboard.press("Enter");
  await stranger.locator("table[aria-label=Limits] tr", { hasText: "crm" }).waitFor();
  const second = await context.newPage();
  await second.goto(`${stand.url}/organizations`);
  await second.locator("table[aria-label=Organizations] tr", { hasText: "acme" }).waitFor();
  await context.close();
});

test("all of it works below a path of somebody else's", async () => {
  const proxy = await below("/tools/muster", stand.url);
  const shown = await open(browser, proxy.url, stand.token, WIDE);
  for (const address of ["", "executions?status=SUCCESS", "limits"]) {
    await shown.go(address);
    await shown.locator("#link.good", { hasText: "live" }).waitFor();
  }
  await shown.getByRole("link", { name: "Schedules" }).click();
  await shown.locator("table[aria-label=Schedules] tr", { hasText: "nightly" }).waitFor();
  assert(shown.url().startsWith(proxy.url));
  assert.deepEqual(shown.faults, []);
  await shown.context().close();
  proxy.close();
});

test("fleet: this supervisor serves, and what failed is told with what to do", async () => {
  await stand.submit("greet", { name: "nobody" }, { queue: "reports" });
  await page.go("fleet");
  const serving = row("The supervisors", "serving");
  await serving.waitFor({ timeout: 20_000 });
  assert.match(await serving.innerText(), /\d of 3/);
  const flow = page.locator(".verdicts > li", { hasText: "no supervisor serves it" });
  await flow.waitFor({ timeout: 20_000 });
  assert.match(await flow.innerText(), /Next: start a supervisor with queues/);
  await page.go("");
  await page.locator("p.banner", { hasText: "flow is failing" }).getByRole("link", { name: "The whole report" }).click();
  await page.waitForURL(/\/fleet$/);
});

test("with the keyboard alone", async () => {
  await page.go("executions");
  await page.keyboard.press("Tab");
  assert.equal(await page.evaluate(() => document.activeElement.textContent), "Skip to the content");
  await page.keyboard.press("Enter");
  assert.equal(await page.evaluate(() => document.activeElement.id), "content");
  await page.keyboard.press("/");
  assert.equal(await page.evaluate(() => document.activeElement.name), "workflow");
  await page.keyboard.type("greet");
  await page.keyboard.press("Enter");
  await page.waitForURL(/workflow=greet/);
});

test("nothing went wrong in the window meanwhile", () => {
  // An answer that refuses what was typed shows there, too.
  assert.deepEqual(page.faults.filter(fault => !/status of 4\d\d/.test(fault)), []);
});
