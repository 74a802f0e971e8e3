// Values change nothing on their way, or are refused with their place; what is only read is mended and never fails a run.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Supervisor } from "./supervisor.js";

const HALF_PAIR = "holds half of a surrogate pair, which is no text; cut text between whole characters";
const NUL = "holds the character U+0000, which databases do not keep; remove it";
const TOO_LARGE = "is a number that no double holds; write it as a string";
const TOO_DEEP = "is nested more than 512 deep; flatten it, or store it elsewhere and pass a reference";
const nested = (depth) => "[".repeat(depth) + "]".repeat(depth);

let worker;
before(async () => (worker = await Supervisor.start()));
after(() => worker.kill());

const inline = (code) => ({ source: { type: "Inline", language: "", code } });

test("an echo changes nothing", async () => {
  for (const [given, expected] of [
    ["[9007199254740991,9007199254740993]"],
    ['{"a":-18446744073709551616,"b":"1234567890123456789"}'],
    ["9223372036854775808"],
    ["[0,-0.0,0.0]", "[0,-0.0,0]"],
    ["1e22", "1e+22"],
    ["0.12345678901234568"],
    ['{"__proto__":{"x":1},"constructor":2}'],
    ['"\\ud83d\\ude00"', '"😀"'],
    ['{"key 12345678901234567":12345678901234567}'],
    [nested(512)],
  ]) {
    const { outcome } = await worker.run("conformance.echo", null, { text: given });
    assert.equal(outcome.result, expected ?? given, JSON.stringify(outcome).slice(0, 300));
  }
  const kinds = "export default (p) => p.map((value) => typeof value).join()";
  const run = await worker.run("inline", null, { ...inline(kinds), text: "[9007199254740991,9007199254740992,1e30]" });
  assert.equal(run.result, "number,bigint,number");
});

test("large texts with long numbers are read", async () => {
  const text = `["${"x".repeat(3_000_000)}",12345678901234567890,"${"\\n".repeat(1_000_000)}"]`;
  assert.equal((await worker.run("conformance.echo", null, { text })).outcome.result, text);
});

test("parameters that JavaScript would change are refused", async () => {
  const { error } = await worker.run("conformance.echo", null, { text: '{"a":[1,1e400]}' });
  assert.deepEqual([error.kind, error.message], ["InvalidParameters", `the parameters are refused: params.a[1] ${TOO_LARGE}`]);
});

test("what a result cannot hold is refused with its place", async () => {
  for (const [expression, message] of [
    ["{ a: [1, { 'b c': 'x\\ud83d' }] }", `result.a[1]["b c"] ${HALF_PAIR}`],
    ["{ a: { ['k\\ude00']: 1 } }", `a key of result.a ${HALF_PAIR}`],
    ["['\\ud83d\\ud83d\\ude00']", `result[0] ${HALF_PAIR}`],
    ["['\\u0000']", `result[0] ${NUL}`],
    ["{ a: { b: 0 / 0 } }", "result.a.b is NaN; JSON has no such number, write null or a string instead"],
    ["[-1 / 0]", "result[0] is -Infinity; JSON has no such number, write null or a string instead"],
    ["10n ** 400n", `result ${TOO_LARGE}`],
    ["() => 1", "result is a function; JSON has no such value"],
    ["{ a: [() => 1] }", "result.a[0] is a function; JSON has no such value"],
    ["{ a: Symbol('s') }", "result.a is a symbol; JSON has no such value"],
    ["{ a: (async () => 1)() }", "result.a is a promise; put await before the call that gave it"],
    ["new Map([[1, 2]])", "result is a Map, which JSON does not have; write Object.fromEntries(it)"],
    ["[{ a: new Set() }]", "result[0].a is a Set, which JSON does not have; write [...it]"],
    ["{ a: new RangeError('e') }", "result.a is an Error, which JSON does not have; throw it, or write its message"],
    ["(() => { const a = { b: {} }; a.b.c = a; return a; })()", "result.b.c contains itself; write a copy without the cycle"],
  ]) {
    const { error } = await worker.code(`export default () => (${expression});`);
    assert.deepEqual([error.kind, error.message, error.retryable], ["InvalidResult", `the result is refused: ${message}`, false]);
  }
  const { error } = await worker.code("export default () => JSON.parse('['.repeat(513) + ']'.repeat(513));");
  assert.ok(error.message.endsWith(`… ${TOO_DEEP}`), error.message);
});

