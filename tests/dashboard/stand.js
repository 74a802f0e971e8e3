// A real supervisor on the embedded store, with data of each kind that the dashboard shows.

import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { createServer as createSocketServer, connect } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

export const REPOSITORY = resolve(import.meta.dirname, "../..");
const READY_MS = 60_000;

/** A binary as `cargo build --workspace --bins` leaves it. */
function binary(name) {
  const found = resolve(REPOSITORY, process.env.CARGO_TARGET_DIR ?? "target", "debug", name);
  assert(existsSync(found), `${found} is not built: run \`cargo build --workspace --bins\` first, as scripts/test does`);
  return found;
}

/** Waits until it gives something, with a deadline. */
export async function eventually(what, ask) {
  const end = Date.now() + READY_MS;
  for (;;) {
    const given = await ask();
    if (given) return given;
    assert(Date.now() < end, what);
    await sleep(50);
  }
}

async function freePort() {
  for (let port = 20_000 + (process.pid % 8_000); port < 32_000; port++) {
    const server = createSocketServer();
    const isFree = await new Promise(done => {
      server.once("error", () => done(false));
      server.listen(port, "127.0.0.1", () => server.close(() => done(true)));
    });
    if (isFree) return port;
  }
  throw new Error("no port is free");
}

/** What supervisors would have noted of the last week, at the place of the file's own clock: nobody waits a week for a test. */
const NOTED = `
import json, math, sqlite3, sys, time, uuid
file, acme, globex = sys.argv[1:]
database = sqlite3.connect(file, timeout=30)
now, supervisor = int(time.time()), str(uuid.uuid4())
for minutes, count in ((1, 60), (15, 672)):
    seconds = minutes * 60
    for step in range(1, count):
        begins = (now // seconds - step) * seconds
        if begins % 14400 < seconds and minutes == 15:
            continue
        wave = 1 + math.sin(begins / 3000)
        figures = {
            "ended": {"SUCCESS": int(40 * wave * minutes), "FAILED": int(6 * minutes * (begins // 900 % 5 == 0)), "TIMEOUT": minutes, "CANCELLED": minutes // 3},
            "ran": {"36": int(30 * wave) + 1, "44": 4}, "waited": {"12": 30, "20": int(3 * wave)},
            "worked_seconds": {acme: 30 * wave * minutes, globex: 12 * minutes, "none": 8 * minutes},
            "running": 3, "waiting": int(20 * wave), "workers": 3, "oldest_wait_seconds": 2 * wave,
        }
        database.execute("INSERT INTO supervisor_figures VALUES (?, ?, ?, ?)", (supervisor, minutes, begins * 1_000_000, json.dumps(figures)))
database.commit()
`;

const SERVICES = ["scripts/services", ["--set", `dashboard-${process.pid}`]];
const services = (...command) => execFileSync(join(REPOSITORY, SERVICES[0]), [...SERVICES[1], ...command], { encoding: "utf8" });

const WORKFLOWS = {
  "billing.py": `"""Invoices and cards."""
import time
from typing import Literal, Optional
from muster_worker import context, workflow


class CardDeclined(Exception):
    retryable = False


@workflow(name="billing/charge", timeout=30)
def charge(amount: float, currency: Literal["EUR", "USD"] = "EUR", note: Optional[str] = None) -> dict:
    """Charges a card, and says so."""
    context.log.info("charging", amount=amount, currency=currency)
    if amount > 100:
        context.log.warn("above the limit", limit=100)
        raise CardDeclined(f"{amount:.2f} is above the limit of 100.00; ask for a smaller amount")
    return {"charged": amount, "currency": currency, "note": note}


@workflow(name="billing/report", max_concurrent=2, limits=["crm"])
def report(seconds: float = 60.0, lines: int = 3) -> dict:
    """Writes the report of a night."""
    for line in range(lines):
        context.log.info(f"page {line + 1} of {lines}")
        context.progress(line + 1, lines, "pages")
        time.sleep(seconds / lines)
    return {"pages": lines}
`,
  "greet.py": `from muster_worker import context, workflow


@workflow
def greet(name: str = "world", times: int = 1, loud: bool = False) -> dict:
    """The smallest workflow."""
    context.log.info("greeting", name=name)
    return {"greeting": f"Hello, {name}!" * times, "numbers": [9007199254740993, 1.5]}
`,
};

