"""Which options of Celery's mean something here. The others are refused by name, with what to write instead."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Dict, Mapping, Optional, Tuple

from .errors import UnsupportedOption

_SENT = "it is said of one submission: give it to apply_async"
_INSTEAD: Dict[str, str] = {
    "countdown": _SENT,
    "eta": f"{_SENT}; the waits between attempts are written in the decorator, as default_retry_delay",
    "expires": f"{_SENT}; what has started once does not expire",
    "queue": f"{_SENT}; retries stay in the queue of the first attempt",
    "routing_key": "a queue is chosen by its name: give queue to apply_async",
    "exchange": "a queue is chosen by its name: give queue to apply_async",
    "soft_time_limit": "use time_limit: the task gets muster_worker.Cancelled, an exception to clean up on, before it is killed",
    "rate_limit": "it is a limit that submissions name: `supervisor limit set NAME --rate 10/m`, and muster_client.Options(limits=[NAME])",
    "ignore_result": "every result is kept: leave it out",
    "acks_late": "an execution is always acknowledged late, and run again when its worker's machine died: leave it out",
    "link": "chains, groups and chords are out: submit the next one from the task that is over",
    "link_error": "chains, groups and chords are out: look at the result, or use retries",
    "chord": "chains, groups and chords are out",
    "base": "a class of your own for tasks is out: write a decorator",
    "pydantic": "annotations are always checked and converted: leave it out",
    "retry_jitter": "the supervisor adds up to a quarter to a wait, so that retries do not come all at once: leave it out; muster_client.Options(retry={'jitter': 0}) says otherwise of one submission",
    "track_started": "a start is always noted: leave it out",
    "serializer": "values travel as JSON: leave it out",
    "compression": "values travel as they are: leave it out",
    "retry": "a supervisor that does not answer is always asked again; muster_client.configure(patience=0) turns it off",
    "retry_policy": "muster_client.configure(patience=SECONDS) says how long a supervisor that does not answer is asked again",
}
_HARMLESS: Mapping[str, Tuple[Any, ...]] = {
    "ignore_result": (False,),
    "acks_late": (True,),
    "acks_on_failure_or_timeout": (True,),
    "reject_on_worker_lost": (True,),
    "track_started": (True,),
    "serializer": ("json",),
    "store_errors_even_if_ignored": (True,),
    "retry_jitter": (True,),
    "typing": (True,),
    "pydantic": (True,),
    "retry": (True,),
}
"""The values that ask for what is so anyway."""


def refuse_others(where: str, given: Mapping[str, Any], known: str) -> None:
    """Refuses what has a value that asks for something. None asks for nothing, as in Celery."""
    for name, value in given.items():
        if value is None or (name in _HARMLESS and value in _HARMLESS[name]):
            continue
        instead = _INSTEAD.get(name, f"there are {known}")
        raise UnsupportedOption(f"{where}: {name}={value!r} is not supported: {instead}")


def window_of(where: str, countdown: Optional[float], eta: Any, expires: Any, queue: Any) -> Dict[str, Any]:
    """When and where it may start, in the words of the client's options."""
    said: Dict[str, Any] = {}
    # Celery starts what was due in the past at once, and so is a countdown of 0 none.
    if countdown is not None and countdown > 0:
        if eta is not None:
            raise UnsupportedOption(f"{where}: eta={eta!r} beside countdown={countdown!r}: two ways to say one thing; leave one out")
        said["delay"] = countdown
    if eta is not None:
        said["run_at"] = _moment(f"{where}: eta", eta)
    if isinstance(expires, (int, float)):
        said["expires"] = expires
    elif expires is not None:
        said["expires_at"] = _moment(f"{where}: expires", expires)
    if queue is not None:
        if not isinstance(queue, str):
            raise UnsupportedOption(f"{where}: queue={queue!r} is not supported: give the name of a queue")
        said["queue"] = queue
    return said


def _moment(what: str, value: Any) -> datetime:
    if isinstance(value, datetime) and value.utcoffset() is not None:
        return value
    raise UnsupportedOption(
        f"{what}={value!r} is not supported: give a datetime with its zone, as datetime.now(timezone.utc) + timedelta(hours=1)"
    )


def delay_of(
    default_retry_delay: Optional[float],
    retry_kwargs: Mapping[str, Any],
    retry_backoff: Any,
    retry_backoff_max: float,
    max_retries: Optional[int],
    where: str,
) -> Tuple[int, float, float, Optional[float]]:
    """How many retries there are, the wait before the first, by how much each next is longer, and the longest."""
    refuse_others(
        f"{where}: retry_kwargs",
        {name: value for name, value in retry_kwargs.items() if name not in ("max_retries", "countdown")},
        "max_retries and countdown",
    )
    retries = retry_kwargs.get("max_retries", max_retries)
    # None is "for ever" in Celery; this is the most there is.
    retries = 999 if retries is None else int(retries)
    if retry_backoff:
        if default_retry_delay is not None:
            raise UnsupportedOption(
                f"{where}: default_retry_delay={default_retry_delay!r} beside retry_backoff: a task has one rule for its waits; leave one out"
            )
        return retries, float(retry_backoff), 2, float(retry_backoff_max)
    countdown = retry_kwargs.get("countdown")
    if countdown is not None and default_retry_delay is not None and countdown != default_retry_delay:
        raise UnsupportedOption(
            f"{where}: countdown={countdown!r} in retry_kwargs and default_retry_delay={default_retry_delay!r}: "
            "a task has one rule for its waits; make them the same"
        )
    wait = countdown if countdown is not None else default_retry_delay
    return retries, float(180 if wait is None else wait), 1, None
