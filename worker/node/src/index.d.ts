/** JSON, as it travels. An integer beyond `Number.MAX_SAFE_INTEGER` is a BigInt: a number would round it. */
export type Json = null | boolean | number | bigint | string | Json[] | { [key: string]: Json };

/** Writes log records: a message, and any fields. Never fails: what is no JSON is shown as text. */
export interface Log {
  debug(message: unknown, fields?: Record<string, unknown>): void;
  info(message: unknown, fields?: Record<string, unknown>): void;
  warn(message: unknown, fields?: Record<string, unknown>): void;
  error(message: unknown, fields?: Record<string, unknown>): void;
}

/** What a workflow knows about its execution and can ask for. */
export interface Context {
  /** The execution's UUID. */
  readonly executionId: string;
  /** Which attempt this is, from 1. */
  readonly attempt: number;
  /** The workflow's name. */
  readonly workflow: string;
  /** Null for a global execution. */
  readonly organization: { id: string; name: string } | null;
  /** Who asked for the execution. */
  readonly caller: any;
  /** What the caller passed as `startup`. */
  readonly startup: any;
  /** The trace context of this run as W3C has it: pass it on to what the workflow calls. Null without one. */
  readonly traceparent: string | null;
  /** Everything that came with the execution, as it came. */
  readonly raw: Record<string, any>;
  /** Aborts when the execution is to end; its reason is a `Cancelled`. Give it to whatever takes a signal. Code that never awaits sees it by `aborted` and `throwIfAborted()`. */
  readonly signal: AbortSignal;
  /** True once the execution is asked to end; also seen by code that never awaits. */
  readonly cancelled: boolean;
  /** Milliseconds left, never below 0; null without a limit. */
  readonly remainingMs: number | null;
  readonly log: Log;
  /** Configuration values of the organization, merged with the global ones. */
  readonly config: { get<T = any>(key: string, fallback?: T): Promise<T> };
  /** Values that outlive the execution. Writes are applied with its outcome; reads see them at once. */
  readonly state: {
    get<T = any>(key: string, fallback?: T): Promise<T>;
    set(key: string, value: unknown): Promise<void>;
    delete(key: string): Promise<void>;
  };
  /** Tells watchers how far it is: 3 of 10, or 3 of an unknown number with `total` 0. The latest wins. Never fails. */
  progress(current: number, total?: number, message?: string): void;
  /** Sleeps; rejects with `Cancelled` when the execution is to end. */
  sleep(ms: number): Promise<void>;
  /** `fetch` that is aborted with the execution. */
  fetch: typeof fetch;
  /** Submits another execution, which starts when this one's outcome is stored; returns its id. */
  submit(workflow: string, params?: unknown): Promise<string>;
}

export type Run<Params = any, Result = unknown> = (params: Params, ctx: Context) => Result | Promise<Result>;

/** What a workflow wants of the supervisor. Of a file with a default export it is the literal `export const muster = { … }`. */
export interface Policy {
  /** A line or two for people. */
  description?: string;
  /** The hard limit of a run, in seconds. It may be longer than the supervisor's own. */
  timeout?: number;
  /** The same, as it was called first. */
  timeoutSeconds?: number;
  /** How often a failure is tried again. */
  retries?: number;
  /** The wait before the first retry, in seconds. */
  backoff?: number;
  /** By how much each further wait is longer; 2 unless it is said. */
  backoffFactor?: number;
  /** No wait is longer, in seconds. */
  backoffMax?: number;
  /** Only these errors are tried again: classes, or their names. */
  retryOn?: ErrorType | ErrorType[];
  /** These are never tried again. */
  giveUpOn?: ErrorType | ErrorType[];
  /** How many may run at once; with a `key`, how many of each. A supervisor without such limits shows it. */
  maxConcurrent?: number;
  /** `organization`, `workflow`, `caller` or `parameters.<path>`. */
  key?: string;
  /** Limits by name that it shares with others, at most four. */
  limits?: string | string[];
  /** Where it waits. */
  queue?: string;
  /** The JSON Schema of the parameters: what does not fit is refused before a worker is asked. */
  parameters?: object;
}

type ErrorType = string | (new (...args: any[]) => Error);

/**
 * Makes a function a workflow that can be run by name. Returns the function unchanged.
 *
 * The options are for the supervisor, which enforces them where neither the request nor the workflow's row says otherwise.
 */
export function workflow<Params = any, Result = unknown>(
  name: string,
  run: Run<Params, Result>,
  options?: Policy,
): Run<Params, Result>;

/** Called once in each worker, when the file it stands in has been loaded, and awaited: connection pools, clients. */
export function onWorkerStart<Hook extends () => unknown>(run: Hook): Hook;

/** Called before each run, with its context, and awaited. */
export function onRunStart<Hook extends (ctx: Context) => unknown>(run: Hook): Hook;

/** Called after each run, with its context and what it threw, or null, and awaited. What it throws is logged. */
export function onRunEnd<Hook extends (ctx: Context, error: unknown) => unknown>(run: Hook): Hook;

/** The execution was asked to end: the reason of `ctx.signal`, the rejection of `ctx.sleep`. */
export class Cancelled extends Error {
  readonly reason: "User" | "Timeout" | "Shutdown" | "LeaseLost" | "WorkflowTimeout";
}

/** The supervisor refused or failed a call; `kind` says which error it was. */
export class CallError extends Error {
  readonly kind: string;
}
