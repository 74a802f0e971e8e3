//! Every bound of the wire, named with its unit. Both sides hold to them; SPEC.md repeats them.

/// The largest body of one frame: what fits in three bytes, so that the first byte of a frame is 0x00.
pub const FRAME_MAX_BYTES: usize = 16_777_215;
/// The length prefix in front of every body.
pub const FRAME_HEADER_BYTES: usize = 4;
/// A log message longer than this is cut at a character border and marked.
pub const LOG_MESSAGE_MAX_BYTES: usize = 64 * 1024;
/// A worker flushes its log batch when it holds this many bytes.
pub const LOG_BATCH_MAX_BYTES: usize = 64 * 1024;
/// A worker flushes its log batch when it holds this many records.
pub const LOG_BATCH_MAX_RECORDS: usize = 256;
/// A worker flushes its log batch when its first record is this old.
pub const LOG_BATCH_MAX_AGE_MS: u64 = 100;
/// How much the supervisor keeps of the beginning of a run's logs.
pub const RUN_LOGS_HEAD_MAX_BYTES: usize = 12 * 1024 * 1024;
/// How much the supervisor keeps of the end of a run's logs. What lies between is counted and dropped.
pub const RUN_LOGS_TAIL_MAX_BYTES: usize = 4 * 1024 * 1024;
/// Text a worker may print before its Hello.
pub const PREAMBLE_MAX_BYTES: usize = 64 * 1024;
/// How much of stray text on stdout is quoted.
pub const POLLUTION_QUOTE_MAX_BYTES: usize = 256;
/// Calls of one run that may wait for their Reply at once.
pub const CALLS_IN_FLIGHT_MAX: usize = 64;
/// Workflow names, run identifiers, keys, method names.
pub const IDENTIFIER_MAX_BYTES: usize = 1024;
/// The message of a `WorkerCrashed` error, with the last lines of stderr in it.
pub const CRASH_MESSAGE_MAX_BYTES: usize = 2 * 1024;
/// How many of the last lines of stderr a `WorkerCrashed` error quotes.
pub const CRASH_STDERR_LINES: usize = 10;
/// What the pending changes of a run (state writes, submitted executions) may hold; above it they are refused with
/// the kind `TooManyChanges`.
pub const RUN_CHANGES_MAX_BYTES: usize = 16 * 1024 * 1024;
/// How many executions a run may submit.
pub const RUN_CHILDREN_MAX: usize = 1000;
/// How deep arrays and objects of a value may be nested.
pub const JSON_DEPTH_MAX: usize = 512;
/// The largest exponent of a number that is stored, either way. No double has one above 308, and a database that
/// writes numbers out turns a few characters into as many digits.
pub const JSON_EXPONENT_MAX: usize = 400;
/// How many digits a number that is stored may have: where Python, too, stops reading.
pub const JSON_DIGITS_MAX: usize = 4300;
/// A progress message longer than this is cut at a character border and marked.
pub const PROGRESS_MESSAGE_MAX_BYTES: usize = 1024;
/// The highest count of a progress: what every language holds exactly.
pub const PROGRESS_MAX: u64 = (1 << 53) - 1;
/// How many workflows, and how many broken files, a worker may describe.
pub const DESCRIBED_MAX: usize = 10_000;
/// How much a worker may describe, in bytes of text and JSON.
pub const DESCRIPTIONS_MAX_BYTES: usize = 16 * 1024 * 1024;
/// The parameter schema of one workflow.
pub const SCHEMA_MAX_BYTES: usize = 64 * 1024;
/// How many limits by name a workflow may declare.
pub const DECLARED_LIMITS_MAX: usize = 4;
