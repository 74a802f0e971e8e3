// Queues and limits, each with how full it is.
import { list, make, set } from "./dom.js";
import { coarse, count } from "./format.js";

/** One line: a name, what is said of it, and a bar. */
export function fill() {
  const name = make("strong"), text = make("span"), bar = make("progress");
  const made = make("li", {}, make("div", { class: "bar" }, name, text), bar);
  made.fill = (title, said, kind, part) => {
    set(name, title); set(text, said, kind);
    bar.hidden = part === null;
    bar.className = kind;
    if (part !== null) { bar.value = Math.min(1, part); bar.setAttribute("aria-label", `${title}: ${said}`); }
  };
  return made;
}

export const saidOfQueue = (one, broker) => [`${count(one.waiting)} waiting`, one.oldest_wait_seconds > 0 ? `next since ${coarse(one.oldest_wait_seconds)}` : "",
  broker?.ready == null ? "" : `${count(broker.ready)} in RabbitMQ`, one.is_served ? "" : "not served here"].filter(Boolean).join(" · ");

/** The part of a limit that is taken; null where there is no number to be a part of. */
export const taken = ({ terms, running }) => terms?.total == null ? null : terms.total === 0 ? 1 : running / terms.total;

export function showQueues(parent, pool) {
  list(parent, pool.queues ?? [], one => one.queue, () => {
    const made = fill();
    made.update = one => made.fill(one.queue || "(none)", saidOfQueue(one, pool.broker?.queues.find(known => known.queue === one.queue)), one.is_served && one.waiting > 0 ? "warn" : "dim", null);
    return made;
  });
}

export function showLimits(parent, limits) {
  list(parent, limits, one => one.name, () => {
    const made = fill();
    made.update = one => {
      const { name, terms, running, waiting } = one, part = taken(one);
      const said = [part === null ? `${running} running` : `${running} of ${terms.total}`, terms?.per_key == null ? "" : `${terms.per_key} per ${terms.key}`, terms?.rate ?? "", terms ? "" : "not set", waiting > 0 ? `${count(waiting)} waiting` : ""];
      made.fill(name, said.filter(Boolean).join(" · "), waiting > 0 ? "warn" : "dim", part);
    };
    return made;
  });
}
