// A small web application: it submits executions, and shows results and logs. `node web.js [PORT]`
//
//     curl -X POST localhost:8080/executions/greet -d '{"name": "Ada"}'    the id of an execution that was submitted
//     curl localhost:8080/executions/ID                                    its result; 202 while it runs
//     curl localhost:8080/executions/ID/logs                               its log as it grows
//     curl -X DELETE localhost:8080/executions/ID                          cancels it

import { createServer } from "node:http";
import { text } from "node:stream/consumers";

import { Client, ExecutionError, InvalidRequest, MusterUnavailable, NotFinished, NotFound } from "muster-client";

const client = new Client({ patienceMs: 10_000 });

const statusOf = (error) => {
  if (error instanceof NotFinished) return 202;
  if (error instanceof InvalidRequest || error instanceof SyntaxError) return 400;
  if (error instanceof NotFound) return 404;
  if (error instanceof MusterUnavailable) return 503;
  return error instanceof ExecutionError ? 502 : 500;
};

async function answer(request, response) {
  const [, kind, id, what] = new URL(request.url, "http://here").pathname.split("/");
  const send = (status, value) => response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(value) + "\n");
  try {
    if (kind !== "executions" || !id) send(404, { error: "see the top of web.js" });
    else if (request.method === "POST") send(201, { id: (await client.submit(id, JSON.parse((await text(request)) || "{}"))).id });
    else if (request.method === "DELETE") send(200, await client.cancel(id));
    else if (what === "logs") {
      const gone = new AbortController();
      response.once("close", () => gone.abort());
      for await (const line of client.logs(id, { follow: true, signal: gone.signal })) response.write(`${line.level} ${line.message}\n`);
      response.end();
    } else send(200, { result: await client.result(id, { timeoutMs: 2_000 }) });
  } catch (error) {
    if (response.headersSent || response.destroyed) response.end();
    else send(statusOf(error), { error: error.message });
  }
}

const server = createServer(answer).listen(Number(process.argv[2] ?? 8080), "127.0.0.1", () => {
  const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
  console.log(`http://127.0.0.1:${port}`);
});
