"""Tasks written for Celery, run as Muster workflows.

    from muster_worker.celery import shared_task

    @shared_task(bind=True, max_retries=5, default_retry_delay=2)
    def fetch(self, url):
        try:
            return download(url)
        except OSError as error:
            raise self.retry(exc=error)

    fetch.delay("https://example.org").get(timeout=30)

The file belongs in the workflows folder, and is imported by the application as it was; that needs `muster-client` beside the SDK.
What Muster does not do is refused with `UnsupportedOption` where it is written, never ignored: see `clients/MIGRATING.md`.
"""

from typing import NoReturn

from .errors import OUT_OF_CELERY, MaxRetriesExceededError, Retry, UnsupportedOption
from .result import AsyncResult
from .task import Task, shared_task

__all__ = ["AsyncResult", "MaxRetriesExceededError", "Retry", "Task", "UnsupportedOption", "shared_task"]


def __getattr__(name: str) -> NoReturn:
    if name in OUT_OF_CELERY:
        raise UnsupportedOption(f"{name} of celery is not supported: {OUT_OF_CELERY[name]}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
