// The supervisor's stand-in for `run`, and for `replay` past its recording: configuration from the command line, state in
// memory.

import { randomUUID } from "node:crypto";
import { say, showLog, showProgress } from "./screen.js";
import { parse, write } from "../values.js";

export class Memory {
  log = showLog;
  progress = showProgress;
  #config;
  #state;

  constructor(config, state) {
    this.#config = config;
    this.#state = state;
  }

  call(method, params) {
    switch (method) {
      case "config.get":
        return ok(this.#config.get(params.key));
      case "state.get":
        return ok(this.#state.get(params.key));
      case "state.set":
        this.#state.set(params.key, params.value);
        return ok(null);
      case "state.delete":
        this.#state.delete(params.key);
        return ok(null);
      case "execution.submit":
        say(`submit ${params.workflow} ${write(params.params)} (not run here)`);
        return ok({ execution_id: randomUUID() });
      default:
        return { type: "Err", error: { kind: "UnknownMethod", message: `there is no method ${method}` } };
    }
  }

  /** What a supervisor answered, and what it was told, counts here too. */
  remember(method, params, result) {
    if (result.type !== "Ok") return;
    if (method === "state.get") this.#state.set(params.key, result.value ? parse(result.value) : null);
    if (method === "state.set") this.#state.set(params.key, params.value);
    if (method === "state.delete") this.#state.delete(params.key);
  }
}

function ok(value) {
  return { type: "Ok", value: write(value ?? null) };
}
