// Schedules: when each ticks next, what it did last; pausing, running and changing it.
import { access, isBound } from "./access.js";
import { actions } from "./actions.js";
import { ask, askExactly, part, tell } from "./api.js";
import { $, make, section, set, table } from "./dom.js";
import { confirmed, dialog, given } from "./form.js";
import { ago, compact, executionLink, executionsLink, moment, until } from "./format.js";
import { begin, button } from "./page.js";

const SHOWN = 50, TICKS = 5;
let all = [], shown = SHOWN, workflows = [], organizations = [];
/** The next ticks, by schedule, as long as its next one is the same. */
const ticks = new Map();

const search = make("input", { type: "search", placeholder: "schedule or workflow", "aria-label": "Look for a schedule", autocomplete: "off", size: 22 });
const more = button("Show more", () => { shown += SHOWN; });
const rows = table({
  label: "Schedules", none: "There are none.", keyOf: one => one.schedule.name,
  columns: [
    { name: "Schedule", kind: "lead", make: () => {
      const name = make("div"), link = make("a"), what = make("span", { class: "dim" }), whole = make("div", {}, name, make("div", { class: "dim" }, "runs ", link, what));
      whole.update = ({ schedule }) => {
        set(name, schedule.name);
        link.href = executionsLink({ workflow: schedule.workflow });
        set(link, schedule.workflow);
        const { organization, queue, parameters } = schedule;
        set(what, [organization && ` for ${organization}`, queue && ` in queue ${queue}`, parameters && ` with ${compact(parameters)}`].filter(Boolean).join(","));
      };
      return whole;
    } },
    { name: "When", make: () => {
      const cron = make("code", { class: "nowrap" }), rest = make("div", { class: "dim" }), whole = make("span", {}, cron, rest);
      whole.update = ({ schedule: { cron: text, time_zone: zone, overlap, missed, jitter_seconds: jitter } }) => {
        set(cron, text);
        set(rest, [zone ?? "UTC", overlap && overlap !== "skip" && `overlap: ${overlap}`, missed && missed !== "run_once" && `missed: ${missed}`, jitter && `up to ${jitter} s later`].filter(Boolean).join(" · "));
      };
      return whole;
    } },
    { name: "Next five ticks", make: () => {
      const whole = make("ol", { class: "ticks" });
      whole.update = one => {
        const found = one.schedule.is_paused ? [] : ticks.get(one.schedule.name)?.found ?? [], text = one.schedule.is_paused ? "paused" : "";
        const wanted = found.length ? found.map(({ at, local }, place) => place === 0 ? `${local}, ${until(at)}` : local) : [text];
        if (wanted.join() !== [...whole.children].map(item => item.textContent).join()) whole.replaceChildren(...wanted.filter(Boolean).map(line => make("li", { class: text ? "warn" : "" }, line)));
      };
      return whole;
    } },
    { name: "Last", make: () => {
      const link = make("a", { class: "nowrap" }), what = make("div", { class: "dim nowrap" }), whole = make("span", {}, link, what);
      whole.update = one => {
        link.hidden = !one.last_execution;
        if (one.last_execution) link.href = executionLink(one.last_execution);
        set(link, one.last_execution ? one.last_outcome ?? "execution" : "");
        set(what, [one.last_execution ? "" : one.last_outcome, ago(one.last_at)].filter(Boolean).join(", "));
        what.title = moment(one.last_at);
      };
      return whole;
    } },
    actions([
      ["Run now", async one => `Execution ${(await tell("POST", `${address(one)}/run`)).execution_id} runs.`, { needs: "operate" }],
      [one => one.schedule.is_paused ? "Resume" : "Pause", async one => {
        await tell("POST", `${address(one)}/${one.schedule.is_paused ? "resume" : "pause"}`);
        return `${one.schedule.name} ${one.schedule.is_paused ? "ticks again" : "is paused"}.`;
      }, { needs: "operate" }],
      ["Change…", one => define(one.schedule), { needs: "admin" }], ["Remove…", remove, { needs: "admin", danger: true }],
    ], one => one.schedule.name),
  ],
});
$("content").append(section("What runs by itself", [make("span", { class: "push" }), search, button("New schedule…", () => define({}), { needs: "admin" })], rows, more));
search.oninput = () => { shown = SHOWN; showRows(); };
const address = one => `api/schedules/${part(one.schedule.name)}`;

