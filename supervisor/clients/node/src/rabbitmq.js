// Submitting through RabbitMQ: the message goes to the broker, and its result is asked of a supervisor by the id that was chosen here.
//
//     import { Publisher } from "muster-client/rabbitmq";
//
//     const publisher = new Publisher({ url: "amqp://..." });
//     const handle = await publisher.submit("greet", { name: "Ada" });
//     console.log(await handle.result({ timeoutMs: 30_000 }));
//
// A submission resolves when the broker has said that it keeps the message. One that has to be repeated is the same execution. What
// is wrong with parameters is not told here, as over HTTP: the execution is FAILED `InvalidParameters`.

import { setTimeout as sleep } from "node:timers/promises";

import { Client } from "./client.js";
import { InvalidRequest, MusterUnavailable, NotFound, Unauthorized, outcomeError } from "./errors.js";
import { Submitted } from "./handles.js";
import { known } from "./known.js";
import { request } from "./options.js";
import { PAUSE_MS } from "./transport.js";

const DEFAULT_QUEUE = "workflow-executions";
const PUBLISHER_OPTIONS = ["url", "client", "queue", "patienceMs"];
const PAUSE_MAX_MS = 2_000;
/** A name, so that who reads the sources need not have the library. */
const LIBRARY = "amqplib";

/** An execution whose message was published. It has a row as soon as a supervisor has taken the message in. */
class Published extends Submitted {
  #client;

  constructor(client, id) {
    super(client, id);
    this.#client = client;
  }

  wait(options) {
    return this.#client.waitForPublished(this.id, options);
  }

  async result(options) {
    const row = await this.wait(options);
    if (row.status !== "SUCCESS") throw outcomeError(row);
    return row.result;
  }

  async *logs(options) {
    if (options?.follow) await this.#client.untilTakenIn(this.id, { signal: options.signal });
    yield* this.#client.logs(this.id, options);
  }
}

/** Submits through RabbitMQ, with a connection of its own. */
export class Publisher {
  #url;
  #shown;
  #client;
  #queue;
  #patienceMs;
  /** A promise of the connection and its channel, or null. */
  #opened = null;

  /** @param {import("./rabbitmq.js").PublisherOptions} [options] */
  constructor(options) {
    const { url, client, queue = DEFAULT_QUEUE, patienceMs = 30_000 } = known("new Publisher", options, PUBLISHER_OPTIONS);
    const found = url ?? process.env.MUSTER_AMQP_URL;
    if (!found || !URL.canParse(found)) {
      throw new TypeError("the address of RabbitMQ is new Publisher({ url }) or MUSTER_AMQP_URL, as in amqp://user:password@host:5672/%2f");
    }
    const { protocol, host, pathname } = new URL(found);
    this.#url = found;
    // Without a password.
    this.#shown = `${protocol}//${host}${pathname}`;
    this.#client = client ?? new Client();
    this.#queue = queue;
    this.#patienceMs = patienceMs;
  }

  /** @param {import("./index.js").SubmitOptions} [options] */
  async submit(workflow, parameters = {}, options = {}) {
    const { executionId, body } = request(workflow, parameters, options);
    await this.#publish(options.queue ?? this.#queue, executionId, Buffer.from(body));
    return new Published(this.#client, executionId);
  }

  /** @param {import("./index.js").SubmitOptions} [options] */
  async submitMany(workflow, parameters, options = {}) {
    for (const name of ["executionId", "idempotencyKey"]) {
      if (!options[name]) continue;
      const problem = `${name}: each of many has one of its own; submit one by one to choose them`;
      throw new InvalidRequest(problem, [problem]);
    }
    return Promise.all(Array.from(parameters, (one) => this.submit(workflow, one, options)));
  }

  async close() {
    const opened = this.#opened;
    this.#opened = null;
    await opened?.then(({ connection }) => connection.close()).catch(() => {});
  }

  async #publish(queue, executionId, body) {
    const [began, publishedAt] = [performance.now(), Date.now()];
    for (let pause = PAUSE_MS; ; pause = Math.min(pause * 2, PAUSE_MAX_MS)) {
      const opened = (this.#opened ??= this.#open());
      try {
        const { connection, channel, returned } = await opened;
        await confirmed({ connection, channel }, queue, executionId, publishedAt, body);
        if (!returned.delete(executionId)) return;
      } catch (error) {
        // A broker that is gone: it is a new connection that takes the message.
        if (this.#opened === opened) this.#opened = null;
        opened.then(({ connection }) => connection.close()).catch(() => {});
        if (error.code === "ERR_MODULE_NOT_FOUND") {
          throw new Error(`publishing to RabbitMQ needs ${LIBRARY}: npm install ${LIBRARY}`, { cause: error });
        }
        if (/ACCESS[_-]REFUSED|403/.test(error.message)) {
          throw new Unauthorized(`RabbitMQ at ${this.#shown} lets nobody in with this name and password: ${error.message}`, { cause: error });
        }
        const away = performance.now() - began;
        if (away >= this.#patienceMs) {
          const reason = error.message || error.code;
          throw new MusterUnavailable(
            `RabbitMQ does not take messages at ${this.#shown} (${reason}), asked for ${Math.round(away / 1000)} s: start it, or name another with ` +
              "new Publisher({ url }) or MUSTER_AMQP_URL",
            { cause: error },
          );
        }
        await sleep(Math.min(pause * (0.5 + Math.random()), this.#patienceMs - away + 10));
        continue;
      }
      throw new NotFound(
        `RabbitMQ at ${this.#shown} has no queue ${JSON.stringify(queue)}: a supervisor makes it that has amqp_url and serves it (settings queue, queues)`,
      );
    }
  }

  async #open() {
    const library = await import(LIBRARY);
    const connection = await (library.connect ?? library.default.connect)(this.#url);
    // Without a listener an error of the connection ends the process. Each publish hears of it by the close.
    connection.on("error", () => {});
    const channel = await connection.createConfirmChannel();
    channel.on("error", () => {});
    const returned = new Set();
    channel.on("return", ({ properties }) => returned.add(properties.messageId));
    const opened = this.#opened;
    connection.once("close", () => {
      if (this.#opened === opened) this.#opened = null;
    });
    return { connection, channel, returned };
  }
}

/** Resolves when the broker keeps the message or has given it back. */
function confirmed({ connection, channel }, queue, messageId, publishedAt, body) {
  // The property of AMQP has whole seconds, the header milliseconds.
  const published = { timestamp: Math.floor(publishedAt / 1000), headers: { timestamp_in_ms: publishedAt } };
  const properties = { persistent: true, mandatory: true, contentType: "application/json", messageId, ...published };
  return new Promise((resolve, reject) => {
    const closed = () => reject(new Error("the connection was closed"));
    connection.once("close", closed);
    const done = (error) => {
      connection.removeListener("close", closed);
      if (error) reject(error);
      else resolve(undefined);
    };
    try {
      channel.publish("", queue, body, properties, done);
    } catch (error) {
      done(error);
    }
  });
}
