"""Which workflows there are and where: by name, by file and function, or with their code in the request."""

from __future__ import annotations

import os
from functools import partial
from types import ModuleType
from typing import Dict, List, NamedTuple, Optional

from . import hooks, probe
from .broken_files import BrokenFiles
from .errors import Cancelled, LoadCrash, LoadTimeout, Rejection
from .guarded import LoadGuard
from .inline import inline_job
from .load_journal import Journal
from .loading import Library
from .picking import DuplicateWorkflow, definitions_in, not_found, pick
from .runner import Job, Uninterruptible
from .sources import Stamp, leads_out, may_hold, mentions_sdk, python_files, stamp_of
from .wire.messages import Inline, Named, Path, Source
from .workflow import Definition


class Entry(NamedTuple):
    """Where a name leads: to a file, or to a function of the SDK itself."""

    path: str
    definition: Definition


class Registry:
    """The workflows of one folder."""

    def __init__(
        self,
        folder: Optional[str],
        conformance: bool = False,
        load_seconds: Optional[float] = None,
        with_hooks: bool = True,
    ) -> None:
        self._with_hooks = with_hooks
        self._guard = LoadGuard(load_seconds)
        self._is_served = load_seconds is not None
        self._library = Library(folder) if folder and os.path.isdir(folder) else None
        self._folder = folder
        self._entries: Dict[str, Entry] = {}
        self._broken = BrokenFiles()
        self._journal: Optional[Journal] = None
        self._read_from: Dict[str, ModuleType] = {}
        """The module of each file as it was when its workflows were taken over."""
        self._loaded: Dict[str, Stamp] = {}
        """All files of the folder as they were before they were loaded."""
        self.version = 0
        """Counts what changed of the workflows and the broken files."""
        self._own: Dict[str, Definition] = {}
        if conformance:
            from .conformance import definitions

            self._own = definitions()

    @property
    def recycle_wanted(self) -> bool:
        """True when only a new process can have the folder's present state."""
        return self._library is not None and self._library.recycle_wanted

    def start_hooks(self) -> None:
        """In a worker that its template made: what is to be done once in each worker. A failure costs what it always costs."""
        self._with_hooks = True
        if hooks.are_waiting():
            for path in list(self._read_from):
                self._load_file(path)

    def is_current(self) -> bool:
        """False when what is loaded is not what a new process would load."""
        return not self._loaded or self._loaded == self._state_of_files()

    def _state_of_files(self) -> Dict[str, Stamp]:
        stamps: Dict[str, Stamp] = {}
        for path in python_files(self._library.root) if self._library is not None else ():
            try:
                stamps[path] = stamp_of(path)
            except OSError:
                continue
        return stamps

    def names(self) -> List[str]:
        """What can be run by name."""
        return sorted([*self._entries, *self._own])

    def entries(self) -> Dict[str, Definition]:
        """Every workflow by its name."""
        return {**{name: entry.definition for name, entry in self._entries.items()}, **self._own}

    def broken(self) -> Dict[str, BaseException]:
        """The files that could not be loaded, and why."""
        return dict(self._broken.errors)

    def load(self) -> None:
        """Loads every workflow file that is new or changed. A broken file costs only its own workflows."""
        candidates = self._candidates()
        if not self._is_served or self._library is None:
            for path in candidates:
                self._load_file(path)
            return
        self._loaded = self._state_of_files()
        self._journal = journal = Journal(self._library.root)
        try:
            for path in filter(mentions_sdk, candidates):
                problem = journal.found(path) or self._find_out(journal, path)
                if problem is not None:
                    self._note_broken(path, problem)
                    continue
                journal.about_to_load(path)
                self._load_file(path)
                slow = self._broken.error_of(path)
                if isinstance(slow, LoadTimeout):
                    journal.note(path, slow)
        finally:
            journal.through()

    def _find_out(self, journal: Journal, path: str) -> Optional[LoadCrash]:
        """Whether a file at which a worker died would end this one too."""
        if path not in journal.suspects:
            return None
        library = self._need_library()
        words = probe.problem_of(lambda: library.module(path), self._guard.seconds)
        if not words:
            return None
        problem = LoadCrash(f"{path} {words}")
        journal.note(path, problem)
        return problem

    def _load_what_may_hold(self, workflow: str) -> None:
        for path in self._candidates():
            crashes = isinstance(self._broken.error_of(path), LoadCrash)
            if self._broken.is_worth_a_try(path) or (may_hold(path, workflow) and not crashes):
                self._load_file(path)

    def find(self, workflow: str, source: Source) -> Job:
        """How to get the function. No user code is entered here; what cannot be run at all is a Rejection."""
        own = self._own.get(workflow) if type(source) is Named else None
        if own is not None:
            return Uninterruptible(own) if workflow == "conformance.ignore_cancel" else lambda: own
        if isinstance(source, Inline):
            return inline_job(workflow, source)
        if isinstance(source, Path):
            return self._find_path(workflow, source)
        assert isinstance(source, Named)
        if workflow not in self._entries and not self._candidates():
            raise Rejection(self._not_found(workflow))
        return lambda: self._by_name(workflow)

    def _by_name(self, workflow: str) -> Definition:
        entry = self._entries.get(workflow)
        if entry is not None and self._is_as_read(entry.path):
            return entry.definition
        if entry is not None and self._is_there(entry.path):
            path = entry.path
            module = self._guarded(path)
            if self._read_from.get(entry.path) is not module:
                self._read(entry.path, module)
        elif entry is not None:
            del self._entries[workflow]
            self.version += 1
        if workflow not in self._entries:
            self._load_what_may_hold(workflow)
        if workflow in self._entries:
            return self._entries[workflow].definition
        for path, error in self._broken.errors.items():
            if may_hold(path, workflow):
                raise error
        raise Rejection(self._not_found(workflow))

    def _is_there(self, path: str) -> bool:
        """False for a file that is gone, or a link out of the folder by now."""
        return os.path.isfile(path) and not leads_out(self._need_library().root, path)

    def _is_as_read(self, path: str) -> bool:
        """True when the file's workflows are those that were taken over from it, and no hook of its waits to be called."""
        if hooks.are_waiting():
            return False
        module = self._need_library().current(path)
        return module is not None and module is self._read_from.get(path)

    def _find_path(self, workflow: str, source: Path) -> Job:
        library = self._need_library()
        path = os.path.realpath(os.path.join(library.root, source.path))
        if os.path.isabs(source.path) or not path.startswith(os.path.join(library.root, "")):
            raise Rejection(f"{source.path!r} is not below the workflows folder {library.root}")
        if not os.path.isfile(path):
            raise Rejection(f"there is no file {source.path!r} in the workflows folder {library.root}")
        if not path.endswith(".py"):
            raise Rejection(f"{source.path!r} is not a Python file; this worker runs .py files")
        return lambda: pick(self._guarded(path), source.function, source.path, workflow)

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
        return [one for one in python_files(library.root) if one in self._broken.errors or library.changed(one)]

    def _guarded(self, path: str) -> ModuleType:
        """The module of a file. Where nothing is to be done for it, nothing is to be guarded."""
        module = None if hooks.are_waiting() else self._need_library().current(path)
        if module is None:
            return self._guard.load(path, lambda: self._module(path))
        return self._reaching(path, module)

    def _module(self, path: str) -> ModuleType:
        library = self._need_library()
        module = self._reaching(path, library.module(path))
        if self._with_hooks and hooks.are_waiting():
            hooks.start_worker(partial(library.reach, path))
        return module

    def _reaching(self, path: str, module: ModuleType) -> ModuleType:
        """The module, whose workflows are told what their file imports."""
        if self._read_from.get(path) is not module:
            library = self._need_library()
            for definition in definitions_in(module):
                definition.reach = partial(library.reach, path)
        return module

    def _load_file(self, path: str) -> None:
        assert self._library is not None
        if not mentions_sdk(path):
            return
        try:
            module = self._guarded(path)
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
        self._broken.note(path, error)
        self.version += 1

    def _read(self, path: str, module: ModuleType) -> None:
        """Takes over the module's workflows in place of those the file had before."""
        self._read_from[path] = module
        self.version += 1
        self._broken.forget(path)
        if self._journal is not None:
            self._journal.clear(path)
        self._entries = {
            name: entry for name, entry in self._entries.items() if entry.path != path and self._is_there(entry.path)
        }
        for definition in definitions_in(module):
            other = self._entries.get(definition.name)
            taken = other.definition if other else self._own.get(definition.name)
            if taken is not None and taken is not definition:
                raise DuplicateWorkflow(
                    f"two workflows are called {definition.name!r}: {taken.where} and {definition.where}; "
                    "give one of them another name with @workflow(name=...)"
                )
            self._entries[definition.name] = Entry(path, definition)

    def _not_found(self, workflow: str) -> str:
        return not_found(workflow, self.names(), self._folder, self._library is not None, list(self._broken.errors))
