// Workflows: what each came to in the last day, what holds it, when it runs by itself; and running one now.
import { access, isBound } from "./access.js";
import { actions } from "./actions.js";
import { ask, named, tell } from "./api.js";
import { $, list, make, section, set, table } from "./dom.js";
import { confirmed, dialog, fieldsOf, given } from "./form.js";
import { ago, count, executionLink, executionsLink, moment, time, until } from "./format.js";
import { begin, button } from "./page.js";

const STATISTICS_MS = 20_000;
let statistics = { workflows: [], since: null }, countedAt = 0, organizations = [], all = [];

const search = make("input", { type: "search", placeholder: "name, file or description", "aria-label": "Look for a workflow", autocomplete: "off", size: 26 });
const note = make("p", { class: "dim" });
const milliseconds = value => value == null ? "" : value === 0 ? "< 1 ms" : time(value / 1000);
const limitsOf = ({ described = {}, defined = {} }) => {
  const timeout = defined.timeout_seconds ?? described.timeout_seconds, attempts = defined.max_attempts ?? described.max_attempts;
  return [timeout ? `${time(timeout)} a run` : "", attempts ? `${attempts} attempts` : "", described.max_concurrent ? `${described.max_concurrent} at once` : "",
    described.max_concurrent_per_key ? `${described.max_concurrent_per_key} per ${described.key || "organization"}` : "", ...(defined.limits ?? described.limits ?? []),
    defined.webhook ? `tells ${defined.webhook}` : "", keptOf(defined)].filter(Boolean).join(" · ");
};

const keptOf = ({ retention_days: days }) => days === undefined ? "" : days === 0 ? "kept for ever" : `kept ${days} days`;

const rows = table({
  label: "Workflows", none: "There are none. Workers tell of them when they load them.", keyOf: one => one.key,
  columns: [
    { name: "Workflow", kind: "lead", width: "26%", make: () => {
      const name = make("a"), what = make("div", { class: "dim" }), whole = make("span", {}, name, what);
      whole.update = ({ name: called, described, defined }) => {
        set(name, called ?? "(inline code)");
        name.href = executionsLink(called ? { workflow: called } : {});
        const owner = defined?.organization ? `of ${defined.organization}` : "", off = defined?.is_active === false ? "not active" : "";
        set(what, [described?.description, described?.source_file || defined?.path, owner, off].filter(Boolean).join(" · "));
      };
      return whole;
    } },
    { name: "Ended", kind: "number", text: ({ ran }) => ran ? count(ran.ended) : "0" },
    { name: "Succeeded", kind: "number", text: ({ ran }) => { const judged = ran ? ran.succeeded + ran.failed : 0; return judged ? `${(Math.floor(ran.succeeded / judged * 1000) / 10).toFixed(1)} %` : ""; },
      style: ({ ran }) => !ran || ran.failed === 0 ? "good" : ran.failed / ran.ended > .05 ? "bad" : "warn" },
    { name: "Half within", kind: "number", text: ({ ran }) => milliseconds(ran?.duration_p50_ms) },
    { name: "95 % within", kind: "number", text: ({ ran }) => milliseconds(ran?.duration_p95_ms) },
    { name: "Last failure", make: () => {
      const link = make("a", { class: "nowrap" });
      link.update = ({ name, ran }) => {
        link.hidden = !ran?.last_failed_at;
        link.href = executionsLink({ status: "FAILED", ...(name && { workflow: name }) });
        set(link, ago(ran?.last_failed_at));
        link.title = moment(ran?.last_failed_at);
      };
      return link;
    } },
    { name: "Limits", text: limitsOf },
    { name: "Next tick", kind: "nowrap", text: ({ next }) => next ? until(next.at) : "", title: ({ next }) => next ? `${next.schedule}, ${moment(next.at)}` : "" },
    actions([["Run…", run, { needs: "operate", shown: one => one.name != null && one.defined?.is_active !== false }], ["Define…", one => define(one.defined ?? { name: one.name }), { needs: "admin", shown: one => one.name != null }],
      ["Remove…", remove, { needs: "admin", shown: one => one.defined && (!isBound() || one.defined.organization), danger: true }]], one => one.name ?? "inline code"),
  ],
});
const broken = make("ul", { class: "plain" }), brokenPart = section("Files that cannot be loaded", [], broken);
brokenPart.hidden = true;
$("content").append(section("In the last day", [note, make("span", { class: "push" }), search, button("Define one…", () => define({}), { needs: "admin" })], rows), brokenPart);
search.oninput = showRows;

