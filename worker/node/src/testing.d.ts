import type { Context, Json, Run } from "./index.js";

/** What a workflow in a test is given; all of it may be left out. */
export interface Given {
  /** Configuration values. */
  config?: Record<string, unknown>;
  /** State it finds. */
  state?: Record<string, unknown>;
  /** Answers to calls by method: a value, a function of the call's parameters, or an error. They stand in for the supervisor. */
  answers?: Record<string, unknown>;
  organization?: { id: string; name: string } | null;
  caller?: unknown;
  startup?: unknown;
  traceparent?: string | null;
  workflow?: string;
  executionId?: string;
  attempt?: number;
  /** Only told, as `ctx.remainingMs`: no clock ends a test. */
  timeoutMs?: number;
}

/** What a workflow was given, and what it did. */
export interface Recording<Result = any> {
  /** What the workflow returned, as the caller gets it: read from JSON. Throws what the workflow threw. */
  readonly result: Result;
  /** What the workflow threw; undefined when it succeeded. */
  readonly error: any;
  /** The records of `ctx.log`. */
  readonly logs: { level: string; message: string; fields: Record<string, any>; logger: string }[];
  /** All of them, where a supervisor keeps the latest. */
  readonly progresses: { current: number; total: number; message: string }[];
  /** Every call of `state` and `submit`, and of `config` for keys that were not given. */
  readonly calls: { method: string; params: any }[];
  readonly submitted: { workflow: string; params: any; executionId: string }[];
  /** State as it is, with all that the workflow wrote. */
  readonly state: Record<string, Json>;
  /** What the workflow gets as its second argument. */
  readonly ctx: Context;
  /** Asks the workflow to end, as a supervisor would. */
  cancel(reason?: "User" | "Timeout" | "Shutdown", message?: string): void;
}

/** Runs a workflow function as a worker would. What the workflow throws does not reject: it is `error`, and asking for `result` throws it. */
export function runWorkflow<Params = any, Result = any>(workflow: Run<Params, Result>, params?: Params, given?: Given): Promise<Recording<Awaited<Result>>>;

/** A recording whose `ctx` is for code that is called directly. */
export function record(given?: Given): Recording;
