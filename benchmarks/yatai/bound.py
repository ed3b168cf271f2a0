"""What this machine can do at most: sockets, SHA-256 and the disk, with nothing else around them."""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

_PIECE_BYTES = 1 << 20


def copy_speed(space: Path, sources: Sequence[Path]) -> float:
    """MiB a second of as many `cp` at once, each followed by `sync` of what it wrote: all of it on disk."""
    os.sync()
    target = space / "copy"
    target.mkdir()
    copy = 'cp -r "$1" "$2" && find "$2" -type f -exec sync {} +'
    begun = time.perf_counter()
    running = [
        subprocess.Popen(["sh", "-c", copy, "sh", str(source), str(target / source.name)])
        for source in sources
    ]
    assert all(process.wait() == 0 for process in running)
    seconds = time.perf_counter() - begun
    size = sum(path.stat().st_size for path in target.rglob("*") if path.is_file())
    shutil.rmtree(target)
    return size / (1 << 20) / seconds


def stream_speed(space: Path, sources: Sequence[Path], *, both_hash: bool) -> float:
    """MiB a second of bare processes that send the largest file of each bundle over loopback.

    The receiver hashes and writes, and syncs the file at its end; the sender hashes too (`both_hash`), or
    sends from the page cache.
    """
    os.sync()
    target = space / "streams"
    target.mkdir()
    files = [max(source.rglob("*"), key=lambda path: path.stat().st_size) for source in sources]
    context = multiprocessing.get_context("fork")
    ready, go = context.Semaphore(0), context.Event()
    running = []
    for number, file in enumerate(files):
        listener = socket.create_server(("127.0.0.1", 0))
        port = listener.getsockname()[1]
        running += [
            context.Process(target=_receive, args=(listener, target / str(number), ready)),
            context.Process(target=_send, args=(file, port, both_hash, ready, go)),
        ]
    for process in running:
        process.start()
    for _ in running:
        ready.acquire()
    begun = time.perf_counter()
    go.set()
    for process in running:
        process.join()
    seconds = time.perf_counter() - begun
    assert all(process.exitcode == 0 for process in running)
    size = sum(file.stat().st_size for file in files)
    shutil.rmtree(target)
    return size / (1 << 20) / seconds


def _send(file: Path, port: int, hashes: bool, ready: object, go: object) -> None:
    with socket.create_connection(("127.0.0.1", port)) as connection, file.open("rb", buffering=0) as source:
        ready.release()  # type: ignore[attr-defined]
        go.wait()  # type: ignore[attr-defined]
        if not hashes:
            connection.sendfile(source)
            return
        digest, buffer = hashlib.sha256(), memoryview(bytearray(_PIECE_BYTES))
        while count := source.readinto(buffer):
            digest.update(buffer[:count])
            connection.sendall(buffer[:count])


def _receive(listener: socket.socket, target: Path, ready: object) -> None:
    with listener.accept()[0] as connection, target.open("wb", buffering=0) as file:
        digest, buffer = hashlib.sha256(), memoryview(bytearray(_PIECE_BYTES))
        ready.release()  # type: ignore[attr-defined]
        while count := connection.recv_into(buffer):
            digest.update(buffer[:count])
            file.write(buffer[:count])
        os.fsync(file.fileno())
    sys.stdout.flush()
