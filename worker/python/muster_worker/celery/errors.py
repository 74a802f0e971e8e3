"""What a task of Celery's meets here."""

from __future__ import annotations


class UnsupportedOption(TypeError):
    """An option of Celery's that Muster does not have, or not with this value. The message says what to write instead."""


class Retry(Exception):
    """Raised by `self.retry`: this attempt is over, and another one follows."""

    retryable = True


class MaxRetriesExceededError(Exception):
    """`self.retry` was called once too often, without an error to raise instead."""

    retryable = False
