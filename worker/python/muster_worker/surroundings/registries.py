"""Registries of libraries: what is entered there by a call, and is asked for by whoever comes later.

Each is copied when a run first calls what changes it, so a run that enters nothing pays nothing. What a module enters
while it is imported stays, as the module does.
"""

from __future__ import annotations

import copy
from types import ModuleType
from typing import Any, Callable, Dict, List, NamedTuple, Tuple

from .. import on_import


class _Registry(NamedTuple):
    """The functions that change it, and how it is read and put back."""

    functions: Tuple[str, ...]
    read: Callable[[Any], Any]
    write: Callable[[Any, Any], None]


def _dictionaries(*names: str) -> Tuple[Callable[[Any], Any], Callable[[Any, Any], None]]:
    """Of a registry that is some dictionaries of its module."""

    def read(module: Any) -> Any:
        return {name: _copied(vars(module)[name]) for name in names if name in vars(module)}

    def write(module: Any, state: Any) -> None:
        for name, entries in state.items():
            _fill(vars(module)[name], entries)

    return read, write


def _copied(entries: Dict[Any, Any]) -> Dict[Any, Any]:
    # One level deeper where there is one: lists of kinds, dictionaries of options.
    return {name: copy.deepcopy(value) if isinstance(value, (dict, list)) else value for name, value in entries.items()}


def _fill(live: Dict[Any, Any], entries: Dict[Any, Any]) -> None:
    live.clear()
    live.update(_copied(entries))


def _dialects(module: Any) -> Dict[str, Any]:
    return {name: module.get_dialect(name) for name in module.list_dialects()}


def _set_dialects(module: Any, dialects: Dict[str, Any]) -> None:
    for name in module.list_dialects():
        if name not in dialects:
            _plain(module.unregister_dialect)(name)
    for name, dialect in dialects.items():
        _plain(module.register_dialect)(name, dialect)


_KINDS = ("types_map", "types_map_inv")


def _kinds(module: Any) -> Dict[str, Any]:
    """Of `mimetypes`, which reads the tables of the system when it is first asked."""
    if module._db is None:
        _plain(module.init)()
    return {"db": module._db, **{name: [_copied(one) for one in getattr(module._db, name)] for name in _KINDS}}


def _set_kinds(module: Any, state: Dict[str, Any]) -> None:
    module._db = state["db"]
    for name in _KINDS:
        for live, entries in zip(getattr(module._db, name), state[name]):
            _fill(live, entries)
    module.types_map, module.common_types = module._db.types_map[True], module._db.types_map[False]
    module.encodings_map, module.suffix_map = module._db.encodings_map, module._db.suffix_map


_searches: List[Callable[..., Any]] = []
"""What was given to `codecs.register`."""


def _search(plain: Callable[..., Any]) -> Callable[..., Any]:
    def register(function: Any, /) -> None:
        plain(function)
        _searches.append(function)

    return register


def _set_searches(module: Any, searches: Tuple[Any, ...]) -> None:
    while len(_searches) > len(searches):
        module.unregister(_searches.pop())


_handled = {"strict", "ignore", "replace", "xmlcharrefreplace", "backslashreplace", "namereplace", "surrogateescape", "surrogatepass"}
"""The names that handlers of errors were registered by."""


def _note_handler(plain: Callable[..., Any]) -> Callable[..., Any]:
    def register_error(name: Any, handler: Any, /) -> None:
        plain(name, handler)
        _handled.add(name)

    return register_error


def _handlers(module: Any) -> Dict[str, Any]:
    return {name: module.lookup_error(name) for name in _handled}


def _set_handlers(module: Any, handlers: Dict[str, Any]) -> None:
    for name in _handled:
        _plain(module.register_error)(name, handlers.get(name) or _unknown(name))


def _unknown(name: str) -> Callable[..., Any]:
    """In the place of a handler that cannot be taken away: it does what is done where there is none."""

    def handler(_: Any) -> Any:
        raise LookupError(f"unknown error handler name {name!r}")

    return handler


def _set_zones(module: Any, folders: Tuple[str, ...]) -> None:
    _plain(module.reset_tzpath)(to=folders)
    # Those that were found elsewhere.
    module.ZoneInfo.clear_cache()


def _set_input(module: Any, state: Any) -> None:
    if module._state is not None and module._state is not state:
        module._state.close()
    module._state = state


def _set_tracing(module: Any, frames: int) -> None:
    if frames:
        _plain(module.start)(frames)
    else:
        _plain(module.stop)()


