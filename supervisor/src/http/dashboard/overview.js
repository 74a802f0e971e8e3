// The overview: the pool and its workers, what waits and why, what ran last.
import { isBound, offer } from "./access.js";
import { ask, request, tell } from "./api.js";
import { chartsSection } from "./charts.js";
import { $, list, make, pairs, section, set } from "./dom.js";
import { showLimits, showQueues } from "./fills.js";
import { confirmed } from "./form.js";
import { called, coarse, count, executionLink, mebibytes } from "./format.js";
import { act, begin, button, pool } from "./page.js";
import { executionTable } from "./rows.js";
import { verdictLine } from "./verdict.js";

const KEPT_MS = 60_000, RATE_MS = 30_000, LATEST = 12, COUNTED = 100, SAMPLES = "samples";
let samples = JSON.parse(sessionStorage.getItem(SAMPLES) ?? "[]"), names = new Map();

const verdict = make("p", { class: "banner warn", hidden: true }), verdictText = make("span"), verdictLink = make("a", { href: "fleet" }, "The whole report");
verdict.append(verdictText, " ", verdictLink);
const numbers = make("dl", { class: "numbers" }), workers = make("ul", { class: "cards" });
const queues = make("ul", { class: "fills" }), limits = make("ul", { class: "fills" }), noLimits = make("p", { class: "none", hidden: true }, "No limit is set.");
const executions = executionTable("The latest executions", "There are none. Submit one from Workflows, or with: supervisor submit WORKFLOW");
const charts = chartsSection();
const min = make("input", { type: "number", min: 1, required: true }), max = make("input", { type: "number", min: 1, required: true });
const resize = make("form", { class: "bar" }, make("label", {}, "min ", min), make("label", {}, "max ", max), make("button", { "data-needs": "operate all" }, "Resize"));
resize.onsubmit = event => {
  event.preventDefault();
  act(event.submitter ?? resize, async () => {
    const sent = [min.value, max.value];
    await tell("POST", "api/pool/resize", { min_workers: Number(sent[0]), max_workers: Number(sent[1]) });
    for (const [at, field] of [min, max].entries()) if (field.value === sent[at]) delete field.dataset.typed;
    return `The pool has ${sent.join(" to ")} workers.`;
  });
};
// What somebody has typed stays until it is sent.
for (const field of [min, max]) field.oninput = () => { field.dataset.typed = ""; };
const recycle = button("Recycle all", async () => {
  if (!await confirmed("Replace every worker?", "Each replacement is ready before the old one leaves.", "Replace all")) return "";
  await tell("POST", "api/pool/recycle", { all: true });
  return "All workers are replaced.";
}, { needs: "operate all" });
const reload = button("Reload settings", async () => { await tell("POST", "api/pool/reload"); return "The settings are read again."; }, { needs: "operate all" });
reload.title = "Read the settings again and roll to workers of a new generation";

/** What is of all organizations. */
const ofAll = [
  charts,
  section("Workers", [make("span", { class: "push" }), resize, recycle, reload], workers),
  make("div", { class: "columns" }, section("Queues", [], queues), section("Limits", [make("a", { class: "push", href: "limits" }, "All limits")], limits, noLimits)),
];
$("content").append(
  verdict,
  make("section", { "aria-label": "Numbers", class: "bar" }, numbers),
  ...ofAll,
  section("Latest executions", [make("a", { class: "push", href: "executions" }, "All executions")], executions),
);

async function read() {
  for (const one of ofAll) one.hidden = isBound();
  await (isBound() ? readOwn() : readAll());
}

/** What there is to see for whoever is bound to an organization: its executions. */
async function readOwn() {
  const of = status => ask(`api/executions?status=${status}&limit=${COUNTED}`).then(page => `${page.executions.length}${page.next_cursor ? " and more" : ""}`);
  const [page, counted, running, pending] = await Promise.all([ask(`api/executions?limit=${LATEST}`), ask("api/statistics"), of("RUNNING"), of("PENDING")]);
  const sum = name => counted.workflows.reduce((all, one) => all + one[name], 0), failed = sum("failed");
  pairs(numbers, [["running", running, running === "0" ? "" : "running"], ["waiting", pending, pending === "0" ? "" : "warn"], ["ended in the last day", count(sum("ended"))], ["of them failed", count(failed), failed > 0 ? "bad" : ""]]);
  executions.show(page.executions);
  document.title = `${running} running · Muster`;
}

