"""Which registries of libraries there are, by what functions each is changed, and how it is read and written."""

from __future__ import annotations

import copy
from typing import Any, Callable, Dict, List, NamedTuple, Tuple


class Registry(NamedTuple):
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
            plain_of(module.unregister_dialect)(name)
    for name, dialect in dialects.items():
        plain_of(module.register_dialect)(name, dialect)


_KINDS = ("types_map", "types_map_inv")


def _kinds(module: Any) -> Dict[str, Any]:
    """Of `mimetypes`, which reads the tables of the system when it is first asked."""
    if module._db is None:
        plain_of(module.init)()
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
        plain_of(module.register_error)(name, handlers.get(name) or _unknown(name))


def _unknown(name: str) -> Callable[..., Any]:
    """In the place of a handler that cannot be taken away: it does what is done where there is none."""

    def handler(_: Any) -> Any:
        raise LookupError(f"unknown error handler name {name!r}")

    return handler


def _set_zones(module: Any, folders: Tuple[str, ...]) -> None:
    plain_of(module.reset_tzpath)(to=folders)
    # Those that were found elsewhere.
    module.ZoneInfo.clear_cache()


def _set_input(module: Any, state: Any) -> None:
    if module._state is not None and module._state is not state:
        module._state.close()
    module._state = state


def _set_tracing(module: Any, frames: int) -> None:
    if frames:
        plain_of(module.start)(frames)
    else:
        plain_of(module.stop)()


REGISTRIES: Dict[str, Tuple[Registry, ...]] = {
    "sys": (Registry(("setdlopenflags",), lambda sys: sys.getdlopenflags(), lambda sys, value: plain_of(sys.setdlopenflags)(value)),),
    "codecs": (
        Registry(("register",), lambda _: tuple(_searches), _set_searches),
        Registry(("register_error",), _handlers, _set_handlers),
    ),
    "_codecs": (Registry(("register_error",), _handlers, _set_handlers),),
    "zoneinfo": (Registry(("reset_tzpath",), lambda module: module.TZPATH, _set_zones),),
    "calendar": (Registry(("setfirstweekday",), lambda module: module.firstweekday(), lambda module, day: plain_of(module.setfirstweekday)(day)),),
    "gettext": (
        Registry(("textdomain",), lambda module: plain_of(module.textdomain)(), lambda module, domain: setattr(module, "_current_domain", domain)),
        Registry(("bindtextdomain",), *_dictionaries("_localedirs")),
    ),
    "fileinput": (Registry(("input",), lambda module: module._state, _set_input),),
    "tracemalloc": (
        Registry(("start", "stop"), lambda module: module.get_traceback_limit() if module.is_tracing() else 0, _set_tracing),
    ),
    "copyreg": (Registry(("pickle", "add_extension", "remove_extension"), *_dictionaries("dispatch_table", "_extension_registry", "_inverted_registry")),),
    "csv": (
        Registry(("register_dialect", "unregister_dialect"), _dialects, _set_dialects),
        Registry(("field_size_limit",), lambda csv: plain_of(csv.field_size_limit)(), lambda csv, value: plain_of(csv.field_size_limit)(value)),
    ),
    "email.charset": (Registry(("add_charset", "add_alias", "add_codec"), *_dictionaries("CHARSETS", "ALIASES", "CODEC_MAP")),),
    "mimetypes": (Registry(("add_type", "init"), _kinds, _set_kinds),),
    "shutil": (
        Registry(
            ("register_archive_format", "unregister_archive_format", "register_unpack_format", "unregister_unpack_format"),
            *_dictionaries("_ARCHIVE_FORMATS", "_UNPACK_FORMATS"),
        ),
    ),
    "sqlite3": (Registry(("register_adapter", "register_converter"), *_dictionaries("adapters", "converters")),),
    "sqlite3.dbapi2": (Registry(("register_adapter", "register_converter"), *_dictionaries("adapters", "converters")),),
    "xml.etree.ElementTree": (Registry(("register_namespace",), *_dictionaries("_namespace_map")),),
    "pandas._config.config": (Registry(("set_option", "_set_option", "reset_option"), *_dictionaries("_global_config")),),
    "numpy.core.arrayprint": (Registry(("set_printoptions",), *_dictionaries("_format_options")),),
}


KEEPING: Dict[Tuple[str, ...], Callable[[Callable[..., Any]], Callable[..., Any]]] = {("register",): _search, ("register_error",): _note_handler}
"""Of functions that leave nothing to read: what notes what they are given."""


def as_it_is(plain: Callable[..., Any]) -> Callable[..., Any]:
    """Of those that leave something to read."""
    return plain


def plain_of(function: Any) -> Callable[..., Any]:
    """What is behind a function that is watched."""
    return getattr(function, "__wrapped__", function)  # type: ignore[no-any-return]
