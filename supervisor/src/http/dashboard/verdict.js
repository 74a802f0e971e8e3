// The verdict on the fleet, as `supervisor report` has it.
import { list, make, set } from "./dom.js";

const KINDS = { healthy: "good", degraded: "warn", failing: "bad" };

/** One line for it: the worst that was found, and what to do. Empty while all is healthy. */
export function verdictLine(report) {
  const worst = report.sections.find(section => section.verdict === report.verdict);
  if (report.verdict === "healthy" || !worst) return "";
  return `${worst.name} is ${worst.verdict}: ${worst.evidence[0]}${worst.next_step ? `. Next: ${plain(worst.next_step)}` : ""}`;
}

/** Commands stand between backticks. */
const plain = text => text.replaceAll("`", "");

/** The sections, each with its verdict, what it was judged by, and what to do next. */
export function showVerdict(parent, report) {
  list(parent, report.sections, section => section.name, () => {
    const name = make("strong"), word = make("span"), evidence = make("ul", { class: "plain" }), next = make("p");
    const made = make("li", {}, make("div", { class: "bar" }, name, word), evidence, next);
    made.update = section => {
      made.className = KINDS[section.verdict];
      set(name, section.name);
      set(word, section.verdict, KINDS[section.verdict]);
      list(evidence, section.evidence, text => text, () => { const line = make("li"); line.update = text => set(line, text); return line; });
      set(next, section.next_step ? `Next: ${plain(section.next_step)}` : "");
      next.hidden = !section.next_step;
    };
    return made;
  });
}
