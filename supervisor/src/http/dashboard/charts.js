// Charts of what was: the last hour, day or week, as all supervisors on the database noted it.
import { ask } from "./api.js";
import { make, section, set } from "./dom.js";
import { count, time } from "./format.js";

const WIDTH = 300, HEIGHT = 100, SHOWN_ORGANIZATIONS = 5;
const SPANS = ["hour", "day", "week"], AGAIN_MS = { hour: 15_000, day: 60_000, week: 300_000 };
const draw = (name, attributes) => {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [attribute, value] of Object.entries(attributes)) made.setAttribute(attribute, value);
  return made;
};
const clock = (at, span) => new Date(at).toLocaleString(undefined, span === "week" ? { weekday: "short", hour: "2-digit", minute: "2-digit" } : { hour: "2-digit", minute: "2-digit" });
const rate = value => value === 0 ? "0" : value < 10 ? value.toFixed(2) : count(Math.round(value));

/**
 * A chart. `seriesOf(history)` gives its series, `{ name, kind, values }`: a value is null where there is none. What is
 * stacked is filled, else each is a line. `write` says a value. Arrow keys and the pointer go from step to step.
 */
function chart({ title, stacked, write, seriesOf }) {
  const svg = draw("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", "aria-hidden": "true" }), cursor = draw("line", { class: "cursor", y1: 0, y2: HEIGHT });
  const top = make("span", { class: "push" }), from = make("span"), to = make("span", { class: "push" }), legend = make("ul", { class: "plain legend" });
  const plot = make("div", { class: "plot", tabindex: 0, role: "img" }, svg);
  const figure = make("figure", { class: "chart" }, make("div", { class: "bar" }, make("h3", {}, title), top), plot, make("div", { class: "bar dim" }, from, to), legend);
  let now, at = null;

  const x = (step, steps) => step / Math.max(1, steps - 1) * WIDTH;
  function show(history) {
    now = { history, series: seriesOf(history) };
    const steps = history.steps.length, below = new Array(steps).fill(0);
    const heights = history.steps.map((_, step) => now.series.map(({ values }) => values[step] ?? 0)).map(values => stacked ? values.reduce((sum, value) => sum + value, 0) : Math.max(0, ...values));
    const most = Math.max(...heights, 0), y = value => HEIGHT - (most > 0 ? value / most * (HEIGHT - 3) : 0);
    svg.replaceChildren(...now.series.map(({ kind, values }) => {
      if (stacked) {
        const low = [...below];
        values.forEach((value, step) => { below[step] += value ?? 0; });
        const upper = below.map((value, step) => `${x(step, steps).toFixed(1)},${y(value).toFixed(1)}`), lower = low.map((value, step) => `${x(step, steps).toFixed(1)},${y(value).toFixed(1)}`);
        return draw("polygon", { class: kind, points: [...upper, ...lower.reverse()].join(" ") });
      }
      let pen = "M";
      const path = values.map((value, step) => {
        if (value === null) { pen = "M"; return ""; }
        const part = `${pen}${x(step, steps).toFixed(1)},${y(value).toFixed(1)}`;
        // A step alone between two gaps is a point.
        const alone = pen === "M" && values[step + 1] == null;
        pen = "L";
        return alone ? `${part}h1` : part;
      }).join("");
      return draw("path", { class: kind, d: path });
    }), cursor);
    set(top, most > 0 ? `at most ${write(most)}` : "nothing");
    point(at);
  }

  /** Says the values of a step, or of the last one. */
  function point(step) {
    at = step;
    const { history, series } = now, steps = history.steps.length, shown = step ?? steps - 1;
    cursor.setAttribute("visibility", step === null ? "hidden" : "visible");
    for (const end of ["x1", "x2"]) cursor.setAttribute(end, x(shown, steps));
    set(from, clock(history.steps[0].begins_at, history.span));
    set(to, step === null ? "now" : clock(history.steps[shown].begins_at, history.span));
    const told = series.map(({ name, values }) => `${name} ${values[shown] === null || history.steps[shown].supervisors === 0 ? "–" : write(values[shown])}`);
    legend.replaceChildren(...series.map(({ kind }, place) => make("li", {}, make("i", { class: kind }), told[place])));
    plot.setAttribute("aria-label", `${title}, ${step === null ? "now" : to.textContent}: ${told.join(", ")}; ${top.textContent}. The arrow keys go to earlier steps.`);
  }
  plot.onpointermove = event => {
    const box = plot.getBoundingClientRect(), steps = now?.history.steps.length;
    if (steps) point(Math.min(steps - 1, Math.max(0, Math.round((event.clientX - box.left) / box.width * (steps - 1)))));
  };
  plot.onpointerleave = plot.onblur = () => { if (now) point(null); };
  plot.onkeydown = event => {
    const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!by || !now) return;
    event.preventDefault();
    const steps = now.history.steps.length;
    point(Math.min(steps - 1, Math.max(0, (at ?? steps - 1) + by)));
  };
  figure.show = show;
  return figure;
}

