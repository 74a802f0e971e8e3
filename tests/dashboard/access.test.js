// What the dashboard offers to whom: the page of tokens, buttons that a role may not press, and pages for one organization.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { check, launch, LOOKS, open, picture } from "./browser.js";
import { eventually, Stand } from "./stand.js";

const WIDE = { width: 1280, colorScheme: "light" };
/** What changes nothing, so whoever may look may press it. */
const READERS = /^(Menu|Look|Older|Newest|Show more|Transcript|Save the transcript|hour|day|week)$/;
let stand, browser, acme, theirs, tokens;

before(async () => {
  browser = await launch();
  stand = new Stand();
  await stand.start({ broker: false });
  for (const key of ["acme", "globex"]) await stand.ask("PUT", `api/organizations/${key}`, { name: `${key} Ltd` });
  await stand.ask("PUT", "api/limits/crm", { total: 3 });
  await stand.ask("PUT", "api/variables/api_url", { value: "https://api.example.com" });
  await stand.ask("PUT", "api/variables/page_size?organization=acme", { value: 50 });
  await stand.ask("PUT", "api/secrets/crm_password", { value: "a secret that is never shown" });
  await stand.ask("PUT", "api/schedules/nightly", { workflow: "billing/report", cron: "30 2 * * *", organization: "acme" });
  await stand.ask("PUT", "api/schedules/weekly", { workflow: "greet", cron: "@weekly" });
  const { organizations } = await stand.ask("GET", "api/organizations");
  const [ours, others] = ["acme", "globex"].map(key => organizations.find(one => one.key === key).id);
  acme = [await stand.submit("greet", { name: "acme" }, { organization_id: ours }), await stand.submit("billing/charge", { amount: 400 }, { organization_id: ours })].map(one => one.execution_id);
  theirs = (await stand.submit("greet", { name: "globex" }, { organization_id: others })).execution_id;
  const isOver = async id => !["PENDING", "RUNNING"].includes((await stand.ask("GET", `api/executions/${id}`)).status);
  for (const id of [...acme, theirs]) await eventually("what was submitted is over", () => isOver(id));
  const make = async (name, role, organization) => (await stand.ask("POST", "api/tokens", { name, role, organization })).secret;
  tokens = { view: await make("looks", "view"), operate: await make("operates", "operate"), bound: await make("acme-ops", "operate", "acme"), boundAdmin: await make("acme-admin", "admin", "acme") };
});
after(async () => {
  await browser?.close();
  await stand?.stop();
});

const PAGES = () => ["", "executions", `execution?id=${acme[1]}`, "workflows", "schedules", "limits", "configuration", "organizations", "webhooks", "dead-letters", "tokens", "changes", "fleet"];
const said = async (page, text) => page.locator("#said", { hasText: text }).waitFor({ timeout: 10_000 });
const row = (page, table, text) => page.locator(`table[aria-label="${table}"] tbody tr`, { hasText: text });
const button = (where, name) => where.getByRole("button", { name });
const dialog = page => page.locator("dialog[open]");
const status = async token => (await fetch(`${stand.url}/api/access`, { headers: { authorization: `Bearer ${token}` } })).status;
/** Each button that is there: its name, whether it can be pressed, and what it says of itself. */
const buttons = page => page.locator("button:visible").evaluateAll(all => all.map(one => ({ name: one.textContent, disabled: one.disabled, title: one.title })));

test("tokens: one is made and its secret shown once, it is rotated, and removed", async () => {
  const page = await open(browser, stand.url, stand.token, WIDE);
  await page.go("tokens");
  assert.match(await row(page, "Tokens", "acme-ops").innerText(), /operate\s+acme/);
  await button(page, "Make a token…").click();
  await dialog(page).getByLabel("Name").fill("grafana");
  await dialog(page).getByLabel("Its holder may").selectOption("operate");
  await dialog(page).getByLabel("It expires").selectOption({ label: "in 7 days" });
  await button(dialog(page), "Make it").click();
  const secretOf = async name => {
    await dialog(page).getByText(`The token ${name}`).waitFor();
    return dialog(page).locator("#secret").inputValue();
  };
  const first = await secretOf("grafana");
  await picture(page, "30-token-made");
  await check(page, "a token that is shown");
  await button(dialog(page), "I have it").click();
  await said(page, "Token grafana is made");
  const { role, token } = await stand.ask("GET", "api/access", undefined, first);
  assert.deepEqual({ role, token }, { role: "operate", token: "grafana" });
  assert.match(await row(page, "Tokens", "grafana").innerText(), /in \d d/);
  assert(!(await page.content()).includes(first), "it is shown once");

  await button(row(page, "Tokens", "grafana"), /^Rotate/).click();
  await dialog(page).getByLabel("The one before counts").selectOption({ label: "for an hour" });
  await button(dialog(page), "Rotate it").click();
  const second = await secretOf("grafana");
  await button(dialog(page), "I have it").click();
  await said(page, "Token grafana has another secret");
  assert.deepEqual([await status(first), await status(second)], [200, 200], "the one before counts as long as it was said");
  await row(page, "Tokens", "the one before counts, too").waitFor();

  await button(row(page, "Tokens", "grafana"), /^Remove/).click();
  await button(dialog(page), "Remove it").click();
  await said(page, "Token grafana is removed");
  assert.deepEqual([await status(first), await status(second)], [401, 401]);
  await button(page, "Make a token…").click();
  await dialog(page).getByLabel("Name").fill("looks");
  await button(dialog(page), "Make it").click();
  await dialog(page).locator(".wrong", { hasText: "there is a token looks already" }).waitFor();
  await page.context().close();
});

