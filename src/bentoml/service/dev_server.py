"""A server for notebooks: the service is saved to a temporary directory and served by a child process.

A plain `python -m bentoml serve` is started, so nothing of the notebook's state has to be pickled,
and a crash of the server never takes the notebook with it.
"""

from __future__ import annotations

import atexit
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from typing import IO, TYPE_CHECKING

from bentoml.exceptions import BentoMLException, InvalidArgument
from bentoml.observability.logs import user_logger

from . import saving

if TYPE_CHECKING:
    from .base import BentoService

DEFAULT_PORT = 5000
READY_S = 120.0  # a large model may load for a while; a child that exits is noticed at once
STOP_S = 35.0  # a little more than the server's own drain time
POLL_S = 0.05


class DevServer:
    """A running child and the directory it serves from."""

    def __init__(self, bundle_dir: tempfile.TemporaryDirectory[str], port: int, debug: bool) -> None:
        self._bundle_dir = bundle_dir
        self.port = port
        command = [sys.executable, "-m", "bentoml", "serve", "--port", str(port)]
        command += ["--debug"] if debug else []
        self._process = subprocess.Popen(
            [*command, bundle_dir.name],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        self._printer = threading.Thread(target=_print_lines, args=(self._process.stdout,), daemon=True)
        self._printer.start()
        atexit.register(self.close)

    @property
    def is_running(self) -> bool:
        return self._process.poll() is None

    def wait_ready(self) -> None:
        """Raises `BentoMLException` when the child ends, or does not answer in time."""
        deadline = time.monotonic() + READY_S
        while not _answers(self.port):
            if not self.is_running:
                raise BentoMLException(
                    f"The dev server on port {self.port} ended with code {self._process.returncode}; its "
                    "messages are above"
                )
            if time.monotonic() > deadline:
                raise BentoMLException(
                    f"The dev server on port {self.port} did not answer in {READY_S:.0f} s"
                )
            time.sleep(POLL_S)

    def close(self) -> None:
        """Stop the child and remove its directory. Safe to call twice."""
        atexit.unregister(self.close)
        if self.is_running:
            self._process.terminate()
            try:
                self._process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._printer.join()
        self._bundle_dir.cleanup()


def start(service: BentoService, *, port: int | None, enable_ngrok: bool, debug: bool) -> None:
    if enable_ngrok:
        raise InvalidArgument(
            "enable_ngrok is not available: this library downloads no tunnel program. Start the dev server "
            "without it and run `ngrok http <port>` yourself"
        )
    running = service._dev_server
    if running is not None and running.is_running:
        user_logger().warning(
            "There is already a running dev server, please call `service.stop_dev_server()` first."
        )
        return
    stop(service, skip_log=True)
    port = port or DEFAULT_PORT
    if _is_taken(port):
        raise BentoMLException(
            f"Port {port} is in use by another program; pass a free one: start_dev_server(port=...)"
        )
    bundle_dir = tempfile.TemporaryDirectory(prefix="bentoml-dev-")
    try:
        saving.save_to_directory(service, bundle_dir.name, silent=True)
    except BaseException:
        bundle_dir.cleanup()
        raise
    server = service._dev_server = DevServer(bundle_dir, port, debug)
    user_logger().info("======= starting dev server on port: %s =======", server.port)
    try:
        server.wait_ready()
    except BaseException:
        stop(service, skip_log=True)
        raise


def stop(service: BentoService, *, skip_log: bool) -> None:
    server, service._dev_server = service._dev_server, None
    if server is not None:
        server.close()
        user_logger().info("Dev server has stopped.")
    elif not skip_log:
        user_logger().warning("No dev server is running.")


def _is_taken(port: int) -> bool:
    """Whether somebody listens there already, whose answers would be taken for the child's."""
    with socket.socket() as probe:
        probe.settimeout(1.0)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _answers(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=1.0) as response:
            return bool(response.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def _print_lines(stream: IO[bytes] | None) -> None:
    """Show the child's output where the notebook looks for it: on this process's stdout."""
    for line in stream or ():
        sys.stdout.write(line.decode("utf-8", "replace"))
        sys.stdout.flush()