async function read() {
  const [found, known, owners] = await Promise.all([askExactly("api/schedules"), ask("api/workflows"), ask("api/organizations")]);
  all = found.schedules;
  workflows = [...new Set([...known.workflows, ...known.defined].map(one => one.name))].sort();
  organizations = owners.organizations.map(one => one.key);
  const wanted = visible().filter(one => !one.schedule.is_paused && ticks.get(one.schedule.name)?.of !== `${one.next_at} ${one.schedule.cron} ${one.schedule.time_zone}`);
  await Promise.all(wanted.map(async one => {
    const { ticks: next } = await ask(`${address(one)}/next?count=${TICKS}`);
    ticks.set(one.schedule.name, { of: `${one.next_at} ${one.schedule.cron} ${one.schedule.time_zone}`, found: next });
  }));
  showRows();
}

const fitting = () => {
  const text = search.value.trim().toLowerCase();
  return text ? all.filter(({ schedule }) => [schedule.name, schedule.workflow].some(word => word.toLowerCase().includes(text))) : all;
};
const visible = () => fitting().slice(0, shown);
function showRows() {
  rows.show(visible());
  more.hidden = fitting().length <= shown;
}

async function define(one) {
  const isNew = !one.name;
  return (await dialog({
    title: isNew ? "A new schedule" : `Change ${one.name}`,
    fields: [{ name: "name", label: "Name", value: one.name, required: true, fixed: !isNew }, { name: "workflow", label: "Workflow", value: one.workflow, required: true, suggestions: workflows },
      { name: "cron", label: "Cron", value: one.cron, required: true, placeholder: "30 2 * * *", hint: "minute, hour, day of month, month, day of week; or @daily and its like" },
      { name: "time_zone", label: "Time zone", value: one.time_zone, placeholder: "UTC", suggestions: Intl.supportedValuesOf?.("timeZone") ?? [] }, { name: "organization", label: "Organization", value: one.organization ?? access.organization, suggestions: organizations, fixed: isBound() },
      { name: "queue", label: "Queue", value: one.queue }, { name: "parameters", label: "Parameters", type: "json", value: one.parameters, hint: "JSON" },
      { name: "overlap", label: "While the last one is not over", value: one.overlap ?? "", options: [["", "skip the tick (default)"], "skip", "queue", "replace", "allow"] },
      { name: "missed", label: "Ticks while nobody was up", value: one.missed ?? "", options: [["", "run the latest once (default)"], "run_once", "skip", "run_all"] },
      { name: "missed_seconds", label: "So old may a missed tick be, in seconds", type: "number", min: 0, step: 1, value: one.missed_seconds, placeholder: "3600" },
      { name: "jitter_seconds", label: "Up to so many seconds later", type: "number", min: 0, step: 1, value: one.jitter_seconds }],
    send: async ({ name, ...values }) => {
      const kept = given({ id: one.id, is_paused: one.is_paused });
      await tell("PUT", `api/schedules/${part(name)}`, { ...kept, ...given(values) });
      ticks.delete(name);
      return `Schedule ${name} is defined.`;
    },
  })) || "";
}

async function remove({ schedule: { name } }) {
  if (!await confirmed(`Remove the schedule ${name}?`, "Its executions stay.", "Remove it")) return "";
  await tell("DELETE", `api/schedules/${part(name)}`);
  return `Schedule ${name} is removed.`;
}

begin({ read, show: showRows, channels: ["executions"], everyMs: 5000 });
