"""Tasks of Celery's own documentation and examples, written for the shim, on a real supervisor."""

from __future__ import annotations

import copy
import pickle
import sys
import time
import uuid
from datetime import datetime, timedelta, timezone
from typing import Any, Iterator

import pytest
from installation import Installation
from muster_worker.celery import AsyncResult, MaxRetriesExceededError, Retry, UnsupportedOption, shared_task

import muster_client
from muster_client import ExecutionCancelled, ExecutionFailed

TASKS = '''
from muster_worker.celery import shared_task

@shared_task
def add(x, y):
    return x + y

@shared_task(name="math.mul")
def mul(x, y):
    return x * y

@shared_task
def xsum(numbers):
    return sum(numbers)

@shared_task
def hello(*, whom="world"):
    return f"hello {whom}"

@shared_task(bind=True)
def whoami(self):
    return [self.request.id, self.request.retries, self.request.called_directly, self.name, self.max_retries]

@shared_task(bind=True, max_retries=3, default_retry_delay=0.1)
def send_status(self, oauth, tweet):
    try:
        if self.request.retries < 2:
            raise ConnectionError("fail whale")
        return f"{tweet}, at attempt {self.request.retries + 1}"
    except ConnectionError as exc:
        raise self.retry(exc=exc, countdown=0.1)

@shared_task(bind=True, max_retries=1, default_retry_delay=0.1)
def hopeless(self):
    try:
        return 1 / 0
    except ZeroDivisionError as exc:
        raise self.retry(exc=exc)

@shared_task(bind=True, max_retries=1, default_retry_delay=0.1)
def without_error(self):
    raise self.retry()

@shared_task(bind=True, autoretry_for=(OSError,), dont_autoretry_for=(FileNotFoundError,),
             retry_kwargs={"max_retries": 2, "countdown": 0.1})
def refresh_timeline(self, kind):
    if kind == "missing":
        raise FileNotFoundError(kind)
    if kind == "wrong":
        raise ValueError(kind)
    if self.request.retries < 2 or kind == "never":
        raise ConnectionResetError(kind)
    return f"{kind} at attempt {self.request.retries + 1}"

@shared_task(bind=True, max_retries=2, default_retry_delay=0.1)
def asks_too_much(self):
    try:
        raise OSError("no")
    except OSError as exc:
        raise self.retry(exc=exc, countdown=60)

@shared_task(time_limit=0.5)
def spins():
    while True:
        pass

@shared_task
def sleeps():
    import time
    time.sleep(60)

@shared_task(bind=True, max_retries=1, default_retry_delay=0.1)
def sends_and_fails(self):
    child = add.delay(1, self.request.retries)
    raise self.retry(exc=ValueError(child.id))

@shared_task
def sends_later(option, value):
    try:
        add.apply_async((1, 2), **{option: value})
    except TypeError as error:
        return str(error)

@shared_task
def parent():
    child = add.delay(1, 2)
    try:
        child.get()
    except RuntimeError as error:
        return [child.id, str(error)]
'''


