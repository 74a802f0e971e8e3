"""Every failed run goes to Sentry, with the execution it belongs to. Put it into the workflows folder.

It needs `pip install sentry-sdk`, and `SENTRY_DSN` in the environment of the workers (`worker_env`).
"""

import os

import sentry_sdk

from muster_worker import context, on_run_end, on_run_start, on_worker_start


@on_worker_start
def connect() -> None:
    sentry_sdk.init(dsn=os.environ.get("SENTRY_DSN"))


@on_run_start
def begin() -> None:
    # Each run has context variables of its own, so that what is set here is gone after it.
    sentry_sdk.get_isolation_scope().clear()
    sentry_sdk.set_tag("workflow", context.workflow)
    sentry_sdk.set_tag("execution_id", context.execution_id)
    sentry_sdk.set_tag("attempt", context.attempt)
    if context.organization:
        sentry_sdk.set_tag("organization", context.organization["name"])


@on_run_end
def end(error: "BaseException | None") -> None:
    # A cancel is no Exception, and nobody's mistake.
    if isinstance(error, Exception):
        sentry_sdk.capture_exception(error)
        sentry_sdk.flush(timeout=2)
