// Dead letters: messages of RabbitMQ that could not be used. They are mended and put back, or thrown away.
import { actions } from "./actions.js";
import { ask, tell } from "./api.js";
import { $, make, section, set, table } from "./dom.js";
import { confirmed, dialog, given } from "./form.js";
import { executionLink, short } from "./format.js";
import { begin, button, pool } from "./page.js";

/** To be looked at, each is taken out of the queue and given back, so this is not done all the time. */
const AGAIN_MS = 60_000, LISTED = 200;
const wanted = () => new URLSearchParams(location.search).get("queue") ?? "";

const message = () => {
  const title = make("summary", { class: "cut mono" }), text = make("pre", { class: "box" }), whole = make("details", {}, title, text);
  whole.update = one => { set(title, one.message.slice(0, 200)); set(text, indented(one.message)); };
  return whole;
};
const letters = table({
  label: "Dead letters", none: "There are none.", keyOf: one => one.place,
  columns: [
    { name: "Letter", kind: "lead mono nowrap", make: () => {
      const key = make("span"), link = make("a", { class: "dim" }), made = make("div", {}, key, make("div", {}, link));
      made.update = one => { set(key, one.key); link.hidden = !one.execution_id; set(link, one.execution_id ? `of …${short(one.execution_id)}` : ""); link.href = one.execution_id ? executionLink(one.execution_id) : ""; };
      return made;
    } },
    { name: "Reason", text: one => one.reason, style: () => "bad" },
    { name: "Message", kind: "long", make: message },
    actions([["Mend and replay…", mend, { needs: "operate all" }], ["Replay", async one => told(await send("replay", { key: one.key })), { needs: "operate all" }], ["Throw away…", async one => {
      if (!await confirmed(`Throw ${one.key} away?`, "Nobody can bring it back.", "Throw away")) return "";
      return told(await send("purge", { key: one.key }));
    }, { needs: "admin all", danger: true }]], one => one.key),
  ],
});

const queue = make("select", { name: "queue" }), filter = make("form", { class: "filter", "aria-label": "Which queue" }, make("label", {}, "Queue", queue));
filter.onsubmit = event => event.preventDefault();
queue.onchange = () => { history.replaceState(null, "", `dead-letters?${new URLSearchParams({ queue: queue.value })}`); read(); };
const all = button("Replay all", async () => {
  if (!await confirmed("Put every dead letter of this queue back?", "Do it when what was wrong is mended: what still cannot be used comes back here.", "Replay all")) return "";
  return told(await send("replay", { all: true }));
}, { needs: "operate all" });
const none = make("p", { class: "none" });
$("content").append(section("Messages that could not be used", [make("span", { class: "push" }), filter, all], none, letters));

const send = (what, meant) => tell("POST", `api/dead-letters/${what}`, { ...given({ queue: queue.value }), ...meant });
const letterCount = number => number === 1 ? "1 letter" : `${number} letters`;
const told = ({ replayed, reopened, purged }) => purged > 0 ? `${letterCount(purged)} thrown away.` : `${letterCount(replayed)} put back${reopened > 0 ? `, ${reopened} with a row that can run now` : ""}.`;

/** JSON with its lines, anything else as it is. */
function indented(text) {
  try { return JSON.stringify(JSON.parse(text), null, 2); } catch { return text; }
}

async function mend(one) {
  const result = await dialog({
    title: `Mend ${one.key}`, text: [one.reason], verb: "Replay",
    fields: [{ name: "message", label: "Message", type: "text", value: one.message, required: true, hint: "JSON, as it goes into the queue in this letter's place" }],
    send: values => send("replay", { key: one.key, message: values.message }),
  });
  return result ? told(result) : "";
}

async function read() {
  const queues = (pool?.broker?.queues ?? []).map(one => one.queue);
  none.hidden = queues.length > 0;
  filter.hidden = queues.length < 2;
  all.hidden = queues.length === 0;
  set(none, "Without RabbitMQ there are none: executions that could not run are among those that failed.");
  if (queues.length === 0) { letters.hidden = true; return; }
  if ([...queue.options].map(option => option.value).join("\n") !== queues.join("\n")) {
    queue.replaceChildren(...queues.map(name => make("option", { value: name }, name)));
    queue.value = queues.includes(wanted()) ? wanted() : queues[0];
  }
  const found = await ask(`api/dead-letters?${new URLSearchParams({ limit: LISTED, queue: queue.value })}`);
  // Letters of the same bytes have the same key.
  letters.show(found.letters.map((one, place) => ({ ...one, place: `${place} ${one.key}` })));
  all.hidden = found.letters.length === 0;
}

begin({ read, channels: [], everyMs: AGAIN_MS, needs: "view all" });
