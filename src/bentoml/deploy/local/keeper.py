"""The keeper of one deployment: holds its port, and keeps a `bentoml serve` behind it.

It is a process of its own, so that the services neither notice that the management server restarts nor
stay without supervision meanwhile. Told by SIGHUP that the plan changed, it starts the new revision next
to the old one on the same socket and drains the old one when the new one is ready; if the new one does
not come up, the old one stays. SIGTERM drains and ends everything.

    python -m bentoml.deploy.local.keeper DIRECTORY
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
import time
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from bentoml.deploy.machine.directory import DeploymentDirectory
from bentoml.deploy.machine.log_file import RotatingLog

from .backoff import Backoff
from .process import ReadyNotices, ServiceProcess, launch
from .waiting import WaitingRoom

STARTING, RUNNING, WAITING, CRASH_LOOP = "STARTING", "RUNNING", "WAITING", "CRASH_LOOP"
STOPPING, FAILED = "STOPPING", "FAILED"
TAKEN_FOR_S = 10.0


class Keeper:
    """Supervises the service of one directory until it is told to stop."""

    def __init__(self, directory: DeploymentDirectory) -> None:
        self._directory = directory
        plan = directory.plan()
        self._log = RotatingLog(directory.log, plan["log_bytes"], plan["log_files"])
        self._sock = bind(plan["host"], plan["port"])
        self._waiting = WaitingRoom(self._sock)
        self._notices = ReadyNotices()
        self._stop, self._changed = asyncio.Event(), asyncio.Event()
        self._serving: ServiceProcess | None = None
        self._good: dict[str, Any] | None = None
        self._tried = 0
        self._backoff = Backoff(plan["first_pause_s"], plan["longest_pause_s"], plan["steady_s"])
        self._tasks: set[asyncio.Task[None]] = set()
        self._status: dict[str, Any] = {"pid": os.getpid(), "port": plan["port"], "restarts": 0, "error": ""}

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop.set)
        loop.add_signal_handler(signal.SIGHUP, self._changed.set)
        self._notices.start()
        await self._waiting.open()
        while not self._stop.is_set():
            await self._round()
        await self._end()

    async def _round(self) -> None:
        """Bring up what is wanted, then wait until something happens."""
        self._changed.clear()
        plan = self._next_plan()
        if plan["revision"] != self._tried:
            self._tried = plan["revision"]
            self._backoff.forget()
        if self._serving is None or self._serving.revision != plan["revision"]:
            started = await self._begin(plan)
            if started is None:
                if self._serving is None and not self._changed.is_set():
                    await self._pause()
                    return
            else:
                await self._take_over(started)
        if self._serving is not None:
            await self._first(self._serving.exited)
            if self._serving.exited.done():
                await self._lost(self._serving)

    def _next_plan(self) -> dict[str, Any]:
        """The newest plan, or the last that worked if the newest one did not come up."""
        plan = self._directory.plan()
        failed = self._status.get("failed_revision")
        return self._good if self._good is not None and plan["revision"] == failed else plan

    async def _begin(self, plan: dict[str, Any]) -> ServiceProcess | None:
        """Start a revision; None if it ended, or if something else is wanted meanwhile."""
        if self._serving is None:
            self._note(state=STARTING)
        self._say(f"starting revision {plan['revision']} ({plan['tag']})")
        try:
            service = await launch(plan, self._sock, self._notices)
        except OSError as err:
            self._failed(plan, f"it cannot be started: {err}")
            return None
        self._background(service.pump(self._log))
        ready = asyncio.create_task(service.ready.wait())
        await self._first(service.exited, ready)
        if service.ready.is_set() and not service.exited.done():
            return service
        ready.cancel()
        if service.exited.done():
            self._failed(plan, f"{_ending(service.exit_code)}: {service.last_line[:500]}")
        else:
            await service.drain(1.0)
        return None

    async def _take_over(self, service: ServiceProcess) -> None:
        old, self._serving, self._good = self._serving, service, service.plan
        self._waiting.close()
        self._backoff.ready(time.monotonic())
        self._note(
            state=RUNNING,
            error="",
            failed_revision=None,
            serving={
                "revision": service.revision,
                "tag": service.plan["tag"],
                "pid": service.pid,
                "since": service.since,
            },
        )
        self._say(f"revision {service.revision} serves (process {service.pid})")
        if old is not None:
            self._say(f"draining revision {old.revision} (process {old.pid})")
            self._background(old.drain(old.plan["grace_s"]))

    async def _lost(self, service: ServiceProcess) -> None:
        """The serving process ended by itself."""
        self._serving = None
        await self._waiting.open()
        message = f"revision {service.revision} ended: {_ending(service.exit_code)}"
        self._say(message)
        self._note(serving=None, restarts=self._status["restarts"] + 1, last_exit=message)
        if not self._stop.is_set():
            await self._pause()

    def _failed(self, plan: dict[str, Any], reason: str) -> None:
        message = f"revision {plan['revision']} ({plan['tag']}) could not start: {reason}"
        self._say(message)
        if self._serving is not None:
            message += f"; revision {self._serving.revision} goes on serving"
            self._note(error=message, failed_revision=plan["revision"])
        else:
            self._note(error=message)

    async def _pause(self) -> None:
        """Wait before the next start, longer after every failure."""
        pause_s = self._backoff.failed(time.monotonic())
        state = CRASH_LOOP if self._backoff.is_loop else WAITING
        self._note(state=state, failures=self._backoff.failures, next_start_at=time.time() + pause_s)
        self._say(f"next start in {pause_s:g} s (failure {self._backoff.failures} in a row)")
        await self._first(asyncio.create_task(asyncio.sleep(pause_s)))

    async def _first(self, *events: asyncio.Task[Any]) -> None:
        """Until one of the events, a new plan, or the order to stop."""
        orders = [asyncio.create_task(event.wait()) for event in (self._stop, self._changed)]
        await asyncio.wait([*events, *orders], return_when=asyncio.FIRST_COMPLETED)
        for order in orders:
            order.cancel()

    async def _end(self) -> None:
        self._note(state=STOPPING)
        self._say("stopping")
        if self._serving is not None:
            await self._serving.drain(self._serving.plan["grace_s"])
        self._waiting.close()
        self._sock.close()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=self._directory.plan().get("grace_s", 30.0) + 10)
        self._notices.close()
        self._say("stopped")
        self._note(state="STOPPED", serving=None)
        self._log.close()

    def _background(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _note(self, **changes: Any) -> None:
        self._status.update(changes, updated_at=time.time())
        with contextlib.suppress(OSError):
            self._directory.write_status(self._status)

    def _say(self, text: str) -> None:
        moment = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime())
        self._log.write(f"[{moment}] keeper: {text}\n".encode())


def bind(host: str, port: int) -> socket.socket:
    """The listening socket; waits a little for a predecessor that is about to close it."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    end = time.monotonic() + TAKEN_FOR_S
    while True:
        try:
            sock = socket.create_server((host, port), family=family, backlog=2048)
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.2)
        else:
            sock.setblocking(False)
            return sock


def _ending(code: int | None) -> str:
    if code is not None and code < 0:
        return f"killed by signal {-code} ({signal.strsignal(-code) or 'unknown'})"
    return f"ended with exit code {code}"


def main(path: str) -> int:
    directory = DeploymentDirectory(Path(path))
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # the plan is read after handlers are there
    try:
        lock = directory.become_keeper()
    except BlockingIOError:
        return 0  # another keeper is there, which is as good
    try:
        asyncio.run(_run(directory))
    except OSError as err:
        plan = directory.plan()
        reason = f"The port {plan.get('host')}:{plan.get('port')} cannot be used: {err}"
        directory.write_status({"state": FAILED, "error": reason, "updated_at": time.time()})
        return 1
    finally:
        os.close(lock)
    return 0


async def _run(directory: DeploymentDirectory) -> None:
    await Keeper(directory).run()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