test("tokens: one that has expired is rotated with another end", async () => {
  const made = await stand.ask("POST", "api/tokens", { name: "brief", role: "view", expires_seconds: 0.05 });
  const page = await open(browser, stand.url, stand.token, WIDE);
  await page.go("tokens");
  await row(page, "Tokens", "brief").getByText("expired").waitFor();
  assert.equal(await status(made.secret), 401);
  await button(row(page, "Tokens", "brief"), /^Rotate/).click();
  await dialog(page).getByText("it has expired, and so would its new secret").waitFor();
  await button(dialog(page), "Rotate it").click();
  await dialog(page).getByText("The token brief").waitFor();
  assert.equal(await status(await dialog(page).locator("#secret").inputValue()), 200);
  await button(dialog(page), "I have it").click();
  await row(page, "Tokens", "brief").getByText("in 89 d").waitFor();
  await stand.ask("DELETE", "api/tokens/brief");
  await page.context().close();
});

test("whoever may only look is offered nothing else, and told which role it takes", async () => {
  const page = await open(browser, stand.url, tokens.view, WIDE);
  assert.equal(await page.locator("#who").innerText(), "looks · view");
  for (const address of PAGES()) {
    await page.go(address);
    const shown = await buttons(page);
    const offered = shown.filter(one => !one.disabled && !READERS.test(one.name));
    assert.deepEqual(offered, [], `on the page ${address}`);
    for (const one of shown.filter(one => one.disabled)) assert.match(one.title, /^This needs the role (operate|admin); the token shown has the role view\.$/, `${one.name} on ${address}`);
    await check(page, `the page ${address} for the role view`);
  }
  await page.go("tokens");
  await page.getByText("This needs the role admin; the token shown has the role view.").waitFor();
  await page.go("");
  await picture(page, "31-view-overview");
  await page.context().close();
});

test("whoever may operate runs things, and defines nothing", async () => {
  const page = await open(browser, stand.url, tokens.operate, WIDE);
  await page.go("workflows");
  assert.equal(await button(row(page, "Workflows", "greet"), /^Run/).isEnabled(), true);
  const define = button(page, "Define one…");
  assert.deepEqual([await define.isDisabled(), await define.getAttribute("title")], [true, "This needs the role admin; the token shown has the role operate."]);
  await page.go(`execution?id=${acme[0]}`);
  await button(page, "Run again").click();
  await page.waitForURL(url => !url.search.includes(acme[0]));
  await page.context().close();
});

for (const look of LOOKS) {
  test(`every page is in order for one organization on a ${look.colorScheme} screen of ${look.width}`, async () => {
    const page = await open(browser, stand.url, tokens.bound, look);
    for (const [at, address] of PAGES().entries()) {
      await page.go(address);
      const name = `4${String(at).padStart(2, "0")}-bound-${address.replace(/\?.*/, "") || "overview"}-${look.width}-${look.colorScheme}`;
      await picture(page, name);
      await check(page, name);
    }
    await page.go("tokens");
    await picture(page, `50-tokens-refused-${look.width}-${look.colorScheme}`);
    await page.context().close();
  });
}

test("whoever is bound to an organization sees and runs what is of it, live", async () => {
  const page = await open(browser, stand.url, tokens.bound, WIDE);
  await page.locator("#link.good", { hasText: "live" }).waitFor();
  assert.equal(await page.locator("#who").innerText(), "acme-ops · operate · of acme");
  assert.deepEqual(await page.locator("nav a:visible").allInnerTexts(), ["Overview", "Executions", "Workflows", "Schedules", "Limits and queues", "Variables and secrets", "Organizations"]);
  await row(page, "The latest executions", "billing/charge").waitFor();
  assert.equal(await row(page, "The latest executions", theirs.slice(-12)).count(), 0);
  await page.go("schedules");
  await row(page, "Schedules", "nightly").waitFor();
  assert.equal(await row(page, "Schedules", "weekly").count(), 0);
  await page.go("fleet");
  await page.getByText("This is of all organizations, and the token shown is bound to acme").waitFor();

  await page.go("workflows");
  await button(row(page, "Workflows", "greet"), /^Run/).click();
  await dialog(page).getByLabel("name").fill("from the page");
  await button(dialog(page), "Run").click();
  await page.waitForURL(/execution\?id=/);
  await page.locator(".title .pill", { hasText: "SUCCESS" }).waitFor({ timeout: 30_000 });
  await page.go("limits");
  await button(page, "Pause…").click();
  assert.equal(await dialog(page).getByLabel("Name").inputValue(), "acme");
  await button(dialog(page), "Pause").click();
  await said(page, "organization:acme is paused");
  await button(row(page, "Pauses", "organization:acme"), /^Resume/).click();
  await said(page, "organization:acme may start again");
  assert.deepEqual(page.faults, []);
  await page.context().close();
});

test("an admin of an organization defines what is of it", async () => {
  const page = await open(browser, stand.url, tokens.boundAdmin, WIDE);
  await page.go("configuration");
  assert.equal(await page.getByRole("heading", { name: "Secrets", exact: true }).count(), 0);
  await button(page, "Set a variable…").click();
  await dialog(page).getByLabel("Key").fill("retries");
  await dialog(page).getByLabel("Value").fill("7");
  await button(dialog(page), "Save").click();
  await said(page, "Variable retries is set");
  const { variables } = await stand.ask("GET", "api/variables");
  assert.equal(variables.find(one => one.key === "retries").organization, "acme");
  await page.context().close();
});
