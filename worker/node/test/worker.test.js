// The worker as a supervisor meets it: conformance workflows, cancel, deadlines, prints, the end.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import { setTimeout as timer } from "node:timers/promises";
import { frame, Supervisor } from "./supervisor.js";

const code = (body) => `export default (p, ctx) => { ctx.log.info("in it"); ${body} };`;
const SLEEP = code("return ctx.sleep(60_000);");
/** Those that hear of a cancel, however they look for it, and end by themselves. */
const HEEDFUL = {
  SLEEP,
  FLAG: code("while (!ctx.cancelled); throw ctx.signal.reason;"),
  LOOP: code("const { signal } = ctx; for (;;) signal.throwIfAborted();"),
  SIGNAL: code("return new Promise((_, no) => ctx.signal.addEventListener('abort', () => no(ctx.signal.reason)));"),
};
const DEAF = {
  PLAIN_SLEEP: code("return new Promise((done) => setTimeout(done, 60_000));"),
  BUSY: code("while (true);"),
  ATOMICS: code("Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);"),
};
const { BUSY } = DEAF;
/** Starts it, and resolves with its run once it is in its code. */
async function enter(worker, code) {
  const run = await worker.startCode(code);
  assert.equal((await worker.expect("Log")).records[0].message, "in it");
  return run;
}

