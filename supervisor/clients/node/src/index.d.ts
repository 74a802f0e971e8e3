/** JSON, as it travels. An integer beyond `Number.MAX_SAFE_INTEGER` is a BigInt, both ways: a number would round it. */
export type Json = null | boolean | number | bigint | string | Json[] | { [key: string]: Json };

export type Status = "PENDING" | "RUNNING" | "SUCCESS" | "FAILED" | "TIMEOUT" | "CANCELLED";

export interface ClientOptions {
  /** Where the supervisor is: `MUSTER_URL` unless it is said, else http://127.0.0.1:7420. */
  url?: string;
  /** Its token: `MUSTER_HTTP_TOKEN` unless it is said, else the one that a supervisor of this machine and user keeps. */
  token?: string;
  /** How long a supervisor that does not answer is asked again, in milliseconds; 30,000 unless it is said. */
  patienceMs?: number;
  /** In the place of the language's own `fetch`. */
  fetch?: typeof fetch;
}

/** What may be said of a submission. What is left out is for the workflow and the settings to say. */
export interface SubmitOptions {
  /** The limit of its run, in seconds. */
  timeout?: number;
  /** 0 to 9; 9 goes first among those that wait. */
  priority?: number;
  /** The queue it waits in, for the supervisors that serve it. */
  queue?: string;
  /** The limits it must have room in, by name; four at most. */
  limits?: string[];
  /** It does not start before this moment: a date, or a text with its offset from UTC (RFC 3339). */
  runAt?: Date | string;
  /** It does not start before so long after it was taken in, in seconds. */
  delay?: number;
  /** It is cancelled as `Expired` if it has not started by this moment. */
  expiresAt?: Date | string;
  /** It is cancelled as `Expired` if it has not started so long after it was taken in, in seconds. */
  expires?: number;
  /** How many attempts it may take, the first one included. */
  maxAttempts?: number;
  /** The wait before the second attempt, in seconds; it doubles with each. */
  retryBackoff?: number;
  /** All of a retry policy. */
  retry?: RetryPolicy;
  /** Who is told what it came to, signed with the secret `webhook.request`: an address, or with what it is told of. */
  webhook?: string | { url: string; events?: Status[] };
  /** The id of the organization that it runs for. */
  organization?: string;
  /** A second submission with this key is this execution; with other parameters it is `IdempotencyKeyReused`. Keys are the organization's own. */
  idempotencyKey?: string;
  /** How long the key is remembered, in seconds; as long as the settings say if it is left out. */
  idempotency?: number;
  /** Its id, made here if it is left out. The same id twice is one execution: derive it from an order's number, say. */
  executionId?: string;
  /** Who asks: `user_id`, `name`, `email`. */
  caller?: Record<string, unknown>;
  /** Values for the run that are no parameters. */
  startup?: unknown;
  /** The form that it came from, for whoever reads the row. */
  formId?: string;
  /** The API key that it came with, for whoever reads the row. */
  apiKeyId?: string;
  /** The W3C trace context it belongs to. */
  traceparent?: string;
}

/** When an execution that failed is tried again. */
export interface RetryPolicy {
  /** How many attempts there may be, the first included. */
  maxAttempts?: number;
  /** The wait before the second attempt. */
  backoffSeconds?: number;
  /** By how much each further wait is longer: 2 doubles it, 1 leaves it. */
  backoffFactor?: number;
  backoffMaxSeconds?: number;
  /** Each wait is longer by a random part of it, at most this one. */
  jitter?: number;
  /** Error types that another attempt may help; left out or empty means all. */
  retryOn?: string[];
  /** Error types that no other attempt helps. */
  giveUpOn?: string[];
}

export interface WaitOptions {
  /** No longer than this, in milliseconds; without it as long as it takes. */
  timeoutMs?: number;
  /** Ends the waiting, not the execution. */
  signal?: AbortSignal;
}

export interface LogOptions {
  /** As it grows, until the execution is over. */
  follow?: boolean;
  signal?: AbortSignal;
}

export interface ListOptions {
  /** Only in this state, or in one of these. */
  status?: Status | readonly Status[];
  workflow?: string;
  /** Only of this queue. */
  queue?: string;
  organization?: string;
  /** Only those that ended with an error of this type. */
  errorType?: string;
  /** Only those created then or later: a date, or a text with its offset from UTC (RFC 3339). */
  since?: Date | string;
  /** Only those created before then. */
  until?: Date | string;
  pageSize?: number;
}

