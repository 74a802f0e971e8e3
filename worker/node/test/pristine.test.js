// What one execution changes in its process the next one does not find.

import assert from "node:assert/strict";
import dns from "node:dns";
import { join } from "node:path";
import { after, before, test } from "node:test";
import tls from "node:tls";
import { Supervisor } from "./supervisor.js";
import { folderOf } from "./terminal.js";

let worker;
before(async () => (worker = await Supervisor.start({ env: { KEPT: "as it was" } })));
after(() => worker.kill());

/** What code of its own, that is not in the module cache yet, finds. */
let serial = 0;
const look = async (expression) => (await worker.code(`export default async () => (${expression}); // ${++serial}`)).result;

const ENV_FILE = join(folderOf({ ".env": "OF_A_FILE=1" }), ".env");

const LEAKS = {
  "an intrinsic of the SDK": ["JSON.stringify = () => '\"wrong\"'", "JSON.stringify({ a: 1 })", '{"a":1}'],
  "toJSON for all": ["Object.defineProperty(Object.prototype, 'toJSON', { value: () => 'wrong', configurable: true })", "({ a: 1 })", { a: 1 }],
  "toJSON of big integers": ["BigInt.prototype.toJSON = () => 'wrong'", "2n ** 60n > 1n && [5n]", [5]],
  "the clock": ["Date.now = () => 7", "Date.now() > 7", true],
  "the class of the clock": ["globalThis.Date = class { static now() { return 7; } }", "new Date(0).getTime()", 0],
  "an array's method": ["Array.prototype.map = () => ['wrong']", "[1].map((n) => n)", [1]],
  "what iterates": ["Object.getPrototypeOf([][Symbol.iterator]()).next = () => ({ done: true })", "[...[1, 2]]", [1, 2]],
  "a text's method": ["String.prototype.replace = () => 'wrong'", "'a'.replace('a', 'b')", "b"],
  "a map's method": ["Map.prototype.get = () => 'wrong'", "new Map([[1, 2]]).get(1)", 2],
  "promises": ["Promise.all = async () => ['wrong']", "await Promise.all([1])", [1]],
  "every object": ["Object.prototype.stranger = 1", "Object.keys(Object.prototype).length + ({}.stranger ?? 0)", 0],
  "every array": ["Array.prototype.stranger = 1", "[].stranger ?? null", null],
  "a global that is gone": ["delete globalThis.structuredClone", "structuredClone(1)", 1],
  "another global of fetch": ["globalThis.Response = globalThis.Headers = null", "new Response('a', { headers: new Headers({ b: 'c' }) }).headers.get('b')", "c"],
  "timers": ["globalThis.setTimeout = (f) => f()", "await new Promise((done) => setTimeout(done, 1, 5))", 5],
  "the console": ["console.log = () => { throw new Error('wrong'); }", "console.log('x') ?? 1", 1],
  "a stream's write": ["process.stdout.write = () => { throw new Error('wrong'); }", "process.stdout.write('x\\n')", true],
  "the end of a stream": ["process.stdout.end(); process.stderr.destroy()", "process.stdout.write('x\\n')", true],
  "stacks": ["Error.stackTraceLimit = 0; Error.prepareStackTrace = () => 'wrong'", "new Error('x').stack.split('\\n').length > 1", true],
  "the environment": ["process.env.KEPT = 'wrong'; process.env.NEW = '1'", "[process.env.KEPT, process.env.NEW ?? null]", ["as it was", null]],
  "a variable that is gone": ["delete process.env.KEPT", "process.env.KEPT", "as it was"],
  "a defined variable": ["Object.defineProperty(process.env, 'NEW', { value: '1', writable: true, enumerable: true, configurable: true })", "process.env.NEW ?? null", null],
  "another environment": ["process.env = { KEPT: 'wrong' }", "process.env.KEPT", "as it was"],
  "the environment of children": ["process.env.KEPT = 'wrong'", "(await import('node:child_process')).execSync('echo $KEPT').toString()", "as it was\n"],
  "the exit code": ["process.exitCode = 7", "process.exitCode ?? null", null],
  "process.exit": ["process.exit = () => 'wrong'", "process.exit.name", "exit"],
  "who listens to the process": ["process.on('uncaughtException', () => {}); process.on('beforeExit', () => {})", "[process.listenerCount('uncaughtException'), process.listenerCount('beforeExit')]", [1, 0]],
  "that nobody listens any more": ["process.removeAllListeners()", "process.listenerCount('uncaughtException')", 1],
  "who gets uncaught errors": ["process.setUncaughtExceptionCaptureCallback(() => {})", "process.hasUncaughtExceptionCaptureCallback()", false],
  "bytes as text": ["Buffer.prototype.toString = TextDecoder.prototype.decode = () => 'wrong'", "[Buffer.from('a').toString(), new TextDecoder().decode(new Uint8Array([97]))]", ["a", "a"]],
  "what generators do": ["Object.getPrototypeOf(function* () {}).prototype.next = () => ({ done: true })", "[...(function* () { yield 1; })()]", [1]],
  "random ids": ["crypto.randomUUID = () => 'wrong'; Object.getPrototypeOf(crypto).getRandomValues = () => 'wrong'", "[crypto.randomUUID().length, crypto.getRandomValues(new Uint8Array(2)).length]", [36, 2]],
  "limits of time": ["AbortSignal.timeout = () => 'wrong'; performance.now = () => -1", "[AbortSignal.timeout(5).aborted, performance.now() > 0]", [false, true]],
  "arguments of the process": ["process.argv.push('wrong'); process.execArgv.push('wrong')", "process.argv.includes('wrong') || process.execArgv.includes('wrong')", false],
  "who watches what is begun": ["globalThis.begun = 0; require('node:async_hooks').createHook({ init() { globalThis.begun++; } }).enable()", "(globalThis.begun = 0, setImmediate(() => {}), globalThis.begun)", 0],
  "who listens to a channel": ["require('node:diagnostics_channel').subscribe('some', (message) => (globalThis.heard = message))", "(process.getBuiltinModule?.('node:diagnostics_channel') ?? (await import('node:diagnostics_channel')).default).channel('some').publish('secret') ?? globalThis.heard ?? null", null],
  "who observes performance": ["new (require('node:perf_hooks').PerformanceObserver)(() => (globalThis.observed = 1)).observe({ entryTypes: ['mark'] })", "(performance.mark('x'), await new Promise((done) => setTimeout(done, 20)), globalThis.observed ?? null)", null],
  "another process": ["globalThis.process = { env: {} }", "typeof process.cwd", "function"],
  "that there is no process": ["delete globalThis.process", "typeof process", "object"],
  "another platform": ["Object.defineProperty(process, 'platform', { value: 'none' })", "process.platform", process.platform],
  "how deprecations end": ["process.throwDeprecation = process.noDeprecation = true", "[process.throwDeprecation ?? null, process.noDeprecation ?? null]", [null, null]],
  "what all iterators have": ["Object.getPrototypeOf(Object.getPrototypeOf([][Symbol.iterator]())).stranger = 1", "[][Symbol.iterator]().stranger ?? null", null],
  "what all async functions have": ["Object.getPrototypeOf(async () => {}).stranger = 1", "(async () => {}).stranger ?? null", null],
  "what all generators have": ["(function* () {}).constructor.prototype.stranger = 1", "(function* () {}).stranger ?? null", null],
  "what all formats have": ["Intl.NumberFormat.prototype.stranger = 1; Intl.getCanonicalLocales = null", "[new Intl.NumberFormat('en').stranger ?? null, typeof Intl.getCanonicalLocales]", [null, "function"]],
  "compilers and atomics": ["WebAssembly.compile = Atomics.load = DataView.prototype.getInt8 = null", "[typeof WebAssembly.compile, typeof Atomics.load, typeof DataView.prototype.getInt8]", ["function", "function", "function"]],
  "what for in does not show": ["Object.defineProperty(Array.prototype, 'stranger', { value: 1, configurable: true })", "[].stranger ?? null", null],
  "a getter": ["Object.defineProperty(Map.prototype, 'size', { get: () => 7, configurable: true })", "new Map().size", 0],
  "a getter that throws": ["Object.defineProperty(Math, 'floor', { get() { throw new Error('wrong'); }, configurable: true })", "Math.floor(1.5)", 1],
  "what an object descends from": ["Object.setPrototypeOf(Map.prototype, { stranger: 1 })", "new Map().stranger ?? null", null],
  "how values are shown": ["require('node:util').inspect.defaultOptions = { depth: 0 }", "(await import('node:util')).inspect({ a: { b: { c: 1 } } })", "{ a: { b: { c: 1 } } }"],
  "whether https is verified": ["require('node:https').globalAgent.options.rejectUnauthorized = false", "(await import('node:https')).globalAgent.options.rejectUnauthorized ?? null", null],
  "another agent": ["const http = require('node:http'); http.globalAgent = new http.Agent({ maxSockets: 1 }); require('node:https').globalAgent.maxSockets = 1", "[(await import('node:http')).default.globalAgent.maxSockets > 1, (await import('node:https')).globalAgent.maxSockets > 1]", [true, true]],
  "what TLS accepts": ["const tls = require('node:tls'); tls.DEFAULT_MIN_VERSION = 'TLSv1'; tls.checkServerIdentity = () => {}", "[(await import('node:tls')).DEFAULT_MIN_VERSION, (await import('node:tls')).checkServerIdentity.length]", [tls.DEFAULT_MIN_VERSION, tls.checkServerIdentity.length]],
  "how names are resolved": ["const dns = require('node:dns'); dns.setDefaultResultOrder('ipv4first'); dns.setServers(['192.0.2.1'])", "[(await import('node:dns')).getDefaultResultOrder(), (await import('node:dns')).default.getServers().includes('192.0.2.1')]", [dns.getDefaultResultOrder(), false]],
  "how addresses are chosen": ["const net = require('node:net'); net.setDefaultAutoSelectFamily(false); net.setDefaultAutoSelectFamilyAttemptTimeout(4321)", "[(await import('node:net')).getDefaultAutoSelectFamily(), (await import('node:net')).getDefaultAutoSelectFamilyAttemptTimeout() !== 4321]", [true, true]],
  "how much a stream holds": ["require('node:stream').setDefaultHighWaterMark(false, 5)", "(await import('node:stream')).getDefaultHighWaterMark(false) > 5", true],
  "what emitters do": ["const events = require('node:events'); events.defaultMaxListeners = 1; events.captureRejections = true; events.prototype.emit = () => {}", "[(await import('node:events')).default.defaultMaxListeners, (await import('node:events')).default.captureRejections, new (await import('node:events')).default().on('x', () => {}).emit('x')]", [10, false, true]],
  "what files are modules": ["require.extensions['.wrong'] = () => {}", "'.wrong' in (await import('node:module')).default._extensions", false],
  "that stacks follow source maps": ["process.setSourceMapsEnabled(true)", "process.sourceMapsEnabled ?? false", false],
  "an environment from a file": [`process.loadEnvFile(${JSON.stringify(ENV_FILE)})`, "process.env.OF_A_FILE ?? null", null],
  "how names are resolved by promises": ["require('node:dns').promises.setServers(['192.0.2.1'])", "(await import('node:dns')).promises.getServers().includes('192.0.2.1')", false],
  "that a global of Node's is gone": ["delete globalThis.Blob; Array.prototype.every = null", "typeof globalThis.Blob", "function"],
  "a global that was deleted and made anew": ["delete globalThis.FormData; globalThis.FormData = 'wrong'", "typeof FormData", "function"],
  "a getter in the place of one": ["Object.defineProperty(globalThis, 'MessageEvent', { get() { throw new Error('wrong'); }, configurable: true })", "typeof MessageEvent", "function"],
  "that everything iterates": ["Object.prototype[Symbol.iterator] = function* () { yield 'wrong'; }", "Symbol.iterator in {}", false],
  "how every list is split and shown": ["Array.prototype[Symbol.split] = Array.prototype[Symbol.for('nodejs.util.inspect.custom')] = () => 'wrong'", "[Symbol.split in [], (await import('node:util')).inspect([1])]", [false, "[ 1 ]"]],
  "what every function is as a text": ["Function.prototype[Symbol.toPrimitive] = () => 'wrong'", "`${() => 1}`", "() => 1"],
  "the store of a context": ["(globalThis.store ??= new (require('node:async_hooks').AsyncLocalStorage)()).enterWith('wrong')", "globalThis.store.getStore() ?? null", null],
};

