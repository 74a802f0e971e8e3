// The table of executions, as the overview and the list show it.
import { make, set, table } from "./dom.js";
import { ago, called, executionLink, moment, short, took, waitsFor } from "./format.js";
import { pool } from "./page.js";

const outcome = one => {
  const waits = waitsFor(one, pool?.queues);
  return one.error_type ? `${one.error_type}: ${one.error_message ?? ""}` : waits && `waits for ${waits}`;
};

export function executionTable(label, none) {
  return table({
    label, none, fixed: true, keyOf: one => one.execution_id,
    columns: [
      { name: "Workflow", kind: "lead", width: "24%", make: () => {
        const link = make("a");
        link.update = one => { link.href = executionLink(one.execution_id); set(link, called(one)); };
        return link;
      }, title: called },
      { name: "Status", width: "7rem", make: () => {
        const pill = make("span");
        pill.update = one => set(pill, one.status, `pill ${one.status}`);
        return pill;
      } },
      { name: "Took", width: "5.5rem", text: took },
      { name: "Created", width: "8rem", text: one => ago(one.created_at), title: one => moment(one.created_at) },
      { name: "Id", width: "8.2rem", kind: "mono dim", text: one => `…${short(one.execution_id)}`, title: one => one.execution_id },
      { name: "Error, or what it waits for", text: one => outcome(one).slice(0, 300), style: one => one.error_type ? "bad" : "dim", title: one => outcome(one).slice(0, 2000) },
    ],
  });
}
