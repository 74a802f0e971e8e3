// What Node adds to the language, and the settings of its modules: objects of which some properties are looked after.

import process from "node:process";
import { Kept } from "./kept.js";
import { namesOfLanguage } from "./language.js";

const words = (text) => text.trim().split(/\s+/);
const { getBuiltinModule } = process;

/** Globals of Node's that are compared by value. The others: `LazyGlobals`. */
export const GLOBALS = words(`
  console URL URLSearchParams EventTarget Event AbortController AbortSignal TextEncoder TextDecoder Buffer fetch
  queueMicrotask structuredClone setTimeout setInterval setImmediate clearTimeout clearInterval clearImmediate
  performance process navigator crypto
`).filter((name) => name in globalThis);
const OF_CONSOLE = words(`
  log debug info warn error trace dir table assert group groupEnd time timeEnd
`);
const OF_BUFFER = words(`
  from alloc allocUnsafe concat isBuffer byteLength poolSize
`);
const OF_BUFFERS = words(`
  toString write slice subarray copy equals indexOf fill toJSON
`);
const OF_PERFORMANCE = words(`
  now mark measure
`);
const OF_CRYPTO = words(`
  getRandomValues randomUUID
`);
const OF_SIGNAL = words(`
  abort timeout any
`);
const OF_PROCESS = words(`
  exit nextTick emitWarning hrtime cwd chdir umask kill abort memoryUsage uptime stdout stderr argv execArgv argv0 execPath
  platform arch pid ppid version versions features release config reallyExit getBuiltinModule
  noDeprecation throwDeprecation traceDeprecation traceProcessWarnings
`);
const OF_EMITTER = words(`
  emit on addListener once off removeListener removeAllListeners listenerCount listeners rawListeners eventNames
`);
const OF_AGENT = words(`
  options keepAlive keepAliveMsecs maxSockets maxFreeSockets maxTotalSockets scheduling defaultPort protocol createConnection
`);
const OF_TLS = words(`
  DEFAULT_MIN_VERSION DEFAULT_MAX_VERSION DEFAULT_CIPHERS DEFAULT_ECDH_CURVE CLIENT_RENEG_LIMIT CLIENT_RENEG_WINDOW checkServerIdentity
`);

/** Objects of Node's that are there from the start. */
export function ofNode() {
  return [
    new Kept(globalThis, { keys: [...namesOfLanguage(), ...GLOBALS], readsGetters: true }),
    ...[
      [process, [...OF_PROCESS, ...OF_EMITTER]],
      [console, OF_CONSOLE],
      [Buffer, OF_BUFFER],
      [Buffer.prototype, OF_BUFFERS],
      [TextDecoder.prototype, ["decode"]],
      [TextEncoder.prototype, ["encode", "encodeInto"]],
      [performance, OF_PERFORMANCE],
      [Object.getPrototypeOf(performance), OF_PERFORMANCE],
      [Object.getPrototypeOf(globalThis.crypto), OF_CRYPTO],
      [globalThis.crypto, OF_CRYPTO],
      [AbortSignal, OF_SIGNAL],
      [process.stdout, ["write"]],
      [process.stderr, ["write"]],
    ].map(([object, keys]) => new Kept(object, { keys })),
  ];
}

/** The settings of Node's modules that are properties. Loads these modules. */
export function settingsOfModules() {
  const [http, https, tls, events, util, modules] = words("http https tls events util module").map((name) => getBuiltinModule(name));
  const agents = [http.globalAgent, https.globalAgent];
  return [
    new Kept(http, { keys: ["globalAgent"], readsGetters: true }),
    new Kept(https, { keys: ["globalAgent"] }),
    ...agents.map((agent) => new Kept(agent, { keys: OF_AGENT })),
    // Whether certificates are looked at stands here, among others.
    ...agents.map(({ options }) => new Kept(options, { everyValue: true })),
    new Kept(tls, { keys: OF_TLS }),
    new Kept(events, { keys: ["defaultMaxListeners", "captureRejections"], readsGetters: true }),
    new Kept(events.prototype, { keys: OF_EMITTER }),
    new Kept(util.inspect.defaultOptions, { everyValue: true }),
    new Kept(util.inspect.styles, { everyValue: true }),
    new Kept(modules.Module._extensions, { everyValue: true }),
  ];
}
