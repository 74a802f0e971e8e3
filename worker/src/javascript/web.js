// The subset of the web's functions that workflows get, loaded when one of them is first used.
export default function ({ native, pending, signal, onAbort, failure, stringify, parse }) {
  class TextEncoder {
    get encoding() { return "utf-8"; }
    encode(text = "") { return new Uint8Array(native.encode(String(text).toWellFormed())); }
  }

  function bytesOf(source) {
    if (source instanceof ArrayBuffer) return source;
    if (ArrayBuffer.isView(source)) return source.buffer.slice(source.byteOffset, source.byteOffset + source.byteLength);
    throw new TypeError("expected an ArrayBuffer or a view of one");
  }

  class TextDecoder {
    #fatal;
    constructor(label = "utf-8", options = {}) {
      if (!/^utf-?8$/i.test(label)) throw new RangeError(`TextDecoder knows utf-8 only, not ${label}`);
      this.#fatal = Boolean(options.fatal);
    }
    get encoding() { return "utf-8"; }
    decode(source) { return source === undefined ? "" : native.decode(bytesOf(source), this.#fatal); }
  }

  class Headers {
    #entries = new Map();
    constructor(init) {
      if (init instanceof Headers) init = [...init];
      if (init) for (const [name, value] of Array.isArray(init) ? init : Object.entries(init)) this.append(name, value);
    }
    append(name, value) {
      const key = String(name).toLowerCase();
      const before = this.#entries.get(key);
      this.#entries.set(key, before === undefined ? String(value) : `${before}, ${value}`);
    }
    set(name, value) { this.#entries.set(String(name).toLowerCase(), String(value)); }
    get(name) { return this.#entries.get(String(name).toLowerCase()) ?? null; }
    has(name) { return this.#entries.has(String(name).toLowerCase()); }
    delete(name) { this.#entries.delete(String(name).toLowerCase()); }
    forEach(callback) { for (const [name, value] of this) callback(value, name, this); }
    entries() { return [...this.#entries].sort((a, b) => (a[0] < b[0] ? -1 : 1))[Symbol.iterator](); }
    *keys() { for (const [name] of this) yield name; }
    *values() { for (const [, value] of this) yield value; }
    [Symbol.iterator]() { return this.entries(); }
  }

  class Response {
    #body;
    #used = false;
    constructor(body, { status = 200, statusText = "", headers, url = "", redirected = false } = {}) {
      this.#body = typeof body === "string" ? native.encode(body.toWellFormed()) : body ?? new ArrayBuffer(0);
      Object.assign(this, { status, statusText, url, redirected, headers: new Headers(headers) });
    }
    get ok() { return this.status >= 200 && this.status < 300; }
    get bodyUsed() { return this.#used; }
    #take() {
      if (this.#used) throw new TypeError("the body of this response was read already");
      this.#used = true;
      return this.#body;
    }
    async arrayBuffer() { return this.#take(); }
    async bytes() { return new Uint8Array(this.#take()); }
    async text() { return native.decode(this.#take(), false); }
    async json() {
      const text = native.decode(this.#take(), false);
      try {
        return parse(text);
      } catch (error) {
        throw new SyntaxError(`the answer of ${this.url} (status ${this.status}) is not JSON: ${text.slice(0, 100)}`, { cause: error });
      }
    }
  }

  function bodyOf(body, headers) {
    if (body === undefined || body === null) return undefined;
    const typed = (type) => { if (!headers.has("content-type")) headers.set("content-type", type); };
    if (body instanceof URLSearchParams) {
      typed("application/x-www-form-urlencoded;charset=UTF-8");
      return native.encode(body.toString().toWellFormed());
    }
    if (body instanceof ArrayBuffer || ArrayBuffer.isView(body)) return bytesOf(body);
    if (typeof body === "object") throw new TypeError("the body of a fetch is a string or bytes; use JSON.stringify for an object");
    typed("text/plain;charset=UTF-8");
    return native.encode(String(body).toWellFormed());
  }

  function fetch(resource, options = {}) {
    return new Promise((resolve, reject) => {
      const url = String(resource && resource.href !== undefined ? resource.href : resource);
      const headers = new Headers(options.headers);
      const method = String(options.method ?? "GET").toUpperCase();
      const body = bodyOf(options.body, headers);
      if (body !== undefined && (method === "GET" || method === "HEAD")) throw new TypeError(`a ${method} request has no body`);
      const redirect = options.redirect ?? "follow";
      const watched = options.signal ? [signal, options.signal] : [signal];
      for (const one of watched) one.throwIfAborted();
      const id = native.fetch(stringify({ url, method, headers: [...headers], redirect }), body);
      const forget = watched.map((one) => onAbort(one, (reason) => {
        if (!pending.delete(id)) return;
        native.unfetch(id);
        reject(reason);
      }));
      pending.set(id, (ok, value, extra) => {
        for (const each of forget) each();
        if (ok) return resolve(new Response(extra, parse(value)));
        const { kind, message } = parse(value);
        reject(kind === "TypeError" ? new TypeError(message) : failure(kind, message));
      });
    });
  }

  class URLSearchParams {
    #pairs = [];
    #changed;
    constructor(init = "", changed = () => {}) {
      this.#changed = changed;
      if (typeof init === "string") {
        const plain = (text) => {
          try { return decodeURIComponent(text.replace(/\+/g, " ")); } catch { return text; }
        };
        for (const part of init.replace(/^\?/, "").split("&")) {
          if (!part) continue;
          const at = part.indexOf("=");
          this.#pairs.push(at < 0 ? [plain(part), ""] : [plain(part.slice(0, at)), plain(part.slice(at + 1))]);
        }
      } else {
        const pairs = init[Symbol.iterator] ? [...init] : Object.entries(init);
        this.#pairs = pairs.map(([name, value]) => [String(name), String(value)]);
      }
    }
    append(name, value) { this.#pairs.push([String(name), String(value)]); this.#changed(); }
    set(name, value) {
      const at = this.#pairs.findIndex(([each]) => each === name);
      this.#pairs = this.#pairs.filter(([each], index) => each !== name || index === at);
      if (at < 0) this.#pairs.push([String(name), String(value)]);
      else this.#pairs[at] = [String(name), String(value)];
      this.#changed();
    }
    delete(name) { this.#pairs = this.#pairs.filter(([each]) => each !== name); this.#changed(); }
    get(name) { return this.#pairs.find(([each]) => each === name)?.[1] ?? null; }
    getAll(name) { return this.#pairs.filter(([each]) => each === name).map(([, value]) => value); }
    has(name) { return this.#pairs.some(([each]) => each === name); }
    forEach(callback) { for (const [name, value] of this) callback(value, name, this); }
    entries() { return this.#pairs.map((pair) => [...pair])[Symbol.iterator](); }
    [Symbol.iterator]() { return this.entries(); }
    toString() {
      const coded = (text) => encodeURIComponent(text).replace(/%20/g, "+").replace(/[!'()~]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);
      return this.#pairs.map(([name, value]) => `${coded(name)}=${coded(value)}`).join("&");
    }
  }

  // Absolute http(s) addresses and what is relative to them; no more is needed to build a request.
  class URL {
    constructor(text, base) {
      let full = String(text).trim();
      if (!/^[a-z][a-z0-9+.-]*:/i.test(full)) {
        if (base === undefined) throw new TypeError(`${JSON.stringify(full)} is not an absolute URL`);
        const from = new URL(base);
        const root = from.href.slice(0, from.href.indexOf("/", from.protocol.length + 2));
        if (full.startsWith("//")) full = from.protocol + full;
        else if (full.startsWith("/")) full = root + full;
        else if (full.startsWith("?")) full = root + from.pathname + full;
        else if (full.startsWith("#")) full = root + from.pathname + from.search + full;
        else full = root + from.pathname.replace(/[^/]*$/, "") + full;
      }
      const match = /^([a-z][a-z0-9+.-]*:)\/\/(?:([^/?#@]*)@)?(\[[^\]]*\]|[^/?#:]*)(?::(\d*))?([^?#]*)(\?[^#]*)?(#.*)?$/i.exec(full);
      if (!match) throw new TypeError(`${JSON.stringify(full)} is not a URL with a host`);
      const [, protocol, user = "", hostname, port = "", path, search = "", hash = ""] = match;
      const usual = { "http:": "80", "https:": "443" }[protocol.toLowerCase()];
      this.protocol = protocol.toLowerCase();
      [this.username, this.password = ""] = user.split(":");
      this.hostname = hostname.toLowerCase();
      this.port = port === usual ? "" : port;
      const parts = [];
      for (const part of path.split("/").slice(1)) {
        if (part === "..") parts.pop();
        else if (part !== ".") parts.push(part);
      }
      if (/\/\.{1,2}$/.test(path)) parts.push("");
      this.pathname = "/" + parts.map((part) => part.replace(/[^\x21-\x7e]|["<>`{}]/gu, encodeURIComponent)).join("/");
      this.search = search === "?" ? "" : search.replace(/[^\x21-\x7e]|["<>]/gu, encodeURIComponent);
      this.hash = hash;
      Object.defineProperty(this, "searchParams", {
        value: new URLSearchParams(this.search, () => {
          const query = this.searchParams.toString();
          this.search = query ? `?${query}` : "";
        }),
      });
    }
    get host() { return this.hostname + (this.port ? `:${this.port}` : ""); }
    get origin() { return `${this.protocol}//${this.host}`; }
    get href() {
      const user = this.username ? `${this.username}${this.password ? `:${this.password}` : ""}@` : "";
      return `${this.protocol}//${user}${this.host}${this.pathname}${this.search}${this.hash}`;
    }
    toString() { return this.href; }
    toJSON() { return this.href; }
  }

  const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  function btoa(text) {
    let out = "";
    const codes = [...String(text)].map((c) => c.charCodeAt(0));
    if (codes.some((code) => code > 255)) throw failure("InvalidCharacterError", "btoa takes characters up to U+00FF only");
    for (let at = 0; at < codes.length; at += 3) {
      const bits = (codes[at] << 16) | ((codes[at + 1] ?? 0) << 8) | (codes[at + 2] ?? 0);
      for (let index = 0; index < 4; index++) {
        out += at + index > codes.length ? "=" : alphabet[(bits >> (18 - 6 * index)) & 63];
      }
    }
    return out;
  }
  function atob(text) {
    let out = "";
    let bits = 0;
    let count = 0;
    for (const c of String(text).replace(/[\s=]/g, "")) {
      const value = alphabet.indexOf(c);
      if (value < 0) throw failure("InvalidCharacterError", "atob was given text that is not base64");
      bits = ((bits << 6) | value) & 0xffffff;
      count += 6;
      if (count >= 8) {
        count -= 8;
        out += String.fromCharCode((bits >> count) & 255);
      }
    }
    return out;
  }

  return { fetch, Headers, Response, URL, URLSearchParams, TextEncoder, TextDecoder, atob, btoa };
}
