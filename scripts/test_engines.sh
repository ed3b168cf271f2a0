#!/bin/bash
# Test the engines of offline runs, each in an environment of its own. Name engines to run only those.
set -euo pipefail
cd "$(dirname "$0")/.."

engines=("$@")
[ ${#engines[@]} -gt 0 ] || engines=(ray spark)
for engine in "${engines[@]}"; do
    home=".cache/engines/$engine"
    [ -x "$home/bin/python" ] || "${PYTHON:-python3}" -m venv "$home"
    PIP_DISABLE_PIP_VERSION_CHECK=1 "$home/bin/python" -m pip install --quiet \
        --constraint requirements/constraints-test.txt --editable ".[$engine,sklearn,image]" \
        hypothesis pytest pytest-asyncio pytest-timeout
    "$home/bin/python" -m pytest -m engines -k "$engine" -p no:cacheprovider tests/offline/test_engines.py
done
