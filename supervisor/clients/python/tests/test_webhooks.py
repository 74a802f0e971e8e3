"""What executions came to reaches a receiver, as the reference library of the Standard Webhooks specification reads it."""

from __future__ import annotations

import json
import signal
import subprocess
import threading
import time
from pathlib import Path
from typing import Any, Iterator

import pytest
from conftest import WORKFLOWS
from installation import Installation, binary
from receiving import SOON, QuietHandler, Served, eventually
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from muster_client import Client, InvalidRequest, Options


class Receiver:
    """An endpoint for each path, with the answers a test gives it; the last one is given from then on."""

    def __init__(self) -> None:
        self.answers: dict[str, list[tuple[int, dict[str, str]] | str]] = {}
        self.received: list[tuple[str, dict[str, str], bytes]] = []
        self._lock = threading.Lock()
        receiver = self

        class Handler(QuietHandler):
            def do_POST(self) -> None:
                body = self.body()
                with receiver._lock:
                    headers = {name.lower(): value for name, value in self.headers.items()}
                    receiver.received.append((self.path, headers, body))
                    answers = receiver.answers.get(self.path, [(204, {})])
                    answer = answers.pop(0) if len(answers) > 1 else answers[0]
                if answer == "hang":
                    time.sleep(120)
                elif answer == "reset":
                    self.connection.close()
                else:
                    assert not isinstance(answer, str)
                    self.answer(*answer)

        self._served = Served(Handler)
        self.url, self.close = self._served.url, self._served.close

    def of(self, path: str) -> list[tuple[dict[str, str], bytes]]:
        with self._lock:
            return [(headers, body) for found, headers, body in self.received if found == path]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.close()


@pytest.fixture
def installed(tmp_path: Path) -> Iterator[Installation]:
    key = subprocess.run([str(binary("supervisor")), "secret", "key"], capture_output=True, text=True, check=True)
    made = Installation(tmp_path / "hooks", webhook_allow_private="true", secret_key=key.stdout.strip())
    made.workflow("all.py", WORKFLOWS)
    made.start()
    try:
        yield made
    finally:
        made.stop()


def hook(installed: Installation, name: str, url: str, *more: str) -> str:
    """Defines a webhook with a key of its own; gives the key."""
    key = signing_key(installed, name)
    installed.command("webhook", "set", name, "--to", url, *more)
    return key


def signing_key(installed: Installation, name: str) -> str:
    """Makes the key that deliveries of this name are signed with."""
    key = installed.command("webhook", "key").strip()
    subprocess.run(
        [str(binary("supervisor")), "secret", "set", f"webhook.{name}"],
        env={**installed.environment(), "MUSTER_URL": installed.url},
        input=key,
        text=True,
        check=True,
        capture_output=True,
    )
    return key


def deliveries(installed: Installation, name: str) -> list[dict[str, Any]]:
    shown = json.loads(installed.command("webhook", "deliveries", "--webhook", name, "--limit", "1000", "--json"))
    found: list[dict[str, Any]] = shown["deliveries"]
    return found


def delivered(installed: Installation, name: str) -> None:
    """Waits until the newest delivery of the webhook was received."""
    eventually(name, lambda: deliveries(installed, name)[0]["state"] == "delivered")


def tried(installed: Installation, name: str) -> dict[str, Any]:
    """A delivery of the webhook that was tried and not received."""
    found = eventually(name, lambda: [one for one in deliveries(installed, name) if one["last_error"]])
    return dict(found[0])


def test_the_reference_library_reads_what_is_told(installed: Installation, receiver: Receiver) -> None:
    key = hook(installed, "ops", f"{receiver.url}/ops")
    hook(installed, "failures", f"{receiver.url}/failures", "--event", "FAILED", "--workflow", "broken")
    with Client(installed.url) as client:
        fine = client.submit("greet", name="Ada")
        assert fine.result(SOON) == {"greeting": "Hello, Ada!"}
        broken = client.submit("broken", message="planted")
        broken.wait(SOON)
    eventually("both are told", lambda: len(receiver.of("/ops")) == 2 and receiver.of("/failures"))
    told = {}
    for headers, body in receiver.of("/ops"):
        message = Webhook(key).verify(body, headers)
        told[message["data"]["execution_id"]] = (headers, message)
        with pytest.raises(WebhookVerificationError):
            Webhook(key).verify(body + b" ", headers)
    headers, message = told[str(fine.id)]
    assert message["type"] == "execution.success"
    assert message["data"]["result"] == {"greeting": "Hello, Ada!"}
    assert "parameters" not in message["data"] and "Ada" not in json.dumps(headers)
    assert told[str(broken.id)][1]["data"]["error_type"] == "LookupError"
    assert [json.loads(body)["data"]["execution_id"] for _, body in receiver.of("/failures")] == [str(broken.id)]
    shown = eventually("it is noted", lambda: [one for one in deliveries(installed, "failures") if one["state"] == "delivered"])
    assert shown[0]["last_status"] == 204 and shown[0]["history"][0]["status"] == 204
    # The key is in nobody's hands: not in a run's configuration, nor in what is exported.
    assert "whsec_" not in installed.command("export") and "webhook.ops" not in installed.command("export")


