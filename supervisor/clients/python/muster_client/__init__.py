"""Submit Muster executions from an application and wait for their results.

    from muster_client import Client

    client = Client()
    print(client.submit("greet", name="Ada").result(timeout=30))
"""

from .async_client import AsyncClient
from .client import Client
from .errors import (
    Conflict,
    ExecutionCancelled,
    ExecutionError,
    ExecutionFailed,
    ExecutionTimeout,
    Forbidden,
    IdempotencyKeyReused,
    InvalidRequest,
    LimitReached,
    MusterError,
    MusterUnavailable,
    NotFinished,
    NotFound,
    SubmitManyFailed,
    Unauthorized,
    UnexpectedAnswer,
)
from .handles import AsyncSubmitted, Submitted
from .options import Options
from .records import Cancelled, Execution, Limit, LogLine, Pause, Reason, Status
from .shared import configure, shared_async_client, shared_client
from .version import __version__

__all__ = [
    "AsyncClient",
    "AsyncSubmitted",
    "Cancelled",
    "Client",
    "Conflict",
    "Execution",
    "ExecutionCancelled",
    "ExecutionError",
    "ExecutionFailed",
    "ExecutionTimeout",
    "Forbidden",
    "IdempotencyKeyReused",
    "InvalidRequest",
    "Limit",
    "LimitReached",
    "LogLine",
    "MusterError",
    "MusterUnavailable",
    "NotFinished",
    "NotFound",
    "Options",
    "Pause",
    "Reason",
    "Status",
    "SubmitManyFailed",
    "Submitted",
    "Unauthorized",
    "UnexpectedAnswer",
    "__version__",
    "configure",
    "shared_async_client",
    "shared_client",
]
