"""The second run finds the process as the first one did, whatever that has done to it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from supervisor import Worker

SPOILT = {
    # name: (imports, what run one does, what run two sees)
    "directory": ("os, tempfile", "os.chdir(tempfile.mkdtemp())", "os.getcwd()"),
    "deleted directory": ("os, tempfile", "d = tempfile.mkdtemp(); os.chdir(d); os.rmdir(d)", "os.getcwd()"),
    "umask": ("os", "os.umask(0)", "[os.umask(0o22), os.umask(0o22)][0]"),
    "variable": ("os", "os.environ['LEAK'] = 'secret'", "os.environ.get('LEAK')"),
    "variable removed": ("os", "del os.environ['PATH']", "os.environ.get('PATH')"),
    "all variables removed": ("os", "os.environ.clear()", "sorted(os.environ)"),
    "variable of children": ("os, subprocess", "os.putenv('LEAK', 'secret')", "subprocess.run(['env'], stdout=-1, text=True).stdout.count('LEAK')"),
    "other environ": ("os", "os.environ = {}", "len(os.environ)"),
    "equal environ": ("os", "os.environ = dict(os.environ)", "type(os.environ).__name__"),
    "alarm": ("signal, time", "signal.alarm(1)", "time.sleep(1.2)"),
    "timer": ("signal, time", "signal.setitimer(signal.ITIMER_REAL, 0.3, 0.3)", "time.sleep(0.5)"),
    "profiling timer": ("signal", "signal.setitimer(signal.ITIMER_PROF, 0.1)", "[n for n in range(10_000_000) if n < 0]"),
    "alarm by libc": ("ctypes, time", "ctypes.CDLL(None).alarm(1)", "time.sleep(1.2)"),
    "signal held back": (
        "signal, threading",
        "signal.pthread_sigmask(signal.SIG_BLOCK, [10]); signal.pthread_kill(threading.main_thread().ident, 10)",
        "sorted(signal.pthread_sigmask(0, []))",
    ),
    "handlers": ("signal", "[signal.signal(n, signal.SIG_IGN) for n in (2, 10, 13, 14, 17, 40)]", "[str(signal.getsignal(n)) for n in range(1, 32)]"),
    "wakeup descriptor": ("os, signal", "r, w = os.pipe(); os.set_blocking(w, False); signal.set_wakeup_fd(w)", "signal.set_wakeup_fd(-1)"),
    "mask": ("signal", "signal.pthread_sigmask(signal.SIG_BLOCK, [2, 15])", "sorted(signal.pthread_sigmask(0, []))"),
    "stdout closed": ("sys", "sys.stdout.close()", "print('here') or sys.stdout.line_buffering"),
    "stdout detached": ("sys", "sys.stdout.detach()", "print('here') or sys.stdout.line_buffering"),
    "stdout closed below": ("sys", "sys.stdout.buffer.raw.close()", "print('here') or sys.stdout.line_buffering"),
    "stdout replaced": ("io, sys", "sys.stdout = sys.stderr = sys.stdin = io.StringIO()", "[type(s).__name__ for s in (sys.stdin, sys.stdout, sys.stderr)]"),
    "stdout reconfigured": ("sys", "sys.stdout.reconfigure(line_buffering=False, encoding='latin-1')", "[sys.stdout.line_buffering, sys.stdout.encoding]"),
    "stdout deleted": ("sys", "del sys.stdout", "print('here')"),
    "descriptors closed": ("os", "os.close(0); os.close(1); os.close(2)", "[os.isatty(n) or os.fstat(n).st_size for n in (0, 1, 2)]"),
    "descriptor replaced": ("os, tempfile", "f = tempfile.TemporaryFile(); os.dup2(f.fileno(), 1)", "os.readlink('/proc/self/fd/1') == os.readlink('/proc/self/fd/2')"),
    "descriptor not blocking": ("os", "os.set_blocking(2, False)", "os.get_blocking(1)"),
    "dictConfig": (
        "logging, logging.config",
        "logging.getLogger('before'); logging.config.dictConfig({'version': 1, 'root': {'level': 'CRITICAL'}})",
        "logging.getLogger('before').isEnabledFor(20) and not logging.getLogger('before').disabled and len(logging.getLogger().handlers)",
    ),
    "basicConfig": ("logging", "logging.basicConfig(level=10, force=True)", "[logging.getLogger().level, [type(h).__name__ for h in logging.getLogger().handlers]]"),
    "logging disabled": ("logging", "logging.disable(50)", "logging.getLogger('a').isEnabledFor(40)"),
    "logger": (
        "logging",
        "l = logging.getLogger('lib'); l.propagate = False; l.disabled = True; l.setLevel(50); l.addHandler(logging.StreamHandler()); l.addFilter(lambda r: False)",
        "[(l.propagate, l.disabled, l.level, len(l.handlers), len(l.filters)) for l in [logging.getLogger('lib')]]",
    ),
    "root logger flag": ("logging", "logging.root.disabled = True; logging.raiseExceptions = False", "[logging.root.disabled, logging.raiseExceptions]"),
    "root filter": ("logging", "logging.root.addFilter(lambda r: False); logging.root.handlers[0].addFilter(lambda r: False); logging.root.handlers[0].setLevel(50)", "[len(logging.root.filters), len(logging.root.handlers[0].filters), logging.root.handlers[0].level]"),
    "root lists": ("logging", "vars(logging.root)['handlers'] = []; vars(logging.root)['filters'] = [print]", "[len(logging.root.handlers), len(logging.root.filters)]"),
    "warnings": ("warnings", "warnings.simplefilter('error')", "warnings.warn('harmless')"),
    "warnings shown": ("logging, warnings", "logging.captureWarnings(False)", "warnings.showwarning.__module__"),
    "socket": ("socket", "socket.setdefaulttimeout(0.001)", "socket.getdefaulttimeout()"),
    "locale": ("locale", "locale.setlocale(locale.LC_ALL, 'C.UTF-8' if locale.setlocale(locale.LC_ALL) == 'C' else 'C')", "locale.setlocale(locale.LC_ALL)"),
    "decimal": ("decimal", "decimal.getcontext().prec = 3", "str(decimal.Decimal(1) / 3)"),
    "decimal for threads": ("decimal, concurrent.futures", "decimal.DefaultContext.prec = 3", "str(decimal.Decimal(1) / 3)"),
    "random": ("random", "random.seed(42)", "random.random() == 0.6394267984578837"),
    "random state": ("random", "random.setstate(random.Random(42).getstate())", "random.random() == 0.6394267984578837"),
    "policy": (
        "asyncio, warnings",
        "warnings.simplefilter('ignore'); P = type('P', (asyncio.DefaultEventLoopPolicy,), {}); asyncio.set_event_loop_policy(P())",
        "type(asyncio.get_event_loop_policy()).__name__",
    ),
    "loop": ("asyncio", "asyncio.set_event_loop(asyncio.new_event_loop()); asyncio.get_event_loop_policy().get_event_loop().close()", "asyncio.get_event_loop_policy()._local._loop is None"),
    "loop told": ("asyncio", "asyncio.run(asyncio.sleep(0))", "asyncio.get_event_loop_policy()._local._set_called"),
    "recursion": ("sys", "sys.setrecursionlimit(200)", "sys.getrecursionlimit()"),
    "digits": ("sys", "getattr(sys, 'set_int_max_str_digits', print)(0)", "getattr(sys, 'get_int_max_str_digits', lambda: 0)()"),
    "hooks": ("sys, threading", "sys.excepthook = sys.unraisablehook = sys.displayhook = threading.excepthook = print", "[h.__name__ for h in (sys.excepthook, sys.unraisablehook, sys.displayhook, threading.excepthook)]"),
    "collector": ("gc", "gc.disable(); gc.set_threshold(1, 1, 1)", "[gc.isenabled(), gc.get_threshold()]"),
    "path": ("sys", "sys.path.insert(0, '/elsewhere'); sys.argv.append('x')", "[sys.path, sys.argv]"),
    "tracebacks": ("sys", "sys.tracebacklimit = 0", "getattr(sys, 'tracebacklimit', None)"),
    "breakpoint": ("sys", "sys.breakpointhook = print; sys.dont_write_bytecode = not sys.dont_write_bytecode", "[sys.breakpointhook.__name__, sys.dont_write_bytecode]"),
    "finders": ("sys", "sys.meta_path.insert(0, object()); sys.path_hooks.clear()", "[len(sys.meta_path), len(sys.path_hooks)]"),
    "coroutines": ("sys", "sys.set_asyncgen_hooks(print, print); sys.set_coroutine_origin_tracking_depth(3)", "[sys.get_asyncgen_hooks()[0], sys.get_coroutine_origin_tracking_depth()]"),
    "collector's callbacks": ("gc", "gc.callbacks.append(print); gc.set_debug(gc.DEBUG_SAVEALL)", "[len(gc.callbacks), gc.get_debug()]"),
    "stacks of threads": ("threading", "threading.stack_size(65536)", "threading.stack_size()"),
    "builtins": ("builtins", "builtins.open = builtins.print = None", "open('/dev/null').name"),
    "warnings formatted": ("warnings", "warnings.formatwarning = print", "warnings.formatwarning.__name__"),
    "watchdog": ("faulthandler, time", "faulthandler.dump_traceback_later(1, exit=True)", "time.sleep(1.2)"),
    "faults": ("faulthandler, os", "faulthandler.enable(); faulthandler.register(10, open(os.devnull, 'w'), chain=True)", "faulthandler.is_enabled()"),
    "time zone": ("os, time", "os.environ['TZ'] = 'Asia/Tokyo'; time.tzset()", "[time.tzname, time.localtime(0).tm_hour]"),
    "affinity": ("os", "os.sched_setaffinity(0, [max(os.sched_getaffinity(0))])", "sorted(os.sched_getaffinity(0))"),
    "scheduler": ("os", "os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))", "os.sched_getscheduler(0)"),
    "log records": ("logging", "logging.setLogRecordFactory(lambda *_: 1 / 0)", "logging.getLogRecordFactory().__name__"),
    "class of loggers": ("logging", "logging.setLoggerClass(type('Other', (logging.Logger,), {}))", "logging.getLoggerClass().__name__"),
    "names of levels": ("logging", "logging.addLevelName(20, 'SECRET'); logging.lastResort = None", "[logging.getLevelName(20), logging.lastResort is None]"),
    "decimal for threads, by its other name": ("decimal, _decimal, threading", "getattr(_decimal, 'DefaultContext').prec = 3", "str(decimal.DefaultContext.prec)"),
    "decimal for threads, with all others": ("decimal, sys", "exec('from decimal import *; DefaultContext.prec = 3')", "[decimal.DefaultContext.prec, 'DefaultContext' in dir(decimal)]"),
    "decimal's traps": ("decimal", "decimal.DefaultContext.traps[decimal.FloatOperation] = True; decimal.DefaultContext.Emax = 9", "str(decimal.Decimal(0.5) * 10**20)"),
    "opener": ("urllib.request", "urllib.request.install_opener(urllib.request.build_opener())", "urllib.request._opener is None"),
    "unverified": ("ssl", "ssl._create_default_https_context = ssl._create_unverified_context", "ssl._create_default_https_context.__name__"),
    "start method": ("multiprocessing", "multiprocessing.set_start_method('spawn')", "multiprocessing.set_start_method('fork') or multiprocessing.get_start_method()"),
    "loading": ("os, sys", "sys.setdlopenflags(os.RTLD_NOW | os.RTLD_GLOBAL)", "sys.getdlopenflags()"),
    "dialects": ("csv", "csv.register_dialect('excel', delimiter=';'); csv.register_dialect('mine', delimiter='|'); csv.unregister_dialect('unix')", "[csv.list_dialects(), next(csv.reader(['a,b;c']))]"),
    "sizes of fields": ("csv", "csv.field_size_limit(3)", "next(csv.reader(['abcdef']))"),
    "kinds of files": ("mimetypes", "mimetypes.add_type('text/secret', '.txt'); mimetypes.init([])", "[mimetypes.guess_type('a.txt'), mimetypes.guess_extension('text/secret'), mimetypes.guess_type('a.json')]"),
    "namespaces": ("xml.etree.ElementTree as e", "e.register_namespace('mine', 'urn:x')", "e.tostring(e.Element('{urn:x}a')).decode()"),
    "adapters": ("sqlite3", "sqlite3.register_adapter(set, lambda s: 'secret')", "sqlite3.connect(':memory:').execute('select ?', [{1}]).fetchall()"),
    "converters": ("sqlite3", "sqlite3.register_converter('flag', lambda b: 'secret')", "sqlite3.connect(':memory:', detect_types=2).execute('select 1 as \"a [flag]\"').fetchall()"),
    "pickling": ("copyreg, fractions, pickle", "copyreg.pickle(fractions.Fraction, lambda f: (str, ('secret',)))", "str(pickle.loads(pickle.dumps(fractions.Fraction(1, 2))))"),
    "archives": ("shutil", "shutil.register_archive_format('mine', print); shutil.unregister_unpack_format('zip')", "[sorted(f[0] for f in shutil.get_archive_formats()), sorted(f[0] for f in shutil.get_unpack_formats())]"),
    "charsets": ("email.charset", "email.charset.add_charset('utf-8', None, None, 'latin-1'); email.charset.add_alias('u8', 'utf-8')", "[email.charset.Charset('utf-8').output_charset, email.charset.Charset('u8').input_charset]"),
    "codecs": ("codecs", "hasattr(codecs, 'unregister') and codecs.register(lambda n: codecs.lookup('latin-1') if n == 'secret' else None)", "b'x'.decode('secret')"),
    "handlers of errors": (
        "codecs, _codecs",
        "codecs.register_error('strict', lambda e: ('x', e.end)); _codecs.register_error('mine', lambda e: ('secret', e.end)); codecs.register_error('ignore', None or (lambda e: ('y', e.end)))",
        "[b'a\\xff'.decode('ascii', 'ignore'), [str(e) for e in [b'a\\xff'] if e.decode('ascii', 'mine')]]",
    ),
    "strict": ("codecs", "codecs.register_error('strict', lambda e: ('x', e.end))", "b'a\\xff'.decode('ascii')"),
    "zones": ("zoneinfo", "zoneinfo.reset_tzpath(to=['/nowhere']); zoneinfo.ZoneInfo.clear_cache()", "zoneinfo.TZPATH"),
    "first day": ("calendar", "calendar.setfirstweekday(6)", "[calendar.firstweekday(), calendar.month(2026, 1)]"),
    "domain of texts": ("builtins, gettext", "gettext.textdomain('mine'); gettext.bindtextdomain('messages', '/nowhere'); gettext.install('mine')", "[gettext.textdomain(), gettext.bindtextdomain('messages'), hasattr(builtins, '_')]"),
    "input of files": ("fileinput, os", "next(fileinput.input([os.__file__]))", "bool(next(fileinput.input([os.__file__])))"),
    "tracing of memory": ("tracemalloc", "tracemalloc.start(3)", "tracemalloc.is_tracing()"),
    "folder of byte code": ("sys", "sys.pycache_prefix = '/nowhere'", "sys.pycache_prefix"),
    "names of thread and process": ("threading, multiprocessing", "threading.current_thread().name = multiprocessing.current_process().name = 'secret'", "[threading.current_thread().name, multiprocessing.current_process().name]"),
    "freezing": ("gc", "gc.unfreeze()", "gc.get_freeze_count() > 5_000"),
    "builtin": ("builtins", "builtins.len = lambda _: 7; builtins.secret = 1; del builtins.sum", "[len('abc'), sum([1]), hasattr(builtins, 'secret')]"),
    "temporary folder": ("tempfile", "tempfile.tempdir = '/nowhere'", "tempfile.gettempdir()"),
    "another's limit": ("resource", "resource.prlimit(0, resource.RLIMIT_NOFILE, (64, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))", "resource.getrlimit(resource.RLIMIT_NOFILE)"),
    "limit by libc": ("ctypes, resource", "ctypes.CDLL(None).setrlimit(resource.RLIMIT_NOFILE, (ctypes.c_ulong * 2)(64, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))", "resource.getrlimit(resource.RLIMIT_NOFILE)"),
    "name to the system": ("ctypes", "ctypes.CDLL(None).prctl(15, b'secret')", "open('/proc/self/comm').read()"),
    "traceable": ("ctypes", "ctypes.CDLL(None).prctl(4, 0)", "ctypes.CDLL(None).prctl(3)"),
    "slack of timers": ("ctypes", "ctypes.CDLL(None).prctl(29, 1_000_000)", "ctypes.CDLL(None).prctl(30)"),
    "signal at the parent's end": ("ctypes", "ctypes.CDLL(None).prctl(1, 9)", "[ctypes.CDLL(None).prctl(2, ctypes.byref(n)) or n.value for n in [ctypes.c_int()]]"),
    "whose orphans": ("ctypes", "ctypes.CDLL(None).prctl(36, 1)", "[ctypes.CDLL(None).prctl(37, ctypes.byref(n)) or n.value for n in [ctypes.c_int()]]"),
    "addresses of children": ("ctypes", "ctypes.CDLL(None).personality(0x40000)", "ctypes.CDLL(None).personality(0xFFFFFFFF)"),
    "priority by libc": ("ctypes, os", "os.geteuid() or ctypes.CDLL(None).setpriority(0, 0, 1)", "os.getpriority(0, 0)"),
    "affinity by libc": ("ctypes, os", "ctypes.CDLL(None).sched_setaffinity(0, 8, ctypes.byref(ctypes.c_ulong(1 << max(os.sched_getaffinity(0)))))", "sorted(os.sched_getaffinity(0))"),
    "place at the disk": (
        "ctypes, os",
        "ctypes.CDLL(None).syscall({'x86_64': 251, 'aarch64': 30}[os.uname().machine], 1, 0, 3 << 13)",
        "ctypes.CDLL(None).syscall({'x86_64': 252, 'aarch64': 31}[os.uname().machine], 1, 0)",
    ),
    "limit": ("resource", "resource.setrlimit(resource.RLIMIT_NOFILE, (64, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))", "resource.getrlimit(resource.RLIMIT_NOFILE)"),
}


@pytest.mark.parametrize("name", SPOILT)
def test_what_a_run_changes_is_put_back(worker: Worker, name: str) -> None:
    imports, spoil, look = SPOILT[name]
    seen = f"import {imports}\ndef main(params):\n    try:\n        return {look}\n    except Exception as error:\n        return repr(error)\n"
    before = worker.code(seen).result
    spoilt = worker.code(f"import {imports}\ndef main(params):\n    {spoil}\n    return 'spoilt'\n")
    assert spoilt.result == "spoilt"
    again = worker.code(seen)
    assert again.result == before
    assert not again.idle.recycle and not spoilt.idle.recycle
    logged = worker.code("import logging\ndef main(params):\n    logging.info('info')\n    logging.getLogger('some').debug('debug')\n    print('printed')\n")
    assert logged.lines == ["info"]
    worker.stderr_with("printed")


def test_what_was_looked_for_before_it_was_imported_is_put_back_too(worker: Worker) -> None:
    seen = "import ssl\ndef main(params):\n    return ssl._create_default_https_context.__name__\n"
    assert worker.code("import importlib.util\ndef main(params):\n    return importlib.util.find_spec('ssl') is not None\n").result
    before = worker.code(seen).result
    worker.code("import ssl\ndef main(params):\n    ssl._create_default_https_context = ssl._create_unverified_context\n")
    assert worker.code(seen).result == before


def test_a_context_variable_is_of_one_run(tmp_path: Path) -> None:
    (tmp_path / "tenant.py").write_text(
        "import contextvars, decimal\n"
        "from muster_worker import workflow\n"
        "tenant = contextvars.ContextVar('tenant', default='nobody')\n"
        "decimal.getcontext().prec = 5\n"
        "@workflow\n"
        "def serve(name: str):\n"
        "    before = [tenant.get(), str(decimal.Decimal(1) / 3)]\n"
        "    tenant.set(name)\n"
        "    decimal.getcontext().prec = 9\n"
        "    return before\n"
    )
    with Worker(tmp_path) as worker:
        for name in ("one", "two", "three"):
            assert worker.run("serve", {"name": name}).result == ["nobody", "0.33333"]


LIBRARY = """
import contextvars, decimal, logging, os, signal, socket, sys, threading, warnings
warnings.filterwarnings("ignore", message="of the library")
os.environ["OF_LIBRARY"] = "1"
logging.getLogger("library").addHandler(logging.NullHandler())
logging.getLogger("library").setLevel(40)
sys.path.append("/of/library")
decimal.getcontext().prec = 7
var = contextvars.ContextVar("var")
var.set("of the library")
socket.setdefaulttimeout(9)
"""
USER = """
import decimal, logging, os, socket, sys, warnings
from muster_worker import workflow

