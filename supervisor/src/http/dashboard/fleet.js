// The fleet: the verdict on all of it, and every supervisor on the database.
import { ask } from "./api.js";
import { $, make, section, set, table } from "./dom.js";
import { coarse, count, since } from "./format.js";
import { begin } from "./page.js";
import { showVerdict } from "./verdict.js";

const KINDS = { serving: "good", draining: "warn", troubled: "bad", silent: "bad" };

const verdict = make("ul", { class: "verdicts" });
const supervisors = table({
  label: "The supervisors", none: "No supervisor was seen within a day.", keyOf: one => one.id,
  columns: [
    { name: "Host", make: () => {
      const host = make("strong"), more = make("div", { class: "dim" }), made = make("div", {}, host, more);
      made.update = one => { set(host, one.host); set(more, [`process ${one.process_id}`, one.http_address].filter(Boolean).join(" · ")); };
      return made;
    } },
    { name: "Life", text: one => one.life, style: one => KINDS[one.life] ?? "dim" },
    { name: "Version", text: one => one.version ?? "" },
    { name: "Up", text: one => coarse(since(one.started_at)) },
    { name: "Workers", kind: "number", text: one => one.said ? `${count(one.said.workers)} of ${count(one.said.max_workers)}` : "" },
    { name: "Running", kind: "number", text: one => count(one.holds) },
    { name: "Failed in 15 min", kind: "number", text: one => one.said ? `${count(one.said.quarter.failed)} of ${count(one.said.quarter.ended)}` : "" },
    { name: "Queues", text: one => (one.said?.queues ?? []).join(" ") },
    { name: "Seen", text: one => one.silent_seconds == null ? "" : `${coarse(one.silent_seconds)} ago` },
    { name: "Trouble", text: one => one.life === "troubled" ? one.said.problems.join(" · ") : "", style: () => "bad" },
  ],
});

$("content").append(section("Verdict", [], verdict), section("Supervisors", [], supervisors));

async function read() {
  const [report, fleet] = await Promise.all([ask("api/report"), ask("api/fleet")]);
  showVerdict(verdict, report);
  supervisors.show(fleet.supervisors);
}

begin({ read, everyMs: 5000, needs: "view all" });
