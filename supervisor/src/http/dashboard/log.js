// A log, read page by page from the last line seen. A live line is added if it is the next one; else something was missed.
import { ask } from "./api.js";
import { make, set } from "./dom.js";

const LINES_MAX = 5000;

export function logView(address) {
  const node = make("pre", { class: "box log", tabindex: 0, role: "log", "aria-label": "Log" }), note = make("span", { class: "dim" });
  let seen = [0, 0], lines = 0;
  const add = found => {
    const atEnd = node.scrollTop + node.clientHeight >= node.scrollHeight - 8;
    for (const line of found) {
      if (line.attempt < seen[0] || (line.attempt === seen[0] && line.sequence <= seen[1]) || lines >= LINES_MAX) continue;
      if (line.attempt !== seen[0] && seen[0] > 0) node.append(make("div", { class: "dim" }, `— attempt ${line.attempt} —`));
      seen = [line.attempt, line.sequence];
      lines += 1;
      const level = line.level.toUpperCase();
      node.append(make("div", {}, make("span", { class: "dim" }, `${new Date(line.at).toLocaleTimeString()} `), make("span", { class: level }, level.padEnd(6)),
        make("span", { class: "dim" }, line.logger ? `${line.logger}: ` : ""), line.message, make("span", { class: "dim" }, line.fields ? ` ${JSON.stringify(line.fields)}` : "")));
    }
    if (atEnd) node.scrollTop = node.scrollHeight;
  };
  return {
    node, note,
    async read() {
      for (let cursor = seen.join("-"); cursor && lines < LINES_MAX;) {
        const page = await ask(`${address}/logs?cursor=${cursor}`);
        add(page.logs);
        cursor = page.next_cursor;
      }
      set(note, lines >= LINES_MAX ? `(the first ${LINES_MAX} lines; supervisor logs has all)` : lines === 0 ? "(empty)" : "");
    },
    take(line) {
      if (line.attempt !== seen[0] || line.sequence !== seen[1] + 1) return false;
      add([line]);
      set(note, "");
      return true;
    },
  };
}
