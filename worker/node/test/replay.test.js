// `replay`: transcripts of version 1, what is compared, and what a person reads.

import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { isAlike } from "../src/terminal/alike.js";
import * as jsonLines from "../src/wire/json_lines.js";
import { TO_SUPERVISOR } from "../src/wire/messages.js";
import { LAUNCHERS, PACKAGE, Supervisor } from "./supervisor.js";
import { folderOf, launch, run } from "./terminal.js";

const HEADER = {
  transcript: 1,
  protocol: 1,
  execution_id: "e1",
  attempt: 1,
  workflow: "it",
  recorded_at: "2026-01-01T00:00:00Z",
  implementation: "muster-worker-node",
  implementation_version: "0.1.0",
  language: "javascript",
};
const STARTED = { to_supervisor: { Started: { run: 3 } } };
const SECRET = "hunter2-hunter2";

const execute = (code, more = {}) => ({
  to_worker: { Execute: { run: 3, execution_id: "e1", attempt: 1, workflow: "it", source: { Inline: { language: "", code } }, params: {}, context: {}, ...more } },
});
const log = (level, message) => ({ to_supervisor: { Log: { run: 3, records: [{ level, message }] } } });
const call = (call, method, params) => ({ to_supervisor: { Call: { run: 3, call, method, params } } });
const reply = (call, value) => ({ to_worker: { Reply: { run: 3, call, result: { Ok: { value } } } } });
const finished = (outcome) => ({ to_supervisor: { Finished: { run: 3, outcome } } });
const succeeded = (result) => finished({ Succeeded: { result } });

/** What the SDK itself says when it had to end the thread. */
const DEAF = log(
  "Warn",
  "the code did not react to its cancel, so its thread was ended and no finally block ran; ctx.signal, ctx.sleep or ctx.cancelled give it time",
);

function saved(lines) {
  const text = lines.map((line, at) => (typeof line === "string" ? line : JSON.stringify({ at_us: at * 10, ...line }))).join("\n");
  return join(folderOf({ "t.jsonl": text }), "t.jsonl");
}

const fileOf = (...entries) => saved([JSON.stringify(HEADER), STARTED, ...entries]);
const replay = (entries, ...args) => run(["replay", fileOf(...entries), ...args]);

function same(done, result) {
  assert.equal(done.status, 0, done.stderr);
  assert.match(done.stderr, /no difference/);
  if (result !== undefined) assert.deepEqual(JSON.parse(done.stdout), result);
}

function different(done, what, then, now) {
  assert.equal(done.status, 1, done.stderr);
  assert.match(done.stderr, new RegExp(`first difference: ${what}\n`));
  for (const [side, text] of [["then", then], ["now", now]]) {
    assert.ok(new RegExp(`${side}: +${text}`).test(done.stderr), `${side}: ${text} is not in ${done.stderr}`);
  }
}

for (const launcher of Object.keys(LAUNCHERS)) {
  test(`a failure of a worker fails again, from the folder's file (${launcher})`, async () => {
    const folder = folderOf({
      "pay.js": `export default async ({ amount }, ctx) => {
        ctx.log.info("charging", { amount });
        const [limit, id] = [await ctx.config.get("limit"), await ctx.submit("audit", { amount })];
        console.warn("over", limit, id);
        throw new RangeError(amount + " is over " + limit);
      };`,
    });
    const worker = await Supervisor.start({ workflowsDir: folder, launcher });
    try {
      worker.start("pay", { amount: 7 });
      const sent = [await worker.expect("Started")];
      const replies = [];
      for (const value of [5, { execution_id: "x1" }]) {
        do sent.push(await worker.receive());
        while (sent.at(-1).type !== "Call");
        const result = { type: "Ok", value: JSON.stringify(value) };
        worker.send({ type: "Reply", run: 1, call: sent.at(-1).call, result });
        replies.push({ to_worker: { Reply: { run: 1, call: sent.at(-1).call, result: { Ok: { value } } } } });
      }
      sent.push(...(await worker.finish()).messages);
      const frames = sent.map((message) => ({ to_supervisor: JSON.parse(jsonLines.encode(TO_SUPERVISOR, message)) }));
      const request = { ...execute("").to_worker.Execute, workflow: "pay", source: "Named", params: { amount: 7 } };
      const file = saved([JSON.stringify(HEADER), { to_worker: { Execute: request } }, ...frames, ...replies]);
      const again = run(["replay", file, "--workflows-dir", folder], { launcher });
      same(again);
      assert.match(again.stderr, /2 calls, 2 log records and the outcome/);
      assert.match(again.stderr, /pay\.js:5/);
      assert.match(again.stderr, /outcome now: +failed: RangeError: 7 is over 5/);
      assert.equal(again.stdout, "");
    } finally {
      worker.kill();
    }
  });
}