for (const launcher of ["shell", "node"]) {
  describe(`started by ${launcher}`, () => {
    let worker;
    before(async () => (worker = await Supervisor.start({ launcher })));
    after(() => worker.kill());

    test("handshake", () => {
      assert.deepEqual([worker.hello.protocol_min, worker.hello.protocol_max, worker.hello.language], [1, 1, "javascript"]);
      assert.equal(worker.ready.type, "Ready");
      assert.ok(worker.ready.workflows.includes("conformance.echo"));
    });

    test("echo", async () => {
      for (const params of [{ a: [1, 2.5, null, true] }, [1], "ü\n€😀", 7, null, {}]) {
        const run = await worker.run("conformance.echo", params);
        assert.deepEqual(run.types, ["Started", "Finished", "Idle"]);
        assert.deepEqual(run.result, params);
      }
    });

    test("fail", async () => {
      const { kind, message } = (await worker.run("conformance.fail", { kind: "CardDeclined", message: "no money" })).error;
      assert.deepEqual([kind, message], ["CardDeclined", "no money"]);
    });

    test("prints of every kind land on stderr", async () => {
      for (const name of ["print", "raw_print", "child_print"]) {
        assert.equal((await worker.run(`conformance.${name}`, { text: `from ${name}` })).kind, "Succeeded");
        await worker.stderrWith(`from ${name}\n`);
      }
      assert.equal((await worker.run("conformance.stdin")).result, "");
    });

    test("logs are complete and in order", async () => {
      const run = await worker.run("conformance.log", { count: 5000 });
      assert.deepEqual(run.lines, Array.from({ length: 5000 }, (_, at) => `line ${at}`));
      assert.equal(run.finished.log_records, 5000);
    });

    test("64 calls at once, answered out of order", async () => {
      const run = worker.start("conformance.call", { method: "state.get", params: { key: "k" }, count: 70 });
      await worker.expect("Started");
      const calls = [];
      for (let at = 0; at < 64; at++) calls.push(await worker.expect("Call"));
      const reply = ({ call }) => worker.send({ type: "Reply", run, call, result: { type: "Ok", value: String(call) } });
      calls.reverse().forEach(reply);
      for (let at = 64; at < 70; at++) reply(await worker.expect("Call"));
      assert.deepEqual((await worker.finish()).result, Array.from({ length: 70 }, (_, at) => at + 1));
    });

    test("an unknown method", async () => {
      const run = worker.start("conformance.call", { method: "no.such" });
      await worker.expect("Started");
      const { call } = await worker.expect("Call");
      worker.send({ type: "Reply", run, call, result: { type: "Err", error: { kind: "UnknownMethod", message: "what?", stack: "", retryable: null } } });
        assert.equal((await worker.finish()).error.kind, "UnknownMethod");
    });

    test("big, and too large", async () => {
      assert.equal((await worker.run("conformance.big", { bytes: 5 << 20 })).result.length, 5 << 20);
      assert.equal((await worker.run("conformance.big", { bytes: 17 << 20 })).error.kind, "ResultTooLarge");
    });

    for (const [name, code] of Object.entries({ ...HEEDFUL, ...DEAF })) {
      test(`cancel ends ${name}`, async () => {
        const run = await enter(worker, code);
        worker.cancel(run);
        const ended = await worker.finish();
        assert.deepEqual([ended.kind, ended.outcome.message], ["Cancelled", "please stop"], JSON.stringify(ended.outcome));
        assert.ok(ended.ms < 700, `${ended.ms} ms`);
        assert.deepEqual([ended.idle.recycle, ended.lines.length], name in DEAF ? [true, 1] : [false, 0], ended.lines.join());
        assert.deepEqual((await worker.run("conformance.echo", { still: "here" })).result, { still: "here" });
      });

      test(`the deadline ends ${name}`, async () => {
        const began = Date.now();
        assert.equal((await worker.code(code, {}, { timeoutMs: 300 })).kind, "Cancelled");
        assert.ok(Date.now() - began >= 300);
        assert.ok(Date.now() - began < 1500);
      });
    }

    test("a thread that had to be ended asks for a new process and says so in the log; one that ended by itself does neither", async () => {
      const cancelled = async (code) => {
        worker.cancel(await enter(worker, code));
        return worker.finish();
      };
      const deaf = await cancelled(BUSY);
      assert.deepEqual([deaf.idle.recycle, deaf.finished.log_records], [true, 2]);
      assert.match(deaf.lines[0], /did not react to its cancel, so its thread was ended/);
      const stubborn = await cancelled("export default (p, ctx) => { ctx.signal; ctx.log.info('in it'); while (true); };");
      assert.match(stubborn.lines[0], /heard of its cancel and did not end in time/);
      const heedful = await cancelled(SLEEP);
      assert.deepEqual([heedful.idle.recycle, heedful.lines], [false, []]);
    });

    test("a cancel at any moment never hits the next run", async () => {
      for (let at = 0; at < 40; at++) {
        const run = worker.start("conformance.sleep", { seconds: 0.02 });
        await timer(at);
        worker.cancel(run);
        assert.ok(["Succeeded", "Cancelled"].includes((await worker.finish()).kind));
        assert.deepEqual((await worker.run("conformance.echo", { at })).result, { at });
      }
    });

    test("metrics are of the run alone", async () => {
      const busy = await worker.code("export default () => { const since = process.cpuUsage(); while (process.cpuUsage(since).user < 200_000); };");
      const { wall_us, cpu_user_us, peak_rss_bytes } = busy.finished.metrics;
      assert.ok(wall_us >= 50_000 && cpu_user_us >= 200_000 && peak_rss_bytes > 20_000_000, JSON.stringify(busy.finished.metrics));
      const idle = await worker.run("conformance.sleep", { seconds: 0.1 });
      assert.ok(idle.finished.metrics.wall_us >= 100_000 && idle.finished.metrics.cpu_user_us < 100_000, JSON.stringify(idle.finished.metrics));
    });

    test("Idle tells the memory the run left behind", async () => {
      const before = (await worker.run("conformance.sleep", { seconds: 0.06 })).idle.rss_bytes;
      const hold = "export default async () => { globalThis.held = Buffer.alloc(64 << 20, 1); await new Promise((done) => setTimeout(done, 60)); };";
      assert.ok((await worker.code(hold)).idle.rss_bytes - before > 50_000_000);
      await worker.code("export default () => { delete globalThis.held; };");
    });

    test("unknown workflows are rejected without Started", async () => {
      const run = await worker.run("conformance.ecko");
      assert.deepEqual(run.types, ["Finished", "Idle"]);
      assert.match(run.outcome.reason, /there is no workflow/);
    });

    test("unknown messages are skipped, bytes come in any portion", async () => {
      const later = Buffer.alloc(8);
      later.writeUInt32BE(4, 0);
      later.writeUInt32LE(99, 4);
      for (const byte of Buffer.concat([later, frame({ type: "Ping", nonce: 2n ** 64n - 1n })])) {
        worker.process.stdin.write(Buffer.of(byte));
        await timer(1);
      }
      assert.equal((await worker.expect("Pong")).nonce, 2n ** 64n - 1n);
    });

    test("ping and dump are answered while user code is busy", async () => {
      const run = await worker.startCode("function innermost() { while (true); }\nexport default function main() { innermost(); }");
      worker.send({ type: "Ping", nonce: 1 });
      await worker.expect("Pong");
      worker.send({ type: "Dump", run });
      const { text } = await worker.expect("Stacks");
      assert.match(text, /does not come back to its event loop/);
      worker.cancel(run);
      assert.equal((await worker.finish()).kind, "Cancelled");
    });

    // V8 lets garbage lie while there is room, so the resident set settles only after some thousands.
    test("a thousand executions grow no descriptors and little memory", async () => {
      const code = "export default async (p, ctx) => { console.log('hello', p.n); await ctx.sleep(0); return p; };";
      const some = async (count) => {
        for (let n = 0; n < count; n++) await worker.code(code, { n });
        return (await worker.run("conformance.echo")).idle.rss_bytes;
      };
      await some(600);
      const [before, descriptors] = [await some(100), worker.descriptors()];
      const grown = (await some(1000)) - before;
      assert.equal(worker.descriptors(), descriptors);
      assert.ok(grown < 16_000_000, `${grown} bytes`);
    });
  });
}

