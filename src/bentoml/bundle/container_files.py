"""Texts of the files that build and start a container: pure functions from fields to text.

Every field is checked against a grammar before it stands in a text, so no field can add an
instruction. The scripts need a POSIX shell and Python only.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from bentoml.tags import validate_service_name, validate_version

from .environment import check_image
from .layout import BUNDLED_DEPENDENCIES

DEFAULT_PORT = 5000
DEFAULT_UID = 1034
VENV = "/opt/bentoml"

_STEPS = (
    "custom_setup",
    "ensure_python",
    "restore_conda_env",
    "install_pip_packages",
    "install_bundled_pip_packages",
)
_HEALTH_CHECK = (
    "import os, pathlib, urllib.request as r; f = pathlib.Path(os.environ['BENTOML_HOME'], '.port'); "
    "p = f.read_text().strip() if f.exists() else os.environ.get('BENTOML_PORT', '5000'); "
    "r.urlopen('http://127.0.0.1:' + p + '/livez', timeout=4)"
)


@dataclass(frozen=True, slots=True)
class ContainerSpec:
    """What varies between the container files of two bundles.

    `wheel` is the file name of the library's wheel and `wheel_sha256` its digest (lower-case hex).
    """

    name: str
    version: str
    base_image: str
    wheel: str
    wheel_sha256: str
    has_setup_script: bool = False

    def __post_init__(self) -> None:
        validate_service_name(self.name)
        validate_version(self.version)
        check_image(self.base_image)


def container_files(spec: ContainerSpec) -> dict[str, str]:
    """Path relative to the bundle → text; the two `.sh` files are executable."""
    return {
        "Dockerfile": dockerfile_text(spec),
        ".dockerignore": dockerignore_text(),
        "docker-entrypoint.sh": entrypoint_text(),
        "bentoml-init.sh": init_script_text(spec),
    }


def dockerfile_text(spec: ContainerSpec) -> str:
    """The Dockerfile; layers that change least come first, so a new model reuses the installed ones."""
    early = [
        "bentoml-init.sh",
        "docker-entrypoint.sh",
        "python_version",
        "environment.yml",
        "requirements.txt",
        "requirements.loc[k]",  # a pattern: without a lock it matches nothing and is no error
    ]
    if spec.has_setup_script:
        early.append("setup.sh")
    health_check = json.dumps(health_check_command())
    copy = "COPY --chown=bentoml:bentoml"
    lines = [
        f"# {spec.name}:{spec.version}. Build with: docker build -t {spec.name.lower()} .",
        f"FROM {spec.base_image}",
        "USER root",
        f"LABEL org.opencontainers.image.title={json.dumps(spec.name)} \\",
        f"      org.opencontainers.image.version={json.dumps(spec.version)} \\",
        f"      org.opencontainers.image.base.name={json.dumps(spec.base_image)}",
        "",
        "ARG EXTRA_PIP_INSTALL_ARGS=",
        f"ARG UID={DEFAULT_UID}",
        f"ARG GID={DEFAULT_UID}",
        'RUN groupadd -g "$GID" -o bentoml && useradd -m -u "$UID" -g "$GID" -o -r bentoml',
        "",
        "ARG BUNDLE_PATH=/home/bentoml/bundle",
        "ENV BUNDLE_PATH=$BUNDLE_PATH",
        "ENV BENTOML_HOME=/home/bentoml/",
        "ENV PYTHONUNBUFFERED=1",
        f"ENV PATH={VENV}/bin:$PATH",
        "WORKDIR $BUNDLE_PATH",
        'RUN chown bentoml:bentoml "$BUNDLE_PATH"',
        "",
        f"{copy} {json.dumps([*early, './'])}",
        f"{copy} {json.dumps([f'{BUNDLED_DEPENDENCIES}/', f'./{BUNDLED_DEPENDENCIES}/'])}",
        *(f"RUN {json.dumps(['sh', './bentoml-init.sh', step])}" for step in _STEPS),
        "",
        f"{copy} {json.dumps(['.', './'])}",
        "",
        f"EXPOSE {DEFAULT_PORT}",
        "USER bentoml",
        f"HEALTHCHECK --interval=30s --timeout=5s --start-period=60s CMD {health_check}",
        'ENTRYPOINT ["./docker-entrypoint.sh"]',
        'CMD ["bentoml", "serve-gunicorn", "./"]',
        "",
    ]
    return "\n".join(lines)


def health_check_command() -> list[str]:
    """Asks `/livez` on the port that the server really has."""
    return ["python", "-c", _HEALTH_CHECK]


def entrypoint_text() -> str:
    """`docker run IMAGE --workers=2` passes options on; `PORT` (Heroku, Cloud Run) sets the port."""
    return """\
#!/bin/sh
set -eu

if [ -n "${PORT:-}" ]; then
    BENTOML_PORT="$PORT"
    export BENTOML_PORT
fi

# Options only: serve this bundle with them.
case "${1:-}" in
    -*) set -- bentoml serve-gunicorn "$@" "$BUNDLE_PATH" ;;
esac

# The health check runs beside the server and has to know a port given as an option.
port="${BENTOML_PORT:-5000}"
previous=""
for argument in "$@"; do
    case "$argument" in
        --port=*) port="${argument#--port=}" ;;
    esac
    case "$previous" in
        --port|-p) port="$argument" ;;
    esac
    previous="$argument"
