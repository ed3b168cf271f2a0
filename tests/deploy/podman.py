"""A real Podman for tests: a store of its own, no daemon, few namespaces, so that it runs in a container too.

Images hold a bundle and nothing else: Python and the packages are those of this machine, mounted read-only,
so that nothing is downloaded. Where the machine's control groups are in the hybrid layout, which crun
refuses, the engine runs in a mount namespace that does not show the second half.
"""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILES = {"etc/passwd": b"root:x:0:0:root:/root:/bin/sh\n", "etc/group": b"root:x:0:\n", "etc/login.defs": b""}
FILES["usr/bin/sh"] = b""  # never run, but looked for before the machine's own is mounted over it


class Podman:
    """A `podman` on PATH with its own store.

    Args:
        walled: containers have control groups and a network of their own, as they usually do.

    Attributes:
        environment: variables under which `podman` is this one.
    """

    def __init__(self, folder: Path, *, walled: bool = False) -> None:
        real = shutil.which("podman")
        if real is None:
            pytest.skip("no podman here (Debian: apt-get install podman crun)")
        if os.geteuid() != 0:
            pytest.skip("the podman of these tests needs root")
        self.folder = folder
        self.environment = {
            "CONTAINERS_STORAGE_CONF": str(folder / "storage.conf"),
            "CONTAINERS_CONF": str(folder / "containers.conf"),
            "BUILDAH_ISOLATION": "chroot",
            "XDG_RUNTIME_DIR": str(folder / "runtime"),
            "PATH": f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}",
        }
        for name in ("bin", "runtime"):
            (folder / name).mkdir(parents=True)
        (folder / "storage.conf").write_text(
            f'[storage]\ndriver = "vfs"\nrunroot = "{folder / "run"}"\ngraphroot = "{folder / "graph"}"\n'
        )
        mounts = ", ".join(f'"{path}:{path}:ro"' for path in shared_paths())
        (folder / "containers.conf").write_text(
            "[containers]\n"
            f'cgroups = "{"enabled" if walled else "disabled"}"\nnetns = "{"bridge" if walled else "host"}"\n'
            'ipcns = "host"\nutsns = "host"\ncgroupns = "host"\n'
            f"default_ulimits = []\nvolumes = [{mounts}]\n"
            '[engine]\ncgroup_manager = "cgroupfs"\nevents_logger = "file"\n'
        )
        self._holder: subprocess.Popen[bytes] | None = None
        self._write_wrapper(real, lasting=walled)

    def run(self, *words: str, check: bool = True) -> str:
        done = subprocess.run(
            ["podman", *words],
            env={**os.environ, **self.environment},
            executable=str(self.folder / "bin" / "podman"),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=240,
        )
        assert not check or done.returncode == 0, f"podman {words}\n{done.stdout}{done.stderr}"
        return done.stdout + done.stderr

    def require_containers(self) -> None:
        """Skips where no container can run, with the engine's reason."""
        self.add_image("localhost/nothing:1", self.folder / "bin")
        done = self.run(
            "run", "--rm", "--entrypoint=/usr/bin/env", "localhost/nothing:1", "true", check=False
        )
        if done.strip():
            pytest.skip(f"podman runs no container here: {done.strip().splitlines()[-1]}")

    def add_image(self, reference: str, content: Path, *changes: str) -> None:
        """An image with a directory at /content, and links to the mounted parts of this machine."""
        archive = self.folder / "image.tar"
        with tarfile.open(archive, "w") as file:
            for name in ("bin", "lib", "lib64", "sbin"):
                if Path(f"/{name}").is_symlink():
                    link = tarfile.TarInfo(name)
                    link.type, link.linkname = tarfile.SYMTYPE, f"usr/{name}"
                    file.addfile(link)
            for name in ("tmp", "proc", "dev", "sys", "etc", "run", "home"):
                folder = tarfile.TarInfo(name)
                folder.type, folder.mode = tarfile.DIRTYPE, 0o777
                file.addfile(folder)
            for name, text in FILES.items():
                entry = tarfile.TarInfo(name)
                entry.size, entry.mode = len(text), 0o755
                file.addfile(entry, io.BytesIO(text))
            file.add(content, "content")
        words = [word for change in changes for word in ("--change", change)]
        self.run("import", *words, str(archive), reference)
        archive.unlink()

    def add_bundle(self, reference: str, bundle: Path) -> None:
        """The image of a bundle: its own entrypoint, this machine's Python."""
        self.add_image(
            reference,
            bundle,
            'ENTRYPOINT ["/content/docker-entrypoint.sh"]',
            'CMD ["bentoml", "serve-gunicorn", "./"]',
            "WORKDIR /content",
            "ENV BUNDLE_PATH=/content",
            "ENV BENTOML_HOME=/tmp/bentoml",
            f"ENV PATH={Path(sys.prefix) / 'bin'}:/usr/bin:/bin",
        )

    def remove_everything(self) -> None:
        self.run("rm", "--all", "--force", "--time=2", check=False)

    def close(self) -> None:
        """Removes everything, and ends what holds the mount namespace."""
        self.remove_everything()
        if self._holder is not None:
            self._holder.kill()
            self._holder.wait()

    def _write_wrapper(self, real: str, *, lasting: bool) -> None:
        wrapper = self.folder / "bin" / "podman"
        unified = Path("/sys/fs/cgroup/unified")
        command = f'exec {real} "$@"'
        if unified.is_mount() and shutil.which("unshare"):
            command = (
                "exec unshare --mount --propagation private sh -c "
                f'\'umount {unified} && exec {real} "$@"\' podman "$@"'
            )
            if lasting:  # networks of containers are mounts, which the next command has to find again
                keep = f"umount {unified} && echo ready && exec sleep infinity"
                held = ["unshare", "--mount", "--propagation", "private", "sh", "-c", keep]
                self._holder = subprocess.Popen(held, stdout=subprocess.PIPE)
                assert self._holder.stdout is not None
                assert self._holder.stdout.readline() == b"ready\n"
                command = f'exec nsenter --mount=/proc/{self._holder.pid}/ns/mnt --wd="$PWD" {real} "$@"'
        wrapper.write_text(f"#!/bin/sh\n{command}\n")
        wrapper.chmod(0o755)


def shared_paths() -> list[str]:
    """What of this machine a container needs to run this library: the system, Python and the checkout."""
    wanted = [Path("/usr"), Path(sys.prefix), Path(sys.base_prefix), ROOT / "src"]
    found = sorted({path.resolve() for path in wanted}, key=lambda path: len(path.parts))
    kept: list[Path] = []
    for path in found:
        if not any(path.is_relative_to(other) for other in kept):
            kept.append(path)
    return [str(path) for path in kept]
