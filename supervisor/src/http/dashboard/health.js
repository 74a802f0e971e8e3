// What the supervisor says of its health, and the fleet it is one of.
import { list, make, set, table } from "./dom.js";
import { ago, coarse, count, moment } from "./format.js";

const KINDS = { healthy: "good", degraded: "warn", failing: "bad" };

/** The verdict of each part, with what it is judged by and what to do next. */
export function verdicts() {
  const node = make("ul", { class: "fills" });
  node.show = report => list(node, report.sections, one => one.name, () => {
    const name = make("strong"), pill = make("span"), evidence = make("div", { class: "dim" }), next = make("div");
    const made = make("li", {}, make("div", { class: "bar" }, name, pill), evidence, next);
    made.update = one => {
      set(name, one.name);
      set(pill, one.verdict, `pill ${KINDS[one.verdict] ?? ""}`);
      set(evidence, one.evidence.join("; "));
      set(next, one.next_step ?? "", KINDS[one.verdict] ?? "");
    };
    return made;
  });
  return node;
}

const LIVES = { serving: "good", troubled: "bad", draining: "warn", silent: "bad", replaced: "bad", left: "dim", unknown: "dim" };

/** Every supervisor on the database. */
export const fleet = () => table({
  label: "Fleet", none: "There is none.", keyOf: one => one.id,
  columns: [
    { name: "Supervisor", kind: "lead", text: one => `${one.host}/${one.process_id}`, title: one => one.id },
    { name: "Life", make: () => {
      const pill = make("span");
      pill.update = one => set(pill, one.life === "silent" && one.silent_seconds ? `${one.life} ${coarse(one.silent_seconds)}` : one.life, `pill ${LIVES[one.life] ?? ""}`);
      return pill;
    } },
    { name: "Version", text: one => one.version ?? "" },
    { name: "Workers", kind: "number", text: one => one.said ? `${count(one.said.workers)} of ${count(one.said.max_workers)}` : "" },
    { name: "Runs", kind: "number", text: one => one.said ? count(one.said.running) : "" },
    { name: "Holds", kind: "number", text: one => count(one.holds) },
    { name: "Queues", text: one => one.said?.queues.join(", ") ?? "" },
    { name: "Started", kind: "nowrap", text: one => ago(one.started_at), title: one => moment(one.started_at) },
    { name: "Trouble", text: one => one.said?.problems.join("; ") ?? "", style: () => "bad" },
  ],
});
