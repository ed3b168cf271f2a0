"""A worker process: loads the bundle once, then answers batches until its channel closes.

The main thread reads frames and runs plain APIs, so a batch costs no thread switch. Coroutine
functions run on one event loop in a second thread, thread-safe ones in a pool; both answer as they
finish. A third thread beats once a second, which tells a slow model from a stopped process.
"""

from __future__ import annotations

import ctypes
import logging
import os
import signal
import socket
import sys
import threading
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

from bentoml.exceptions import BentoMLException

from .allocator import IdleMemory, keep_freed_memory
from .channel import SECRET_BYTES, BlockingChannel, connect_loopback
from .config import WorkerConfig
from .frames import BEAT, CALL, CONFIG, FAIL, HELLO, STOP, kind_of, pack_message, payload_of, unpack_call
from .host import ServiceHost
from .priority import after_the_front
from .process import ignore_stop_signals
from .slab import SharedReader

if TYPE_CHECKING:
    from bentoml.service import BentoService

BEAT_S = 1.0
PR_SET_PDEATHSIG = 1

logger = logging.getLogger("bentoml.worker")


def main() -> None:
    """Entry point: `python -c "from bentoml.workers.main import main; main()"`."""
    own_code_only()
    die_with_parent()
    ignore_stop_signals()
    channel = BlockingChannel(connect())
    serve_channel(channel, SharedReader.from_environment(os.environ))


def own_code_only() -> None:
    """The directory somebody started the server in is no source of modules."""
    if sys.path and sys.path[0] == "":
        del sys.path[0]


def serve_channel(
    channel: BlockingChannel, shared: SharedReader | None, service: BentoService | None = None
) -> None:
    """Read our orders, then `run`."""
    try:
        frame = channel.receive()
    except EOFError:
        return
    if kind_of(frame) != CONFIG:
        raise BentoMLException("the first message to a worker must be its configuration")
    run(channel, WorkerConfig.from_bytes(payload_of(frame)), shared, service)


def configure_logs(config: WorkerConfig) -> None:
    from bentoml.observability.logs import configure_worker  # noqa: PLC0415 - a worker's own set-up

    configure_worker(
        config.log_level,
        console=config.log_console,
        file=Path(config.log_file) if config.log_file else None,
        advanced=config.log_advanced,
    )


def run(
    channel: BlockingChannel,
    config: WorkerConfig,
    shared: SharedReader | None = None,
    service: BentoService | None = None,
) -> None:
    """Load, report, then serve until the front closes the channel or says stop.

    Args:
        service: what the bundle holds, if that is loaded already.
    """
    after_the_front(config.niceness)  # before there are other threads: they inherit it
    configure_logs(config)
    beat = Beat(channel)
    beat.start()
    try:
        host = ServiceHost(config, channel.send, service)
    except BaseException as err:  # user code runs here; whatever it raises is its load failure
        channel.send([pack_message(FAIL, describe(err).encode("utf-8", "replace"))])
        logger.debug("loading failed", exc_info=err)
        return
    if config.keep_memory and keep_freed_memory():  # the model itself is loaded by the usual rules
        beat.watch_memory(host)
    channel.send([pack_message(HELLO, host.hello())])
    try:
        _serve(channel, host, shared)
    except (EOFError, ConnectionError):
        pass
    finally:
        host.close()


def _serve(channel: BlockingChannel, host: ServiceHost, shared: SharedReader | None) -> None:
    while True:
        frame = channel.receive()
        kind = kind_of(frame)
        if kind == CALL:
            host.accept(unpack_call(frame, shared))
        elif kind == STOP:
            return


def connect() -> socket.socket:
    """Our end of the channel that `process.spawn` made."""
    fd = os.environ.pop("BENTOML_WORKER_FD", "")
    if fd:
        return socket.socket(fileno=int(fd))
    port = int(os.environ.pop("BENTOML_WORKER_PORT"))
    return connect_loopback(port, sys.stdin.buffer.read(SECRET_BYTES))


class Beat(threading.Thread):
    """Shows the front once a second that this process runs, and ends it when the front is gone."""

    def __init__(self, channel: BlockingChannel) -> None:
        super().__init__(daemon=True, name="bentoml-beat")
        self._channel = channel
        self._host: ServiceHost | None = None
        self._memory = IdleMemory()

    def watch_memory(self, host: ServiceHost) -> None:
        """From now on, give memory back when the host has had no call for a while."""
        self._host = host

    def run(self) -> None:
        message = pack_message(BEAT)
        parent = os.getppid()
        pause = threading.Event()
        while not pause.wait(BEAT_S):
            try:
                self._channel.send([message])
            except OSError:
                os._exit(0)
            if os.getppid() != parent:
                os._exit(0)
            if self._host is not None:
                self._memory.look(self._host.calls)


def die_with_parent() -> None:
    """Have the system end this process with its parent, where it can."""
    if sys.platform != "linux":
        return  # elsewhere the beat thread notices within a second
    try:
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    except (OSError, AttributeError):
        logger.debug("no parent-death signal on this system")


def describe(err: BaseException) -> str:
    """One line for an error that user code raised while it loaded."""
    if isinstance(err, BentoMLException):
        return str(err)
    frames = traceback.extract_tb(err.__traceback__)
    where = f" (at {frames[-1].filename}:{frames[-1].lineno})" if frames else ""
    return f"{type(err).__name__}: {err}{where}"
