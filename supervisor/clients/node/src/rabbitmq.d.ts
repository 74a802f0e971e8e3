import { Client, SubmitOptions, Submitted } from "./index.js";

export interface PublisherOptions {
  /** The address of RabbitMQ; without it MUSTER_AMQP_URL. */
  url?: string;
  /** Whom results are asked of; without it the supervisor that `new Client()` finds. */
  client?: Client;
  /** The queue of executions that name none: "workflow-executions". */
  queue?: string;
  /** For so long a broker that does not answer is asked again (30,000). */
  patienceMs?: number;
}

/** Submits through RabbitMQ, with a connection of its own. Needs amqplib. */
export class Publisher {
  constructor(options?: PublisherOptions);
  /** Publishes the message of an execution; resolves when the broker keeps it. What is repeated is the same execution. */
  submit(workflow: string, parameters?: unknown, options?: SubmitOptions): Promise<Submitted>;
  /** Publishes one for each of the parameters; the handles are in the same order. */
  submitMany(workflow: string, parameters: Iterable<unknown>, options?: SubmitOptions): Promise<Submitted[]>;
  /** Closes its connection. */
  close(): Promise<void>;
}
