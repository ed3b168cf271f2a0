"""The process that loads a service once and forks workers from itself.

A fork copies one thread only. What another thread of the process was about to do is never done in the
copy, and a lock it held stays locked there for ever. So the process looks at itself when it has loaded
the service, and refuses if it has threads besides this one (those of libraries that end them before a
fork, as OpenBLAS does, are gone by then), or if it has opened a GPU, whose state no copy can use.
"""

from __future__ import annotations

import gc
import json
import os
import select
import socket
import sys
import threading
import time
import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from .channel import BlockingChannel
from .config import WorkerConfig
from .main import configure_logs, describe, die_with_parent, own_code_only, serve_channel
from .process import ignore_stop_signals
from .slab import SharedReader
from .template import FD_VARIABLE, MESSAGE_BYTES

if TYPE_CHECKING:
    from bentoml.service import BentoService

OWN_THREADS = frozenset({"bentoml-log-writer"})  # made anew in a copy, see `observability.background`
FORK_AWARE_THREADS = frozenset({"jemalloc_bg_thd"})  # of Arrow's allocator, which has handlers for forks
GPU_FILES = ("/dev/nvidia", "/dev/kfd", "/dev/dri/")
ENDING_S = 1.0  # threads that were told to end may take this long


def main() -> None:
    """Entry point, see `template.ENTRY`."""
    own_code_only()
    die_with_parent()
    ignore_stop_signals()
    control = socket.socket(fileno=int(os.environ.pop(FD_VARIABLE)))
    shared = SharedReader.from_environment(os.environ)
    config = WorkerConfig.from_bytes(control.recv(MESSAGE_BYTES))
    configure_logs(config)
    service, refused = _load(config)
    if service is None:
        _tell(control, {"refused": refused})
        return
    gc.collect()
    gc.freeze()  # a collection in a worker would write to the objects it looks at, and so copy them
    _tell(control, {"ready": True})
    _fork_on_demand(control, service, shared)


def _load(config: WorkerConfig) -> tuple[BentoService | None, str]:
    from .host import load_service  # noqa: PLC0415 - after the process is set up

    try:
        service = load_service(config)
    except BaseException as err:  # each worker will meet it too, and say so in the usual way
        return None, f"it could not be preloaded: {describe(err)}"
    reason = why_not_to_fork()
    return (None, reason) if reason else (service, "")


def why_not_to_fork() -> str:
    """Why copies of this process may not work, "" if they do."""
    opened = sorted(path for path in _open_files() if path.startswith(GPU_FILES))
    if opened:
        return f"it opened a GPU while it was loaded ({opened[0]})"
    named = [t.name for t in threading.enumerate() if t is not threading.main_thread()]
    foreign = sorted(name for name in named if name not in OWN_THREADS)
    if foreign:
        return f"it started threads while it was loaded ({', '.join(foreign)}); do that in a start hook"
    _let_libraries_end_threads()
    end = time.monotonic() + ENDING_S
    allowed = 1 + sum(name in OWN_THREADS for name in named)
    while (count := _threads()) > allowed:
        if time.monotonic() > end:
            return f"a library it uses has started {count - allowed} threads"
        time.sleep(0.01)
    return ""


def _threads() -> int:
    """Threads of this process, without those whose library goes on without them in a copy."""
    count = 0
    for number in os.listdir("/proc/self/task"):
        try:
            with open(f"/proc/self/task/{number}/comm") as file:
                count += file.read().strip() not in FORK_AWARE_THREADS
        except OSError:
            continue  # it has just ended
    return count


def _let_libraries_end_threads() -> None:
    """Fork once for nothing: libraries that know about forks end their threads before one."""
    pid = _fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)


def _fork() -> int:
    with warnings.catch_warnings():  # Python warns where there are threads; we have looked at them
        warnings.simplefilter("ignore", DeprecationWarning)
        return os.fork()


def _open_files() -> list[str]:
    found = []
    for name in os.listdir("/proc/self/fd"):
        try:
            found.append(os.readlink(f"/proc/self/fd/{name}"))
        except OSError:
            continue  # the descriptor of the listing itself
    return found


def _fork_on_demand(control: socket.socket, service: BentoService, shared: SharedReader | None) -> None:
    """Until the front is gone: fork when asked to, tell how each worker ended."""
    children: dict[int, int] = {}  # pid by pidfd
    poller = select.poll()
    poller.register(control, select.POLLIN)
    while True:
        for fd, _ in poller.poll():
            if fd in children:
                pid = children.pop(fd)
                poller.unregister(fd)
                os.close(fd)
                _, status = os.waitpid(pid, 0)
                _tell(control, {"exited": pid, "code": os.waitstatus_to_exitcode(status)})
                continue
            data, fds, _, _ = socket.recv_fds(control, MESSAGE_BYTES, 1)
            if not data:
                return
            sys.stdout.flush()
            sys.stderr.flush()
            pid = _fork()
            if pid == 0:
                control.close()
                for pidfd in children:
                    os.close(pidfd)
                _become_worker(fds[0], json.loads(data)["environment"], service, shared)
                return
            os.close(fds[0])
            pidfd = os.pidfd_open(pid)
            children[pidfd] = pid
            poller.register(pidfd, select.POLLIN)
            socket.send_fds(control, [json.dumps({"pid": pid}).encode()], [pidfd])


def _become_worker(
    fd: int, environment: Mapping[str, str], service: BentoService, shared: SharedReader | None
) -> None:
    die_with_parent()
    os.environ.update(environment)
    _draw_apart()
    serve_channel(BlockingChannel(socket.socket(fileno=fd)), shared, service)


def _draw_apart() -> None:
    """New seeds for global random generators, which would draw the same numbers in every worker.

    The standard library's reseeds itself.
    """
    numpy, torch = sys.modules.get("numpy"), sys.modules.get("torch")
    if numpy is not None:
        numpy.random.seed()
    if torch is not None:
        torch.default_generator.seed()


def _tell(control: socket.socket, message: Mapping[str, Any]) -> None:
    control.send(json.dumps(message).encode())
