//! The strings both sides must spell alike: features, call methods, the supervisor's error types.

/// Features a worker may offer in Hello. One that has none of them is complete all the same.
pub mod feature {
    /// The worker sends Log.
    pub const LOG: &str = "log";
    /// The worker sends Progress.
    pub const PROGRESS: &str = "progress";
    /// The worker sends Call and takes Reply.
    pub const CALL: &str = "call";
    /// The worker takes Cancel, and tries to end the run within its grace.
    pub const CANCEL: &str = "cancel";
    /// The worker answers Ping with Pong.
    pub const PING: &str = "ping";
    /// The worker takes Drain: it finishes what runs, says Goodbye and exits with 0.
    pub const DRAIN: &str = "drain";
    /// The worker answers Dump with Stacks.
    pub const DUMP: &str = "dump";
    /// The worker sends Describe after its Ready.
    pub const DESCRIBE: &str = "describe";
    /// The worker takes Fork: it loads once, and makes workers of itself. Offered only where
    /// [`crate::TEMPLATE_FD_ENV`] is set.
    pub const TEMPLATE: &str = "template";
    /// Those that any worker can have.
    pub const OF_EVERY_WORKER: [&str; 8] = [LOG, PROGRESS, CALL, CANCEL, PING, DRAIN, DUMP, DESCRIBE];
    /// All of them, in the order of SPEC.md.
    pub const ALL: [&str; 9] = [LOG, PROGRESS, CALL, CANCEL, PING, DRAIN, DUMP, DESCRIBE, TEMPLATE];
}

/// The methods that a Call may name, each with its parameters and its value.
pub mod method {
    /// `{key}` -> the merged configuration value or null.
    pub const CONFIG_GET: &str = "config.get";
    /// `{key}` -> the stored value or null, with this run's own writes seen.
    pub const STATE_GET: &str = "state.get";
    /// `{key, value}` -> null. A pending change, applied with the outcome.
    pub const STATE_SET: &str = "state.set";
    /// `{key}` -> null. A pending change.
    pub const STATE_DELETE: &str = "state.delete";
    /// `{workflow, params}` -> `{execution_id}`. The child commits with the parent's outcome.
    pub const EXECUTION_SUBMIT: &str = "execution.submit";
    /// All of them.
    pub const ALL: [&str; 5] = [CONFIG_GET, STATE_GET, STATE_SET, STATE_DELETE, EXECUTION_SUBMIT];
}

/// The error types a supervisor assigns. A user's own error of such a name is recorded as `User.<name>`.
pub mod error_type {
    /// Status TIMEOUT: the supervisor's deadline passed.
    pub const TIMEOUT: &str = "TimeoutError";
    /// Status CANCELLED: somebody asked for it.
    pub const CANCELLED: &str = "CancelledError";
    /// The process ended without a Finished.
    pub const WORKER_CRASHED: &str = "WorkerCrashed";
    /// The process was above its memory limit.
    pub const OUT_OF_MEMORY: &str = "OutOfMemory";
    /// The worker sent what the protocol does not allow at that moment.
    pub const PROTOCOL_VIOLATION: &str = "ProtocolViolation";
    /// Bytes on stdout that are no frame.
    pub const STDOUT_POLLUTED: &str = "StdoutPolluted";
    /// The result does not fit in a frame. An SDK says so itself, in place of the result, so that the name
    /// is not among those that only a supervisor may assign.
    pub const RESULT_TOO_LARGE: &str = "ResultTooLarge";
    /// The result that the worker sent is not JSON.
    pub const INVALID_RESULT: &str = "InvalidResult";
    /// A value given to a call (state, the parameters of a child) cannot be kept. An SDK says so at the call.
    pub const INVALID_VALUE: &str = "InvalidValue";
    /// The parameters are not what the workflow declares. A worker says so, too.
    pub const INVALID_PARAMETERS: &str = "InvalidParameters";
    /// The database refused to store the result or what came with it.
    pub const RESULT_NOT_STORABLE: &str = "ResultNotStorable";
    /// The worker said it cannot run this.
    pub const WORKFLOW_NOT_FOUND: &str = "WorkflowNotFound";
    /// No worker could be started, and the pool gave up (batch only).
    pub const WORKER_INIT_FAILED: &str = "WorkerInitFailed";
    /// The attempts of an execution whose supervisors died are used up.
    pub const SUPERVISOR_LOST: &str = "SupervisorLost";
    /// It had not started by the moment it was to start by. Always with the status CANCELLED, so users may use it too.
    pub const EXPIRED: &str = "Expired";
    /// The request cannot be run as it stands.
    pub const INVALID_REQUEST: &str = "InvalidRequest";
    /// A minimal message whose pending record is gone.
    pub const PENDING_NOT_FOUND: &str = "PendingNotFound";
    /// Its idempotency key belongs to an execution of another workflow or with other parameters. Always before the first
    /// attempt, so users may use it too.
    pub const IDEMPOTENCY_KEY_REUSED: &str = "IdempotencyKeyReused";
    /// A limit that lets nobody wait was full. Always before the first attempt, so users may use it too.
    pub const LIMIT_REACHED: &str = "LimitReached";
    /// A newer execution took its place in a limit. Always with the status CANCELLED, so users may use it too.
    pub const SUPERSEDED: &str = "Superseded";
    /// What a Failed outcome with an empty kind is recorded as. Users may use it too.
    pub const EXECUTION_ERROR: &str = "ExecutionError";

    /// The names only a supervisor may assign.
    pub const RESERVED: [&str; 13] = [
        TIMEOUT,
        CANCELLED,
        WORKER_CRASHED,
        OUT_OF_MEMORY,
        PROTOCOL_VIOLATION,
        STDOUT_POLLUTED,
        INVALID_RESULT,
        RESULT_NOT_STORABLE,
        WORKFLOW_NOT_FOUND,
        WORKER_INIT_FAILED,
        SUPERVISOR_LOST,
        INVALID_REQUEST,
        PENDING_NOT_FOUND,
    ];
}

/// The exit codes of a worker. Only one of them decides anything, the others are evidence for people.
pub mod exit_code {
    /// All went well.
    pub const DONE: i32 = 0;
    /// The command line makes no sense.
    pub const USAGE: i32 = 64;
    /// The supervisor broke the protocol.
    pub const PEER_FAULT: i32 = 65;
    /// User code could not be loaded.
    pub const INIT_FAILED: i32 = 69;
    /// A fault of the SDK or the system under it.
    pub const BUG: i32 = 70;
    /// The supervisor and the worker have no version in common.
    pub const NO_COMMON_VERSION: i32 = 71;
    /// It ran out of memory where it could not say so in an outcome. A run in hand fails with
    /// [`OutOfMemory`](super::error_type::OUT_OF_MEMORY).
    pub const OUT_OF_MEMORY: i32 = 72;
}
