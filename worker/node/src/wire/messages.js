// Every message of version 1. These tables *are* the layout: both codecs read them.
//
// The order of fields and of variants is frozen for ever. A message is a plain object with its name in
// `type`: `{ type: "Started", run: 7 }`. A `?` after a field's name says that JSON lines mode may leave it out.

const u16 = { kind: "uint", bytes: 2 };
const u32 = { kind: "uint", bytes: 4 };
const u64 = { kind: "uint", bytes: 8 };
const bool = { kind: "bool" };
const text = { kind: "text" };
/** JSON text that travels unparsed, as a string here; empty means none. Inline in JSON lines mode. */
const json = { kind: "json" };
/** Source text, as a string. */
const code = { kind: "code" };

const list = (item) => ({ kind: "list", item });
const option = (item) => ({ kind: "option", item });
const names = (...values) => ({ kind: "names", values });

function struct(fields) {
  const entries = Object.entries(fields).map(([key, kind]) => ({
    name: key.replace("?", ""),
    kind,
    optional: key.endsWith("?"),
  }));
  return { kind: "struct", fields: entries };
}

function variants(name, table) {
  const all = Object.entries(table).map(([type, fields], index) => ({ type, index, ...struct(fields) }));
  return { kind: "variants", name, all, byName: new Map(all.map((one) => [one.type, one])) };
}

const LEVEL = names("Trace", "Debug", "Info", "Warn", "Error");
const CANCEL_REASON = names("User", "Timeout", "Shutdown", "LeaseLost");

const ERROR_INFO = struct({ "kind?": text, "message?": text, "stack?": text, "retryable?": option(bool) });
const LOG_RECORD = struct({
  "timestamp_us?": u64,
  "level?": LEVEL,
  "logger?": text,
  "message?": text,
  "fields?": json,
});
const METRICS = struct({
  "wall_us?": u64,
  "cpu_user_us?": u64,
  "cpu_system_us?": u64,
  "peak_rss_bytes?": u64,
});

const WORKFLOW_DESCRIPTION = struct({
  name: text,
  "description?": text,
  "source_file?": text,
  "timeout_ms?": option(u64),
  "retry?": struct({
    "max_attempts?": option(u32),
    "backoff_ms?": option(u64),
    "backoff_factor_percent?": option(u32),
    "backoff_max_ms?": option(u64),
    "retry_on?": list(text),
    "give_up_on?": list(text),
  }),
  "concurrency?": struct({
    "total?": option(u32),
    "per_key?": option(u32),
    "key?": text,
    "on_full?": text,
  }),
  "limits?": list(text),
  "queue?": text,
  "parameters?": json,
  "more?": json,
});
const BROKEN_FILE = struct({ file: text, "error?": ERROR_INFO });

const SOURCE = variants("Source", {
  Named: {},
  Path: { path: text, function: text },
  Inline: { language: text, code },
});
const OUTCOME = variants("Outcome", {
  Succeeded: { "result?": json },
  Failed: { error: ERROR_INFO },
  Cancelled: { "message?": text },
  Rejected: { "reason?": text },
});
const CALL_RESULT = variants("CallResult", { Ok: { "value?": json }, Err: { error: ERROR_INFO } });

export const TO_SUPERVISOR = variants("ToSupervisor", {
  Hello: {
    protocol_min: u16,
    protocol_max: u16,
    "implementation?": text,
    "implementation_version?": text,
    "language?": text,
    "pid?": u32,
    "features?": list(text),
  },
  Ready: { "workflows?": list(text) },
  InitFailed: { error: ERROR_INFO },
  Started: { run: u32 },
  Log: { run: u32, records: list(LOG_RECORD) },
  Progress: { run: u32, "current?": u64, "total?": u64, "message?": text },
  Call: { run: u32, call: u32, method: text, "params?": json },
  Finished: { run: u32, outcome: OUTCOME, "metrics?": METRICS, "log_records?": u64 },
  Idle: { run: u32, "rss_bytes?": u64, "recycle?": bool },
  Pong: { nonce: u64 },
  Goodbye: { "reason?": text },
  Stacks: { run: u32, "text?": text },
  Describe: {
    "replaces?": bool,
    "workflows?": list(WORKFLOW_DESCRIPTION),
    "broken?": list(BROKEN_FILE),
  },
  Forked: { worker_id: text, pid: u32, "recycle?": bool },
  Exited: { pid: u32, status: u32 },
  ForkFailed: { worker_id: text, "message?": text },
});

export const TO_WORKER = variants("ToWorker", {
  Welcome: {
    protocol: u16,
    "worker_id?": text,
    "features?": list(text),
    max_frame_bytes: u32,
    "log_level?": LEVEL,
    "config?": json,
  },
  Execute: {
    run: u32,
    execution_id: text,
    attempt: u32,
    workflow: text,
    source: SOURCE,
    "params?": json,
    "context?": json,
    "timeout_ms?": u64,
    "grace_ms?": u32,
  },
  Cancel: { run: u32, reason: CANCEL_REASON, "message?": text, "grace_ms?": u32 },
  Reply: { run: u32, call: u32, result: CALL_RESULT },
  Ping: { nonce: u64 },
  Drain: { "reason?": text, "grace_ms?": u32 },
  Dump: { run: u32 },
  Fork: { worker_id: text },
});

export const FEATURES = ["log", "progress", "call", "cancel", "ping", "drain", "dump", "describe"];
