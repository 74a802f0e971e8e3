// What may be said of a submission beside its workflow and parameters.

import { InvalidRequest } from "./errors.js";
import { encode, newId } from "./values.js";

/** The options by their names here and in a request. */
const FIELDS = {
  timeout: "timeout_seconds",
  priority: "priority",
  queue: "queue",
  limits: "limits",
  runAt: "run_at",
  delay: "delay_seconds",
  expiresAt: "expires_at",
  expires: "expires_seconds",
  maxAttempts: "max_attempts",
  retryBackoff: "retry_backoff_seconds",
  retry: "retry",
  webhook: "webhook",
  organization: "organization_id",
  idempotencyKey: "idempotency_key",
  idempotency: "idempotency_seconds",
  executionId: "execution_id",
  caller: "caller",
  startup: "startup",
  formId: "form_id",
  apiKeyId: "api_key_id",
  traceparent: "traceparent",
};

/** The execution's id and the body that asks for it. The id is made here, so that the same question twice is one execution. */
export function request(workflow, parameters, options) {
  const problems = Object.keys(options)
    .filter((name) => !(name in FIELDS))
    .map((name) => `${name}: is no option; there are ${Object.keys(FIELDS).join(", ")}`);
  for (const name of ["runAt", "expiresAt"]) {
    // JSON would make null of it, which is a start at once.
    if (options[name] instanceof Date && Number.isNaN(options[name].getTime())) problems.push(`${name}: is an invalid date`);
  }
  if (problems.length) throw new InvalidRequest(problems.join("; "), problems);
  const said = Object.entries(options).filter(([, value]) => value !== undefined && value !== null);
  const fields = Object.fromEntries(said.map(([name, value]) => [FIELDS[name], value]));
  if (fields.retry) {
    const named = Object.entries(fields.retry).map(([name, value]) => [name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`), value]);
    fields.retry = Object.fromEntries(named);
  }
  if (typeof fields.webhook === "string") fields.webhook = { url: fields.webhook };
  const executionId = fields.execution_id ?? newId();
  const body = encode({ ...fields, execution_id: executionId, workflow, parameters });
  return { executionId, body };
}
