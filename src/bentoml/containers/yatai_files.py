"""Texts of the files that build and start the management server's image: pure functions.

The image starts as root only to find out who owns the mounted home: the server then runs as that user,
or as `bentoml` where root owns it. `docker run --user` and Kubernetes' `runAsUser` work as well.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from bentoml.bundle.container_files import DEFAULT_UID, VENV
from bentoml.bundle.environment import check_image

HOME = "/bentoml"
PLACE = "/opt/bentoml-yatai"
EXTRAS = "yatai,postgres,s3,gcs"


@dataclass(frozen=True, slots=True)
class YataiSpec:
    """`wheel` is the file name of the library's wheel and `wheel_sha256` its digest (lower-case hex)."""

    version: str
    base_image: str
    wheel: str
    wheel_sha256: str

    def __post_init__(self) -> None:
        check_image(self.base_image)


def yatai_files(spec: YataiSpec) -> dict[str, str]:
    """Path in the build context → text; the `.sh` file is executable."""
    return {
        "Dockerfile": dockerfile_text(spec),
        "entrypoint.sh": ENTRYPOINT,
        "drop_root.py": DROP_ROOT,
        "health.py": HEALTH,
        "checksums": f"{spec.wheel_sha256}  {PLACE}/{spec.wheel}\n",
    }


def dockerfile_text(spec: YataiSpec) -> str:
    """The Dockerfile."""
    label = "org.opencontainers.image"
    files = [spec.wheel, "entrypoint.sh", "drop_root.py", "health.py", "checksums"]
    health_check = json.dumps([f"{VENV}/bin/python", f"{PLACE}/health.py"])
    lines = [
        f"FROM {spec.base_image}",
        "USER root",
        f'LABEL {label}.title="bentoml-yatai" \\',
        f"      {label}.version={json.dumps(spec.version)} \\",
        f"      {label}.base.name={json.dumps(spec.base_image)}",
        "",
        "ARG EXTRA_PIP_INSTALL_ARGS=",
        f"ARG EXTRAS={EXTRAS}",
        f"ARG UID={DEFAULT_UID}",
        f"ARG GID={DEFAULT_UID}",
        f'RUN groupadd -g "$GID" -o bentoml && useradd -M -d {HOME} -u "$UID" -g "$GID" -o -r bentoml \\',
        f"    && mkdir {HOME} && chown bentoml:bentoml {HOME}",
        "",
        f"COPY {json.dumps([*files, f'{PLACE}/'])}",
        f"RUN sha256sum -c {PLACE}/checksums && python3 -m venv {VENV} \\",
        f"    && {VENV}/bin/python -m pip install --no-cache-dir $EXTRA_PIP_INSTALL_ARGS "
        f'"{PLACE}/{spec.wheel}[$EXTRAS]"',
        "",
        f"ENV BENTOML_HOME={HOME}",
        "ENV BENTOML_YATAI_HOST=0.0.0.0",
        "ENV BENTOML_YATAI_AUTH_BOOTSTRAP=true",
        "ENV PYTHONUNBUFFERED=1",
        f"ENV PATH={VENV}/bin:$PATH",
        f"WORKDIR {HOME}",
        f'VOLUME ["{HOME}"]',
        "EXPOSE 50051",
        "EXPOSE 3000",
        f"HEALTHCHECK --interval=30s --timeout=10s --start-period=60s CMD {health_check}",
        f'ENTRYPOINT ["{PLACE}/entrypoint.sh"]',
        'CMD ["bentoml", "yatai-service-start"]',
        "",
    ]
    return "\n".join(lines)


ENTRYPOINT = f"""\
#!/bin/sh
set -eu

# Options only: start the server with them.
case "${{1:-}}" in
    -*) set -- bentoml yatai-service-start "$@" ;;
esac

exec {VENV}/bin/python {PLACE}/drop_root.py "$@"
"""

DROP_ROOT = """\
# Become the owner of the mounted home, or `bentoml` if that is root; then run what was asked for.
import os
import pwd
import sys

home = os.environ["BENTOML_HOME"]
if os.getuid() == 0:
    owner = os.stat(home)
    uid, gid = owner.st_uid, owner.st_gid
    if uid == 0:
        account = pwd.getpwnam("bentoml")
        uid, gid = account.pw_uid, account.pw_gid
        os.chown(home, uid, gid)
        for directory, folders, files in os.walk(home):
            for name in (*folders, *files):
                os.chown(os.path.join(directory, name), uid, gid, follow_symlinks=False)
    os.setgroups([])
    os.setgid(gid)
    os.setuid(uid)
    os.environ["HOME"] = home
if not os.access(home, os.W_OK | os.X_OK):
    sys.exit(f"{home} cannot be written by user {os.getuid()}; give it to that user, or run as its owner")
os.execvp(sys.argv[1], sys.argv[1:])
"""

HEALTH = """\
# Exit code 0 if the server answers: its page, or its gRPC port where it has no page. What it listens on is
# said by the words after the image's name, which process 1 was started with, else by the environment.
import os
import pathlib
import socket
import ssl
import sys
import urllib.request

words = sys.argv[1:] or pathlib.Path("/proc/1/cmdline").read_text("utf-8", "replace").split("\\0")


def option(name, variable, default):
    for place, word in enumerate(words):
        if word.startswith(name + "="):
            return word.partition("=")[2]
        if word == name and place + 1 < len(words):
            return words[place + 1]
    return os.environ.get(variable) or default


host = option("--host", "BENTOML_YATAI_HOST", "127.0.0.1")
host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
web = int(option("--ui-port", "BENTOML_WEB_UI_PORT", 3000))
grpc = int(option("--grpc-port", "BENTOML_GRPC_PORT", 50051))
has_page = os.environ.get("BENTOML_ENABLE_WEB_UI", "true").lower() in ("true", "1", "yes", "on")
if "--no-ui" in words or (not has_page and "--ui" not in words):
    socket.create_connection((host, grpc), timeout=8).close()
    sys.exit()
shown = f"[{host}]" if ":" in host else host
anybody = ssl.create_default_context()  # it asks itself: whose certificate it is does not matter
anybody.check_hostname, anybody.verify_mode = False, ssl.CERT_NONE
try:
    urllib.request.urlopen(f"http://{shown}:{web}/readyz", timeout=4)
except urllib.error.HTTPError:
    raise
except (OSError, ValueError):  # refused, or no HTTP: it may speak TLS
    urllib.request.urlopen(f"https://{shown}:{web}/readyz", timeout=4, context=anybody)
"""