for (const [what, [leak, expression, expected]] of Object.entries(LEAKS)) {
  test(`the next execution does not find ${what}`, async () => {
    const leaking = (body) => worker.code(`import { createRequire } from "node:module"; const require = createRequire("/"); export default async () => { ${body} };`);
    const one = await leaking(`${leak};`);
    assert.equal(one.kind, "Succeeded", JSON.stringify(one.outcome));
    assert.deepEqual(await look(expression), expected);
    const late = await leaking(`setTimeout(() => { ${leak}; }, 20);`);
    assert.equal(late.kind, "Succeeded", JSON.stringify(late.outcome));
    await worker.run("conformance.sleep", { seconds: 0.05 });
    assert.deepEqual(await look(expression), expected, "changed after the end");
  });
}

test("results are right whatever the executions before did", async () => {
  const values = { text: "a", list: [1, 2.5, null], n: 9007199254740991 };
  assert.deepEqual((await worker.run("conformance.echo", values)).result, values);
});

for (const change of [
  "JSON.stringify = () => 'wrong'; Object.freeze(JSON)",
  "Object.freeze(Math)",
  "Object.seal(Intl)",
  "Object.preventExtensions(Array.prototype)",
  "Object.defineProperty(Object.prototype, 'stranger', { value: 1 })",
  "Object.defineProperty(Promise.prototype, 'stranger', { value: 1, enumerable: true })",
  "Object.defineProperty(globalThis, 'Blob', { value: 1, configurable: false })",
  "Object.defineProperty(process, 'env', { value: {}, writable: false, configurable: false })",
]) {
  test(`what cannot be put back costs the thread, not the next execution: ${change}`, async () => {
    await worker.code(`export default () => { globalThis.kept = 1; ${change}; };`);
    const next = await worker.code(`export default () => [typeof globalThis.kept, JSON.stringify([1])]; // ${change}`);
    assert.deepEqual(next.result, ["undefined", "[1]"]);
    assert.match(next.late.map(([, message]) => message).join(), /cannot be put back/);
  });
}

