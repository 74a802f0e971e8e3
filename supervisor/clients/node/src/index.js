// Submit Muster executions from a Node application and wait for their results.
//
//     import { Client } from "muster-client";
//
//     const client = new Client();
//     console.log(await client.submit("greet", { name: "Ada" }).result({ timeoutMs: 30_000 }));

export { Client } from "./client.js";
export {
  Conflict,
  ExecutionCancelled,
  ExecutionError,
  ExecutionFailed,
  ExecutionTimeout,
  Forbidden,
  IdempotencyKeyReused,
  InvalidRequest,
  LimitReached,
  MusterError,
  MusterUnavailable,
  NotFinished,
  NotFound,
  SubmitManyFailed,
  Unauthorized,
  UnexpectedAnswer,
} from "./errors.js";
export { VERSION } from "./version.js";