def look():
    import library
    return [
        os.environ.get("OF_LIBRARY"), os.environ.get("OF_RUN"), logging.getLogger("library").level,
        len(logging.getLogger("library").handlers), "/of/library" in sys.path, "/of/run" in sys.path,
        [one[0] for one in warnings.filters if one[1] and "library" in one[1].pattern],
        [one[0] for one in warnings.filters if one[1] and "run" in one[1].pattern], socket.getdefaulttimeout(),
    ]

@workflow
def first():
    os.environ["OF_RUN"] = "1"
    sys.path.append("/of/run")
    warnings.filterwarnings("error", message="of the run")
    logging.getLogger("library").propagate = False
    look()
    socket.setdefaulttimeout(1)

@workflow
def then():
    import library
    return [*look(), logging.getLogger("library").propagate, str(decimal.Decimal(1) / 3), library.var.get(None)]
"""


def test_what_a_module_sets_while_it_is_imported_stays_as_the_module_does(tmp_path: Path) -> None:
    (tmp_path / "installed").mkdir()
    (tmp_path / "installed" / "library.py").write_text(LIBRARY)
    (tmp_path / "workflows").mkdir()
    (tmp_path / "workflows" / "user.py").write_text(USER)
    path = f"{Path(__file__).parent.parent}:{tmp_path / 'installed'}"
    with Worker(tmp_path / "workflows", command=["env", f"PYTHONPATH={path}", os.sys.executable, "-m", "muster_worker"]) as worker:
        assert worker.run("first").kind == "Succeeded"
        expected = ["1", None, 40, 1, True, False, ["ignore"], [], 9, True, "0.3333333", "of the library"]
        assert worker.run("then").result == expected
        assert worker.run("then").result == expected


def test_what_a_changed_file_sets_is_there_from_then_on(tmp_path: Path) -> None:
    file = tmp_path / "setting.py"
    text = "import os\nfrom muster_worker import workflow\nos.environ['MODE'] = '%s'\n@workflow\ndef mode():\n    before, os.environ['MODE'] = os.environ['MODE'], 'run'\n    return before\n"
    file.write_text(text % "one")
    with Worker(tmp_path) as worker:
        assert [worker.run("mode").result for _ in range(2)] == ["one", "one"]
        file.write_text(text % "three")
        assert [worker.run("mode").result for _ in range(3)] == ["three"] * 3


ENTERING = """
import csv
from muster_worker import workflow