// This file stays as it is for ever: what a supervisor once saved must be readable by every later version.
test("a transcript of version 1, as a supervisor saved it", () => {
  const folder = `${PACKAGE}test/transcripts/`;
  same(run(["replay", `${folder}version_1.jsonl`, "--workflows-dir", `${folder}workflows`]));
});

test("results are compared as JSON values and printed, whatever the order of their keys", () => {
  const code = "export default () => ({ b: 1, a: [1.0] });";
  same(replay([execute(code), succeeded({ a: [1], b: 1 })]), { b: 1, a: [1] });
  const other = replay([execute(code), succeeded({ a: [2], b: 1 })]);
  different(other, "outcome", 'succeeded with {"a":\\[2\\]', 'succeeded with {"b":1');
  assert.equal(other.stdout, '{"b":1,"a":[1]}\n');
});

test("kind and message of a failure, and the variant of the rest", () => {
  const failing = (message) => execute(`export default () => { throw new RangeError("${message}"); };`);
  const failed = (kind, message) => finished({ Failed: { error: { kind, message, stack: "elsewhere" } } });
  same(replay([failing("no"), failed("RangeError", "no")]));
  different(replay([failing("no"), failed("TypeError", "no")]), "outcome", "failed: TypeError: no", "failed: RangeError: no");
  different(replay([failing("no"), failed("RangeError", "yes")]), "outcome", "failed: RangeError: yes", "failed: RangeError: no");
  same(replay([execute("export const nothing = 1;"), finished({ Rejected: { reason: "in other words" } })]));
});

test("a workflow that is not in the folder is said to be missing there", () => {
  const done = replay([execute("", { source: "Named" }), succeeded(1)], "--workflows-dir", folderOf({}));
  different(done, "outcome", "succeeded with 1", 'rejected: there is no workflow "it"');
  assert.match(done.stderr, /--workflows-dir DIR names another folder/);
});

test("the log: level and message of each record, in order", () => {
  const code = execute("export default (p, ctx) => { ctx.log.info('one', { more: 1 }); ctx.log.warn('two'); };");
  same(replay([code, log("Info", "one"), log("Warn", "two"), succeeded(null)]));
  different(replay([code, log("Info", "one"), log("Info", "two"), succeeded(null)]), "log record 2", "INFO +two", "WARN +two");
  different(replay([code, log("Info", "one"), succeeded(null)]), "log record 2", "\\(nothing\\)", "WARN +two");
  const more = [code, log("Info", "one"), log("Warn", "two"), log("Info", "three"), succeeded(null)];
  different(replay(more), "log record 3", "INFO +three", "\\(nothing\\)");
});

test("a record that was cut is the same when it is cut again", () => {
  const mark = " ... [cut, 200000 bytes in all]";
  const cut = "é".repeat(Math.floor((65_536 - mark.length) / 2)) + mark;
  same(replay([execute(`export default () => { console.log("é".repeat(100_000)); };`), log("Info", cut), succeeded(null)]));
});

const TWO = execute(`export default async (p, ctx) => {
  try { return [await ctx.state.get("a"), await ctx.state.get("b")]; } catch (error) { return error.kind + ": " + error.message; }
};`);

test("calls get their recorded replies", () => {
  const calls = [call(1, "state.get", { key: "a" }), reply(1, "A"), call(2, "state.get", { key: "b" }), reply(2, "B")];
  same(replay([TWO, ...calls, succeeded(["A", "B"])]), ["A", "B"]);
});

test("a key that had no value has none again", () => {
  const calls = [call(1, "state.get", { key: "a" }), reply(1, null), call(2, "state.get", { key: "b" }), reply(2, "B")];
  same(replay([TWO, ...calls, succeeded([null, "B"])]), [null, "B"]);
});

