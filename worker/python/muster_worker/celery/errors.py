"""What a task of Celery's meets here."""

from __future__ import annotations


class UnsupportedOption(TypeError):
    """An option of Celery's that Muster does not have, or not with this value. The message says what to write instead."""


_NO_CHAINS = "chains, groups and chords are out: send the next one with delay, from the task that is over"
_NO_APP = "there is no app: @shared_task does without one, and its configuration is the supervisor's settings"
_LOGGER = "write logging.getLogger(__name__): what it logs is the execution's log"
_CALL = "call the task as a function: task(...)"

OUT_OF_TASK = {
    **dict.fromkeys(("s", "si", "signature", "subtask", "chunks", "map", "starmap", "replace", "add_to_chord"), _NO_CHAINS),
    "apply": _CALL,
    "update_state": "write `from muster_worker import context` and context.progress(3, 10, 'a word')",
    "send_event": "write context.log.info(...)",
    "delay_on_commit": "write transaction.on_commit(lambda: task.delay(...))",
    "apply_async_on_commit": "write transaction.on_commit(lambda: task.apply_async(...))",
    "get_logger": _LOGGER,
}
"""What a task of Celery's has and one of ours has not, and what to write instead."""

OUT_OF_CELERY = {
    **dict.fromkeys(("chain", "group", "chord", "signature", "subtask", "chunks", "xmap", "xstarmap"), _NO_CHAINS),
    **dict.fromkeys(("Celery", "current_app", "app"), _NO_APP),
    "current_task": "write bind=True, and self.request",
    "get_task_logger": _LOGGER,
    "crontab": "write `supervisor schedule set NAME --cron ...`",
    "SoftTimeLimitExceeded": "the task gets muster_worker.Cancelled",
    "TimeoutError": "a wait that was too short is Python's own TimeoutError",
}
"""The same of what the module of Celery has."""


class Retry(Exception):
    """Raised by `self.retry`: this attempt is over, and another one follows."""

    retryable = True


class MaxRetriesExceededError(Exception):
    """`self.retry` was called once too often, without an error to raise instead."""

    retryable = False
