// One execution, held by its id.

/** An execution that was submitted. */
export class Submitted {
  #client;

  constructor(client, id, existing = false, pausedBy = []) {
    this.#client = client;
    this.id = id;
    this.existing = existing;
    this.pausedBy = pausedBy;
  }

  result(options) {
    return this.#client.result(this.id, options);
  }

  wait(options) {
    return this.#client.wait(this.id, options);
  }

  get() {
    return this.#client.get(this.id);
  }

  logs(options) {
    return this.#client.logs(this.id, options);
  }

  explain() {
    return this.#client.explain(this.id);
  }

  cancel() {
    return this.#client.cancel(this.id);
  }

  retry() {
    return this.#client.retry(this.id);
  }
}

/**
 * An execution that is being submitted. `await` it for the handle of one that was accepted, or ask for its result at once.
 * It is a promise, so a refusal that nobody waits for is an unhandled rejection.
 */
export class Submission {
  #accepted;

  constructor(client, id, accepted) {
    this.id = id;
    this.#accepted = accepted.then((told) => new Submitted(client, told.id, told.existing, told.pausedBy));
  }

  get [Symbol.toStringTag]() {
    return "Submission";
  }

  /** @type {Promise<Submitted>["then"]} */
  then(onAccepted, onRefused) {
    return this.#accepted.then(onAccepted, onRefused);
  }

  catch(onRefused) {
    return this.#accepted.catch(onRefused);
  }

  finally(after) {
    return this.#accepted.finally(after);
  }

  async result(options) {
    return (await this.#accepted).result(options);
  }

  async wait(options) {
    return (await this.#accepted).wait(options);
  }

  async get() {
    return (await this.#accepted).get();
  }

  async *logs(options) {
    yield* (await this.#accepted).logs(options);
  }

  async explain() {
    return (await this.#accepted).explain();
  }

  async cancel() {
    return (await this.#accepted).cancel();
  }
}
