// Who changed what is defined, newest first.
import { askExactly } from "./api.js";
import { $, make, section, set, table } from "./dom.js";
import { ago, moment } from "./format.js";
import { begin, button, refreshSoon } from "./page.js";

const PAGE = 50;
let older = [], next = null, isFirst = true;

/** What became of it, field by field. */
function differences({ before, after }) {
  // A number that no double holds is an object, too, and one value for all that.
  const of = value => value && typeof value === "object" && !Array.isArray(value) && !JSON.isRawJSON?.(value) ? value : value == null ? {} : { value };
  const [was, is] = [of(before), of(after)], names = [...new Set([...Object.keys(was), ...Object.keys(is)])];
  return names.flatMap(name => {
    const [left, right] = [was[name], is[name]].map(value => value === undefined ? undefined : JSON.stringify(value));
    if (left === right) return [];
    return [left === undefined ? null : ["bad", `- ${name} = ${left}`], right === undefined ? null : ["good", `+ ${name} = ${right}`]].filter(Boolean);
  });
}

const words = { create: ["created", "good"], change: ["changed", "warn"], remove: ["removed", "bad"] };
const rows = table({
  label: "Changes", none: "Nothing was changed yet.", keyOf: one => one.number,
  columns: [
    { name: "What", kind: "lead", text: ({ change }) => `${change.kind} ${change.name}${change.organization ? ` of ${change.organization}` : ""}` },
    { name: "Was", make: () => { const pill = make("span"); pill.update = ({ change }) => set(pill, words[change.action][0], `pill ${words[change.action][1]}`); return pill; } },
    { name: "When", kind: "nowrap", text: one => ago(one.at), title: one => moment(one.at) }, { name: "Who", text: one => one.who },
    { name: "How", make: () => {
      const lines = make("div", { class: "mono" }), title = make("summary"), whole = make("details", {}, title, lines);
      let shown;
      whole.update = ({ number, change }) => {
        if (shown === number) return;
        shown = number;
        const found = differences(change);
        set(title, found.length === 0 ? "nothing that is shown" : `${found.length} ${found.length === 1 ? "line" : "lines"}`);
        lines.replaceChildren(...found.map(([kind, text]) => make("div", { class: kind }, text)));
      };
      return whole;
    } },
  ],
});
const more = button("Older", async () => {
  const page = await askExactly(`api/changes?limit=${PAGE}&cursor=${next}`);
  older.push(...page.changes);
  next = page.next_cursor;
  refreshSoon();
});
$("content").append(section("Who changed what is defined", [], rows, more));

async function read() {
  const page = await askExactly(`api/changes?limit=${PAGE}`);
  if (isFirst) { next = page.next_cursor; isFirst = false; }
  // What was among the newest and no longer is stays in sight.
  const all = new Map([...older, ...page.changes].map(one => [one.number, one]));
  older = [...all.values()].sort((a, b) => b.number - a.number);
  rows.show(older);
  more.hidden = next == null;
}

begin({ read, channels: [], everyMs: 10_000, needs: "view all" });