/** The row of an execution. In lists `parameters`, `result` and `errorStack` are left out. */
export interface Execution {
  readonly executionId: string;
  readonly status: Status;
  /** True when nothing changes any more. */
  readonly isOver: boolean;
  readonly workflow: string | null;
  readonly workflowId: string | null;
  readonly organizationId: string | null;
  readonly caller: Record<string, any> | null;
  readonly parameters?: any;
  readonly result?: any;
  readonly errorType: string | null;
  readonly errorMessage: string | null;
  readonly errorStack?: string | null;
  readonly durationMs: number | null;
  readonly metrics: Record<string, any> | null;
  readonly endCause: Record<string, any> | null;
  readonly attempt: number;
  readonly attemptsCharged: number;
  readonly maxAttempts: number;
  readonly timeoutSeconds: number | null;
  readonly priority: number;
  readonly queue: string | null;
  /** The limits it must have room in: the name, and the key it counts for. */
  readonly limits: { readonly name: string; readonly key: string }[];
  /** What it waits for beside its moment and a worker: `limit:NAME`, `limit:NAME:KEY`, `pause:TARGET`. */
  readonly waitsFor: string | null;
  readonly retryOf: string | null;
  readonly idempotencyKey?: string;
  /** When the message that brought it was published, where that says so: it has waited since then. */
  readonly publishedAt: Date | null;
  readonly createdAt: Date;
  readonly runAfter: Date;
  readonly expiresAt: Date | null;
  readonly startedAt: Date | null;
  readonly completedAt: Date | null;
  readonly cancelRequestedAt: Date | null;
  /** It as it came. */
  readonly raw: Record<string, any>;
}

/** A line of an execution's log. */
export interface LogLine {
  readonly message: string;
  readonly level: "trace" | "debug" | "info" | "warn" | "error";
  readonly attempt: number;
  readonly sequence: number;
  readonly at: Date;
  readonly stream: string;
  readonly logger: string;
  readonly fields: Record<string, any>;
  readonly raw: Record<string, any>;
}

/** One thing to say of an execution, as data and as a sentence. */
export interface Reason {
  readonly kind: string;
  /** True: it does not start while this is so. */
  readonly isBlocking: boolean;
  readonly message: string;
}

/** One thing that is paused: nothing of it starts, what runs goes on. */
export interface Pause {
  /** `all`, `queue:NAME`, `workflow:NAME` or `organization:KEY`. */
  readonly target: string;
  /** Who asked for it, as far as they said, and from where. */
  readonly who: string;
  readonly why: string | null;
  readonly since: Date;
}

/** What a limit allows. */
export interface LimitTerms {
  /** How many may run at once in the whole fleet, and for one key; null for as many as want to. */
  readonly total: number | null;
  readonly perKey: number | null;
  /** How many may start in a period for one key, as in `100/60s`. */
  readonly rate: string | null;
  readonly burst: number | null;
  /** What it counts by: `organization`, `workflow`, `caller`, or `parameters.` and a path. */
  readonly key: string;
  /** What happens to one more when it is full. */
  readonly onFull: string;
}

/** How many executions may run at once, and how full that is. */
export interface Limit {
  readonly name: string;
  readonly running: number;
  /** How many wait for room in it; a hundred thousand may be more. */
  readonly waiting: number;
  /** What it allows, and the key it counts by; null when nobody has set it, and it holds nothing back. */
  readonly terms: LimitTerms | null;
}

/** What a cancel led to: it will never run, its worker is asked to end it, it was over, or nobody knows the id. */
export interface Cancelled {
  readonly executionId: string;
  readonly outcome: "cancelled" | "requested" | "already_finished" | "unknown";
  readonly status: Status;
}

/** An execution that was submitted, held by its id. */
export interface Submitted {
  readonly id: string;
  /** True when another submission with its idempotency key made it. */
  readonly existing: boolean;
  /** The pauses that kept it from starting when it was submitted. */
  readonly pausedBy: readonly Pause[];
  /** What the workflow returned. Rejects with an `ExecutionError`, or `NotFinished` when it is not over in time. */
  result<Result = any>(options?: WaitOptions): Promise<Result>;
  /** The row once it is over, however it ended. Rejects with `NotFinished` when it is not over in time. */
  wait(options?: WaitOptions): Promise<Execution>;
  /** The row as it is now. */
  get(): Promise<Execution>;
  /** The log so far; with `follow` as it grows. */
  logs(options?: LogOptions): AsyncGenerator<LogLine, void, void>;
  /** Why it is where it is: what keeps it from starting first, where it runs, or how it ended. */
  explain(): Promise<Reason[]>;
  /** Asks for it to end. */
  cancel(): Promise<Cancelled>;
  /** Runs it again, as a new one, when it is over. */
  retry(): Promise<Submitted>;
}