/** Seconds that a step has had so far: the last one is not over. */
const secondsOf = ({ step_seconds: whole }, step) => Math.max(1, Math.min(whole, (Date.now() - Date.parse(step.begins_at)) / 1000));
const each = (history, value) => history.steps.map(value);
const seconds = value => value === null ? null : value / 1000;

const charts = names => [
  chart({
    title: "Ended a second", stacked: true, write: rate,
    seriesOf: history => [["succeeded", "fill-good"], ["failed", "fill-bad"], ["timed_out", "fill-late"], ["cancelled", "fill-warn"]]
      .map(([field, kind]) => ({ name: field.replace("_", " "), kind, values: each(history, step => step[field] / secondsOf(history, step)) })),
  }),
  chart({
    title: "Run time", stacked: false, write: time,
    seriesOf: history => [["half of them", "line-accent", "ran_p50_ms"], ["95 of 100", "line-warn", "ran_p95_ms"]].map(([name, kind, field]) => ({ name, kind, values: each(history, step => seconds(step[field])) })),
  }),
  chart({
    title: "Waits", stacked: false, write: time,
    seriesOf: history => [
      { name: "oldest that was due", kind: "line-bad", values: each(history, step => step.supervisors ? step.oldest_wait_seconds : null) },
      { name: "for a worker, 95 of 100", kind: "line-accent", values: each(history, step => seconds(step.waited_p95_ms)) },
    ],
  }),
  chart({
    title: "Workers at work, by organization", stacked: true, write: rate,
    seriesOf: history => {
      const sums = new Map();
      for (const step of history.steps) for (const [organization, worked] of Object.entries(step.worker_seconds)) sums.set(organization, (sums.get(organization) ?? 0) + worked);
      const known = [...sums].filter(([organization]) => organization !== "").sort(([, one], [, other]) => other - one).map(([organization]) => organization);
      const shown = known.slice(0, SHOWN_ORGANIZATIONS), isOther = organization => !shown.includes(organization);
      const series = shown.map((organization, place) => ({ name: organization === "none" ? "(none)" : names.get(organization) ?? organization, kind: `fill-${place}`, values: each(history, step => (step.worker_seconds[organization] ?? 0) / secondsOf(history, step)) }));
      if (sums.size > shown.length) series.push({ name: "others", kind: "fill-rest", values: each(history, step => Object.entries(step.worker_seconds).filter(([one]) => isOther(one)).reduce((sum, [, worked]) => sum + worked, 0) / secondsOf(history, step)) });
      return series;
    },
  }),
];

/** The section of charts; `read()` brings it up to date, as often as there may be something new. */
export function chartsSection() {
  const names = new Map(), made = charts(names), asked = new URLSearchParams(location.search).get("span");
  let span = SPANS.includes(asked) ? asked : SPANS[0], readAt = 0;
  const choices = SPANS.map(one => make("button", { type: "button", class: "small", onclick: () => choose(one) }, one));
  const node = section("What was", [make("div", { class: "bar push", role: "group", "aria-label": "Of the last" }, choices)], make("div", { class: "charts" }, made));
  const press = () => choices.forEach((button, place) => button.setAttribute("aria-pressed", SPANS[place] === span));

  function choose(one) {
    span = one;
    const address = new URL(location.href);
    if (one === SPANS[0]) address.searchParams.delete("span"); else address.searchParams.set("span", one);
    history.replaceState(null, "", address);
    readAt = 0;
    press();
    node.read().catch(() => {});
  }
  node.read = async () => {
    if (Date.now() - readAt < AGAIN_MS[span]) return;
    readAt = Date.now();
    const wanted = span, [found, organizations] = await Promise.all([ask(`api/history?span=${span}`), ask("api/organizations").catch(() => null)]);
    if (wanted !== span) return;
    // A minute is noted once it is over.
    if (found.steps.at(-1)?.supervisors === 0) found.steps.pop();
    for (const one of organizations?.organizations ?? []) names.set(one.id, one.key || one.name);
    for (const one of made) one.show(found);
  };
  press();
  return node;
}