/** The supervisor, its address with the token, and what it was asked for. */
export class Stand {
  /** Without `broker` there is no RabbitMQ, and nothing of it to be shown. */
  async start({ broker = true } = {}) {
    this.folder = mkdtempSync(join(tmpdir(), "muster-dashboard-"));
    mkdirSync(join(this.folder, "workflows"));
    for (const [file, text] of Object.entries(WORKFLOWS)) writeFileSync(join(this.folder, "workflows", file), text);
    writeFileSync(join(this.folder, "workflows", "broken.py"), "import nothing_of_this_name\n");
    this.receiver = createServer((request, answer) => { request.resume(); answer.statusCode = request.url === "/no" ? 500 : 204; answer.end(); }).listen(0, "127.0.0.1");
    await once(this.receiver, "listening");
    if (broker) {
      services("start");
      this.amqp = /MUSTER_AMQP_URL='?([^'\s]+)/.exec(services("env"))[1];
    }
    const port = await freePort(), settings = {
      workflows_dir: join(this.folder, "workflows"), data_dir: join(this.folder, "data"), http_bind: `127.0.0.1:${port}`,
      worker_command: "python3 -m muster_worker", worker_env: "PYTHONPATH", min_workers: 2, max_workers: 3, graceful_shutdown_seconds: 1,
      webhook_allow_private: true, secret_key: "", ...(broker && { amqp_url: this.amqp }), queues: "workflow-executions mail",
    };
    const { stdout } = spawn(binary("supervisor"), ["secret", "key"]);
    settings.secret_key = String((await once(stdout, "data"))[0]).trim().split(/\s/).at(-1).replace(/^MUSTER_SECRET_KEY=/, "");
    this.url = `http://127.0.0.1:${port}`;
    const named = Object.entries(settings).map(([key, value]) => [`MUSTER_${key.toUpperCase()}`, String(value)]);
    const own = Object.entries(process.env).filter(([name]) => !name.startsWith("MUSTER_"));
    const log = openSync(join(this.folder, "supervisor.log"), "a");
    this.process = spawn(binary("supervisor"), ["run"], {
      cwd: this.folder, env: { ...Object.fromEntries(own), PYTHONPATH: join(REPOSITORY, "worker/python"), ...Object.fromEntries(named) }, stdio: ["ignore", log, log],
    });
    await eventually(`the supervisor is ready: ${this.folder}`, async () => {
      assert(this.process.exitCode === null, this.log);
      return (await fetch(`${this.url}/readyz`).catch(() => null))?.status === 200;
    });
    this.token = readFileSync(join(this.folder, "data/http_token"), "utf8").trim();
  }

  get log() { return readFileSync(join(this.folder, "supervisor.log"), "utf8"); }

  async ask(method, path, body, token = this.token) {
    const answer = await fetch(`${this.url}/${path}`, { method, headers: { authorization: `Bearer ${token}` }, body: body && JSON.stringify(body) });
    const text = await answer.text();
    assert(answer.ok, `${method} ${path}: ${text}`);
    return JSON.parse(text);
  }

  submit(workflow, parameters, more = {}) { return this.ask("POST", "api/executions", { workflow, parameters, ...more }); }

  /** Something of each kind. */
  async fill() {
    const hooks = `http://127.0.0.1:${this.receiver.address().port}`;
    await this.ask("PUT", "api/organizations/acme", { name: "Acme Ltd", weight: 2 });
    await this.ask("PUT", "api/organizations/globex", { name: "Globex" });
    await this.ask("PUT", "api/limits/crm", { total: 3, per_key: 2 });
    await this.ask("PUT", "api/limits/mail", { rate: "100/60s" });
    await this.ask("PUT", "api/variables/api_url", { value: "https://api.example.com" });
    await this.ask("PUT", "api/variables/page_size?organization=acme", { value: { rows: 50, columns: ["a", "b"] } });
    await this.ask("PUT", "api/secrets/crm_password", { value: "a secret that is never shown" });
    for (const name of ["ops", "pager"]) await this.ask("PUT", `api/secrets/webhook.${name}`, { value: `whsec_${Buffer.alloc(24, name).toString("base64")}` });
    await this.ask("PUT", "api/webhooks/ops", { url: `${hooks}/yes`, events: ["FAILED", "TIMEOUT"] });
    await this.ask("PUT", "api/webhooks/pager", { url: `${hooks}/no`, events: ["FAILED"], workflows: ["billing/charge"] });
    await this.ask("PUT", "api/workflows/billing%2Fcharge", { timeout_seconds: 20, max_attempts: 3 });
    await this.ask("PUT", "api/schedules/nightly", { workflow: "billing/report", cron: "30 2 * * *", time_zone: "Europe/Berlin", organization: "acme", parameters: { seconds: 1 } });
    await this.ask("PUT", "api/schedules/quarterly", { workflow: "greet", cron: "*/15 * * * 1-5", overlap: "queue" });
    await this.ask("PUT", "api/schedules/retired", { workflow: "greet", cron: "@daily", is_paused: true });
    const { organizations } = await this.ask("GET", "api/organizations"), [acme, globex] = ["acme", "globex"].map(key => organizations.find(one => one.key === key).id);
    execFileSync("python3", ["-c", NOTED, join(this.folder, "data/muster.db"), acme, globex]);
    await this.publish("workflow-executions", "nonsense", JSON.stringify({ execution_id: "0198aa00-0000-7000-8000-000000000001", workflow: 3, parameters: { "amount": 12 } }));
    for (let one = 0; one < 12; one++) await this.submit("greet", { name: `number ${one}` }, one % 3 ? {} : { organization_id: acme });
    for (const amount of [20, 50, 400]) await this.submit("billing/charge", { amount });
    await this.submit("greet", { name: "later" }, { queue: "reports" });
    const over = async () => (await this.ask("GET", "api/executions?status=FAILED")).executions.length >= 1 && (await this.ask("GET", "api/executions?status=SUCCESS")).executions.length >= 14;
    await eventually("what was submitted is over", over);
    await eventually("the webhook was told", async () => (await this.ask("GET", "api/deliveries?state=delivered")).deliveries.length >= 1);
    await this.ask("POST", "api/schedules/quarterly/run");
    for (let one = 0; one < 4; one++) this.running = await this.submit("billing/report", { seconds: 600, lines: 20 }, { organization_id: acme });
    await eventually("two of them run", async () => (await this.ask("GET", "api/executions?status=RUNNING")).executions.length >= 2);
  }

  /** Puts messages into a queue, as they are; they are the broker's when it returns. */
  async publish(queue, ...messages) {
    const connection = await createRequire(join(REPOSITORY, "target/dashboard/"))("amqplib").connect(this.amqp), channel = await connection.createConfirmChannel();
    for (const message of messages) channel.sendToQueue(queue, Buffer.from(message), { persistent: true });
    await channel.waitForConfirms();
    await connection.close();
  }

  async stop() {
    this.receiver.close();
    if (this.process.exitCode === null) {
      const ended = once(this.process, "exit");
      this.process.kill("SIGTERM");
      const insist = setTimeout(() => this.process.kill("SIGKILL"), 30_000);
      await ended;
      clearTimeout(insist);
    }
    if (this.amqp) services("stop");
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** A proxy that shows the supervisor below a path of its own, as one in front of several services does. */
export async function below(path, url) {
  const target = new URL(url), stripped = asked => asked.startsWith(`${path}/`) ? asked.slice(path.length) : null;
  const bytesOf = (request, place) => `${request.method} ${place} HTTP/1.1\r\n${request.rawHeaders.reduce((text, word, at) => text + word + (at % 2 ? "\r\n" : ": "), "")}\r\n`;
  const server = createServer(async (request, answer) => {
    const place = stripped(request.url);
    if (place === null) { answer.statusCode = 404; answer.end(); return; }
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    const { connection: _, "transfer-encoding": __, host: ___, origin, ...headers } = request.headers;
    const body = chunks.length ? Buffer.concat(chunks) : undefined;
    const got = await fetch(new URL(place, target), { method: request.method, headers: { ...headers, ...(origin && { origin: target.origin }) }, body });
    answer.writeHead(got.status, Object.fromEntries([...got.headers].filter(([name]) => !/^(content-length|transfer-encoding|connection|content-encoding)$/.test(name))));
    answer.end(Buffer.from(await got.arrayBuffer()));
  });
  server.on("upgrade", (request, socket) => {
    const there = connect(Number(target.port), target.hostname, () => there.write(bytesOf(request, stripped(request.url))));
    socket.pipe(there).pipe(socket);
    for (const end of [socket, there]) end.on("error", () => { socket.destroy(); there.destroy(); });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return { url: `http://127.0.0.1:${server.address().port}${path}`, close: () => server.close() };
}