def test_who_a_submission_names_is_told_of_it(installed: Installation, receiver: Receiver) -> None:
    key = signing_key(installed, "request")
    with Client(installed.url) as client:
        options = Options(webhook=f"{receiver.url}/every")
        fine = client.submit("greet", _options=options)
        fine.result(SOON)
        options = Options(webhook={"url": f"{receiver.url}/failures", "events": ["FAILED"]})
        client.submit("greet", _options=options).result(SOON)
        broken = client.submit("broken", message="planted", _options=options)
        broken.wait(SOON)
        with pytest.raises(InvalidRequest, match="events"):
            client.submit("greet", _options=Options(webhook={"url": receiver.url, "events": ["OVER"]}))
    eventually("both are told", lambda: receiver.of("/every") and receiver.of("/failures"))
    for path, handle in (("/every", fine), ("/failures", broken)):
        told = [Webhook(key).verify(body, headers)["data"]["execution_id"] for headers, body in receiver.of(path)]
        assert told == [str(handle.id)]


def test_a_receiver_that_fails_is_asked_again_with_the_same_id(installed: Installation, receiver: Receiver) -> None:
    receiver.answers = {
        "/fails": [(500, {}), (204, {})],
        "/moved": [(302, {"location": f"{receiver.url}/elsewhere"}), (204, {})],
        "/busy": [(429, {"retry-after": "8"}), (204, {})],
        "/resets": ["reset", (200, {})],
        "/gone": [(410, {})],
    }
    for path in receiver.answers:
        hook(installed, path[1:], f"{receiver.url}{path}")
    with Client(installed.url) as client:
        client.submit("greet").result(SOON)
    begun = time.monotonic()
    for name in ("fails", "moved", "resets"):
        delivered(installed, name)
        first, second = receiver.of(f"/{name}")
        assert first[0]["webhook-id"] == second[0]["webhook-id"] and first[1] == second[1]
        assert int(second[0]["webhook-timestamp"]) >= int(first[0]["webhook-timestamp"]) + 4
    assert time.monotonic() - begun < 30
    assert receiver.of("/elsewhere") == [], "a redirect is not followed"
    delivered(installed, "busy")
    first, second = receiver.of("/busy")
    assert int(second[0]["webhook-timestamp"]) - int(first[0]["webhook-timestamp"]) >= 7
    # One that is gone is told nothing more, and it is said who decided that.
    gone = deliveries(installed, "gone")[0]
    assert (gone["state"], gone["last_status"], len(receiver.of("/gone"))) == ("failed", 410, 1)
    eventually("it is paused", lambda: json.loads(installed.command("webhook", "show", "gone"))["is_paused"])
    assert "410" in installed.command("changes")
    with Client(installed.url) as client:
        client.submit("greet").result(SOON)
    eventually("the others are told", lambda: len(receiver.of("/fails")) == 3)
    assert len(deliveries(installed, "gone")) == 1
    # And told again when somebody asks for it.
    receiver.answers["/gone"] = [(204, {})]
    installed.command("webhook", "set", "gone", "--paused", "false")
    installed.command("webhook", "retry", "gone", gone["execution_id"])
    eventually("it is delivered", lambda: deliveries(installed, "gone")[0]["state"] == "delivered")


def test_a_receiver_that_hangs_holds_up_nobody_and_is_let_go(installed: Installation, receiver: Receiver) -> None:
    receiver.answers = {"/hangs": ["hang"]}
    hook(installed, "hangs", f"{receiver.url}/hangs")
    hook(installed, "fine", f"{receiver.url}/fine")
    with Client(installed.url) as client:
        for one in [client.submit("greet") for _ in range(30)]:
            one.result(SOON)
    begun = time.monotonic()
    eventually("the other is told", lambda: len(receiver.of("/fine")) == 30)
    assert time.monotonic() - begun < 10
    failed = eventually("it is let go", lambda: [one for one in deliveries(installed, "hangs") if one["last_error"]])
    assert "timeout" in failed[0]["last_error"] and failed[0]["state"] == "pending"


def test_nobody_inside_is_reached_unless_a_setting_says_so(tmp_path: Path, receiver: Receiver) -> None:
    key = subprocess.run([str(binary("supervisor")), "secret", "key"], capture_output=True, text=True, check=True)
    made = Installation(tmp_path / "closed", secret_key=key.stdout.strip())
    made.workflow("all.py", WORKFLOWS)
    made.start()
    try:
        hook(made, "inside", f"{receiver.url}/inside")
        hook(made, "named", f"{receiver.url.replace('127.0.0.1', 'localhost')}/inside")
        with Client(made.url) as client:
            client.submit("greet").result(SOON)
        for name in ("inside", "named"):
            assert "private" in tried(made, name)["last_error"]
        assert receiver.received == []
    finally:
        made.stop()


def test_a_kill_between_commit_and_delivery_loses_nothing(installed: Installation, receiver: Receiver) -> None:
    key = hook(installed, "ops", f"{receiver.url}/ops")
    ids = []
    for _ in range(5):
        with Client(installed.url, patience=60) as client:
            submitted = [client.submit("greet") for _ in range(4)]
            ids += [str(one.id) for one in submitted]
            for one in submitted:
                one.result(SOON)
        installed.stop(signal.SIGKILL)
        installed.start()

    def told() -> set[str]:
        return {Webhook(key).verify(body, headers)["data"]["execution_id"] for headers, body in receiver.of("/ops")}

    # What was under way when its supervisor died is tried again after a minute.
    eventually("all are told", lambda: told() == set(ids), 150)
