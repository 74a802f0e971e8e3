// Where the time of an execution went: one bar for each attempt, of what it waited, was prepared, ran and was committed.
import { list, make, set } from "./dom.js";
import { time } from "./format.js";

const WORDS = { wait: "waited", prepare: "was prepared", run: "ran", commit: "was committed" };
const at = moment => Date.parse(moment);

/** The stretches of an execution, from its row and its events, since its message was published where that says so: `{ attempt, parts: [[kind, from, to]], isOpen }` for each attempt. */
export function stretches(row, events, now) {
  const attempts = [];
  let since = at(row.published_at ?? row.created_at), open = null;
  const end = moment => {
    if (!open) return;
    if (open.started === null) open.parts.push(["prepare", open.claimed, moment]); else open.parts.push(["prepare", open.claimed, open.started], ["run", open.started, moment]);
    since = moment;
    open = null;
  };
  for (const event of events) {
    const moment = at(event.at);
    if (event.event === "claimed") {
      end(moment);
      open = { attempt: event.attempt, parts: [["wait", since, moment]], claimed: moment, started: null };
      attempts.push(open);
    } else if (event.event === "started" && open) open.started = moment;
    else if (["retried", "released", "finalized"].includes(event.event)) {
      const last = open;
      end(moment);
      if (event.event === "finalized" && last && row.notified_at) last.parts.push(["commit", moment, at(row.notified_at)]);
    }
  }
  if (open) { open.isOpen = true; end(now); }
  if (row.status === "PENDING" || attempts.length === 0) attempts.push({ attempt: null, isOpen: row.status === "PENDING", parts: [["wait", since, row.status === "PENDING" ? now : at(row.completed_at ?? row.created_at)]] });
  // Clocks of two machines may disagree: nothing ends before it begins.
  return attempts.map(one => ({ ...one, parts: one.parts.map(([kind, from, to]) => [kind, from, Math.max(from, to)]) }));
}

/** A list of bars; `show(row, events)` draws them, as long as all of the execution. */
export function timeline() {
  const node = make("ul", { class: "plain timeline" });
  node.show = (row, events) => {
    const attempts = stretches(row, events, Date.now()), first = Math.min(...attempts.flatMap(({ parts }) => parts.map(([, from]) => from)));
    const last = Math.max(first + 1, ...attempts.flatMap(({ parts }) => parts.map(([, , to]) => to)));
    list(node, attempts.map(one => ({ ...one, first, whole: last - first })), one => one.attempt ?? "next", bar);
  };
  return node;
}

function bar() {
  const name = make("strong"), told = make("span", { class: "dim" }), track = make("div", { class: "track", "aria-hidden": "true" });
  const made = make("li", {}, make("div", { class: "bar" }, name, told), track);
  made.update = ({ attempt, parts, first, whole }) => {
    set(name, attempt === null ? "next attempt" : `attempt ${attempt}`);
    set(told, parts.map(([kind, from, to]) => `${WORDS[kind]} ${time((to - from) / 1000)}`).join(" · "));
    list(track, parts, ([kind]) => kind, ([kind]) => {
      const part = make("i", { class: `part-${kind}` });
      part.update = ([, from, to]) => {
        part.style.left = `${(from - first) / whole * 100}%`;
        part.style.width = `max(2px, ${(to - from) / whole * 100}%)`;
      };
      return part;
    });
  };
  return made;
}