/**
 * An execution that is being submitted: `await` it for its handle, or ask for its result at once. Its id is known already, unless its
 * idempotency key turns out to be another's: then that of the handle is the one that counts.
 */
export interface Submission extends Promise<Submitted>, Omit<Submitted, "retry" | "existing" | "pausedBy"> {}

/** A supervisor, as applications see it. */
export class Client {
  constructor(options?: ClientOptions);
  readonly url: string;
  /** Submits an execution. A supervisor that does not answer is asked again; that is the same execution. */
  submit(workflow: string, parameters?: unknown, options?: SubmitOptions): Submission;
  /** Submits one for each of the parameters, several at once. Rejects with `SubmitManyFailed`. */
  submitMany(workflow: string, parameters: Iterable<unknown>, options?: SubmitOptions): Promise<Submitted[]>;
  /** An execution that was submitted before, by its id. Nothing is asked yet. */
  handle(executionId: string): Submitted;
  get(executionId: string): Promise<Execution>;
  wait(executionId: string, options?: WaitOptions): Promise<Execution>;
  result<Result = any>(executionId: string, options?: WaitOptions): Promise<Result>;
  /** The same of an execution whose message was published with this id, so that there may be no row of it yet. */
  waitForPublished(executionId: string, options?: WaitOptions): Promise<Execution>;
  /** The row of an execution whose message was published with this id, as soon as there is one. */
  untilTakenIn(executionId: string, options?: { signal?: AbortSignal }): Promise<Execution>;
  /** Executions, the newest first; pages are fetched as they are needed. */
  list(options?: ListOptions): AsyncGenerator<Execution, void, void>;
  logs(executionId: string, options?: LogOptions): AsyncGenerator<LogLine, void, void>;
  explain(executionId: string): Promise<Reason[]>;
  cancel(executionId: string): Promise<Cancelled>;
  retry(executionId: string): Promise<Submitted>;
  /** Lets nothing start of `all`, `queue:NAME`, `workflow:NAME` or `organization:KEY`; what runs goes on, and everything is accepted. */
  pause(target: string, options?: { why?: string }): Promise<Pause>;
  /** Lets it start again, in its order; false when it was not paused. */
  resume(target: string): Promise<boolean>;
  /** What is paused, by whom and why. */
  pauses(): Promise<Pause[]>;
  /** How many executions may run at once, and how full that is: the limits that are set, or that executions name. */
  limits(): Promise<Limit[]>;
}

/** Everything that this client throws. */
export class MusterError extends Error {}
/** No supervisor answered for as long as the client was patient. */
export class MusterUnavailable extends MusterError {}
/** The supervisor wants a token, or another one. */
export class Unauthorized extends MusterError {}
/** The token's role is too small for this, or it is bound to another organization. */
export class Forbidden extends MusterError {}
/** The supervisor refused the request; nothing was submitted. */
export class InvalidRequest extends MusterError {
  /** All that is wrong with it, a sentence each. */
  readonly problems: string[];
}
/** The idempotency key belongs to an execution of another workflow or with other parameters. */
export class IdempotencyKeyReused extends InvalidRequest {}
/** There is no such execution. */
export class NotFound extends MusterError {}
/** It cannot be done in the state that the execution is in, or the id of a submission belongs to another workflow or other parameters. */
export class Conflict extends MusterError {}

/** One of its limits is full and refuses more (`on_full`); nothing was submitted. */
export class LimitReached extends Conflict {
  /** One that is in the limit; undefined when the limit lets nobody in. */
  readonly executionId?: string;
}
/** What answers is no supervisor, or one of another version, or one that failed. */
export class UnexpectedAnswer extends MusterError {}
/** The execution was not over when the time to wait for it was. It goes on. */
export class NotFinished extends MusterError {
  readonly execution: Execution;
}
/** An execution that is over and has no result. */
export class ExecutionError extends MusterError {
  readonly execution: Execution;
  readonly errorType: string;
  readonly errorMessage: string;
  readonly errorStack: string;
}
/** The workflow threw an error, or its worker died. */
export class ExecutionFailed extends ExecutionError {}
/** The execution took longer than its time limit and was ended. */
export class ExecutionTimeout extends ExecutionError {}
/** Somebody cancelled the execution. */
export class ExecutionCancelled extends ExecutionError {}
/** Some of many could not be submitted. */
export class SubmitManyFailed extends MusterError {
  /** Those that were submitted, null in the places of the others. */
  readonly handles: (Submitted | null)[];
  readonly errors: Map<number, MusterError>;
}

export const VERSION: string;