async function readAll() {
  const [metrics, page, found, report] = await Promise.all([request("metrics").then(answer => answer.text()), ask(`api/executions?limit=${LATEST}`), ask("api/limits"), ask("api/report"), charts.read()]);
  set(verdictText, verdictLine(report));
  verdict.hidden = report.verdict === "healthy";
  verdict.className = report.verdict === "failing" ? "banner bad" : "banner warn";
  const finished = Object.fromEntries([...metrics.matchAll(/^muster_executions_finished_total\{status="(\w+)"\} (\d+)/gm)].map(([, status, number]) => [status, +number]));
  const all = Object.values(finished).reduce((sum, number) => sum + number, 0), now = Date.now();
  // Another process answers now.
  if (samples.length > 0 && (all < samples.at(-1).all || samples.at(-1).of !== pool.supervisor)) samples = [];
  samples.push({ at: now, all, bad: (finished.FAILED ?? 0) + (finished.TIMEOUT ?? 0), of: pool.supervisor });
  samples = samples.filter(({ at }) => at > now - KEPT_MS);
  sessionStorage.setItem(SAMPLES, JSON.stringify(samples));
  for (const one of page.executions) names.set(one.execution_id, called(one));
  executions.show(page.executions);
  showLimits(limits, found.limits);
  noLimits.hidden = found.limits.length > 0;
  showQueues(queues, pool);
  for (const [field, value] of [[min, pool.min_workers], [max, pool.max_workers]]) if (!("typed" in field.dataset)) field.value = value;
  show();
}

function inBroker(known) {
  if (!known) return [];
  const sum = name => known.every(one => one[name] !== null) ? known.reduce((all, one) => all + one[name], 0) : null;
  const dead = sum("dead");
  return [["in RabbitMQ", count(sum("ready")) || "?"], ...(dead ? [["dead letters", count(dead), "bad"]] : [])];
}

const readAt = () => samples.at(-1)?.at ?? Date.now();
function show() {
  if (isBound()) return;
  const later = (Date.now() - readAt()) / 1000, last = samples.at(-1), first = samples.find(({ at }) => at >= last.at - RATE_MS);
  const rate = (last.all - first.all) / Math.max(1, (last.at - first.at) / 1000), bad = last.bad - first.bad;
  pairs(numbers, [["running", count(pool.running), pool.running > 0 ? "running" : ""], ["waiting here", pool.waiting > 0 ? `${count(pool.waiting)}, ${coarse(pool.oldest_wait_seconds + later)}` : "0", pool.waiting > 0 ? "warn" : ""],
    ["queued", pool.pending == null ? "?" : count(pool.pending)], ...inBroker(pool.broker?.queues), [`workers of ${pool.min_workers} to ${pool.max_workers}${pool.isolation === "none" ? "" : `, for one ${pool.isolation} each`}`, count(pool.workers.length)],
    ["finished a second", rate.toFixed(rate < 10 ? 1 : 0)], ["failed in 30 s", count(bad), bad > 0 ? "bad" : ""]]);
  document.title = `${pool.running} running · Muster`;
  list(workers, pool.workers, one => one.worker, workerCard);
  for (const card of workers.children) card.showTime(later);
}

function workerCard() {
  const name = make("strong"), state = make("span", { class: "cut" }), link = make("a"), more = make("div", { class: "dim cut" });
  const again = make("button", { type: "button", class: "small push", "data-needs": "operate all" }, "Recycle");
  const made = make("li", {}, make("div", { class: "bar" }, name, state, again), link, more);
  let now;
  again.onclick = () => act(again, async () => { await tell("POST", "api/pool/recycle", { worker: now.worker }); return `${now.worker} is replaced.`; });
  made.showTime = later => set(state, `${now.state} ${coarse(now.state_seconds + later)}`);
  made.update = one => {
    now = one;
    made.className = one.state;
    set(name, one.worker);
    again.hidden = Boolean(one.due);
    again.setAttribute("aria-label", `Recycle ${one.worker}`);
    offer(again);
    link.hidden = !one.execution_id;
    link.href = one.execution_id ? executionLink(one.execution_id) : "";
    set(link, names.get(one.execution_id) ?? one.execution_id ?? "");
    set(more, [one.pid && `pid ${one.pid}`, `${count(one.executions)} run`, mebibytes(one.rss_bytes), one.organization && `organization ${one.organization}`, one.due && `due: ${one.due}`].filter(Boolean).join(" · "));
  };
  return made;
}

// An earlier version showed an execution at this address.
const old = location.hash.slice(1);
if (/^[0-9a-f]{8}-[0-9a-f-]{27}$/.test(old)) location.replace(executionLink(old));
else begin({ read, show, channels: ["executions", "pool"], everyMs: 4000 });
