"""Harmless tries at what a worker should not reach: each opens or asks, and changes nothing that it gets at."""

import ctypes
import errno
import os
import resource
import signal
import socket
import sqlite3
import struct
import tempfile

from muster_worker import workflow

_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long
_REFUSED = {errno.EPERM, errno.EACCES, errno.ENOSYS, errno.EAGAIN, errno.EMFILE, errno.EFBIG, errno.ENOMEM, errno.EROFS}


def _call(number, *arguments, passes=()):
    """A system call: refused, or let through although what it was given makes no sense."""
    wide = [ctypes.c_long(one) if isinstance(one, int) else one for one in arguments]
    answer = _libc.syscall(ctypes.c_long(number), *wide)
    if answer < 0 and ctypes.get_errno() not in passes:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return answer


def _in_child(function):
    """What would change this process is tried in another; its exit code tells."""
    pid = os.fork()
    if pid == 0:
        try:
            function()
            os._exit(0)
        except OSError as error:
            os._exit(error.errno or 255)
        except BaseException:
            os._exit(255)
    status = os.waitpid(pid, 0)[1]
    if os.WIFEXITED(status) and os.WEXITSTATUS(status):
        raise OSError(os.WEXITSTATUS(status), os.strerror(os.WEXITSTATUS(status)))
    return status


def _read(path):
    with open(path, "rb") as file:
        file.read(64)


def _open(path, flags):
    os.close(os.open(path, flags))


def _trace(pid):
    # PTRACE_SEIZE stops nothing, and ends with the process that asked.
    _libc.ptrace.restype = ctypes.c_long
    arguments = [ctypes.c_long(one) for one in (0x4206, pid, 0, 0)]
    if _libc.ptrace(*arguments) < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def _trace_own():
    child = os.fork()
    if child == 0:
        signal.pause()
        os._exit(0)
    try:
        _trace(child)
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def _peek(pid):
    here = ctypes.create_string_buffer(8)
    local = struct.pack("=QQ", ctypes.addressof(here), 8)
    # Nothing is at that address, which is said only to whom it may be said.
    _call(310, pid, local, 1, struct.pack("=QQ", 4096, 8), 1, 0, passes=(errno.EFAULT,))


def _rows(path):
    try:
        connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
        rows = connection.execute("select count(*) from executions").fetchone()
    except sqlite3.OperationalError as error:
        raise PermissionError(errno.EACCES, str(error)) from None
    assert rows[0] > 0


def _connect(address, family=socket.AF_INET, protocol=0):
    with socket.socket(family, socket.SOCK_STREAM, protocol) as connection:
        connection.connect(address)


def _fast_open(address):
    with socket.socket() as connection:
        connection.sendto(b"x", 0x20000000, address)


def _datagram(address):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as connection:
        connection.sendto(b"x", address)


def _write_in(folder):
    path = os.path.join(folder, f"probe-{os.getpid()}")
    with open(path, "wb") as file:
        file.write(b"x")
    os.unlink(path)


def _siblings_folders():
    own = os.environ.get("TMPDIR")
    if own is None:
        return
    # A file that is there already, of a worker that lives: each has one.
    above = os.path.dirname(own)
    for name in os.listdir(above):
        folder = os.path.join(above, name)
        if folder != own and (name.isdigit() or len(name) == 32):
            os.listdir(folder)
            return
    raise AssertionError("there is no other folder to look into")


def _core():
    try:
        resource.setrlimit(resource.RLIMIT_CORE, (1 << 20, 1 << 20))
    except ValueError as error:
        raise PermissionError(errno.EPERM, str(error)) from None


def _lower_score():
    with open("/proc/self/oom_score_adj", "r+") as file:
        score = int(file.read())
        file.seek(0)
        file.write(str(score - 1))
        file.flush()
        file.seek(0)
        file.write(str(score))


def _status(key):
    with open("/proc/self/status") as status:
        return next(line.split()[1] for line in status if line.startswith(key + ":"))


def _refuse_if(condition):
    if condition:
        raise PermissionError(errno.EPERM, "not permitted")


def _give_away():
    with tempfile.NamedTemporaryFile() as file:
        os.chown(file.name, 54321, -1)


def _open_many():
    opened = []
    try:
        for _ in range(300):
            opened.append(os.open("/dev/null", os.O_RDONLY))
    finally:
        for one in opened:
            os.close(one)


def _grow_file():
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    with tempfile.TemporaryFile() as file:
        os.posix_fallocate(file.fileno(), 0, 9 << 20)


def _take_addresses():
    address = _libc.mmap
    address.restype = ctypes.c_void_p
    address.argtypes = [ctypes.c_void_p, ctypes.c_size_t] + [ctypes.c_int] * 3 + [ctypes.c_long]
    # Addresses only: nothing is behind them.
    if address(None, 8 << 30, 0, 0x22 | 0x4000, -1, 0) == ctypes.c_void_p(-1).value:
        raise OSError(ctypes.get_errno(), "no addresses")


def _raise_limits():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard + 1))
    except ValueError as error:
        raise PermissionError(errno.EPERM, str(error)) from None


def _fill_folder():
    with tempfile.TemporaryDirectory() as folder:
        for number in range(4):
            with open(os.path.join(folder, str(number)), "wb") as file:
                os.posix_fallocate(file.fileno(), 0, 6 << 20)


def _leave_memory():
    _call(31, _call(29, 0, 4096, 0o1600), 0, None)


def _start_many():
    children = []
    try:
        for _ in range(60):
            pid = os.fork()
            if pid == 0:
                signal.pause()
                os._exit(0)
            children.append(pid)
    finally:
        for pid in children:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


