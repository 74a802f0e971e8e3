// What every workflow finds: ctx, console, timers, abort signals. Compiled once per worker process; its frames
// are left out of stacks. `native` holds the few functions that Rust provides; the result is how Rust calls back.
export default function (native) {
  const { stringify } = JSON;
  const { clean, count, encode, fieldsOf, hideLines, isThrownError, kindOf, messageOf, parse, read, show, stackOf } = native.values;
  const pending = new Map(); // id -> what to do with a call's or a fetch's answer
  const timers = new Map(); // id -> callback
  const define = (target, name, value) =>
    Object.defineProperty(target, name, { value, writable: true, configurable: true, enumerable: false });

  // ---- errors ---------------------------------------------------------------------------------------------
  hideLines((line) => line.includes("muster:"));

  const NODES_OWN = /^'?(process|require|module|exports|Buffer|__dirname|__filename)'? is not defined$/;

  function describe(error) {
    if (!isThrownError(error)) {
      return stringify({ kind: "", message: typeof error === "string" ? clean(error) : `the workflow threw ${show(error)}`, stack: "" });
    }
    const kind = kindOf(error);
    const stack = stackOf(error);
    let message = messageOf(error);
    if (kind === "SyntaxError") {
      const place = /^\s+at .*?([^\s(]+:\d+(:\d+)?)\)?\s*$/m.exec(stack);
      if (place) message = `${place[1]}: ${message}`;
    }
    if (kind === "ReferenceError" && NODES_OWN.test(message)) {
      message += "; this worker is no Node: write an ES module without it, or run it with the Node SDK";
    }
    const retryable = read(error, "retryable");
    return stringify({ kind, message: message || kind, stack, retryable: typeof retryable === "boolean" ? retryable : null });
  }

  function failure(kind, message) {
    const error = new Error(message);
    define(error, "name", kind);
    return error;
  }

  // ---- abort ----------------------------------------------------------------------------------------------
  const internals = new WeakMap(); // signal -> {aborted, reason, listeners, hooks}

  class AbortSignal {
    constructor(key) {
      if (key !== internals) throw new TypeError("use new AbortController() to make an AbortSignal");
      internals.set(this, { aborted: false, reason: undefined, listeners: new Set(), hooks: new Set() });
      this.onabort = null;
    }
    get aborted() {
      if (this === signal && !internals.get(this).aborted) wake();
      return internals.get(this).aborted;
    }
    get reason() {
      return this.aborted ? internals.get(this).reason : undefined;
    }
    throwIfAborted() {
      if (this.aborted) throw internals.get(this).reason;
    }
    addEventListener(type, listener, options) {
      if (type !== "abort" || listener == null) return;
      if (this === signal) native.listen();
      internals.get(this).listeners.add({ listener, once: Boolean(options && options.once) });
    }
    removeEventListener(type, listener) {
      const { listeners } = internals.get(this);
      for (const entry of listeners) if (entry.listener === listener) listeners.delete(entry);
    }
    static abort(reason) {
      const controller = new AbortController();
      controller.abort(reason);
      return controller.signal;
    }
    static timeout(ms) {
      const controller = new AbortController();
      setTimer(() => controller.abort(failure("TimeoutError", `the operation took longer than ${ms} ms`)), ms);
      return controller.signal;
    }
    static any(signals) {
      const controller = new AbortController();
      for (const one of signals) onAbort(one, (reason) => controller.abort(reason));
      return controller.signal;
    }
  }

  class AbortController {
    constructor() {
      this.signal = new AbortSignal(internals);
    }
    abort(reason) {
      abort(this.signal, reason === undefined ? failure("AbortError", "the operation was aborted") : reason);
    }
  }

  function abort(target, reason) {
    const state = internals.get(target);
    if (state.aborted) return;
    state.aborted = true;
    state.reason = reason;
    for (const hook of [...state.hooks]) hook(reason);
    state.hooks.clear();
    const event = { type: "abort", target };
    const called = [...state.listeners].map((entry) => entry.listener);
    if (typeof target.onabort === "function") called.push(target.onabort);
    for (const listener of called) {
      try {
        typeof listener === "function" ? listener.call(target, event) : listener.handleEvent(event);
      } catch (error) {
        native.log(4, "console", `an abort listener failed: ${show(error)}`);
      }
    }
  }

  // Calls `hook` when the signal aborts, at once if it has. Gives a function that takes the hook back.
  function onAbort(target, hook) {
    if (target.aborted) {
      hook(internals.get(target).reason);
      return () => {};
    }
    const { hooks } = internals.get(target);
    hooks.add(hook);
    return () => hooks.delete(hook);
  }

  const signal = new AbortSignal(internals);

  // Takes over a cancel that Rust has seen, also while a loop polls `aborted` and never awaits.
  function wake() {
    const reason = native.cancelled();
    if (reason !== undefined) abort(signal, failure("AbortError", reason));
  }

  // ---- timers ---------------------------------------------------------------------------------------------
  function setTimer(callback, ms) {
    const id = native.timer(Math.max(0, Number(ms) || 0));
    timers.set(id, callback);
    return id;
  }
  function clearTimer(id) {
    if (timers.delete(id)) native.untimer(id);
  }
  const intervals = new Map();

  define(globalThis, "setTimeout", (callback, ms, ...args) => setTimer(() => callback(...args), ms));
  define(globalThis, "clearTimeout", clearTimer);
  define(globalThis, "setInterval", (callback, ms, ...args) => {
    const again = () => {
      intervals.set(first, setTimer(again, ms));
      callback(...args);
    };
    const first = setTimer(again, ms);
    intervals.set(first, first);
    return first;
  });
  define(globalThis, "clearInterval", (id) => {
    clearTimer(intervals.get(id));
    intervals.delete(id);
  });
  define(globalThis, "AbortController", AbortController);
  define(globalThis, "AbortSignal", AbortSignal);

  function sleep(ms) {
    return new Promise((resolve, reject) => {
      const id = setTimer(() => { forget(); resolve(); }, ms);
      const forget = onAbort(signal, (reason) => { clearTimer(id); reject(reason); });
    });
  }

  // ---- log and console ------------------------------------------------------------------------------------
  const logger = (level) => (message, fields) => native.log(level, "", show(message), fieldsOf(fields));
  const print = (level) => (...values) => native.log(level, "console", values.map(show).join(" "));
  define(globalThis, "console", {
    trace: print(1), debug: print(1), log: print(2), info: print(2), dir: print(2), table: print(2),
    warn: print(3), error: print(4),
    assert: (condition, ...values) => { if (!condition) print(4)("assertion failed:", ...values); },
  });

  // ---- calls ----------------------------------------------------------------------------------------------
  function call(method, params) {
    return new Promise((resolve, reject) => {
      const refuse = (why) => refusal("InvalidValue", `${method} is refused: ${why}`);
      const id = native.call(clean(method), encode(params, "", refuse));
      pending.set(id, (ok, text) => {
        if (ok) return resolve(text === undefined || text === "" ? null : parse(text));
        const { kind, message, retryable } = parse(text);
        const error = failure(kind || "Error", message);
        if (typeof retryable === "boolean") error.retryable = retryable;
        reject(error);
      });
    });
  }
  function refusal(kind, message) {
    const error = failure(kind, message);
    error.retryable = false;
    return error;
  }
  function key(value, what) {
    if (typeof value !== "string" || value === "") throw new TypeError(`${what} needs a key that is a non-empty string`);
    return value;
  }

  function context() {
    const info = parse(native.info());
    let known;
    const about = () => (known ??= parse(native.context() || "{}") ?? {});
    const lazily = (name) => ({ get: () => about()[name] ?? null, enumerable: true });
    const ctx = {
      executionId: info.executionId,
      attempt: info.attempt,
      config: Object.freeze({
        get: async (name) => {
          const config = about().config;
          key(name, "config.get");
          return config && Object.hasOwn(config, name) ? config[name] : call("config.get", { key: name });
        },
      }),
      state: Object.freeze({
        get: async (name) => call("state.get", { key: key(name, "state.get") }),
        set: async (name, value) => {
          key(name, "state.set");
          await call("state.set", { key: name, value: value === undefined ? null : value });
        },
        delete: async (name) => { await call("state.delete", { key: key(name, "state.delete") }); },
      }),
      log: Object.freeze({ debug: logger(1), info: logger(2), warn: logger(3), error: logger(4) }),
      progress: (current, total, message) => {
        native.progress(count(current), count(total), message === undefined ? "" : show(message));
      },
      submit: async (workflow, params) => call("execution.submit", { workflow, params: params === undefined ? {} : params }),
      call: async (method, params) => call(method, params === undefined ? {} : params),
      signal,
      sleep,
      fetch: (...args) => globalThis.fetch(...args),
    };
    Object.defineProperties(ctx, {
      workflow: { get: () => about().workflow ?? { id: null, name: info.workflow }, enumerable: true },
      organization: lazily("organization"),
      caller: lazily("caller"),
      startup: lazily("startup"),
      traceparent: lazily("traceparent"),
    });
    return Object.freeze(ctx);
  }

  // ---- the result -----------------------------------------------------------------------------------------
  async function run(entry) {
    const unfit = native.unfit();
    if (unfit !== undefined) throw refusal("InvalidParameters", `the parameters are refused: ${unfit}`);
    const text = native.params();
    const result = await entry(text === "" ? {} : parse(text), context());
    return encode(result, "result", (why) => refusal("InvalidResult", `the result is refused: ${why}`));
  }
  function start(entry) {
    const result = run(entry);
    result.catch(() => {}); // Rust looks at it.
    return result;
  }

  // ---- rejections that nobody handles ---------------------------------------------------------------------
  const unhandled = new Map(); // promise -> reason
  function warnOfUnhandled() {
    for (const reason of [...unhandled.values()].slice(0, 5)) {
      native.log(3, "console", `a promise was rejected and nobody handled it: ${show(reason)}`);
    }
  }

  // ---- what is loaded on first use ------------------------------------------------------------------------
  let web;
  for (const name of ["fetch", "Headers", "Response", "URL", "URLSearchParams", "TextEncoder", "TextDecoder", "atob", "btoa"]) {
    Object.defineProperty(globalThis, name, {
      configurable: true,
      enumerable: false,
      get() {
        web ??= native.web()({ native, pending, signal, onAbort, failure, stringify, parse, define });
        define(globalThis, name, web[name]);
        return web[name];
      },
      set(value) { define(globalThis, name, value); },
    });
  }

  return {
    start,
    describe,
    wake,
    warnOfUnhandled,
    rejected(promise, reason, handled) {
      handled ? unhandled.delete(promise) : unhandled.set(promise, reason);
    },
    settle(id, ok, value, extra) {
      const answer = pending.get(id);
      pending.delete(id);
      if (answer) answer(ok, value, extra);
    },
    fire(id) {
      const callback = timers.get(id);
      timers.delete(id);
      if (callback) callback();
    },
  };
}
