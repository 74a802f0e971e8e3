// The list of executions: what is looked for stands in the address, and all of it can be cancelled or run again.
import { ask, tell } from "./api.js";
import { $, make, set } from "./dom.js";
import { dialog } from "./form.js";
import { OVER, STATUSES, count } from "./format.js";
import { begin, button, pool, refreshSoon } from "./page.js";
import { executionTable } from "./rows.js";

const PAGE = 50, COUNT_MAX = 100_000, NAMES = ["status", "workflow", "queue", "organization", "error_type", "id", "since", "until"];
const wanted = () => new URLSearchParams(location.search);

// --- What is looked for.
const suggestions = { workflow: make("datalist", { id: "workflows" }), queue: make("datalist", { id: "queues" }), organization: make("datalist", { id: "organizations" }) };
const field = (name, label, attributes = {}) => {
  const input = make("input", { name, autocomplete: "off", size: 16, list: suggestions[name]?.id, ...attributes });
  return make("label", {}, label, input);
};
const status = make("select", { name: "status" }, make("option", { value: "" }, "every status"), STATUSES.map(word => make("option", {}, word)));
const more = make("details", {}, make("summary", {}, "More to look for"), make("div", {}, field("queue", "Queue"), field("organization", "Organization"), field("error_type", "Error type"),
  field("id", "Id begins with", { pattern: "[0-9a-fA-F\\-]{6,}", title: "at least six digits" }), field("since", "Created from", { type: "datetime-local" }), field("until", "Created before", { type: "datetime-local" })));
const form = make("form", { class: "filter", role: "search", "aria-label": "Executions" }, make("label", {}, "Status", status), field("workflow", "Workflow", { type: "search", placeholder: "every workflow" }),
  make("button", {}, "Look"), make("a", { class: "button", href: "executions" }, "Clear"), more, Object.values(suggestions));

const local = text => { const at = new Date(text); return Number.isNaN(+at) ? "" : new Date(at - at.getTimezoneOffset() * 60_000).toISOString().slice(0, 16); };
function fromAddress() {
  for (const name of NAMES) {
    const value = wanted().get(name) ?? "", input = form.elements[name];
    input.value = input.type === "datetime-local" && value ? local(value) : value;
    if (value && more.contains(input)) more.open = true;
  }
}
function toAddress() {
  const query = new URLSearchParams();
  for (const name of NAMES) {
    const input = form.elements[name], value = input.value.trim();
    if (value) query.set(name, input.type === "datetime-local" ? new Date(value).toISOString() : value);
  }
  if (String(query) === String(wanted())) return;
  history.pushState(null, "", query.size ? `executions?${query}` : "executions");
  refreshSoon();
}
form.onsubmit = event => { event.preventDefault(); toAddress(); };
form.onchange = () => { if (form.reportValidity()) toAddress(); };
addEventListener("popstate", () => { fromAddress(); refreshSoon(); });

// --- What is found.
const rows = executionTable("Executions", "There are none like that.");
const place = make("p", { class: "dim" }), older = make("a", { class: "button push" }, "Older"), newest = make("a", { class: "button" }, "Newest");
const cancel = button("Cancel these…", () => many("cancel", ["PENDING", "RUNNING"]), { needs: "operate" }), retry = button("Run these again…", () => many("retry", ["FAILED", "TIMEOUT"]), { needs: "operate" });
const why = make("p", { class: "dim" });

$("content").append(make("section", { "aria-label": "What is looked for" }, form),
  make("section", { "aria-label": "What is found" }, make("div", { class: "bar" }, place, make("span", { class: "push" }), why, cancel, retry), rows, make("div", { class: "bar" }, newest, older)));
fromAddress();

let known = false;
async function read() {
  const query = wanted();
  query.set("limit", PAGE);
  const page = await ask(`api/executions?${query}`);
  rows.show(page.executions);
  const next = wanted(), first = wanted();
  first.delete("cursor");
  next.set("cursor", page.next_cursor ?? "");
  older.href = `executions?${next}`; older.hidden = !page.next_cursor;
  newest.href = `executions?${first}`; newest.hidden = !wanted().has("cursor");
  set(place, page.executions.length === 0 ? "" : `${page.executions.length}${page.next_cursor ? "" : " in all"}, newest first`);
  showMany();
  if (known) return;
  known = true;
  const [workflows, organizations] = await Promise.all([ask("api/workflows"), ask("api/organizations")]);
  const offer = (name, values) => suggestions[name].replaceChildren(...[...new Set(values)].sort().map(value => make("option", { value })));
  offer("workflow", [...workflows.workflows, ...workflows.defined].map(one => one.name));
  offer("organization", organizations.organizations.map(one => one.key));
  offer("queue", (pool.queues ?? []).map(one => one.queue).filter(Boolean));
}

// --- All of them at once.
const selected = () => {
  const query = wanted();
  query.delete("cursor");
  const { status, ...rest } = Object.fromEntries(query);
  return { ...rest, ...(status && { statuses: [status] }) };
};
function showMany() {
  const status = wanted().get("status"), isNarrow = Object.keys(selected()).length > 0, byId = wanted().has("id");
  cancel.hidden = byId || !isNarrow || OVER.includes(status);
  retry.hidden = byId || !isNarrow || ["PENDING", "RUNNING"].includes(status);
  set(why, byId || isNarrow ? "" : "Look for some of them to cancel them, or to run them again.");
}
async function each(verb, body, onAnswer) {
  let cursor;
  do {
    const answer = await tell("POST", `api/executions/${verb}`, { ...body, ...(cursor && { cursor }) });
    cursor = answer.next_cursor;
    if (onAnswer(answer) === false) return false;
  } while (cursor);
  return true;
}
/** Counts what is meant, asks, and does it, some at a time. */
async function many(verb, usual) {
  const selection = selected();
  let matched = 0;
  const isAll = await each(verb, { ...selection, dry_run: true }, answer => { matched += answer.matched - answer.unchanged; return matched < COUNT_MAX; });
  if (matched === 0) return `There is nothing to ${verb === "cancel" ? "cancel" : "run again"}.`;
  const statuses = selection.statuses ?? usual, rest = Object.entries(selection).filter(([name]) => name !== "statuses").map(([name, value]) => `${name.replace("_", " ")} ${value}`);
  const said = `${isAll ? "" : "more than "}${count(matched)} ${matched === 1 ? "execution" : "executions"}`;
  return (await dialog({
    title: verb === "cancel" ? `Cancel ${said}?` : `Run ${said} again?`,
    text: [`${statuses.join(" and ")}${rest.length ? `, ${rest.join(", ")}` : ""}.`, verb === "cancel" ? "What waits is cancelled at once; what runs is asked to end." : "Each runs again as a new execution, once, however often this is asked."],
    verb: verb === "cancel" ? "Cancel them" : "Run them again", danger: verb === "cancel",
    send: async (_, box) => {
      const sum = { done: 0, asked: 0, unchanged: 0 }, problems = [];
      await each(verb, selection, answer => {
        for (const name of Object.keys(sum)) sum[name] += answer[name];
        problems.push(...answer.problems);
        box.say(`${count(sum.done + sum.asked)} done`);
      });
      if (problems.length) throw new Error([`${sum.done} done; of the others:`, ...problems.slice(0, 10)].join("\n"));
      return verb === "cancel" ? `${count(sum.done)} cancelled, ${count(sum.asked)} asked to end.` : `${count(sum.done)} run again${sum.unchanged ? `, ${count(sum.unchanged)} did before` : ""}.`;
    },
  })) || "";
}

begin({ read, channels: ["executions", "pool"] });