test("calls in another order get the reply of their equal, and are a difference", () => {
  const calls = [call(1, "state.get", { key: "b" }), reply(1, "B"), call(2, "state.get", { key: "a" }), reply(2, "A")];
  const done = replay([TWO, ...calls, succeeded(["A", "B"])]);
  different(done, "call 1", 'state.get {"key":"b"}', 'state.get {"key":"a"}');
  assert.deepEqual(JSON.parse(done.stdout), ["A", "B"]);
});

test("an equal call is used for one other call only", () => {
  const code = execute(`export default async (p, ctx) => {
    const got = []; for (const key of ["a", "b", "b"]) got.push(await ctx.state.get(key).catch((error) => error.kind)); return got; };`);
  const calls = [call(1, "state.get", { key: "b" }), reply(1, "B"), call(2, "state.get", { key: "a" }), reply(2, "A")];
  const done = replay([code, ...calls, succeeded(null)]);
  assert.match(done.stderr, /past the recording, which has no answer to call 3, state.get {"key":"b"}: it was answered here/);
  assert.deepEqual(JSON.parse(replay([code, { dropped: 1 }, ...calls, succeeded(null)]).stdout), ["A", "B", "NotRecorded"]);
});

test("calls of equal parameters and other methods are not equal", () => {
  const done = replay([TWO, call(1, "config.get", { key: "a" }), reply(1, "A"), succeeded("x")]);
  different(done, "call 1", "config.get", "state.get");
  assert.deepEqual(JSON.parse(done.stdout), [null, null]);
});

test("a call the recording does not have is a difference", () => {
  const done = replay([TWO, call(1, "state.get", { key: "a" }), reply(1, "A"), succeeded("x")]);
  different(done, "call 2", "\\(nothing\\)", 'state.get {"key":"b"}');
});

test("a run that goes past the recording is seen through to its end", () => {
  const code = execute(`export default async (p, ctx) => {
    await ctx.state.set("seen", (await ctx.state.get("seen")) + 1);
    await ctx.state.set("note", "fixed");
    return [await ctx.state.get("seen"), await ctx.state.get("note"), await ctx.config.get("new")]; };`);
  const failed = finished({ Failed: { error: { kind: "TypeError", message: "no such thing" } } });
  const done = replay([code, call(1, "state.get", { key: "seen" }), reply(1, 7), failed], "--config", "new=5");
  different(done, "call 2", "\\(nothing\\)", 'state.set {"key":"seen","value":8}');
  assert.deepEqual(JSON.parse(done.stdout), [8, "fixed", 5]);
  assert.match(done.stderr, /no answer to call 2, state.set {"key":"seen","value":8}: it and 4 more were answered here as in `run`/);
  assert.match(done.stderr, /outcome then: failed: TypeError: no such thing/);
});

test("after a gap nothing is made up", () => {
  const done = replay([TWO, { dropped: 3 }, succeeded("x")]);
  assert.match(done.stdout, /NotRecorded: the recording has no such call: state.get/);
});

test("a call that is not made any more is a difference", () => {
  const done = replay([execute("export default () => 1;"), call(1, "state.get", { key: "a" }), reply(1, "A"), succeeded(1)]);
  different(done, "call 1", 'state.get {"key":"a"}', "\\(nothing\\)");
});

test("an error reply fails the call as it did", () => {
  const refused = { to_worker: { Reply: { run: 3, call: 1, result: { Err: { error: { kind: "Busy", message: "later" } } } } } };
  same(replay([TWO, call(1, "state.get", { key: "a" }), refused, succeeded("Busy: later")]), "Busy: later");
});

test("after frames that were not kept, logs are compared no more and calls find their equal", () => {
  const code = execute(`export default async (p, ctx) => {
    ctx.log.info("one"); await ctx.state.get("lost").catch(() => {}); ctx.log.info("two"); return ctx.state.get("a"); };`);
  const kept = [code, log("Info", "one"), { dropped: 3 }, log("Info", "late"), call(9, "state.get", { key: "a" }), reply(9, "A"), succeeded("A")];
  const done = replay(kept);
  same(done, "A");
  assert.equal(done.stderr.match(/3 frames of the recording were not kept/g).length, 1);
  different(replay([code, log("Info", "other"), ...kept.slice(2)]), "log record 1", "INFO +other", "INFO +one");
});

