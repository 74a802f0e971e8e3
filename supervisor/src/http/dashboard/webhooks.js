// Webhooks: who is told what executions came to, and what became of it.
import { actions } from "./actions.js";
import { ask, part, tell } from "./api.js";
import { $, make, section, set, table } from "./dom.js";
import { confirmed, dialog, given } from "./form.js";
import { OVER, ago, executionLink, moment, short, until } from "./format.js";
import { begin, button } from "./page.js";

const DELIVERIES = 100, OF_REQUESTS = "request";
let names = null;
const wanted = () => new URLSearchParams(location.search);

const webhooks = table({
  label: "Webhooks", none: "There are none.", keyOf: one => one.name,
  columns: [
    { name: "Webhook", kind: "lead", text: one => one.name }, { name: "Address", kind: "mono", text: one => one.url }, { name: "Of", text: one => one.events?.join(", ") ?? "every end" },
    { name: "Workflows", text: one => one.workflows ? one.workflows.join(", ") || "those that name it" : "all" }, { name: "State", text: one => one.is_paused ? "paused" : "told", style: one => one.is_paused ? "warn" : "good" },
    actions([["Change…", define, { needs: "admin all" }], [one => one.is_paused ? "Resume" : "Pause", async one => {
      await put({ ...one, is_paused: !one.is_paused });
      return `${one.name} is ${one.is_paused ? "told again" : "told nothing"}.`;
    }, { needs: "admin all" }], ["Remove…", remove, { needs: "admin all", danger: true }]], one => one.name),
  ],
});

const state = make("select", { name: "state" }, ["", "pending", "delivered", "failed"].map(word => make("option", { value: word }, word || "every state")));
const of = make("select", { name: "webhook" }, make("option", { value: "" }, "every webhook"));
const filter = make("form", { class: "filter push", "aria-label": "Deliveries" }, make("label", {}, "State", state), make("label", {}, "Webhook", of));
filter.onsubmit = event => event.preventDefault();
filter.onchange = () => {
  const query = new URLSearchParams(given({ state: state.value, webhook: of.value }));
  history.replaceState(null, "", query.size ? `webhooks?${query}` : "webhooks");
  read();
};
state.value = wanted().get("state") ?? "";

const history_ = () => {
  const lines = make("ul", { class: "plain mono" }), title = make("summary"), whole = make("details", {}, title, lines);
  whole.update = one => {
    const tries = one.history ?? [], last = one.last_error ?? (one.last_status ? `status ${one.last_status}` : "not tried yet");
    set(title, last.length > 120 ? `${last.slice(0, 120)}…` : last, one.state === "delivered" ? "" : one.last_error || one.last_status >= 300 ? "bad" : "dim");
    const wanted = tries.map(({ at, status, error }) => `${moment(at)}  ${status ?? ""} ${error ?? ""}`);
    if (wanted.join("\n") !== [...lines.children].map(line => line.textContent).join("\n")) lines.replaceChildren(...wanted.map(line => make("li", {}, line)));
  };
  return whole;
};
const deliveries = table({
  label: "Deliveries", none: "There are none like that.", keyOf: one => `${one.webhook} ${one.execution_id} ${one.event}`,
  columns: [
    { name: "Webhook", kind: "lead", text: one => one.url ? `${one.webhook}: ${one.url}` : one.webhook },
    { name: "State", make: () => { const pill = make("span"); pill.update = one => set(pill, one.state, `pill ${one.state}`); return pill; } },
    { name: "Of", text: one => one.event, style: one => one.event },
    { name: "Execution", make: () => { const link = make("a", { class: "mono" }); link.update = one => { link.href = executionLink(one.execution_id); set(link, `…${short(one.execution_id)}`); }; return link; } },
    { name: "Ended", kind: "nowrap", text: one => ago(one.created_at), title: one => moment(one.created_at) },
    { name: "Tries", kind: "number", text: one => one.attempts }, { name: "Next", kind: "nowrap", text: one => one.due_at ? until(one.due_at) : "" },
    { name: "Last try", make: history_ },
    actions([["Tell again", async one => {
      await tell("POST", `api/webhooks/${part(one.webhook)}/deliveries/${one.execution_id}/retry`);
      return `${one.webhook} is told again.`;
    }, { needs: "operate all", shown: one => one.state !== "pending" }]], one => `${one.webhook} of …${short(one.execution_id)}`),
  ],
});
$("content").append(section("Who is told", [make("span", { class: "push" }), button("New webhook…", () => define({}), { needs: "admin all" })], webhooks), section("Deliveries", [filter], deliveries));

async function read() {
  const query = new URLSearchParams({ limit: DELIVERIES, ...given({ state: state.value, webhook: of.options.length > 1 ? of.value : wanted().get("webhook") }) });
  const [known, told] = await Promise.all([ask("api/webhooks"), ask(`api/deliveries?${query}`)]);
  webhooks.show(known.webhooks);
  deliveries.show(told.deliveries);
  const now = known.webhooks.map(one => one.name);
  if (now.join("\n") === names?.join("\n")) return;
  const chosen = of.options.length > 1 ? of.value : wanted().get("webhook") ?? "";
  of.replaceChildren(make("option", { value: "" }, "every webhook"), ...[...now, OF_REQUESTS].map(name => make("option", { value: name }, name === OF_REQUESTS ? "those that requests ask for" : name)));
  of.value = [...now, OF_REQUESTS].includes(chosen) ? chosen : "";
  names = now;
}

const put = ({ name, ...definition }) => tell("PUT", `api/webhooks/${part(name)}`, given(definition));

async function define(one) {
  return (await dialog({
    title: one.name ? `Change ${one.name}` : "A new webhook", text: ["What is sent is signed with the secret webhook.NAME; supervisor webhook key makes one."],
    fields: [{ name: "name", label: "Name", value: one.name, required: true, fixed: Boolean(one.name) }, { name: "url", label: "Address", value: one.url, required: true, placeholder: "https://example.com/hook" },
      { name: "events", label: "Told of", type: "words", value: one.events, hint: `of ${OVER.join(", ")}; left out, of all` }, { name: "workflows", label: "Of workflows", type: "words", value: one.workflows, hint: "left out, of all" },
      { name: "named", label: "Only of workflows that name it", type: "check", value: one.workflows?.length === 0, hint: "see what is defined of them" }],
    send: async ({ named, workflows, ...values }) => {
      await put({ id: one.id, is_paused: one.is_paused, ...values, workflows: named ? [] : workflows });
      return `Webhook ${values.name} is defined.`;
    },
  })) || "";
}

async function remove({ name }) {
  if (!await confirmed(`Remove the webhook ${name}?`, "What it was to be told is forgotten.", "Remove it")) return "";
  await tell("DELETE", `api/webhooks/${part(name)}`);
  return `Webhook ${name} is removed.`;
}

begin({ read, channels: ["executions"], everyMs: 5000, needs: "view all" });
