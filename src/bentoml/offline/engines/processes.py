"""`--workers N`: spawned processes, each with the service loaded once and a thread that feeds it.

A worker that dies takes no row with it: its piece is run again in halves by a new one, until the row
that kills is alone; that row fails. Too many deaths end the run.
"""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from bentoml.exceptions import BentoMLException, WorkerLost
from bentoml.offline.typed import joined
from bentoml.offline.values import Mode, Outcome, Piece
from bentoml.workers.channel import BlockingChannel
from bentoml.workers.cores import thread_environment
from bentoml.workers.frames import CONFIG, FAIL, HELLO, kind_of, pack_message, payload_of
from bentoml.workers.process import WorkerProcess, spawn

from .inline import done
from .process_main import ENTRY
from .wire import WORK, pack_batch, unpack_outcome

MAX_DEATHS = 100
_STOP_S = 10.0


class ProcessExecutor:
    """Pieces spread over `count` processes.

    Raises:
        BentoMLException: the service could not be loaded in a worker.
    """

    def __init__(self, bundle: Path, api_name: str, mode: Mode, count: int) -> None:
        self.depth = 2 * count
        self._config = json.dumps({"bundle": str(bundle), "api": api_name, "mode": mode}).encode()
        self._environment = thread_environment(count)
        self._deaths = 0
        self._lock = threading.Lock()
        self._idle: SimpleQueue[_Worker] = SimpleQueue()
        self._all: set[_Worker] = set()
        self._closing = False
        self._pool = ThreadPoolExecutor(count, thread_name_prefix="bentoml-offline")
        try:
            for worker in list(self._pool.map(lambda _: self._start(), range(count))):
                self._idle.put(worker)
        except BaseException:
            self.close()
            raise

    def submit(self, piece: Piece) -> Future[Outcome]:
        if not piece.rows:
            return done(Outcome(None, [], 0.0))
        return self._pool.submit(self._run, piece.batch)

    def close(self) -> None:
        self._closing = True
        with self._lock:
            workers = list(self._all)
        for worker in workers:
            worker.stop()
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _start(self) -> _Worker:
        worker = _Worker(spawn(self._environment, entry=ENTRY))
        with self._lock:
            self._all.add(worker)
        worker.load(self._config)
        return worker

    def _run(self, batch: Any) -> Outcome:
        worker = self._idle.get()
        try:
            return worker.run(batch)
        except (EOFError, ConnectionError, OSError):
            code = worker.reap()
            with self._lock:
                self._all.discard(worker)
                self._deaths += 1
            if self._closing or self._deaths > MAX_DEATHS:
                raise WorkerLost(f"{self._deaths} worker processes died, the last with {code}") from None
            worker = self._start()
        finally:
            self._idle.put(worker)
        return self._again(batch, code)

    def _again(self, batch: Any, code: str) -> Outcome:
        count = batch.num_rows
        if count == 1:
            return Outcome(None, [(0, f"the worker process died with {code} on this row")], 0.0)
        middle = count // 2
        first, second = self._run(batch.slice(0, middle)), self._run(batch.slice(middle))
        failed = [*first.failed, *((place + middle, reason) for place, reason in second.failed)]
        columns = joined([first.columns, second.columns])
        peak = max(first.peak_bytes, second.peak_bytes)
        return Outcome(columns, failed, first.seconds + second.seconds, peak)


class _Worker:
    """One process and its channel."""

    def __init__(self, process: WorkerProcess) -> None:
        self._process = process
        self._channel = BlockingChannel(process.sock)

    def load(self, config: bytes) -> None:
        self._channel.send([pack_message(CONFIG, config)])
        try:
            frame = self._channel.receive()
        except (EOFError, ConnectionError):
            raise WorkerLost(f"A worker died with {self.reap()} while it loaded the service") from None
        if kind_of(frame) != HELLO:
            raise BentoMLException(f"A worker could not load the service: {payload_of(frame).decode()}")

    def run(self, batch: Any) -> Outcome:
        self._channel.send([pack_message(WORK, pack_batch(batch))])
        frame = self._channel.receive()
        if kind_of(frame) == FAIL:
            raise BentoMLException(payload_of(frame).decode())
        return unpack_outcome(payload_of(frame))

    def reap(self) -> str:
        """How the process ended, in words."""
        self._process.sock.close()
        code = self._process.process.wait()
        return f"signal {-code}" if code < 0 else f"exit code {code}"

    def stop(self) -> None:
        """Close the channel, which ends the worker after its piece; kill it when it does not end."""
        with contextlib.suppress(OSError):
            self._process.sock.shutdown(socket.SHUT_RDWR)
        try:
            self._process.process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
