#!/bin/sh
# Usage: bentoml-init.sh [step ...]
# Steps: custom_setup ensure_python restore_conda_env install_pip_packages install_bundled_pip_packages
set -eux

cd "$(dirname "$0")"
venv="${BENTOML_VENV:-/opt/bentoml}"
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
    elif ! grep -q '^dependencies: \[\]' ./environment.yml; then
        echo "WARNING: environment.yml lists conda packages, but this image has no conda" >&2
    fi
}

# The library comes from the wheel in this bundle: the name on package indexes is another product line.
check_library() {
    python - "./bundled_pip_dependencies/bentoml-0.14.0-py3-none-any.whl" "abababababababababababababababababababababababababababababababab" <<'END'
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
    for file in ./bundled_pip_dependencies/*; do
        if [ "$file" != "./bundled_pip_dependencies/bentoml-0.14.0-py3-none-any.whl" ]; then
            # shellcheck disable=SC2086
            python -m pip install --no-cache-dir -U ${EXTRA_PIP_INSTALL_ARGS:-} "$file"
        fi
    done
}

if [ $# -eq 0 ]; then
    set -- custom_setup ensure_python restore_conda_env install_pip_packages install_bundled_pip_packages
fi
for step in "$@"; do
    case "$step" in
        custom_setup|ensure_python|restore_conda_env|install_pip_packages|install_bundled_pip_packages) "$step" ;;
        *)
            echo "unknown step: $step" >&2
            exit 2 ;;
    esac
done