test("what says itself how it is written as JSON is written so", async () => {
  const code = "const said = Object.assign(new Map(), { toJSON: () => [1] }); export default () => [said, new Date(0), new URL('http://a'), Object.create(null)];";
  assert.deepEqual((await worker.code(code)).result, [[1], "1970-01-01T00:00:00.000Z", "http://a/", {}]);
});

test("what a call cannot pass on is refused at the call", async () => {
  for (const [call, message] of [
    ["state.set('k', { a: ['x\\ud83d'] })", `state.set is refused: value.a[0] ${HALF_PAIR}`],
    ["state.set('k\\u0000', 1)", `state.set is refused: key ${NUL}`],
    ["state.get('k\\ud83d')", `state.get is refused: key ${HALF_PAIR}`],
    ["submit('w', { n: 10n ** 400n })", `execution.submit is refused: params.n ${TOO_LARGE}`],
    ["submit('w', { n: NaN })", "execution.submit is refused: params.n is NaN; JSON has no such number, write null or a string instead"],
    ["state.set('k', { a: ctx.state.get('b') })", "state.set is refused: value.a is a promise; put await before the call that gave it"],
  ]) {
    const code = `export default async (p, ctx) => { try { await ctx.${call}; } catch (error) { return [error.kind, error.message, error.retryable]; } };`;
    assert.deepEqual((await worker.code(code)).result, ["InvalidValue", message, false]);
  }
});

test("what is passed on arrives as it was given", async () => {
  const code = "export default (p, ctx) => ctx.state.set('k', { zz: 12345678901234567890123n, aa: -0 });";
  const run = await worker.startCode(code);
  const { call, params } = await worker.expect("Call");
  assert.equal(params, '{"key":"k","value":{"zz":12345678901234567890123,"aa":-0.0}}');
  worker.send({ type: "Reply", run, call, result: { type: "Ok", value: "" } });
  assert.equal((await worker.finish()).kind, "Succeeded");
});

test("a log or progress call never fails an execution", async () => {
  const bad = "{ toString() { throw 1 }, get x() { throw new Error('no') }, toJSON() { throw 2 }, [Symbol.for('nodejs.util.inspect.custom')]() { throw 3 } }";
  for (const call of [
    "ctx.progress(Infinity, NaN, 'x')",
    "ctx.progress(2 ** 64, -1)",
    "ctx.progress(10n, Symbol('x'), Symbol('y'))",
    "ctx.progress(1, 2, 'x'.repeat(17e6))",
    "ctx.progress({ valueOf() { throw 1 } }, 1, 'half \\ud83d \\u0000')",
    "ctx.log.info('x'.repeat(17e6))",
    "ctx.log.info('half \\ud83d \\u0000', { ['k\\ud83d\\u0000']: '\\ude00' })",
    "console.log('half \\ud83d', '\\u0000', Symbol('x'), null, undefined, -0, () => 1)",
    `console.error(${bad})`,
    `ctx.log.error(${bad}, ${bad})`,
    "ctx.log.info(Object.create(null), new Proxy({}, { get() { throw 1 }, ownKeys() { throw 1 } }))",
    "ctx.log.info('revoked', (() => { const { proxy, revoke } = Proxy.revocable({}, {}); revoke(); return proxy; })())",
  ]) {
    const run = await worker.code(`export default (p, ctx) => { ${call}; return 1; };`);
    assert.equal(run.result, 1, call);
    const progress = run.messages.filter(({ type }) => type === "Progress");
    assert.equal(run.records.length + progress.length, 1, call);
    for (const { message, fields } of run.records) {
      assert.ok(Buffer.byteLength(message) <= 65_536 && !message.includes("\0"), call);
      assert.doesNotMatch(fields, /\\u(?:0000|d[89a-f])/, call);
    }
    for (const { current, total, message } of progress) {
      assert.ok(Math.max(current, total) <= Number.MAX_SAFE_INTEGER && Buffer.byteLength(message) <= 1024, call);
    }
  }
});

