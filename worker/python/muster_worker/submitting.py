"""`greet.submit(name="Ada")`: a workflow is submitted by its function, from an application and from another workflow.

An application needs the package `muster-client`, which is imported on first use; a worker needs nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Callable, Dict, Tuple

from . import hints
from .context import context
from .current import current_or_none

if TYPE_CHECKING:
    from muster_client import AsyncSubmitted, Submitted


class SubmittedByRun:
    """What a workflow submitted: it starts when the outcome of this run is stored, so nobody can wait for it in here."""

    def __init__(self, execution_id: str) -> None:
        self.id = execution_id

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        raise RuntimeError(
            f"{name}: an execution that a workflow submits starts when the outcome of the workflow is stored; "
            "keep its `id`, or submit both from the application"
        )


class Submitter:
    """What `@workflow` leaves on its function as `submit`."""

    def __init__(self, function: Callable[..., Any], name: str) -> None:
        self._function = function
        self._name = name

    def __call__(self, *arguments: Any, **parameters: Any) -> Submitted:
        """Submits with these arguments, as if the function were called."""
        more, params = self._read(arguments, parameters)
        if current_or_none() is not None:
            if more:
                raise TypeError("_options: what a workflow submits has none; submit it from the application")
            return SubmittedByRun(context.submit(self._name, params))  # type: ignore[return-value]
        return need_client().shared_client().submit(self._name, params, **more)  # type: ignore[no-any-return]

    async def in_coroutine(self, *arguments: Any, **parameters: Any) -> AsyncSubmitted:
        """The same with the client for coroutines."""
        if current_or_none() is not None:
            return self(*arguments, **parameters)  # type: ignore[return-value]
        more, params = self._read(arguments, parameters)
        return await need_client().shared_async_client().submit(self._name, params, **more)  # type: ignore[no-any-return]

    def _read(self, arguments: Tuple[Any, ...], parameters: Dict[str, Any]) -> Tuple[Dict[str, Any], Any]:
        more = {"_options": parameters.pop("_options")} if "_options" in parameters else {}
        return more, params_of_call(self._function, self._name, arguments, parameters)


def params_of_call(
    function: Callable[..., Any], name: str, arguments: Tuple[Any, ...], parameters: Dict[str, Any]
) -> Any:
    """The parameters of an execution that calls the function so. A call that does not fit raises TypeError here and now."""
    signature = hints.signature_of(function)
    try:
        bound = signature.bind(*arguments, **parameters)
    except TypeError as error:
        raise TypeError(f"workflow {name!r}: {error}") from None
    if list(signature.parameters) == ["params"]:
        return bound.arguments.get("params", {})
    params: Dict[str, Any] = {}
    for one, value in bound.arguments.items():
        kind = signature.parameters[one].kind
        if kind is signature.parameters[one].VAR_POSITIONAL:
            raise TypeError(f"workflow {name!r}: parameters have names, so nothing can be passed as *{one}")
        if kind is signature.parameters[one].VAR_KEYWORD:
            params.update(value)
        else:
            params[one] = value
    return params


def need_client() -> Any:
    """The package for applications."""
    try:
        import muster_client
    except ImportError as error:
        raise RuntimeError(
            "submitting from an application needs the client: pip install muster-client (or call the function itself)"
        ) from error
    return muster_client