def _probes(at):
    supervisor, sibling = at["supervisor"], next(pid for pid in at["workers"] if pid != os.getpid())
    here = "127.0.0.1"
    for who, pid in (("the supervisor", supervisor), ("another worker", sibling)):
        yield f"read the environment of {who}", lambda: _read(f"/proc/{pid}/environ")
        yield f"open the memory of {who}", lambda: _open(f"/proc/{pid}/mem", os.O_RDONLY)
        yield f"count the descriptors of {who}", lambda: os.listdir(f"/proc/{pid}/fd")
        yield f"see a descriptor of {who}", lambda: os.readlink(f"/proc/{pid}/fd/0")
        yield f"signal {who}", lambda: os.kill(pid, 0)
        yield f"trace {who}", lambda: _in_child(lambda: _trace(pid))
        yield f"read the memory of {who} by a call", lambda: _peek(pid)
        yield f"set the limits of {who}", lambda: resource.prlimit(pid, resource.RLIMIT_CORE, resource.prlimit(pid, resource.RLIMIT_CORE))
        yield f"set the priority of {who}", lambda: os.setpriority(os.PRIO_PROCESS, pid, os.getpriority(os.PRIO_PROCESS, pid))
        yield f"set the processors of {who}", lambda: os.sched_setaffinity(pid, os.sched_getaffinity(pid))
    yield "trace a process of its own", lambda: _in_child(_trace_own)
    yield "list data_dir", lambda: os.listdir(at["data_dir"])
    yield "read another organization's rows", lambda: _rows(os.path.join(at["data_dir"], "muster.db"))
    yield "read the API's token", lambda: _read(os.path.join(at["data_dir"], "http_token"))
    yield "read the settings file", lambda: _read(at["settings"])
    yield "look into another worker's temporary folder", _siblings_folders
    yield "connect to the API", lambda: _connect((here, at["api"]))
    yield "connect to another server", lambda: _connect((here, at["server"]))
    yield "connect to a port of worker_ports", lambda: _connect((here, at["allowed"]))
    yield "connect by multipath TCP", lambda: _connect((here, at["server"]), protocol=262)
    yield "connect by sending (fast open)", lambda: _fast_open((here, at["server"]))
    yield "connect to a UNIX socket in a folder", lambda: _connect(at["socket"], socket.AF_UNIX)
    yield "connect to an abstract UNIX socket", lambda: _connect("\0" + at["abstract"], socket.AF_UNIX)
    yield "send a datagram (UDP)", lambda: _datagram((here, at["server"]))
    yield "write into its temporary folder", lambda: _write_in(tempfile.gettempdir())
    yield "write into a folder that is open to all", lambda: _write_in(at["open_folder"])
    yield "write into a folder of worker_paths_rw", lambda: _write_in(at["allowed_folder"])
    yield "write into workflows_dir", lambda: _write_in(at["workflows_dir"])
    yield "write a setting of the kernel", lambda: _open("/proc/sys/kernel/core_pattern", os.O_WRONLY)
    yield "read /etc/shadow", lambda: _read("/etc/shadow")
    yield "allow itself core dumps again", lambda: _in_child(_core)
    yield "leave a core dump", lambda: _refuse_if(not os.WCOREDUMP(_in_child(os.abort)))
    yield "lower its oom_score_adj", _lower_score
    yield "gain rights by a set-user-ID program", lambda: _refuse_if(_status("NoNewPrivs") == "1")
    yield "use a capability (give a file away)", _give_away
    yield "make a user namespace", lambda: _in_child(lambda: _call(272, 0x10000000))
    yield "ask for a keyring", lambda: _call(250, 0, -3, 0)
    yield "watch performance counters", lambda: _call(298, b"\0" * 128, 0, -1, -1, 0, passes=(errno.EINVAL, errno.ENOENT, errno.E2BIG, errno.EOPNOTSUPP))
    yield "make memory that outlives it (System V)", _leave_memory
    yield "queue calls (io_uring)", lambda: _call(425, 1, None, passes=(errno.EFAULT, errno.EINVAL))
    yield "open more files than worker_limits", _open_many
    yield "write a larger file than worker_limits", lambda: _in_child(_grow_file)
    yield "take more addresses than worker_limits", _take_addresses
    yield "raise its limits again", lambda: _in_child(_raise_limits)
    yield "fill its temporary folder, file by file", _fill_folder
    yield "start more processes than worker_limits", lambda: _in_child(_start_many)


def _outcome(function):
    try:
        function()
    except OSError as error:
        return "refused" if error.errno in _REFUSED else f"error {errno.errorcode.get(error.errno, error.errno)}"
    except AssertionError as error:
        return f"error {error}"
    return "allowed"


@workflow
def leave(forgets: bool):
    """Starts a process that leaves its parent, its group and its session, and maybe its environment. It ends by itself."""
    told, tells = os.pipe()
    child = os.fork()
    if child == 0:
        os.setsid()
        if os.fork() == 0:
            os.write(tells, str(os.getpid()).encode())
            for descriptor in range(3):
                os.dup2(os.open("/dev/null", os.O_RDWR), descriptor)
            os.execve("/bin/sleep", ["sleep", "60"], {} if forgets else dict(os.environ))
        os._exit(0)
    os.waitpid(child, 0)
    left = int(os.read(told, 32))
    while True:
        with open(f"/proc/{left}/comm") as name:
            if name.read() == "sleep\n":
                return left


@workflow
def probe(at: dict):
    return [[name, _outcome(function)] for name, function in _probes(at)]