done
{ printf '%s\\n' "$port" > "${BENTOML_HOME:-/tmp}/.port"; } 2>/dev/null || true

exec "$@"
"""


def init_script_text(spec: ContainerSpec) -> str:
    """`bentoml-init.sh [step]`: prepares an environment; without a step it runs all of them."""
    return (
        _INIT_SCRIPT.replace("@WHEEL@", f"./{BUNDLED_DEPENDENCIES}/{spec.wheel}")
        .replace("@SHA256@", spec.wheel_sha256)
        .replace("@DEPENDENCIES@", BUNDLED_DEPENDENCIES)
        .replace("@VENV@", VENV)
        .replace("@CHOICES@", "|".join(_STEPS))
        .replace("@STEPS@", " ".join(_STEPS))
    )


_INIT_SCRIPT = """\
#!/bin/sh
# Usage: bentoml-init.sh [step ...]
# Steps: @STEPS@
set -eux

cd "$(dirname "$0")"
venv="${BENTOML_VENV:-@VENV@}"
PATH="$venv/bin:$PATH"

custom_setup() {
    if [ -f ./setup.sh ]; then
        chmod +x ./setup.sh
        # Elsewhere than in the bundle: a file that the script leaves there would be one too many.
        bundle="$(pwd)"
        (cd "${BENTOML_HOME:-$(mktemp -d)}" && "$bundle/setup.sh")
    fi
}

minor_of() {
    "$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null || echo none
}

# A Python without pip, or one whose packages belong to the distribution, gets an environment of its own.
takes_packages() {
    "$1" - <<'END'
import importlib.util, os, sys, sysconfig
marker = os.path.join(sysconfig.get_path("stdlib"), "EXTERNALLY-MANAGED")
is_managed = sys.prefix == sys.base_prefix and os.path.exists(marker)
sys.exit(is_managed or importlib.util.find_spec("pip") is None)
END
}

install_from_distribution() {
    if ! command -v apt-get >/dev/null 2>&1; then
        echo "ERROR: the base image has no usable Python, and no apt-get to install one" >&2
        exit 1
    fi
    apt-get update
    apt-get install -y --no-install-recommends python3 python3-venv
    rm -rf /var/lib/apt/lists/*
}

ensure_python() {
    wanted="$(cat ./python_version)"
    wanted_minor="${wanted%.*}"
    if command -v conda >/dev/null 2>&1; then
        if [ "$(minor_of python)" != "$wanted_minor" ]; then
            conda install -y -n base "python=$wanted_minor" pip
        fi
        return
    fi
    found=""
    for candidate in python "python$wanted_minor" python3; do
        if [ -z "$found" ] && [ "$(minor_of "$candidate")" = "$wanted_minor" ]; then
            found="$candidate"
        fi
    done
    if [ -z "$found" ]; then
        command -v python >/dev/null 2>&1 || command -v python3 >/dev/null 2>&1 || install_from_distribution
        found=python3
        if command -v python >/dev/null 2>&1; then found=python; fi
        current="$(minor_of "$found")"
        if [ "$current" != "$wanted_minor" ]; then
            echo "WARNING: the bundle was saved with Python $wanted, this image has $current" >&2
        fi
    fi
    if [ "$found" != python ] || ! takes_packages python; then
        "$found" -m venv --system-site-packages "$venv" || {
            install_from_distribution
            "$found" -m venv --system-site-packages "$venv"
        }
    fi
}

restore_conda_env() {
    if command -v conda >/dev/null 2>&1; then
        conda env update -n base -f ./environment.yml
    elif ! grep -q '^dependencies: \\[\\]' ./environment.yml; then
        echo "WARNING: environment.yml lists conda packages, but this image has no conda" >&2
    fi
}

# The library comes from the wheel in this bundle: the name on package indexes is another product line.
check_library() {
    python - "@WHEEL@" "@SHA256@" <<'END'
import hashlib, sys
found = hashlib.sha256(open(sys.argv[1], "rb").read()).hexdigest()
if found != sys.argv[2]:
    sys.exit("%s was changed: its SHA-256 is %s, saved was %s" % (sys.argv[1], found, sys.argv[2]))
END
}

install_pip_packages() {
    check_library
    # The first requirement is the wheel itself; a lock names every other file, too.
    set -- -r ./requirements.txt
    if [ -f ./requirements.lock ]; then
        set -- --require-hashes -r ./requirements.lock
    fi
    # shellcheck disable=SC2086 - several arguments in one variable
    python -m pip install --no-cache-dir ${EXTRA_PIP_INSTALL_ARGS:-} "$@"
}

install_bundled_pip_packages() {
    for file in ./@DEPENDENCIES@/*; do
        if [ "$file" != "@WHEEL@" ]; then
            # shellcheck disable=SC2086
            python -m pip install --no-cache-dir -U ${EXTRA_PIP_INSTALL_ARGS:-} "$file"
        fi
    done
}

if [ $# -eq 0 ]; then
    set -- @STEPS@
fi
for step in "$@"; do
    case "$step" in
        @CHOICES@) "$step" ;;
        *)
            echo "unknown step: $step" >&2
            exit 2 ;;
    esac
done
"""


def dockerignore_text() -> str:
    """Byte code is no part of a bundle, so it is no part of an image either."""
    return "**/__pycache__\n**/*.pyc\n"
