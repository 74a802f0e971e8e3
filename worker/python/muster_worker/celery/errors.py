"""What a task of Celery's meets here."""

from __future__ import annotations


class UnsupportedOption(TypeError):
    """An option of Celery's that Muster does not have, or not with this value. The message says what to write instead."""


class UnsupportedName(UnsupportedOption, AttributeError):
    """What a task or a result of Celery's has and ours has not: `hasattr` is False of it, and `getattr` has its default."""


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

_ROW = "write muster_client.shared_client().get(result.id)"
OUT_OF_RESULT = {
    **dict.fromkeys(("children", "parent", "graph", "iterdeps", "collect", "get_leaf"), _NO_CHAINS),
    **dict.fromkeys(("then", "on_ready"), "wait with get, or have a webhook told of the end: muster_client.Options(webhook=...)"),
    "date_done": f"{_ROW}.completed_at",
    "name": f"{_ROW}.workflow",
    **dict.fromkeys(("args", "kwargs"), f"{_ROW}.parameters"),
    "retries": f"{_ROW}.attempt",
    **dict.fromkeys(("queue", "worker"), _ROW),
    "maybe_throw": "write get",
    "maybe_reraise": "write get",
    **dict.fromkeys(("app", "backend"), _NO_APP),
}
"""The same of what a result of Celery's has."""

OUT_OF_CELERY = {
    **dict.fromkeys(("chain", "group", "chord", "signature", "subtask", "chunks", "xmap", "xstarmap"), _NO_CHAINS),
    **dict.fromkeys(("Celery", "current_app", "app"), _NO_APP),
    "states": "compare result.state with its name, as 'SUCCESS'",
    "exceptions": "MaxRetriesExceededError and Retry are in muster_worker.celery; errors of a task are muster_client.ExecutionError",
    **dict.fromkeys(("uuid", "maybe_signature"), "write uuid.uuid4() for an id; chains, groups and chords are out"),
    **dict.fromkeys(("GroupResult", "ResultSet", "EagerResult"), "keep a list of results, and get each"),
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