test("a success whose result was not kept is the same when it succeeds again", () => {
  const unseen = [{ dropped: 1 }, { ended: { status: "SUCCESS" } }];
  same(replay([execute("export default () => 1;", { context: null }), ...unseen]), 1);
  const failing = execute("export default () => { throw new Error('no'); };");
  different(replay([failing, ...unseen]), "outcome", "the outcome was not kept: the supervisor recorded SUCCESS", "failed: Error: no");
});

test("a recorded cancel comes as long after Started as it came then", () => {
  // A fresh thread takes the run up some time after Started.
  const code = execute(`export default async (p, ctx) => { const began = Date.now();
    await ctx.sleep(30_000).catch(() => ctx.log.info(Date.now() - began >= 150 ? "late enough" : "early")); throw ctx.signal.reason; };`);
  const cancel = { at_us: 300_010, to_worker: { Cancel: { run: 3, reason: "User", message: "stop it", grace_ms: 1000 } } };
  const done = replay([code, cancel, log("Info", "late enough"), finished({ Cancelled: { message: "in other words" } })]);
  same(done);
  assert.match(done.stderr, /outcome now: +cancelled: stop it/);
});

test("a call that had no reply when the cancel came gets none, also where the run takes longer to come to it", () => {
  const code = execute("export default async (p, ctx) => { await new Promise((done) => setTimeout(done, 500)); return ctx.state.get('a'); };");
  const cancel = { at_us: 50_000, to_worker: { Cancel: { run: 3, reason: "User", message: "stop", grace_ms: 1000 } } };
  same(replay([code, call(1, "state.get", { key: "a" }), cancel, DEAF, finished({ Cancelled: {} })]));
});

test("the time limit holds, also against a busy loop", () => {
  const code = execute("export default () => { while (true); };", { timeout_ms: 200 });
  same(replay([code, DEAF, finished({ Cancelled: { message: "over its time" } })]));
});

test("a worker that was ended before it could finish is never the same", () => {
  const ended = { ended: { status: "FAILED", error_type: "WorkerCrashed", error_message: "signal 9" } };
  const done = replay([execute("export default () => 5;"), ended]);
  different(done, "outcome", "no outcome, because the worker was ended: FAILED WorkerCrashed signal 9", "succeeded with 5");
  assert.equal(done.stdout, "5\n");
});

const USES_SECRET = `export default async (p, ctx) => {
  const [key, db] = [await ctx.config.get("api_key"), await ctx.config.get("db")];
  console.log("key", key); await ctx.state.set("used", { [key]: db.password });
  if (key === "***" || db.password === "***") throw new Error("masked");
  throw new Error("refused " + key + " " + ctx.raw.config.region);
};`;
const MASKED = [
  execute(USES_SECRET, { context: { config: { api_key: "***", region: "eu" } } }),
  call(1, "config.get", { key: "db" }),
  reply(1, { user: "root", password: "***" }),
  log("Info", "key ***"),
  call(2, "state.set", { key: "used", value: { "***": "***" } }),
  reply(2, null),
  finished({ Failed: { error: { kind: "Error", message: "refused *** eu" } } }),
];

test("--config takes the place of masked values, in the context and in replies", () => {
  const done = replay(MASKED, "--config", `api_key=${SECRET}`, "--config", `db={"user":"root","password":"${SECRET}-db"}`);
  same(done);
  assert.match(done.stderr, new RegExp(`Error: refused ${SECRET} eu`));
  assert.doesNotMatch(done.stderr, /note:/);
  same(replay(MASKED, "--config", `api_key=${SECRET}`, "--config", `db={"password":"${SECRET}-db"}`, "--config", "region=us"));
});

test("a mask stands for any text", () => {
  // The value that is given now is also an ordinary word of the run, which the recording shows as it was.
  const code = `export default async (p, ctx) => {
    const key = ctx.raw.config.key;
    console.log("the main loop uses " + key + " and " + [...key].reverse().join(""));
    await ctx.state.set("main", { key, [key]: 1, main: 2 });
    throw new Error("main refuses " + key);
  };`;
  const recorded = (message) => [
    execute(code, { context: { config: { key: "***" } } }),
    log("Info", message),
    call(1, "state.set", { key: "main", value: { key: "***", "***": 1, main: 2 } }),
    reply(1, null),
    finished({ Failed: { error: { kind: "Error", message: "main refuses ***" } } }),
  ];
  same(replay(recorded("the main loop uses *** and ***"), "--config", "key=maintenance"));
  const other = replay(recorded("the spare loop uses *** and ***"), "--config", "key=main-key");
  different(other, "log record 1", "INFO  the spare loop uses \\*\\*\\* and", "INFO  the main loop uses main-key and yek-niam");
});