@pytest.fixture(scope="module")
def tasks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The module of the tasks, as an application imports it, and a supervisor that serves it."""
    installation = Installation(tmp_path_factory.mktemp("celery"))
    installation.workflow("celery_tasks.py", TASKS)
    installation.start()
    muster_client.configure(installation.url)
    sys.path.insert(0, str(installation.workflows))
    import celery_tasks  # type: ignore[import-not-found]

    try:
        yield celery_tasks
    finally:
        sys.path.remove(str(installation.workflows))
        muster_client.configure()
        installation.stop()


def test_first_steps(tasks: Any) -> None:
    assert tasks.add(4, 4) == 8
    result = tasks.add.delay(4, 4)
    assert result.get(timeout=30) == 8
    assert (result.ready(), result.successful(), result.failed(), result.state) == (True, True, False, "SUCCESS")
    assert result.result == 8 and result.traceback is None
    assert result == AsyncResult(result.id) == tasks.add.AsyncResult(result.task_id)
    with pytest.raises(TypeError, match="'add'.*y"):
        tasks.add.delay(4)
    with pytest.raises(ExecutionFailed, match="TypeError"):
        tasks.add.delay(4, "4").get(timeout=30)


def test_names_and_ways_to_call(tasks: Any) -> None:
    chosen = str(uuid.uuid4())
    result = tasks.mul.apply_async((6,), {"y": 7}, task_id=chosen, priority=5, time_limit=20)
    assert result.id == chosen and result.get(30) == 42
    row = muster_client.shared_client().get(chosen)
    assert (row.workflow, row.priority, row.timeout_seconds) == ("math.mul", 5, 20)
    assert tasks.xsum.delay([1, 2, 3]).get(30) == 6
    assert tasks.hello.delay(whom="Ada").get(30) == "hello Ada"
    assert tasks.hello.apply_async().get(30) == "hello world"


def test_later_and_elsewhere(tasks: Any) -> None:
    client, an_hour = muster_client.shared_client(), timedelta(hours=1)
    row = client.wait(tasks.add.apply_async((1, 2), countdown=0.5, expires=60, queue=None).id, 30)
    assert row.status == "SUCCESS" and row.started_at and row.created_at and row.run_after
    assert row.run_after - row.created_at == timedelta(seconds=0.5) and row.started_at >= row.run_after
    assert row.expires_at == row.created_at + timedelta(seconds=60)

    moment = datetime.now(timezone(timedelta(hours=2))) + timedelta(seconds=2)
    row = client.wait(tasks.add.apply_async((1, 2), eta=moment, countdown=0, expires=moment + an_hour).id, 30)
    assert (row.status, row.run_after, row.expires_at) == ("SUCCESS", moment, moment + an_hour)
    assert tasks.add.apply_async((1, 2), countdown=-1).get(30) == 3, "as in Celery, what is overdue starts now"

    late = tasks.add.apply_async((1, 2), eta=moment + an_hour, expires=0.2)
    with pytest.raises(ExecutionCancelled, match="Expired|expired"):
        late.get(30)
    assert late.state == "REVOKED"

    elsewhere = tasks.add.apply_async((1, 2), queue="reports")
    assert tasks.add.apply_async((1, 2), queue="workflow-executions").get(30) == 3
    assert (client.get(elsewhere.id).queue, elsewhere.state) == ("reports", "PENDING")
    elsewhere.revoke(terminate=True)


def test_bound(tasks: Any) -> None:
    result = tasks.whoami.delay()
    assert result.get(30) == [result.id, 0, False, "whoami", 3]
    assert tasks.whoami() == [None, 0, True, "whoami", 3]


def test_retries(tasks: Any) -> None:
    assert tasks.send_status.delay("token", "hi").get(30) == "hi, at attempt 3"
    result = tasks.hopeless.delay()
    with pytest.raises(ExecutionFailed, match="ZeroDivisionError") as caught:
        result.get(30)
    assert caught.value.execution.attempt == 2
    assert (result.state, result.failed()) == ("FAILURE", True)
    assert isinstance(result.result, ExecutionFailed) and isinstance(result.get(propagate=False), ExecutionFailed)
    assert "ZeroDivisionError" in result.traceback
    with pytest.raises(ExecutionFailed, match="MaxRetriesExceededError"):
        tasks.without_error.delay().get(30)


def test_autoretry(tasks: Any) -> None:
    assert tasks.refresh_timeline.delay("ok").get(30) == "ok at attempt 3"
    for kind, error, attempts in [("never", "ConnectionResetError", 3), ("missing", "FileNotFoundError", 1), ("wrong", "ValueError", 1)]:
        with pytest.raises(ExecutionFailed, match=error) as caught:
            tasks.refresh_timeline.delay(kind).get(30)
        assert caught.value.execution.attempt == attempts, kind


def test_a_wait_that_the_decorator_does_not_say_is_refused(tasks: Any) -> None:
    with pytest.raises(ExecutionFailed, match=r"UnsupportedOption: .*default_retry_delay=60"):
        tasks.asks_too_much.delay().get(30)


def test_limits_and_revoke(tasks: Any) -> None:
    with pytest.raises(muster_client.ExecutionTimeout):
        tasks.spins.delay().get(30)
    result = tasks.sleeps.delay()
    with pytest.raises(TimeoutError):
        result.get(timeout=0.2)
    end = time.monotonic() + 30
    while result.state != "STARTED":
        assert time.monotonic() < end, result.state
        time.sleep(0.05)
    result.revoke(terminate=True)
    with pytest.raises(ExecutionCancelled):
        result.get(30)
    assert result.state == "REVOKED"
    assert AsyncResult(str(uuid.uuid4())).state == "PENDING"


def test_a_task_that_sends_another(tasks: Any) -> None:
    child, refusal = tasks.parent.delay().get(30)
    assert "in a task" in refusal
    assert AsyncResult(child).get(30) == 3
    for option, value in {"countdown": 5, "expires": 9, "queue": "q"}.items():
        assert f"add.apply_async: {option} in a task" in tasks.sends_later.delay(option, value).get(30)
    assert tasks.sends_later.delay("countdown", 0).get(30) is None


def test_a_task_that_sends_another_and_fails(tasks: Any) -> None:
    client = muster_client.shared_client()
    before = len(list(client.list(workflow="add")))
    with pytest.raises(ExecutionFailed, match="ValueError") as caught:
        tasks.sends_and_fails.delay().get(30)
    assert caught.value.execution.attempt == 2
    assert AsyncResult(caught.value.message).get(30) == 2, "what the last attempt sent"
    assert len(list(client.list(workflow="add"))) == before + 1, "and nothing of the first one"


@pytest.mark.parametrize(
    "options",
    [
        {"eta": "now"},
        {"eta": datetime(2027, 3, 28)},
        {"expires": datetime(2027, 3, 28)},
        {"eta": datetime(2027, 3, 28, tzinfo=timezone.utc), "countdown": 5},
        {"queue": object()},
        {"routing_key": "q"},
        {"link": 1},
        {"ignore_result": True},
        {"oops": 1},
        {"task_id": "x"},
    ],
)
def test_what_apply_async_does_not_do_is_refused(options: dict[str, Any]) -> None:
    @shared_task
    def one() -> None: ...

    with pytest.raises(UnsupportedOption, match=f"one.apply_async: {next(iter(options))}="):
        one.apply_async(**options)


@pytest.mark.parametrize(
    "options",
    [
        {"rate_limit": "10/m"},
        {"soft_time_limit": 5},
        {"queue": "q"},
        {"expires": 9},
        {"acks_late": False},
        {"ignore_result": True},
        {"base": object},
        {"retry_jitter": False},
        {"serializer": "pickle"},
        {"default_retry_delay": 2, "retry_backoff": True},
        {"default_retry_delay": 2, "retry_kwargs": {"countdown": 3}},
        {"retry_kwargs": {"jitter": 3}},
        {"oops": 1},
    ],
)
def test_what_the_decorator_does_not_do_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(UnsupportedOption, match="@shared_task"):

        @shared_task(**options)
        def one() -> None: ...


def test_what_asks_for_what_is_so_anyway_is_let_pass() -> None:
    @shared_task(acks_late=True, ignore_result=False, serializer="json", queue=None, track_started=True, max_retries=None)
    def one() -> int:
        return 1

    assert one() == 1 and one.max_retries == 999
    for name in ("s", "si", "signature", "chunks"):
        with pytest.raises(UnsupportedOption, match="chains"):
            getattr(one, name)
    with pytest.raises(UnsupportedOption, match="coroutine"):

        @shared_task
        async def other() -> None: ...


def test_a_result_is_kept_as_its_id() -> None:
    result = AsyncResult("01a2")
    assert (str(result), f"{result}", repr(result)) == ("01a2", "01a2", "<AsyncResult: 01a2>")
    assert result == "01a2" and result == AsyncResult(str(result)) and result != "other" and {result: 1}["01a2"] == 1  # type: ignore[index]
    assert copy.deepcopy(result) == pickle.loads(pickle.dumps(result)) == result and not hasattr(result, "nonsense")


def test_what_a_task_and_the_module_do_not_have_is_refused_with_what_to_write_instead() -> None:
    @shared_task(bind=True)
    def one(self: Any) -> None: ...

    for name, instead in {"update_state": r"context\.progress", "apply": "call the task", "s": "send the next one", "delay_on_commit": "on_commit"}.items():
        with pytest.raises(UnsupportedOption, match=f"^{name} of a task is not supported: .*{instead}"):
            getattr(one, name)
    for name, instead in {"chain": "send the next one", "Celery": "no app", "get_task_logger": "getLogger", "crontab": "schedule set", "states": "name", "exceptions": "muster_worker.celery"}.items():
        with pytest.raises(UnsupportedOption, match=f"^{name} of celery is not supported: .*{instead}"):
            exec(f"from muster_worker.celery import {name}")
    for name, instead in {"children": "send the next one", "date_done": "completed_at", "name": r"\.workflow", "args": r"\.parameters", "then": "webhook"}.items():
        with pytest.raises(UnsupportedOption, match=f"^{name} of a result is not supported: .*{instead}"):
            getattr(AsyncResult("1"), name)
    # Code that asks whether there is one is answered.
    assert not hasattr(AsyncResult("1"), "name") and getattr(AsyncResult("1"), "children", None) is None and not hasattr(one, "apply")
    with pytest.raises(ImportError):
        exec("from muster_worker.celery import nonsense")


def test_retry_without_a_worker_raises_the_error() -> None:
    @shared_task(bind=True)
    def one(self: Any) -> None:
        self.retry(exc=KeyError("x"))

    @shared_task(bind=True)
    def two(self: Any) -> None:
        self.retry()

    with pytest.raises(KeyError):
        one()
    with pytest.raises(MaxRetriesExceededError):
        two()
    assert not issubclass(Retry, muster_client.MusterError)
