// Limits, queues and pauses: how full, what waits, and what may start.
import { access, isBound } from "./access.js";
import { actions } from "./actions.js";
import { ask, part, tell } from "./api.js";
import { $, make, section, set, table } from "./dom.js";
import { taken } from "./fills.js";
import { confirmed, dialog, given } from "./form.js";
import { ago, coarse, count, executionsLink, moment, terms } from "./format.js";
import { begin, button, pool } from "./page.js";

const limits = table({
  label: "Limits", none: "No limit is set.", keyOf: one => one.name,
  columns: [
    { name: "Limit", kind: "lead", text: one => one.name },
    { name: "How full", make: () => {
      const said = make("span"), bar = make("progress"), whole = make("div", {}, said, bar);
      whole.update = one => {
        const fill = taken(one), text = fill === null ? `${count(one.running)} running` : `${count(one.running)} of ${count(one.terms.total)}`;
        set(said, text);
        bar.hidden = fill === null; bar.value = Math.min(1, fill ?? 0); bar.className = one.waiting > 0 ? "warn" : "";
        bar.setAttribute("aria-label", `${one.name}: ${text}`);
      };
      return whole;
    }, width: "22%" },
    { name: "Waiting", kind: "number", text: one => one.waiting ? count(one.waiting) : "", style: () => "warn" },
    { name: "Allows", text: one => terms(one.terms), style: one => one.terms ? "" : "dim" },
    actions([[one => one.terms ? "Change…" : "Set…", change, { needs: "admin all" }], ["Remove…", remove, { needs: "admin all", shown: one => one.terms, danger: true }]], one => `limit ${one.name}`),
  ],
});
const queues = table({
  label: "Queues", none: "There is none.", keyOf: one => one.queue,
  columns: [
    { name: "Queue", kind: "lead", make: () => {
      const link = make("a");
      link.update = one => { set(link, one.queue || "(none)"); link.href = executionsLink({ status: "PENDING", ...(one.queue && { queue: one.queue }) }); };
      return link;
    } },
    { name: "Waiting", kind: "number", text: one => count(one.waiting) },
    { name: "Next since", kind: "number", text: one => one.oldest_wait_seconds > 0 ? coarse(one.oldest_wait_seconds) : "" },
    { name: "In RabbitMQ", kind: "number", text: one => one.broker?.ready == null ? "" : count(one.broker.ready) },
    { name: "Dead letters", kind: "number", text: one => one.broker?.dead ? count(one.broker.dead) : "", style: () => "bad", title: one => one.broker?.dead ? "supervisor dead shows and moves them" : "" },
    { name: "Here", text: one => one.is_served ? "served" : "not served", style: one => one.is_served ? "" : "dim" },
    actions([[one => isPaused(one) ? "Resume" : "Pause…", one => isPaused(one) ? resume(targetOf(one)) : pause(targetOf(one)), { needs: "operate all", shown: one => one.queue !== "" }]], one => `queue ${one.queue}`),
  ],
});
const pauses = table({
  label: "Pauses", none: "Nothing is paused.", keyOf: one => one.target,
  columns: [
    { name: "Paused", kind: "lead", text: one => one.target === "all" ? "everything" : one.target }, { name: "By", text: one => one.who },
    { name: "Since", text: one => ago(one.since), title: one => moment(one.since) }, { name: "Why", text: one => one.why ?? "" },
    actions([["Resume", one => resume(one.target), { needs: "operate" }]], one => one.target),
  ],
});
const ofAll = [section("Limits", [make("span", { class: "push" }), button("Set a limit…", () => change({ name: "", terms: null }), { needs: "admin all" })], limits), section("Queues", [], queues)];
$("content").append(
  ...ofAll,
  section("Pauses", [make("span", { class: "push" }), button("Pause…", () => pause(""), { needs: "operate" }), button("Pause everything…", () => pause("all"), { needs: "operate all" })], make("p", { class: "dim" }, "Nothing of what is paused starts; what runs goes on, and all is accepted meanwhile."), pauses),
);

const targetOf = one => `queue:${one.queue}`, isPaused = one => pool.pauses.some(known => known.target === targetOf(one));

async function read() {
  for (const one of ofAll) one.hidden = isBound();
  if (isBound()) { pauses.show(pool.pauses); return; }
  const [found, paused] = await Promise.all([ask("api/limits"), ask("api/pauses")]);
  limits.show(found.limits);
  const broker = new Map((pool.broker?.queues ?? []).map(one => [one.queue, one])), known = pool.queues ?? [];
  const others = [...broker.keys()].filter(name => !known.some(one => one.queue === name)).map(queue => ({ queue, waiting: 0, oldest_wait_seconds: 0, is_served: true }));
  queues.show([...known, ...others].map(one => ({ ...one, broker: broker.get(one.queue) })));
  pauses.show(paused.pauses);
}

async function change({ name, terms: now }) {
  return (await dialog({
    title: name ? `Limit ${name}` : "Set a limit", text: ["It counts for what is claimed from now on, in the whole fleet."],
    fields: [{ name: "name", label: "Name", value: name, required: true, fixed: Boolean(name) }, { name: "total", label: "At once, in all", type: "number", min: 0, step: 1, value: now?.total },
      { name: "per_key", label: "At once, for one key", type: "number", min: 0, step: 1, value: now?.per_key }, { name: "rate", label: "Started in a period, for one key", value: now?.rate, placeholder: "100/60s" },
      { name: "burst", label: "Of these, early together", type: "number", min: 1, step: 1, value: now?.burst }, { name: "key", label: "Key", value: now?.key, placeholder: "organization", suggestions: ["organization", "workflow", "caller", "parameters."] },
      { name: "on_full", label: "When it is full", value: now?.on_full ?? "wait", options: ["wait", "reject", "replace", "cancel_running"] }],
    send: async ({ name: called, ...values }) => { await tell("PUT", `api/limits/${part(called)}`, given(values)); return `Limit ${called} is set.`; },
  })) || "";
}

async function remove({ name }) {
  if (!await confirmed(`Remove the limit ${name}?`, "What waits for it may start.", "Remove it")) return "";
  await tell("DELETE", `api/limits/${part(name)}`);
  return `Limit ${name} is removed.`;
}

/** A pause of `target`; of what is asked for when it is empty. */
async function pause(target) {
  const kinds = isBound() ? [["organization", "an organization"]] : [["queue", "a queue"], ["workflow", "a workflow"], ["organization", "an organization"]];
  const of = target ? [] : [{ name: "kind", label: "What", options: kinds }, { name: "name", label: "Name", required: true, value: access.organization, fixed: isBound() }];
  return (await dialog({
    title: target === "all" ? "Pause everything?" : target ? `Pause ${target}?` : "Pause", text: ["Nothing of it starts within a second; what runs goes on."], verb: "Pause", danger: true,
    fields: [...of, { name: "why", label: "Why", hint: "for whoever wonders" }],
    send: async ({ kind, name, why }) => {
      const whole = target || `${kind}:${name}`;
      await tell("PUT", `api/pauses/${part(whole)}`, given({ why }));
      return `${whole} is paused.`;
    },
  })) || "";
}

async function resume(target) {
  await tell("DELETE", `api/pauses/${part(target)}`);
  return `${target} may start again.`;
}

begin({ read, channels: ["executions", "pool"], everyMs: 3000 });
