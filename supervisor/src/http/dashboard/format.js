// How things are written.

const TEXT_MAX = 50_000;
export const OVER = ["SUCCESS", "FAILED", "TIMEOUT", "CANCELLED"];
export const STATUSES = ["PENDING", "RUNNING", ...OVER];

export const time = seconds => seconds > 0 && seconds < .001 ? `${Math.round(seconds * 1e6)} µs` : seconds < 1 ? `${Math.round(seconds * 1000)} ms` : seconds < 60 ? `${seconds.toFixed(1)} s`
  : seconds < 3600 ? `${Math.floor(seconds / 60)} m ${Math.floor(seconds % 60)} s`
  : seconds < 86400 ? `${Math.floor(seconds / 3600)} h ${Math.floor(seconds % 3600 / 60)} m` : `${Math.floor(seconds / 86400)} d`;
export const coarse = seconds => seconds < 60 ? `${Math.floor(seconds)} s` : time(seconds);
export const since = at => Math.max(0, (Date.now() - Date.parse(at)) / 1000);
export const ago = at => at ? `${coarse(since(at))} ago` : "";
export const until = at => { const seconds = (Date.parse(at) - Date.now()) / 1000; return seconds <= 0 ? "now" : `in ${coarse(seconds)}`; };
export const moment = at => at ? new Date(at).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "medium" }) : "";
const hour = new Intl.DateTimeFormat(undefined, { hour: "numeric" }).resolvedOptions().hour12 ? "numeric" : "2-digit";
/** With its milliseconds, for steps that follow one another. */
export const precise = at => new Date(at).toLocaleString(undefined, { day: "numeric", month: "short", year: "numeric", hour, minute: "2-digit", second: "2-digit", fractionalSecondDigits: 3 });
export const took = one => one.duration_ms != null ? time((one.duration_ms < 10 && one.metrics?.wall_us || one.duration_ms * 1000) / 1e6)
  : one.status === "RUNNING" && one.started_at ? coarse(since(one.started_at)) : "";
export const mebibytes = bytes => bytes ? `${(bytes / 1048576).toFixed(1)} MiB` : "";
export const count = number => number?.toLocaleString("en-US").replaceAll(",", "\u202f") ?? "";
export const cut = text => text.length > TEXT_MAX ? `${text.slice(0, TEXT_MAX)}\n... [${text.length} characters in all; supervisor show has them]` : text;
export const pretty = value => value == null ? "" : cut(JSON.stringify(value, null, 2));
export const compact = value => { const text = JSON.stringify(value) ?? ""; return text.length > 300 ? `${text.slice(0, 300)}…` : text; };
/** The end of an id: its beginning is the time, and the same for all that came together. */
export const short = id => id.slice(-12);
/** What an execution runs: a name, else the id of a workflow that nobody knows, else code that came with it. */
export const called = one => one.workflow || (one.workflow_id ? `(workflow ${one.workflow_id})` : "(inline code)");
export const executionLink = id => `execution?id=${encodeURIComponent(id)}`;
export const executionsLink = filter => `executions?${new URLSearchParams(filter)}`;

/** For what a row waits, where it is not just its turn. */
export function waitsFor(one, queues) {
  if (one.status !== "PENDING") return "";
  const [kind, name, ...key] = (one.waits_for ?? "").split(":");
  if (kind === "limit") return `limit ${name}${key.length ? `, key ${key.join(":") || "(none)"}` : ""}`;
  if (kind) return one.waits_for;
  if (Date.parse(one.run_after) > Date.now()) return `${moment(one.run_after)} at the earliest`;
  const queue = queues?.find(known => known.queue === one.queue);
  return queue?.is_served === false ? `a supervisor that serves queue ${one.queue}` : "";
}

/** What a limit allows, in words. */
export function terms(of) {
  if (!of) return "not set: it holds nothing back";
  const parts = [];
  if (of.total != null) parts.push(`${of.total} at once`);
  if (of.per_key != null) parts.push(`${of.per_key} per ${of.key}`);
  if (of.rate) parts.push(`${of.rate} started per ${of.key}${of.burst ? `, ${of.burst} early` : ""}`);
  if (of.on_full && of.on_full !== "wait") parts.push(`when full: ${of.on_full}`);
  return parts.join(" · ");
}
