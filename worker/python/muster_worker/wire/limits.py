"""Every bound of the wire that a worker must hold to, named with its unit."""

FRAME_MAX_BYTES = 16_777_215
FRAME_HEADER_BYTES = 4
LOG_MESSAGE_MAX_BYTES = 64 * 1024
LOG_BATCH_MAX_BYTES = 64 * 1024
LOG_BATCH_MAX_RECORDS = 256
LOG_BATCH_MAX_AGE_SECONDS = 0.1
CALLS_IN_FLIGHT_MAX = 64
IDENTIFIER_MAX_BYTES = 1024
PROGRESS_MESSAGE_MAX_BYTES = 1024
PROGRESS_MAX = 2**53 - 1
JSON_DEPTH_MAX = 512

PROTOCOL_VERSION = 1
"""The only version this SDK speaks."""

# Exit codes. They are evidence for people, but for the last: by that the supervisor knows what the worker died of.
EXIT_DONE = 0
EXIT_USAGE = 64
EXIT_PEER_BROKE_PROTOCOL = 65
EXIT_INIT_FAILED = 69
EXIT_SDK_BUG = 70
EXIT_NO_COMMON_VERSION = 71
EXIT_OUT_OF_MEMORY = 72
