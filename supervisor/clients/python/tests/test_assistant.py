"""`supervisor mcp`, asked by the official SDK of the Model Context Protocol as an assistant asks it."""

from __future__ import annotations

import asyncio
import json
import subprocess
from pathlib import Path
from typing import Any, Awaitable, Callable

import pytest
from conftest import WORKFLOWS
from installation import Installation, binary
from mcp import Client as Assistant
from mcp import MCPError
from mcp.client.stdio import StdioServerParameters

READING = ["list", "show", "logs", "explain", "report", "status"]
WRITING = ["submit", "cancel", "retry"]
SECRET = "a password that nobody shall read"
TELLS = '''
from muster_worker import context, workflow

@workflow
def tells() -> None:
    context.log.info("the password is " + context.config.get("password"))
    raise ValueError("it was " + context.config.get("password"))
'''


def asked(
    installation: Installation, what: Callable[[Assistant], Awaitable[Any]], *arguments: str, mode: str = "auto", **environment: str
) -> Any:
    """What an assistant does with a server of its own."""
    kept = {"MUSTER_URL": installation.url, "MUSTER_DATA_DIR": str(installation.settings["data_dir"]), **environment}
    server = StdioServerParameters(command=str(binary("supervisor")), args=["mcp", *arguments], env=kept, cwd=installation.folder)

    async def talk() -> Any:
        async with Assistant(server, mode=mode, read_timeout_seconds=60) as assistant:
            return await what(assistant)

    return asyncio.run(talk())


async def answer(assistant: Assistant, tool: str, **arguments: Any) -> Any:
    """The JSON that a tool answers with."""
    result = await assistant.call_tool(tool, arguments)
    assert not result.is_error, result.content
    return json.loads(result.content[0].text)  # type: ignore[union-attr]


async def failure(assistant: Assistant, tool: str, **arguments: Any) -> str:
    """What a tool says that could not do it."""
    result = await assistant.call_tool(tool, arguments)
    assert result.is_error, result.content
    text: str = result.content[0].text  # type: ignore[union-attr]
    return text


async def names(assistant: Assistant) -> list[str]:
    return [tool.name for tool in (await assistant.list_tools()).tools]


@pytest.mark.parametrize("mode", ["auto", "legacy"])
def test_it_is_found_and_only_reads_unless_it_is_allowed_more(installation: Installation, mode: str) -> None:
    async def looks(assistant: Assistant) -> None:
        assert assistant.server_info and assistant.server_info.name == "muster"
        assert assistant.instructions and "`report`" in assistant.instructions
        assert await names(assistant) == READING
        for tool in (await assistant.list_tools()).tools:
            assert tool.annotations and tool.annotations.read_only_hint and tool.input_schema["additionalProperties"] is False
        for tool_name in WRITING:
            assert "supervisor mcp --allow-write" in await failure(assistant, tool_name, workflow="greet", id="0198aa00")
        with pytest.raises(MCPError, match="there is no tool"):
            await assistant.call_tool("drop", {})

    async def finds(assistant: Assistant) -> None:
        assert await names(assistant) == READING + WRITING

    asked(installation, looks, mode=mode)
    asked(installation, finds, "--allow-write", mode=mode)


def test_an_execution_is_submitted_shown_explained_and_found(installation: Installation) -> None:
    async def works(assistant: Assistant) -> None:
        row = await answer(assistant, "submit", workflow="greet", parameters={"name": "Ada"}, wait_seconds=30)
        assert (row["status"], row["result"]) == ("SUCCESS", {"greeting": "Hello, Ada!"})
        mine = row["execution_id"]
        assert (await answer(assistant, "show", id=mine))["parameters"] == {"name": "Ada"}
        lines = (await answer(assistant, "logs", id=mine))["logs"]
        assert [(line["message"], line["fields"]) for line in lines] == [("greeting", {"name": "Ada"})]
        assert (await answer(assistant, "explain", id=mine))["status"] == "SUCCESS"
        found = await answer(assistant, "list", status="SUCCESS", workflow="greet", limit=100)
        assert mine in [one["execution_id"] for one in found["executions"]]
        again = await answer(assistant, "retry", id=mine)
        assert again["retry_of"] == mine
        assert (await answer(assistant, "show", id=again["execution_id"], wait_seconds=30))["status"] == "SUCCESS"
        slow = (await answer(assistant, "submit", workflow="slow"))["execution_id"]
        assert (await answer(assistant, "cancel", id=slow))["outcome"] in ("cancelled", "requested")
        assert (await answer(assistant, "show", id=slow, wait_seconds=30))["status"] == "CANCELLED"
        assert (await answer(assistant, "status"))["readiness"]["ready"]
        assert (await answer(assistant, "report"))["verdict"] in ("healthy", "degraded", "failing")

    asked(installation, works, "--allow-write")


def test_calls_do_not_wait_for_one_another(installation: Installation) -> None:
    async def works(assistant: Assistant) -> None:
        slow = (await answer(assistant, "submit", workflow="slow"))["execution_id"]
        waits = asyncio.create_task(answer(assistant, "show", id=slow, wait_seconds=60))
        await answer(assistant, "cancel", id=slow)
        assert (await waits)["status"] == "CANCELLED"

    asked(installation, works, "--allow-write")