@workflow
def first():
    csv.register_dialect("of_run", delimiter=";")
    import entries
    csv.register_dialect("of_run_too", delimiter=";")
    return csv.list_dialects()

@workflow
def then():
    return csv.list_dialects()
"""


def test_what_a_module_enters_in_the_middle_of_a_run_stays_and_what_the_run_enters_does_not(tmp_path: Path) -> None:
    (tmp_path / "installed").mkdir()
    (tmp_path / "installed" / "entries.py").write_text("import csv\ncsv.register_dialect('of_module', delimiter='|')\n")
    (tmp_path / "workflows").mkdir()
    (tmp_path / "workflows" / "user.py").write_text(ENTERING)
    path = f"{Path(__file__).parent.parent}:{tmp_path / 'installed'}"
    with Worker(tmp_path / "workflows", command=["env", f"PYTHONPATH={path}", os.sys.executable, "-m", "muster_worker"]) as worker:
        plain = worker.run("then").result
        assert worker.run("first").result == [*plain, "of_run", "of_module", "of_run_too"]
        assert worker.run("then").result == [*plain, "of_module"]


def test_a_failed_run_is_put_back_too(worker: Worker) -> None:
    assert worker.code("import os\ndef main(params):\n    os.environ['LEAK'] = '1'\n    1/0\n").kind == "Failed"
    run = worker.start_code("import os, time\ndef main(params):\n    os.environ['LEAK'] = '1'\n    os.chdir('/')\n    time.sleep(60)\n")
    worker.cancel(run)
    assert worker.finish().kind == "Cancelled"
    assert worker.code("import os\ndef main(params):\n    return ['LEAK' in os.environ, os.getcwd()]\n").result == [False, os.getcwd()]


def test_what_a_file_does_to_the_process_while_it_is_loaded_is_put_back(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("import muster_worker, os, signal, sys\nos.chdir('/')\nos.umask(0)\nsignal.alarm(1)\nsys.stdout = None\nsignal.signal(15, signal.SIG_IGN)\n")
    with Worker(tmp_path) as worker:
        code = "import os, sys, time\ndef main(params):\n    time.sleep(1.2)\n    print('here')\n    return [os.getcwd(), os.umask(0o22)]\n"
        assert worker.code(code).result == [os.getcwd(), 0o22]


def test_after_an_ordinary_run_all_is_seen_to_be_as_it_was_at_a_glance(worker: Worker) -> None:
    code = """
import sys
def main(params):
    frame = sys._getframe()
    while not hasattr(frame.f_locals.get("self"), "_surroundings"):
        frame = frame.f_back
    one = frame.f_locals["self"]._surroundings
    return [one._glance.is_as_noted(), one._loggers.are_as_noted(), one._libraries.are_as_noted(), sorted(one._touched.by)]
"""
    assert worker.run("conformance.echo").kind == "Succeeded"
    assert [worker.code(code).result for _ in range(2)] == [[True, True, True, []]] * 2


def test_what_a_file_asks_the_kernel_for_while_it_is_loaded_is_put_back_as_far_as_it_can_be(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("import ctypes, muster_worker\nlibc = ctypes.CDLL(None)\nlibc.prctl(15, b'secret')\nlibc.prctl(38, 1, 0, 0, 0)\n")
    with Worker(tmp_path) as worker:
        code = "import ctypes\ndef main(params):\n    return [open('/proc/self/comm').read() != 'secret\\n', ctypes.CDLL(None).prctl(39, 0, 0, 0, 0)]\n"
        assert [worker.code(code).result for _ in range(2)] == [[True, 1]] * 2