test("a field that is no JSON costs itself only", async () => {
  const run = await worker.code(`class CardDeclined extends Error {}
  export default (p, ctx) => {
    const round = { n: 1 }; round.self = round;
    ctx.log.info("m", { nan: NaN, big: 10n, at: new Date(0), map: new Map([["a", 1], [{}, 2]]), alike: new Map([[1, 1], ["1", 2], [{}, 3], [{}, 4]]), set: new Set([1]),
      symbol: Symbol("s"), round, ok: [1, "x"], half: "\\ud83d", get bad() { throw new Error("why"); }, f: () => 1 });
    ctx.log.error("failed", { error: new CardDeclined("no funds") });
    ctx.log.error("failed", new CardDeclined("no funds"));
  };`);
  assert.deepEqual(JSON.parse(run.records[0].fields), {
    nan: "NaN", big: "10n", at: "1970-01-01T00:00:00.000Z", map: { a: 1, "{}": 2 }, alike: { 1: 1, "1 (string)": 2, "{}": 3, "{} (object)": 4 }, set: [1], symbol: "Symbol(s)",
    round: { n: 1, self: "[seen above]" }, ok: [1, "x"], half: "\ufffd", bad: "[its getter threw: why]", f: "[function f]",
  });
  for (const error of [JSON.parse(run.records[1].fields).error, JSON.parse(run.records[2].fields)]) {
    assert.deepEqual([error.name, error.message], ["CardDeclined", "no funds"]);
    assert.match(error.stack, /\n\s+at /);
  }
});

test("any error can be described", async () => {
  for (const [thrown, message] of [
    ["new Error('half \\ud83d \\0')", "half \ufffd \ufffd"],
    ["Object.defineProperty(new Error('round'), 'cause', { get() { return this } })", "round"],
    ["(() => { const e = new Error('own cause'); e.cause = e; return e; })()", "own cause"],
    ["(() => { const a = new Error('two'), b = new Error('b', { cause: a }); a.cause = b; return a; })()", "two"],
    ["Object.defineProperty(new Error('x'), 'message', { get() { throw 1 } })", "Error"],
    ["Object.assign(new Error('named'), { name: Symbol('n') })", "named"],
    ["Symbol('bare')", "thrown: Symbol(bare)"],
    ["Object.create(null)", "thrown: {}"],
    ["{ toString() { throw 1 } }", 'thrown: {"toString":"[function toString]"}'],
    ["'half \\ud83d'", "thrown: half \ufffd"],
  ]) {
    const { error } = await worker.code(`export default () => { throw ${thrown}; };`);
    assert.equal(error.message, message, thrown);
  }
});

test("memory that ran out has a name", async () => {
  const tight = await Supervisor.start({ config: { memory_limit_mb: 64 } });
  try {
    const run = await tight.code("export default () => { const all = []; for (;;) all.push({ n: all.length }); };");
    assert.equal(run.error.kind, "OutOfMemory", JSON.stringify(run.error));
    assert.equal(run.idle.recycle, true);
    assert.deepEqual((await tight.run("conformance.echo", { a: 1 })).result, { a: 1 });
  } finally {
    tight.kill();
  }
});

test("JSON lines change nothing either", async () => {
  const { decode } = await import("../src/wire/json_lines.js");
  const { TO_WORKER } = await import("../src/wire/messages.js");
  const text = '{"a":9007199254740993,"b":-0.0,"c":18446744073709551616}';
  const reply = decode(TO_WORKER, Buffer.from(`{"Reply":{"run":1,"call":2,"result":{"Ok":{"value":${text}}}}}`));
  assert.equal(reply.result.value, text);
  assert.equal(decode(TO_WORKER, Buffer.from('{"Ping":{"nonce":18446744073709551615}}')).nonce, 18446744073709551615n);
});
