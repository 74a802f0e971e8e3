"""Which workflows there are and where: by name, by file and function, or with their code in the request."""

from __future__ import annotations

import difflib
import hashlib
import linecache
import os
import re
import sys
from types import ModuleType
from typing import Dict, Iterator, List, NamedTuple, Optional

from . import user_code
from .errors import Cancelled, LoadTimeout, Rejection, describe
from .guarded import LoadGuard
from .loading import Library
from .runner import Job, Uninterruptible
from .sources import mentions_sdk
from .wire.messages import Inline, Named, Path, Source
from .workflow import Definition, definition_of

_SKIPPED_FOLDERS = {"__pycache__", "node_modules", "site-packages"}
_INLINE_MODULE = "__muster_inline__"


class DuplicateWorkflow(Exception):
    """Two functions claim one name; the message says where."""


class Entry(NamedTuple):
    """Where a name leads: to a file, or to a function of the SDK itself."""

    path: str
    definition: Definition


class Registry:
    """The workflows of one folder."""

    def __init__(
        self, folder: Optional[str], conformance: bool = False, load_seconds: Optional[float] = None
    ) -> None:
        self._guard = LoadGuard(load_seconds)
        self._is_served = load_seconds is not None
        self._library = Library(folder) if folder and os.path.isdir(folder) else None
        self._folder = folder
        self._entries: Dict[str, Entry] = {}
        self._broken: Dict[str, BaseException] = {}
        self._slow: Dict[str, bytes] = {}
        """Of the broken files those that did not come back, and their content."""
        self._own: Dict[str, Definition] = {}
        if conformance:
            from .conformance import definitions

            self._own = definitions()

    @property
    def recycle_wanted(self) -> bool:
        """True when only a new process can have the folder's present state."""
        return self._library is not None and self._library.recycle_wanted

    def names(self) -> List[str]:
        """What can be run by name."""
        return sorted([*self._entries, *self._own])

    def entries(self) -> Dict[str, Definition]:
        """Every workflow by its name."""
        return {**{name: entry.definition for name, entry in self._entries.items()}, **self._own}

    def broken(self) -> Dict[str, BaseException]:
        """The files that could not be loaded, and why."""
        return dict(self._broken)

    def load(self) -> None:
        """Loads every workflow file that is new or changed. A broken file costs only its own workflows."""
        for path in self._candidates():
            self._load_file(path)

    def _load_what_may_hold(self, workflow: str) -> None:
        for path in self._candidates():
            if self._is_worth_a_try(path) or _may_hold(path, workflow):
                self._load_file(path)

    def find(self, workflow: str, source: Source) -> Job:
        """How to get the function. No user code is entered here; what cannot be run at all is a Rejection."""
        if isinstance(source, Inline):
            return self._find_inline(workflow, source)
        if isinstance(source, Path):
            return self._find_path(workflow, source)
        assert isinstance(source, Named)
        own = self._own.get(workflow)
        if own is not None:
            return Uninterruptible(own) if workflow == "conformance.ignore_cancel" else lambda: own
        if workflow not in self._entries and not self._candidates():
            raise Rejection(self._not_found(workflow))
        return lambda: self._by_name(workflow)

    def _by_name(self, workflow: str) -> Definition:
        library = self._need_library()
        entry = self._entries.get(workflow)
        if entry is not None and os.path.isfile(entry.path):
            self._read(entry.path, library.module(entry.path))
        elif entry is not None:
            del self._entries[workflow]
        if workflow not in self._entries:
            self._load_what_may_hold(workflow)
        if workflow in self._entries:
            return self._entries[workflow].definition
        for path, error in self._broken.items():
            if _may_hold(path, workflow):
                raise error
        raise Rejection(self._not_found(workflow))

    def _find_path(self, workflow: str, source: Path) -> Job:
        library = self._need_library()
        path = os.path.realpath(os.path.join(library.root, source.path))
        if os.path.isabs(source.path) or not path.startswith(os.path.join(library.root, "")):
            raise Rejection(f"{source.path!r} is not below the workflows folder {library.root}")
        if not os.path.isfile(path):
            raise Rejection(f"there is no file {source.path!r} in the workflows folder {library.root}")
        if not path.endswith(".py"):
            raise Rejection(f"{source.path!r} is not a Python file; this worker runs .py files")
        return lambda: _pick(library.module(path), source.function, source.path, workflow)

    def _find_inline(self, workflow: str, source: Inline) -> Job:
        if source.language.lower() not in ("", "python", "py", "python3"):
            raise Rejection(f"the code is {source.language}; this worker runs Python")

        def job() -> Definition:
            filename = f"<inline {workflow or 'code'}>"
            text = source.code.decode("utf-8")
            linecache.cache[filename] = (len(text), None, text.splitlines(True), filename)
            module = ModuleType(_INLINE_MODULE)
            module.__file__ = filename
            user_code.mark(module)
            sys.modules[_INLINE_MODULE] = module
            exec(compile(text, filename, "exec", dont_inherit=True), vars(module))
            return _pick(module, "", "the code", workflow)

        return job

    def _need_library(self) -> Library:
        if self._library is None:
            if self._folder:
                raise Rejection(f"the workflows folder {self._folder!r} does not exist")
            raise Rejection("there is no workflows folder: set workflows_dir")
        self._library.check_extensions()
        return self._library

    def _candidates(self) -> List[str]:
        """Workflow files that are new, changed, or were broken when last seen."""
        library = self._library
        if library is None:
            return []
        return [one for one in _python_files(library.root) if one in self._broken or library.changed(one)]

    def _is_worth_a_try(self, path: str) -> bool:
        """False for a file that did not come back and is as it was: whoever looks for another workflow cannot wait."""
        seen = self._slow.get(path)
        return seen is None or seen != _digest_of(path)

    def _load_file(self, path: str) -> None:
        assert self._library is not None
        if not mentions_sdk(path):
            return
        library = self._library
        try:
            module = self._guard.load(path, lambda: library.module(path))
        except Cancelled:
            raise
        except BaseException as error:
            # Whatever it is, as a script's `exit` or a test tool's way to skip, it must not take the worker along.
            if isinstance(error, KeyboardInterrupt) and not self._is_served:
                raise
            self._note_broken(path, error)
            return
        self._read(path, module)

    def _note_broken(self, path: str, error: BaseException) -> None:
        if path not in self._broken:
            told = describe(error)
            print(f"{path} cannot be loaded: {told.kind}: {told.message}\n{told.stack}", file=sys.stderr)
        if isinstance(error, LoadTimeout):
            self._slow[path] = _digest_of(path)
        self._broken[path] = error

    def _read(self, path: str, module: ModuleType) -> None:
        """Takes over the module's workflows in place of those the file had before."""
        self._broken.pop(path, None)
        self._slow.pop(path, None)
        self._entries = {
            name: entry for name, entry in self._entries.items() if entry.path != path and os.path.isfile(entry.path)
        }
        for definition in _definitions(module):
            other = self._entries.get(definition.name)
            taken = other.definition if other else self._own.get(definition.name)
            if taken is not None and taken is not definition:
                raise DuplicateWorkflow(
                    f"two workflows are called {definition.name!r}: {taken.where} and {definition.where}; "
                    "give one of them another name with @workflow(name=...)"
                )
            self._entries[definition.name] = Entry(path, definition)

    def _not_found(self, workflow: str) -> str:
        if self._folder and self._library is None:
            return f"there is no workflow {workflow!r}: the workflows folder {self._folder} does not exist"
        text = f"there is no workflow {workflow!r} in {self._folder or 'any workflows folder'}"
        near = difflib.get_close_matches(workflow, self.names(), n=1)
        if near:
            text += f"; did you mean {near[0]!r}?"
        elif self.names():
            text += f"; there are {', '.join(self.names()[:10])}" + (" ..." if len(self.names()) > 10 else "")
        if self._broken:
            text += f"; {', '.join(self._broken)} could not be loaded"
        return text


def _python_files(root: str) -> Iterator[str]:
    for folder, folders, files in os.walk(root):
        folders[:] = sorted(one for one in folders if one not in _SKIPPED_FOLDERS and not one.startswith("."))
        for name in sorted(files):
            if name.endswith(".py") and not name.startswith("."):
                yield os.path.join(folder, name)


def _digest_of(path: str) -> bytes:
    try:
        with open(path, "rb") as source:
            return hashlib.blake2b(source.read(), digest_size=16).digest()
    except OSError:
        return b""


def _may_hold(path: str, workflow: str) -> bool:
    try:
        with open(path, "rb") as source:
            return re.search(rb"\b" + re.escape(workflow.encode()) + rb"\b", source.read()) is not None
    except OSError:
        return False


def _definitions(module: ModuleType) -> List[Definition]:
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


def _pick(module: ModuleType, function: str, where: str, workflow: str) -> Definition:
    """The function asked for; without one the single `@workflow`, else `main`."""
    definitions = _definitions(module)
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