test("what is alike", () => {
  for (const [then, now, alike] of [
    ["key ***!", "key abc!", true],
    ["key ***!", "key !", true],
    ["key ***!", "key abc?", false],
    ["***-***-end", "a-b-end", true],
    ["***-***-end", "ab-end", false],
    ["***ab***ba", "abxa", false],
    ["plain", "plain", true],
    ["plain", "plainer", false],
    [{ a: ["***", 1] }, { a: ["x", 1] }, true],
    [{ a: 1 }, { a: 1, b: 2 }, false],
    [{ a: 1 }, [1], false],
    [null, {}, false],
    [{ "***": 1 }, { "tok-abcdef": 1 }, true],
    [{ "***": 1 }, { "tok-abcdef": 2 }, false],
    [{ a: 1, "***": 2 }, { a: 1, b: 2 }, true],
    [{ a: 1, "***": 2 }, { b: 1, c: 2 }, false],
    // The general key must leave the special one its own.
    [{ "***": 1, "***-x": 1 }, { "a-x": 1, b: 1 }, true],
    [{ "***-x": 1, "***": 1 }, { b: 1, "a-x": 1 }, true],
    [{ "***": 1, "***-x": 1 }, { a: 1, b: 1 }, false],
  ]) {
    assert.equal(isAlike(then, now), alike, `${JSON.stringify(then)} ${JSON.stringify(now)}`);
  }
});

test("a masked value nobody gave is named, and so is one that has no place", () => {
  const done = replay(MASKED, "--config", "region=us", "--config", `db={"password":"${SECRET}"}`);
  different(done, "outcome", "failed: Error: refused \\*\\*\\* eu", "failed: Error: masked");
  assert.match(done.stderr, /the value of api_key is masked; give the run one with --config api_key=VALUE/);
  assert.match(done.stderr, /--config region is not used/);
  assert.doesNotMatch(done.stderr, /value of db/);
});

test("lines, keys and messages of later versions are passed over", () => {
  const later = ['{"at_us":5,"note":"new"}', '{"at_us":6,"to_worker":{"Hibernate":{}}}', '{"at_us":7,"to_supervisor":{"Yawned":{"run":3}}}', '"a line"', "null", ""];
  same(replay([{ ...execute("export default () => 1;"), more: true }, ...later, succeeded(1)]), 1);
});

test("files that cannot be replayed", () => {
  const header = JSON.stringify(HEADER);
  for (const [lines, says] of [
    [[""], /the file is empty; save one with `supervisor transcript ID --out FILE`/],
    [["no"], /line 1 is not the head of a transcript/],
    [["{}"], /line 1 is not the head of a transcript/],
    [[header.replace('"transcript":1', '"transcript":2')], /has version 2, and this program reads version 1: use a newer one/],
    [[header, "", '{"at_us":'], /line 3 of the transcript cannot be read/],
    [[header, '{"at_us":1,"to_worker":{"Execute":{}}}'], /line 2 of the transcript cannot be read: Execute lacks the field run/],
    [[header, STARTED, succeeded(1)], /cannot be replayed because it holds no Execute/],
    [[header, { dropped: 1 }, succeeded(1)], /cannot be replayed because its Execute was too large to be kept/],
  ]) {
    const done = run(["replay", saved(lines)]);
    assert.deepEqual([done.status, done.stdout], [2, ""], done.stderr);
    assert.match(done.stderr, says);
  }
  const done = run(["replay", "/no/such/file"]);
  assert.equal(done.status, 2);
  assert.match(done.stderr, /\/no\/such\/file cannot be read/);
  assert.equal(run(["replay"]).status, 64);
});

test("Ctrl-C ends a replay", async () => {
  const code = "export default async (p, ctx) => { console.log('here'); await ctx.sleep(60_000); };";
  const { child, saying, ended } = launch(["replay", fileOf(execute(code), log("Info", "here"), succeeded(1))]);
  await saying("here");
  child.kill("SIGINT");
  different(await ended, "outcome", "succeeded with 1", "cancelled: interrupted");
});