_REGISTRIES: Dict[str, Tuple[_Registry, ...]] = {
    "sys": (_Registry(("setdlopenflags",), lambda sys: sys.getdlopenflags(), lambda sys, value: _plain(sys.setdlopenflags)(value)),),
    "codecs": (
        _Registry(("register",), lambda _: tuple(_searches), _set_searches),
        _Registry(("register_error",), _handlers, _set_handlers),
    ),
    "_codecs": (_Registry(("register_error",), _handlers, _set_handlers),),
    "zoneinfo": (_Registry(("reset_tzpath",), lambda module: module.TZPATH, _set_zones),),
    "calendar": (_Registry(("setfirstweekday",), lambda module: module.firstweekday(), lambda module, day: _plain(module.setfirstweekday)(day)),),
    "gettext": (
        _Registry(("textdomain",), lambda module: _plain(module.textdomain)(), lambda module, domain: setattr(module, "_current_domain", domain)),
        _Registry(("bindtextdomain",), *_dictionaries("_localedirs")),
    ),
    "fileinput": (_Registry(("input",), lambda module: module._state, _set_input),),
    "tracemalloc": (
        _Registry(("start", "stop"), lambda module: module.get_traceback_limit() if module.is_tracing() else 0, _set_tracing),
    ),
    "copyreg": (_Registry(("pickle", "add_extension", "remove_extension"), *_dictionaries("dispatch_table", "_extension_registry", "_inverted_registry")),),
    "csv": (
        _Registry(("register_dialect", "unregister_dialect"), _dialects, _set_dialects),
        _Registry(("field_size_limit",), lambda csv: _plain(csv.field_size_limit)(), lambda csv, value: _plain(csv.field_size_limit)(value)),
    ),
    "email.charset": (_Registry(("add_charset", "add_alias", "add_codec"), *_dictionaries("CHARSETS", "ALIASES", "CODEC_MAP")),),
    "mimetypes": (_Registry(("add_type", "init"), _kinds, _set_kinds),),
    "shutil": (
        _Registry(
            ("register_archive_format", "unregister_archive_format", "register_unpack_format", "unregister_unpack_format"),
            *_dictionaries("_ARCHIVE_FORMATS", "_UNPACK_FORMATS"),
        ),
    ),
    "sqlite3": (_Registry(("register_adapter", "register_converter"), *_dictionaries("adapters", "converters")),),
    "sqlite3.dbapi2": (_Registry(("register_adapter", "register_converter"), *_dictionaries("adapters", "converters")),),
    "xml.etree.ElementTree": (_Registry(("register_namespace",), *_dictionaries("_namespace_map")),),
    "pandas._config.config": (_Registry(("set_option", "_set_option", "reset_option"), *_dictionaries("_global_config")),),
    "numpy.core.arrayprint": (_Registry(("set_printoptions",), *_dictionaries("_format_options")),),
}


_KEEPING: Dict[Tuple[str, ...], Callable[[Callable[..., Any]], Callable[..., Any]]] = {("register",): _search, ("register_error",): _note_handler}
"""Of functions that leave nothing to read: what notes what they are given."""


def _as_it_is(plain: Callable[..., Any]) -> Callable[..., Any]:
    return plain


def _plain(function: Any) -> Callable[..., Any]:
    """What is behind a function that is watched."""
    return getattr(function, "__wrapped__", function)  # type: ignore[no-any-return]


class Registries:
    """Made before any user code is loaded."""

    def __init__(self, note: Callable[[str], None]) -> None:
        self._note = note
        self._before: Dict[_Registry, Tuple[ModuleType, Any]] = {}
        """Those that were changed, as they were before."""
        for name in _REGISTRIES:
            on_import.when_imported(name, self._watch)

    def note(self) -> None:
        """From now on this is how it should be."""
        self._before.clear()

    def put_back(self) -> None:
        """Makes all as they were."""
        while self._before:
            registry, (module, state) = self._before.popitem()
            registry.write(module, state)

    def set_aside(self) -> Dict[_Registry, Tuple[ModuleType, Any]]:
        """Before an import: what the run has changed so far."""
        changed, self._before = self._before, {}
        return changed

    def take_back(self, changed: Dict[_Registry, Tuple[ModuleType, Any]]) -> None:
        """After it: what the import has changed stays, also where the run had changed the same."""
        for registry, (module, before) in self._before.items():
            if registry in changed:
                _adopt(changed[registry][1], before, registry.read(module))
        self._before = changed

    def _watch(self, module: ModuleType) -> None:
        for registry in _REGISTRIES[module.__name__]:
            for name in registry.functions:
                plain = vars(module).get(name)
                if plain is not None and (name != "register" or hasattr(module, "unregister")):
                    setattr(module, name, self._noting(module, registry, plain))

    def _noting(self, module: ModuleType, registry: _Registry, plain: Callable[..., Any]) -> Callable[..., Any]:
        call = _KEEPING.get(registry.functions, _as_it_is)(plain)

        def noting(*arguments: Any, **keywords: Any) -> Any:
            if registry not in self._before:
                self._before[registry] = (module, registry.read(module))
                self._note(noting.__name__)
            return call(*arguments, **keywords)

        noting.__name__, noting.__doc__ = getattr(plain, "__name__", registry.functions[0]), plain.__doc__
        noting.__wrapped__ = plain  # type: ignore[attr-defined]
        return noting


def _adopt(kept: Any, before: Any, after: Any) -> None:
    """Enters into what is kept whatever was entered between before and after."""
    if not isinstance(kept, dict):
        return
    for name, value in after.items():
        old = before.get(name)
        if isinstance(value, dict) and isinstance(old, dict) and isinstance(kept.get(name), dict):
            _adopt(kept[name], old, value)
        elif old is not value and old != value:
            kept[name] = value