test("what the files of the folder set up while they are loaded stays", async () => {
  const POLYFILLED = { named: "FormData", plain: "Blob" };
  const extend = (name) => `process.env.OF_${name} = "1"; Array.prototype.of${name} = () => "${name}"; process.on("exit", () => {});
    Object.defineProperty(globalThis, "${POLYFILLED[name]}", { value: "${name}", writable: true, configurable: true });`;
  const result = (name) => `[process.env.OF_${name}, [].of${name}(), process.listenerCount("exit") > 0, ${POLYFILLED[name]}]`;
  const folder = folderOf({
    "named.js": `import { workflow } from "muster-worker"; ${extend("named")} workflow("named", () => ${result("named")});`,
    "plain.js": `${extend("plain")} export default () => ${result("plain")};`,
    "leak.js": "export default () => { process.env.OF_named = 'wrong'; delete process.env.OF_plain; Array.prototype.ofplain = null; process.removeAllListeners('exit'); };",
  });
  const other = await Supervisor.start({ workflowsDir: folder });
  try {
    for (let round = 0; round < 3; round++) {
      assert.deepEqual((await other.run("named")).result, ["1", "named", true, "named"]);
      assert.deepEqual((await other.run("plain")).result, ["1", "plain", true, "plain"]);
      assert.equal((await other.run("leak")).kind, "Succeeded");
    }
  } finally {
    other.kill();
  }
});