/** What a process used so far, in microseconds. */
function userCpuOf(pid) {
  const ticks = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ").pop().split(" ")[11];
  return Number(ticks) * 10_000;
}

async function withWorker(options, action) {
  const worker = await Supervisor.start(options);
  try {
    await action(worker);
  } finally {
    worker.kill();
  }
}

for (const launcher of ["shell", "node"]) {
  const fresh = (name, action, options = {}) => test(`${name} (${launcher})`, () => withWorker({ launcher, ...options }, action));

  fresh("drain when idle", async (worker) => {
    worker.send({ type: "Drain", reason: "enough", grace_ms: 1000 });
    assert.equal((await worker.expect("Goodbye")).reason, "enough");
    assert.equal(await worker.exited(), 0);
  });

  fresh("drain lets the run end", async (worker) => {
    worker.start("conformance.sleep", { seconds: 0.2 });
    await worker.expect("Started");
    worker.send({ type: "Drain", reason: "enough", grace_ms: 5000 });
    assert.equal((await worker.finish()).result, 0.2);
    await worker.expect("Goodbye");
    assert.equal(await worker.exited(), 0);
  });

  fresh("the first run does not pay for the start of the process", async (worker) => {
    const start_us = userCpuOf(worker.hello.pid);
    const { cpu_user_us } = (await worker.run("conformance.sleep", { seconds: 0.02 })).finished.metrics;
    assert.ok(cpu_user_us < start_us / 2, `${cpu_user_us} us of ${start_us}`);
  });

  fresh("the end of stdin when idle", async (worker) => {
    worker.process.stdin.end();
    assert.equal(await worker.exited(2000), 0);
  });

  for (const [name, code] of Object.entries({ SLEEP, BUSY, native: "import { execSync } from 'node:child_process';\nexport default () => execSync('sleep 60');" })) {
    fresh(`the end of stdin during ${name}`, async (worker) => {
      await worker.startCode(code);
      worker.process.stdin.end();
      await worker.exited(2200);
    });
  }

  fresh("crash and exit", async (worker) => {
    worker.start("conformance.crash");
    assert.equal(await worker.exited(), "SIGKILL");
    await withWorker({ launcher }, async (other) => {
      other.start("conformance.exit", { code: 7 });
      assert.equal(await other.exited(), 7);
    });
  });

  fresh("ignore_cancel swallows the cancel and SIGTERM", async (worker) => {
    const run = worker.start("conformance.ignore_cancel", { seconds: 0.6 });
    await worker.expect("Started");
    worker.cancel(run, "Timeout");
    worker.kill("SIGTERM");
    assert.equal((await worker.finish()).result, "ignored");
  });

  fresh("SIGTERM ends an idle worker", async (worker) => {
    worker.kill("SIGTERM");
    assert.equal(await worker.exited(2000), 0);
  });

  fresh("SIGTERM ends user code that hangs in native code, with its child", async (worker) => {
    const run = await worker.startCode("import { execSync } from 'node:child_process';\nexport default (p, ctx) => { ctx.log.info('in it'); return execSync('sleep 60'); };");
    // A fresh thread takes the run up some time after Started.
    await worker.expect("Log");
    worker.cancel(run);
    await timer(100);
    worker.kill("SIGTERM");
    assert.equal((await worker.finish()).kind, "Cancelled");
  });

  fresh("hold_pipes does not hold the frames", async (worker) => {
    assert.equal((await worker.run("conformance.hold_pipes", { seconds: 30 })).kind, "Succeeded");
    worker.process.stdin.end();
    await assert.rejects(worker.receive(3000), /the worker ended/);
  });

  fresh("a peer that breaks the protocol", async (worker) => {
    worker.start("conformance.sleep", { seconds: 60 });
    worker.start("conformance.echo");
    assert.equal(await worker.exited(), 65);
  });

  test(`versions and order of the handshake (${launcher})`, async () => {
    const early = await Supervisor.start({ launcher, handshake: false });
    early.send({ type: "Ping", nonce: 1 });
    assert.equal(await early.exited(), 65);
    const twice = await Supervisor.start({ launcher });
    twice.send({ type: "Welcome", protocol: 1, worker_id: "", features: [], max_frame_bytes: 1 << 20, log_level: "Info", config: "" });
    assert.equal(await twice.exited(), 65);
    assert.match(twice.stderr, /Welcome came twice/);
    const future = await Supervisor.start({ launcher, handshake: false });
    future.send({ type: "Welcome", protocol: 9, worker_id: "", features: [], max_frame_bytes: 1 << 20, log_level: "Info", config: "" });
    assert.equal(await future.exited(), 71);
  });
}
