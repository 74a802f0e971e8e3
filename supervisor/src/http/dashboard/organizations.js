// Organizations: their part of the workers' time, and whether they may run.
import { isBound } from "./access.js";
import { actions } from "./actions.js";
import { ask, part, tell } from "./api.js";
import { $, make, section, set, table } from "./dom.js";
import { confirmed, dialog, given } from "./form.js";
import { executionsLink } from "./format.js";
import { begin, button, pool } from "./page.js";

let all = [];
const search = make("input", { type: "search", placeholder: "key or name", "aria-label": "Look for an organization", autocomplete: "off", size: 20 });
const targetOf = one => `organization:${one.key}`, pauseOf = one => pool.pauses.find(known => known.target === targetOf(one));
const share = one => (one.weight ?? 1) / all.filter(other => other.is_active !== false).reduce((sum, other) => sum + (other.weight ?? 1), 0);

const rows = table({
  label: "Organizations", none: "There are none: everything runs for nobody in particular.", keyOf: one => one.key,
  columns: [
    { name: "Organization", kind: "lead", make: () => {
      const link = make("a"), name = make("div", { class: "dim" }), whole = make("span", {}, link, name);
      whole.update = one => { set(link, one.key); link.href = executionsLink({ organization: one.key }); set(name, one.name && one.name !== one.key ? one.name : ""); };
      return whole;
    } },
    { name: "Weight", kind: "number", text: one => one.weight ?? 1 },
    { name: "Share, when all have work", kind: "number", text: one => one.is_active === false || isBound() ? "" : `${(share(one) * 100).toFixed(1)} %` },
    { name: "State", text: one => one.is_active === false ? "not active" : pauseOf(one) ? `paused by ${pauseOf(one).who}` : "runs", style: one => one.is_active === false ? "bad" : pauseOf(one) ? "warn" : "good" },
    { name: "Id", kind: "mono dim", text: one => one.id ?? "" },
    actions([["Change…", define, { needs: "admin all" }], [one => pauseOf(one) ? "Resume" : "Pause…", pause, { needs: "operate" }], ["Remove…", remove, { needs: "admin all", danger: true }]], one => one.key),
  ],
});
$("content").append(section("Who executions run for", [make("span", { class: "push" }), search, button("New organization…", () => define({}), { needs: "admin all" })], rows));
search.oninput = show;

async function read() {
  all = (await ask("api/organizations")).organizations;
  show();
}

function show() {
  const text = search.value.trim().toLowerCase();
  rows.show(all.filter(one => [one.key, one.name].some(word => word?.toLowerCase().includes(text))).slice(0, 500));
}

async function define(one) {
  return (await dialog({
    title: one.key ? `Change ${one.key}` : "A new organization",
    fields: [{ name: "key", label: "Key", value: one.key, required: true, fixed: Boolean(one.key), hint: "the word that commands and addresses know it by" }, { name: "name", label: "Name", value: one.name },
      { name: "weight", label: "Weight", type: "number", min: 0, value: one.weight, placeholder: "1", hint: "its part of the workers' time beside the others'" }, { name: "is_active", label: "It may run", type: "check", value: one.is_active ?? true }],
    send: async ({ key, ...values }) => { await tell("PUT", `api/organizations/${part(key)}`, given({ id: one.id, ...values })); return `Organization ${key} is defined.`; },
  })) || "";
}

async function pause(one) {
  const address = `api/pauses/${part(targetOf(one))}`;
  if (pauseOf(one)) { await tell("DELETE", address); return `${one.key} may start again.`; }
  return (await dialog({
    title: `Pause ${one.key}?`, text: ["Nothing of it starts within a second; what runs goes on."], verb: "Pause", danger: true, fields: [{ name: "why", label: "Why", hint: "for whoever wonders" }],
    send: async values => { await tell("PUT", address, given(values)); return `${one.key} is paused.`; },
  })) || "";
}

async function remove({ key }) {
  if (!await confirmed(`Remove the organization ${key}?`, "That is refused while something of it is left.", "Remove it")) return "";
  await tell("DELETE", `api/organizations/${part(key)}`);
  return `Organization ${key} is removed.`;
}

begin({ read, channels: ["pool"], everyMs: 5000 });
