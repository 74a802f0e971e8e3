"""Which functions of a module are workflows, and which of them is meant."""

from __future__ import annotations

import difflib
from types import ModuleType
from typing import Dict, List, Optional

from .errors import Rejection
from .workflow import Definition, definition_of


class DuplicateWorkflow(Exception):
    """Two functions claim one name; the message says where."""


def definitions_in(module: ModuleType) -> List[Definition]:
    """The workflows a module defines itself, not those it imported from another file."""
    found = [definition_of(value) for value in vars(module).values()]
    own = [one for one in found if one is not None and one.function.__module__ == module.__name__]
    names: Dict[str, Definition] = {}
    for definition in own:
        if names.setdefault(definition.name, definition) is not definition:
            raise DuplicateWorkflow(
                f"two workflows are called {definition.name!r}: {names[definition.name].where} and {definition.where}"
            )
    return own


def pick(module: ModuleType, function: str, where: str, workflow: str) -> Definition:
    """The function asked for; without one the single `@workflow`, else `main`."""
    definitions = definitions_in(module)
    if function:
        for definition in definitions:
            if function in (definition.name, definition.function.__name__):
                return definition
        value = vars(module).get(function)
        if not callable(value):
            raise Rejection(f"{where!r} has no function {function!r}")
        return definition_of(value) or Definition(value, function)
    if len(definitions) == 1:
        return definitions[0]
    if definitions:
        names = ", ".join(one.name for one in definitions)
        raise Rejection(f"{where} has several workflows ({names}): say which one")
    main = vars(module).get("main")
    if not callable(main):
        raise Rejection(f"{where} has neither a function with @workflow nor a function main(params)")
    return Definition(main, workflow)


def not_found(workflow: str, names: List[str], folder: Optional[str], is_there: bool, broken: List[str]) -> str:
    """Why there is no workflow of that name, and which there are."""
    if folder and not is_there:
        return f"there is no workflow {workflow!r}: the workflows folder {folder} does not exist"
    text = f"there is no workflow {workflow!r} in {folder or 'any workflows folder'}"
    near = difflib.get_close_matches(workflow, names, n=1)
    if near:
        text += f"; did you mean {near[0]!r}?"
    elif names:
        text += f"; there are {', '.join(names[:10])}" + (" ..." if len(names) > 10 else "")
    if broken:
        text += f"; {', '.join(broken)} could not be loaded"
    return text
