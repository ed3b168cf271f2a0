"""A Debian to build images on, and containers that are processes in namespaces of their own."""

from __future__ import annotations

import json
import re
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

SUITES = {(3, 11): "bookworm", (3, 13): "trixie"}
NEEDED = ["buildah", "skopeo", "debootstrap", "unshare", "chroot", "setpriv"]


def run(*command: str | Path, timeout_s: float = 1500, **options: object) -> str:
    done = subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, timeout=timeout_s, **options
    )  # type: ignore[call-overload]
    assert done.returncode == 0, f"{command}\n{done.stdout[-3000:]}{done.stderr[-3000:]}"
    return str(done.stdout)


def mirror() -> str:
    for file in (Path("/etc/apt/sources.list"), *Path("/etc/apt/sources.list.d").glob("*")):
        text = file.read_text(errors="replace") if file.is_file() else ""
        if found := re.search(r"^(?:URIs:|deb(?: \[.*?\])?) *(https?://\S+/debian)/?\s", text, re.MULTILINE):
            return found[1]
    return "http://deb.debian.org/debian"


@dataclass
class Container:
    """An image that runs as process 1 of its namespace, with this machine's network."""

    process: subprocess.Popen[bytes]
    log: Path

    @property
    def text(self) -> str:
        return self.log.read_text(errors="replace")

    @property
    def server(self) -> int:
        """The process id that process 1 has here."""
        return int(run("pgrep", "-P", str(self.process.pid)).split()[0])

    def wait_for(self, pattern: str) -> str:
        """What the first group of the pattern matches in the output, once it is there."""
        deadline = time.monotonic() + 300
        while time.monotonic() < deadline:
            if found := re.search(pattern, self.text):
                return found[1]
            assert self.process.poll() is None, self.text
            time.sleep(0.1)
        raise AssertionError(self.text)


@contextmanager
def running(
    image: str,
    engine: dict[str, str],
    work: Path,
    arguments: Sequence[str] = (),
    *,
    user: str = "1034:1034",
    mounts: dict[Path, str] | None = None,
    **environment: str,
) -> Iterator[Container]:
    """Start an image's entry point. Its engine would need namespaces that a container has not."""
    config = json.loads(run("buildah", "inspect", "--type", "image", image, env=engine))["Docker"]["config"]
    container = run("buildah", "from", image, env=engine).strip()
    root = Path(run("buildah", "mount", container, env=engine).strip())
    log, script = work / f"{container}.log", work / f"{container}.sh"
    binds = "".join(
        f'mkdir -p "{root}{place}"; mount --bind "{here}" "{root}{place}"\n'
        for here, place in (mounts or {}).items()
    )
    script.write_text(
        f'mount --rbind /dev "{root}/dev"; mount -t proc proc "{root}/proc"\n{binds}'
        f'cd /; exec chroot --userspec={user} "{root}" /usr/bin/env -i "$@"\n'
    )
    variables = [*config["Env"], *(f"{name}={value}" for name, value in environment.items())]
    inner = f'cd {config["WorkingDir"]} && exec {config["Entrypoint"][0]} "$@"'
    with log.open("wb") as output:
        process = subprocess.Popen(
            ["unshare", "--pid", "--fork", "--mount", "--kill-child", "sh", script, *variables, "sh", "-c",
             inner, "sh", *(arguments or config["Cmd"])],
            stdout=output,
            stderr=subprocess.STDOUT,
        )  # fmt: skip
    try:
        yield Container(process, log)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        run("buildah", "rm", container, env=engine)
