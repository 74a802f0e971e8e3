// One execution: where it is and why, its log as it comes, what it was given and what it came to.
import { ask, askExactly, request, tell } from "./api.js";
import { $, list, make, pairs, section, set, table } from "./dom.js";
import { confirmed } from "./form.js";
import { OVER, called, compact, executionLink, executionsLink, mebibytes, moment, precise, pretty, time, took, waitsFor } from "./format.js";
import { begin, button, pool } from "./page.js";
import { logView } from "./log.js";
import { timeline } from "./timeline.js";

const id = new URLSearchParams(location.search).get("id") ?? "", address = `api/executions/${encodeURIComponent(id)}`;
let row, events = [], supervisors = [], progress, isWhole = false;

const pill = make("span"), facts = make("dl", { class: "facts" }), reasons = make("ul", { class: "plain" });
const progressText = make("h3", { id: "progress-text" }), progressBar = make("progress", { "aria-labelledby": "progress-text" }), progressPart = make("div", { hidden: true }, progressText, progressBar);
const error = make("pre", { class: "box bad", tabindex: 0, role: "group", "aria-label": "Type, message and stack" }), errorPart = section("Error", [], error);
const log = logView(address);
const folded = (title, isOpen) => {
  const text = make("pre", { class: "box", tabindex: 0, role: "region", "aria-label": title });
  const part = make("section", {}, make("details", { open: isOpen }, make("summary", {}, title), text));
  part.text = text;
  return part;
};
const result = folded("Result", false), parameters = folded("Parameters", false), death = folded("How its worker ended", true), transcript = folded("Transcript", true);
transcript.hidden = true;
const steps = table({
  label: "Events", none: "None yet.", keyOf: (one, at) => one.key,
  columns: [{ name: "At", kind: "nowrap", text: one => precise(one.at) }, { name: "Attempt", text: one => one.attempt }, { name: "What", kind: "lead words", text: one => one.event },
    { name: "By", kind: "words", text: one => by(one.supervisor) }, { name: "Detail", kind: "mono", text: one => one.detail ? compact(one.detail) : "" }],
});
const by = known => { const one = supervisors.find(other => other.id === known); return one ? `${one.host}/${one.process_id}` : known ?? ""; };

const cancel = button("Cancel", async () => await confirmed("Cancel this execution?", "If it runs, its worker is asked to end it.", "Cancel it") ? `Cancel: ${(await tell("POST", `${address}/cancel`)).outcome}.` : "", { kind: "danger", needs: "operate" });
const retry = button("Run again", async () => { location.href = executionLink((await tell("POST", `${address}/retry`)).execution_id); return "It runs again as a new execution."; }, { needs: "operate" });
const frames = button("Transcript", async () => {
  const text = await (await request(`${address}/transcript`)).text();
  set(transcript.text, text.length > 200_000 ? `${text.slice(0, 200_000)}\n... save it to see all of it` : text);
  transcript.hidden = false;
  transcript.scrollIntoView({ block: "nearest" });
});
const save = button("Save the transcript", async () => {
  const link = make("a", { href: URL.createObjectURL(await (await request(`${address}/transcript`)).blob()), download: `${id}.jsonl` });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  return "The transcript is saved.";
}, { kind: "small" });
transcript.append(save);
for (const one of [cancel, retry, frames]) one.hidden = true;

const heading = make("div", { class: "title" }, $("title"), pill, make("span", { class: "push" }), frames, retry, cancel, make("p", { class: "mono dim" }, id));
const times = timeline(), why = section("Why", [], reasons), about = section("Facts", [], facts, progressPart);
$("content").append(heading, make("div", { class: "columns" }, about, why), section("Where the time went", [], times), errorPart, section("Log", [log.note], log.node), result, parameters, death, transcript, section("Events", [], steps));
for (const one of [errorPart, result, parameters, death]) one.hidden = true;

async function read() {
  if (isWhole) return;
  const [found, page, explained] = await Promise.all([askExactly(address), ask(`${address}/events`), ask(`${address}/explain`)]);
  row = found;
  ({ events, supervisors } = page);
  list(reasons, explained.reasons, one => one.message, one => {
    const made = make("li", { class: one.is_blocking ? "warn" : "" }, one.message);
    made.update = () => {};
    return made;
  });
  await log.read();
  isWhole = OVER.includes(row.status) && row.notified_at != null;
  show();
}

function show() {
  if (!row) return;
  const over = OVER.includes(row.status);
  times.show(row, events);
  set($("title"), called(row));
  document.title = `${row.status} ${called(row)} · Muster`;
  set(pill, row.status, `pill ${row.status}`);
  cancel.hidden = over; retry.hidden = !over; frames.hidden = !over || row.status === "SUCCESS";
  const again = row.retry_of && make("a", { href: executionLink(row.retry_of) }, row.retry_of), of = row.workflow && make("a", { href: executionsLink({ workflow: row.workflow }) }, row.workflow);
  pairs(facts, [["workflow", of], ["attempt", `${row.attempt} of at most ${row.max_attempts}`], ["published", row.published_at && moment(row.published_at)], ["created", moment(row.created_at)], ["started", moment(row.started_at)], ["ended", moment(row.completed_at)], ["took", took(row)],
    ["time limit", row.timeout_seconds && time(row.timeout_seconds)], ["CPU, memory", row.metrics && `${time((row.metrics.cpu_user_us + row.metrics.cpu_system_us) / 1e6)}, ${mebibytes(row.metrics.peak_rss_bytes)}`],
    ["waits for", waitsFor(row, pool?.queues)], ["queue", row.queue], ["priority", row.priority || null], ["limits", row.limits?.map(({ name, key }) => key ? `${name} (${key})` : name).join(", ")],
    ["organization", row.organization_id], ["caller", row.caller && JSON.stringify(row.caller)], ["idempotency key", row.idempotency_key], ["retry of", again]]);
  progressPart.hidden = !progress || over;
  if (progress) {
    set(progressText, [progress.total ? `${progress.current} of ${progress.total}` : progress.current, progress.message].join(" ").trim());
    if (progress.total) { progressBar.max = progress.total; progressBar.value = progress.current; } else progressBar.removeAttribute("value");
  }
  errorPart.hidden = !row.error_type;
  const message = `${row.error_type}: ${row.error_message ?? ""}`, stack = row.error_stack ?? "";
  set(error, !row.error_type ? "" : stack.includes(message) ? stack : [message, stack].filter(Boolean).join("\n\n"));
  result.hidden = row.status !== "SUCCESS"; set(result.text, pretty(row.result) || "null");
  parameters.hidden = false; set(parameters.text, pretty(row.parameters) || "none");
  death.hidden = !row.end_cause; set(death.text, row.end_cause ? [row.end_cause.summary, pretty(row.end_cause)].filter(Boolean).join("\n\n") : "");
  steps.show(events.map((one, at) => ({ ...one, key: `${at} ${one.at}` })));
}

/** Progress and the next line of the log are shown as they come; all else is read. */
function news(channel, data) {
  if (channel !== `execution:${id}`) return false;
  if (data.type === "progress") { progress = data; show(); return true; }
  return data.type === "log" && log.take(data);
}

begin({ read, show, channels: [`execution:${id}`], news, everyMs: 4000 });
