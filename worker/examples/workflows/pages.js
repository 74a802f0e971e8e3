// Collects all records of an HTTP API that gives them page by page, and tries again when the server stumbles.
//
//   worker run pages --params '{"url": "http://127.0.0.1:8000/records", "limit": 50}'
//
// The API is expected to take ?offset=N&limit=M and to answer {"items": [...], "total": N}. Answers 429 and 5xx, and
// connections that fail, are tried again after a pause that doubles; other answers end the workflow with an error that
// says which page and why. `fetch` and `ctx.sleep` end by themselves when the execution is cancelled or out of time.
export default async function ({ url, limit = 100, attempts = 4, pause_ms = 200 }, ctx) {
  if (!url) throw new TypeError("the parameter url is missing");
  const records = [];
  let requests = 0;
  for (let total = Infinity; records.length < total; ) {
    const page = new URL(url);
    page.searchParams.set("offset", String(records.length));
    page.searchParams.set("limit", String(limit));
    const body = await getWithRetries(page, { attempts, pause_ms, onRequest: () => requests++ }, ctx);
    if (!Array.isArray(body.items)) throw new TypeError(`${page} gave no list of items`);
    total = body.total ?? records.length + body.items.length;
    records.push(...body.items);
    ctx.progress(records.length, total, `page at ${records.length - body.items.length}`);
    if (body.items.length === 0) break;
  }
  ctx.log.info("all pages read", { records: records.length, requests });
  return { count: records.length, requests, first: records[0] ?? null, last: records.at(-1) ?? null };
}

async function getWithRetries(url, { attempts, pause_ms, onRequest }, ctx) {
  for (let attempt = 1; ; attempt++) {
    let problem;
    try {
      onRequest();
      const response = await fetch(url, { headers: { accept: "application/json" } });
      if (response.ok) return await response.json();
      problem = new Error(`${url} answered ${response.status} ${response.statusText}`);
      if (response.status !== 429 && response.status < 500) throw problem;
    } catch (error) {
      if (error === problem || ctx.signal.aborted) throw error;
      problem = error;
    }
    if (attempt === attempts) throw new Error(`gave up on ${url} after ${attempts} attempts`, { cause: problem });
    const pause = pause_ms * 2 ** (attempt - 1);
    ctx.log.warn(`${problem.message}; trying again in ${pause} ms`, { attempt });
    await ctx.sleep(pause);
  }
}