async function read() {
  const isOld = Date.now() - countedAt > STATISTICS_MS;
  const [found, schedules, counted, known] = await Promise.all([ask("api/workflows"), ask("api/schedules"), isOld ? ask("api/statistics") : statistics, ask("api/organizations")]);
  if (isOld) countedAt = Date.now();
  statistics = counted;
  organizations = known.organizations.map(one => one.key);
  const next = new Map();
  for (const { schedule, next_at: at } of schedules.schedules) {
    const before = next.get(schedule.workflow);
    if (at && (!before || at < before.at)) next.set(schedule.workflow, { at, schedule: schedule.name });
  }
  const described = new Map(found.workflows.map(one => [one.name, one])), ran = new Map(counted.workflows.map(one => [one.workflow, one]));
  const defined = Map.groupBy ? Map.groupBy(found.defined, one => one.name) : found.defined.reduce((map, one) => map.set(one.name, [...map.get(one.name) ?? [], one]), new Map());
  const names = [...new Set([...described.keys(), ...defined.keys(), ...ran.keys()])].sort((a, b) => (a ?? "\uffff").localeCompare(b ?? "\uffff"));
  all = names.flatMap(name => (defined.get(name) ?? [undefined]).map(one => ({
    key: `${name}\n${one?.organization ?? ""}`, name, described: described.get(name), defined: one, ran: ran.get(name), next: next.get(name),
  })));
  const isCut = Date.now() - Date.parse(counted.since) < 23 * 3_600_000;
  set(note, isCut ? `counted are the latest 10 000 of each end, since ${moment(counted.since)}` : "");
  brokenPart.hidden = found.broken.length === 0;
  list(broken, found.broken, one => one.file, () => {
    const made = make("li", { class: "bad" });
    made.update = one => set(made, `${one.file}: ${one.error_type}: ${one.error_message}`);
    return made;
  });
  showRows();
}

function showRows() {
  const text = search.value.trim().toLowerCase();
  const fits = ({ name, described, defined }) => [name, described?.description, described?.source_file, defined?.path].some(word => word?.toLowerCase().includes(text));
  rows.show(text ? all.filter(fits) : all);
}

/** A form of the parameters, if the code told of them; else JSON. */
async function run({ name, described }) {
  const fields = fieldsOf(described?.parameters), queue = { name: ":queue", label: "Queue", hint: "left out, that of the workflow or of this supervisor" };
  const asked = fields ?? [{ name: ":all", label: "Parameters", type: "json", value: {}, hint: "JSON" }];
  await dialog({
    title: `Run ${name}`, text: described?.description ? [described.description] : [], verb: "Run", fields: [...asked, queue],
    send: async ({ ":queue": wanted, ":all": whole, ...parameters }) => {
      const body = given({ workflow: name, queue: wanted, parameters: fields ? given(parameters) : whole });
      const { execution_id: id } = await tell("POST", "api/executions", body);
      location.href = executionLink(id);
    },
  });
  return "";
}

async function define(one) {
  const isNew = !one.name, told = isBound() ? [] : (await ask("api/webhooks")).webhooks.map(webhook => webhook.name);
  return (await dialog({
    title: isNew ? "Define a workflow" : `Define ${one.name}`, text: ["What is left out is not defined: the code of the workflow, and then the settings, say it."],
    fields: [{ name: "name", label: "Name", value: one.name, required: true, fixed: !isNew }, { name: "organization", label: "Organization", value: one.organization ?? access.organization, suggestions: organizations, hint: isBound() ? "" : "left out, it is everybody's", fixed: isBound() || (!isNew && Boolean(one.organization)) },
      { name: "path", label: "File", value: one.path, hint: "below the workflows folder; left out, the worker looks the name up" }, { name: "function", label: "Function", value: one.function },
      { name: "language", label: "Language", value: one.language }, { name: "timeout_seconds", label: "Time limit of a run, in seconds", type: "number", min: 0, value: one.timeout_seconds },
      { name: "max_attempts", label: "Attempts at most", type: "number", min: 1, step: 1, value: one.max_attempts }, { name: "webhook", label: "Webhook", value: one.webhook, suggestions: told, hint: "told what its executions came to" },
      { name: "retention_days", label: "Days its executions are kept", type: "number", min: 0, value: one.retention_days, hint: "0: for ever; left out, the settings say" },
      { name: "retention_failed_days", label: "Days failures are kept", type: "number", min: 0, value: one.retention_failed_days, hint: "left out, as the others" },
      { name: "is_active", label: "It may run", type: "check", value: one.is_active ?? true }],
    send: async ({ name, organization, ...values }) => {
      // What this form does not know of stays as it is.
      const { name: _, organization: __, path, function: ___, language, timeout_seconds, max_attempts, webhook, retention_days, retention_failed_days, is_active, ...rest } = one;
      await tell("PUT", named("workflows", name, organization), given({ ...rest, ...values }));
      return `Workflow ${name} is defined.`;
    },
  })) || "";
}

async function remove({ name, defined }) {
  if (!await confirmed(`Remove what is defined of ${name}?`, "Its code and its executions stay.", "Remove it")) return "";
  await tell("DELETE", named("workflows", name, defined.organization));
  return `Nothing is defined of ${name} any more.`;
}

begin({ read, channels: ["pool"], everyMs: 5000 });