test("modules and their globals stay", async () => {
  const counts = "let n = 0; export default () => [++n, (globalThis.counted = (globalThis.counted ?? 0) + 1)];";
  assert.deepEqual((await worker.code(counts)).result, [1, 1]);
  assert.deepEqual((await worker.code(counts)).result, [2, 2]);
});

test("a standard descriptor that is closed stays open", async () => {
  const print = "import fs from 'node:fs'; export default () => { process.stdout.write('still '); fs.writeSync(2, 'here'); };";
  for (const close of ["fs.closeSync(1)", "fs.closeSync(2)", "fs.closeSync(0)", "await new Promise((done) => fs.close(1, done))", "fs.createWriteStream(null, { fd: 1 }).destroy(); fs.createReadStream(null, { fd: 0 }).destroy()"]) {
    const before = worker.stderr.length;
    const one = await worker.code(`import fs from "node:fs"; export default async () => { ${close}; await new Promise((done) => setTimeout(done, 10)); };`);
    assert.equal(one.kind, "Succeeded", JSON.stringify(one.outcome));
    await worker.code(`${print} // ${close}`);
    await worker.stderrWith("still here");
    assert.equal(worker.stderr.slice(before), "still here", close);
    worker.stderr = worker.stderr.slice(0, before);
  }
});

test("the frames cannot be closed", async () => {
  const code = "import fs from 'node:fs'; export default () => { try { fs.closeSync(4); } catch (error) { return error.code; } };";
  assert.equal((await worker.code(code)).result, "EBADF");
});

test("a thread that outlives its execution is ended with the worker's own, and a warning says so", async () => {
  const start = (more) => worker.code(`import { Worker } from "node:worker_threads"; import { once } from "node:events";
    const begin = () => (globalThis.thread = new Worker("setInterval(() => {}, 5)", { eval: true }));
    export default async () => { ${more} };`);
  for (const more of ["await once(begin(), 'online');", "begin(); // not online yet", "process.removeAllListeners(); begin();"]) {
    assert.match((await start(`${more}\n`)).lines[0], /a thread that the execution started runs on/, more);
    assert.equal(await look("typeof globalThis.thread"), "undefined", more);
  }
  assert.deepEqual((await start("await once(begin(), 'online'); await globalThis.thread.terminate();")).lines, []);
  const late = await start("setTimeout(begin, 5);");
  const during = await worker.run("conformance.sleep", { seconds: 0.1 });
  assert.deepEqual([late.lines, during.lines], [[], []]);
  assert.match(during.late[0]?.[1] ?? "", /a thread that the execution started runs on/);
  assert.equal(await look("typeof globalThis.thread"), "undefined", "begun after the end");
});