def test_mistakes_say_what_would_be_right(installation: Installation) -> None:
    async def errs(assistant: Assistant) -> None:
        assert "no execution has an id that begins with" in await failure(assistant, "show", id="00000000")
        assert "is no execution id" in await failure(assistant, "explain", id="the last one")
        assert "unknown field `state`, expected" in await failure(assistant, "list", state="FAILED")
        assert "write it as in 2026-05-01T06:30:00Z" in await failure(assistant, "list", since="yesterday")
        assert "priority" in await failure(assistant, "submit", workflow="greet", priority=10)

    asked(installation, errs, "--allow-write")


def test_without_a_supervisor_it_says_how_to_start_one(tmp_path: Path) -> None:
    async def errs(assistant: Assistant) -> None:
        assert "start one with `supervisor run`" in await failure(assistant, "list")

    asked(Installation(tmp_path / "none"), errs)


def test_what_is_long_is_cut_and_says_so_and_a_log_goes_on(installation: Installation) -> None:
    async def reads(assistant: Assistant) -> None:
        long = await answer(assistant, "submit", workflow="echo", parameters={"params": "x" * 60_000})
        await assistant.call_tool("show", {"id": long["execution_id"], "wait_seconds": 30})
        shown = (await assistant.call_tool("show", {"id": long["execution_id"]})).content[0].text  # type: ignore[union-attr]
        assert len(shown) < 41_000 and "bytes are missing here; a person sees all of it with `supervisor show" in shown
        counted = await answer(assistant, "submit", workflow="count", parameters={"lines": 500})
        await answer(assistant, "show", id=counted["execution_id"], wait_seconds=30)
        cursor, seen = {}, []
        while True:
            page = await answer(assistant, "logs", id=counted["execution_id"], **cursor)
            seen += [line["sequence"] for line in page["logs"]]
            if page["next_cursor"] is None:
                break
            cursor = {"cursor": page["next_cursor"]}
        assert seen == list(range(1, 501)) and cursor, "more than one page, and no line twice"

    asked(installation, reads, "--allow-write")


def test_a_role_binds_it_whatever_it_was_started_with(installation: Installation) -> None:
    looks = installation.command("token", "create", "assistant", "--role", "view").strip()

    async def tries(assistant: Assistant) -> None:
        assert "this needs the role operate" in await failure(assistant, "submit", workflow="greet")
        assert (await answer(assistant, "list", limit=1))["executions"] is not None

    asked(installation, tries, "--allow-write", MUSTER_HTTP_TOKEN=looks)

    async def fails(assistant: Assistant) -> None:
        said = await failure(assistant, "list")
        assert "token" in said and "muster_wrong" not in said

    asked(installation, fails, MUSTER_HTTP_TOKEN="muster_wrong")


def test_secrets_are_masked_and_the_token_is_never_said(tmp_path: Path) -> None:
    key = subprocess.run([str(binary("supervisor")), "secret", "key"], capture_output=True, text=True, check=True)
    made = Installation(tmp_path / "secrets", secret_key=key.stdout.strip())
    made.workflow("all.py", WORKFLOWS)
    made.workflow("tells.py", TELLS)
    made.start()
    try:
        subprocess.run(
            [str(binary("supervisor")), "secret", "set", "password"],
            input=SECRET, text=True, check=True, cwd=made.folder, env={**made.environment(), "MUSTER_URL": made.url}, capture_output=True,
        )  # fmt: skip

        async def reads(assistant: Assistant) -> list[str]:
            row = await answer(assistant, "submit", workflow="tells", wait_seconds=30)
            assert row["error_type"] == "ValueError" and row["error_message"] == "it was ***"
            texts = [json.dumps(row)]
            for tool, arguments in [("logs", {"id": row["execution_id"]}), ("explain", {"id": row["execution_id"]}), ("list", {}), ("status", {}), ("report", {})]:
                texts.append(json.dumps(await answer(assistant, tool, **arguments)))
            return texts

        texts = asked(made, reads, "--allow-write")
        token = (made.folder / "data" / "http_token").read_text().strip()
        assert "the password is ***" in texts[1]
        assert not any(SECRET in text or token in text for text in texts)
    finally:
        made.stop()


def test_its_output_is_the_protocol_and_nothing_else(installation: Installation) -> None:
    asks = {"jsonrpc": "2.0", "id": 1, "method": "initialize"}
    asks["params"] = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "a test", "version": "1"}}  # type: ignore[assignment]
    server = subprocess.Popen(
        [str(binary("supervisor")), "mcp"],
        cwd=installation.folder, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env={**installation.environment(), "MUSTER_URL": installation.url, "MUSTER_LOG_LEVEL": "trace", "RUST_LOG": "trace"},
    )  # fmt: skip
    assert server.stdin and server.stdout
    server.stdin.write(json.dumps(asks) + "\n")
    server.stdin.flush()
    first = json.loads(server.stdout.readline())
    assert first["result"]["serverInfo"]["name"] == "muster"
    rest, complaints = server.communicate(timeout=30)
    assert (rest, complaints, server.returncode) == ("", "", 0), "it leaves when its input ends"
