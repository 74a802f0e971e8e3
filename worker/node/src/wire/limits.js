// Every bound of the wire that a worker must hold to, named with its unit.

export const FRAME_MAX_BYTES = 16_777_215;
export const FRAME_HEADER_BYTES = 4;
export const LOG_MESSAGE_MAX_BYTES = 64 * 1024;
export const LOG_BATCH_MAX_BYTES = 64 * 1024;
export const LOG_BATCH_MAX_RECORDS = 256;
export const LOG_BATCH_MAX_AGE_MS = 100;
export const CALLS_IN_FLIGHT_MAX = 64;
/** Of one execution after its end, in such a time. */
export const LATE_RECORDS_MAX = 100;
export const LATE_RECORDS_EVERY_MS = 60_000;
export const PROGRESS_MESSAGE_MAX_BYTES = 1024;
export const JSON_DEPTH_MAX = 512;
export const PROTOCOL_VERSION = 1;

// Exit codes. They are evidence for people; the supervisor decides nothing by them.
export const EXIT_DONE = 0;
export const EXIT_USAGE = 64;
export const EXIT_PEER_BROKE_PROTOCOL = 65;
export const EXIT_INIT_FAILED = 69;
export const EXIT_SDK_BUG = 70;
export const EXIT_NO_COMMON_VERSION = 71;
export const EXIT_OUT_OF_MEMORY = 72;
