"""The probe service: the same small service behind every black-box test of the server.

Run as a script it saves itself as a bundle: `python probe.py DIRECTORY`. Every API has a batched and
a single twin (`echo` and `echo1`), and every execution appends `pid api id` to the file named by
`PROBE_LOG`, so that tests can count what was run, where and how often.
"""

import ctypes
import hashlib
import itertools
import os
import signal
import sys
import time
from collections import deque

import bentoml
from bentoml.adapters import FileInput, JsonInput, StringInput

MOST = 64
GOAL_MS = 60_000


def note(api, item):
    """One line, written at once, so that lines of several processes never mix."""
    path = os.environ.get("PROBE_LOG")
    if path:
        line = f"{os.getpid()} {api} {item}\n".encode()
        fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(fd, line)
        finally:
            os.close(fd)


def identity(value):
    return value.get("id", "-") if isinstance(value, dict) else "-"


def digest(data):
    return [len(data), hashlib.sha256(data).hexdigest()]


def fork_a_sleeper():
    """A grandchild that holds every descriptor of its parent for a while."""
    if os.fork() == 0:
        signal.alarm(20)
        signal.pause()
        os._exit(0)


def content_of(path):
    """What a test has written into a file meanwhile, nothing if there is none."""
    try:
        with open(path) as file:
            return file.read()
    except OSError:
        return ""


LEAKED = []


def misbehave(value):
    """Do what the item asks for; anything unknown is echoed."""
    what = value.get("do") if isinstance(value, dict) else None
    if what == "raise":
        kind = value.get("kind", "ValueError")
        raise {e.__name__: e for e in ERRORS}[kind](value.get("text", "boom"))
    if what == "recurse":
        return misbehave({"do": "recurse"})
    if what == "exit":
        os._exit(3)
    if what == "fork-exit":
        fork_a_sleeper()
        os._exit(3)
    if what == "segv":
        ctypes.string_at(0)
    if what == "spin":
        deque(itertools.repeat(None), maxlen=0)  # one C loop that never gives the GIL away
    if what == "sleep":
        time.sleep(value["s"])
    if what == "leak":
        LEAKED.append(bytearray(os.urandom(1 << 20) * value["mib"]))
    if what == "mem":
        return len([bytearray(1 << 24) for _ in range(1 << 12)])
    return value


ERRORS = (
    ValueError,
    MemoryError,
    SystemExit,
    KeyboardInterrupt,
    RecursionError,
    GeneratorExit,
    StopIteration,
)


class Probe(bentoml.BentoService):
    """Answers, waits, or misbehaves, as it is told."""

    @bentoml.on_worker_start
    def load(self):
        note("load", os.environ.get("BENTOML_WORKER_INDEX", "-"))
        how = os.environ.get("PROBE_LOAD", "") or content_of(os.environ.get("PROBE_LOAD_FILE", ""))
        if how == "raise":
            raise RuntimeError("the weights are not there")
        if how == "hang":
            time.sleep(600)
        if how == "exit":
            os._exit(9)

    @bentoml.api(input=JsonInput(), batch=True, mb_max_batch_size=MOST, mb_max_latency=GOAL_MS)
    def echo(self, values):
        for value in values:
            note("echo", identity(value))
        return values

    @bentoml.api(input=JsonInput())
    def echo1(self, value):
        note("echo1", identity(value))
        return value

    @bentoml.api(input=JsonInput(), batch=True, mb_max_batch_size=MOST, mb_max_latency=GOAL_MS)
    def slow(self, values):
        for value in values:
            note("slow", identity(value))
        time.sleep(max(value["ms"] for value in values) / 1000)
        return [value["ms"] for value in values]

    @bentoml.api(input=JsonInput())
    def slow1(self, value):
        note("slow1", identity(value))
        time.sleep(value["ms"] / 1000)
        return value["ms"]

    @bentoml.api(input=JsonInput(), batch=True, mb_max_batch_size=MOST, mb_max_latency=GOAL_MS)
    def boom(self, values):
        for value in values:
            note("boom", identity(value))
        return [misbehave(value) for value in values]

    @bentoml.api(input=JsonInput())
    def boom1(self, value):
        note("boom1", identity(value))
        return misbehave(value)

    @bentoml.api(input=FileInput(), batch=True, mb_max_batch_size=MOST, mb_max_latency=GOAL_MS)
    def file(self, files):
        return [digest(f.read()) for f in files]

    @bentoml.api(input=FileInput())
    def file1(self, stream):
        return digest(stream.read())

    @bentoml.api(input=StringInput(), batch=True, mb_max_batch_size=MOST, mb_max_latency=GOAL_MS)
    def text(self, texts):
        return [digest(text.encode("utf-8", "surrogatepass")) for text in texts]

    @bentoml.api(input=StringInput())
    def text1(self, text):
        return digest(text.encode("utf-8", "surrogatepass"))


if __name__ == "__main__":
    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
    from probe import Probe as Saved

    Saved().save_to_dir(sys.argv[1])
