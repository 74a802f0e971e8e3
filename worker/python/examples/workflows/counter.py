"""A counter in state: it outlives the execution, and changes only with its outcome."""

from muster_worker import context, workflow


@workflow
def count(by: int = 1) -> int:
    value = context.state.get("example.counter", 0) + by
    context.state.set("example.counter", value)
    return value
