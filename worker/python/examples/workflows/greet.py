"""The smallest workflow: parameters from the signature, a log line, a result."""

from muster_worker import context, workflow


@workflow
def greet(name: str = "world") -> dict:
    context.log.info("greeting", name=name)
    return {"greeting": f"Hello, {name}!"}
