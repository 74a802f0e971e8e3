// What can go wrong, each with what to do about it.

/** Everything that this client throws. */
export class MusterError extends Error {
  constructor(message, options) {
    super(message, options);
    this.name = new.target.name;
  }
}

/** No supervisor answered for as long as the client was patient. */
export class MusterUnavailable extends MusterError {}

/** The supervisor wants a token, or another one. */
export class Unauthorized extends MusterError {}

/** The token's role is too small for this, or it is bound to another organization. */
export class Forbidden extends MusterError {}

/** The supervisor refused the request; nothing was submitted. `problems` has all that is wrong with it. */
export class InvalidRequest extends MusterError {
  constructor(message, problems, options) {
    super(message, options);
    this.problems = problems;
  }
}

/** The idempotency key belongs to an execution of another workflow or with other parameters; nothing was submitted. */
export class IdempotencyKeyReused extends InvalidRequest {}

/** There is no such execution. */
export class NotFound extends MusterError {}

/** It cannot be done in the state that the execution is in, or the id of a submission belongs to another workflow or other parameters. */
export class Conflict extends MusterError {}

/**
 * One of its limits is full and refuses more (`on_full`); nothing was submitted. `executionId` is one that is in the limit;
 * undefined when the limit lets nobody in.
 */
export class LimitReached extends Conflict {
  constructor(message, executionId) {
    super(message);
    this.executionId = executionId;
  }
}

/** What answers is no supervisor, or one of another version, or one that failed. */
export class UnexpectedAnswer extends MusterError {}

/** The execution was not over when the time to wait for it was. It goes on. */
export class NotFinished extends MusterError {
  constructor(message, execution) {
    super(message);
    this.execution = execution;
  }
}

/** An execution that is over and has no result. `execution` is its row. */
export class ExecutionError extends MusterError {
  constructor(message, execution) {
    super(message);
    this.execution = execution;
    this.errorType = execution.errorType ?? "";
    this.errorMessage = execution.errorMessage ?? "";
    this.errorStack = execution.errorStack ?? "";
  }
}

/** The workflow threw an error, or its worker died. */
export class ExecutionFailed extends ExecutionError {}

/** The execution took longer than its time limit and was ended. */
export class ExecutionTimeout extends ExecutionError {}

/** Somebody cancelled the execution. */
export class ExecutionCancelled extends ExecutionError {}

/** Some of many could not be submitted: `errors` has them by their place, `handles` those that were, null for the others. */
export class SubmitManyFailed extends MusterError {
  constructor(handles, errors) {
    const [place, first] = [...errors][0];
    super(
      `${errors.size} of ${handles.length} could not be submitted, the first at place ${place}: ${first.message}; ` +
        "`errors` has all of them, `handles` those that were submitted",
    );
    this.handles = handles;
    this.errors = errors;
  }
}

/** The error of an execution that is over without a success. */
export function outcomeError(execution) {
  const words = `${execution.errorType ?? "no error type"}: ${execution.errorMessage ?? "no message"}`;
  const see = `(execution ${execution.executionId}: \`supervisor show\` and \`logs\` have its record`;
  const label = execution.workflow ?? "the workflow";
  if (execution.status === "TIMEOUT") {
    return new ExecutionTimeout(`${label}: ${words}; give it more time with the option timeout ${see})`, execution);
  }
  if (execution.status === "CANCELLED") {
    return new ExecutionCancelled(`${label} was cancelled: ${words} ${see}; \`retry\` runs it again)`, execution);
  }
  return new ExecutionFailed(`${label}: ${words} ${see})`, execution);
}
