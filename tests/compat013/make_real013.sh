#!/usr/bin/env bash
# Makes an environment with the real bentoml 0.13.1, the reference the recordings come from.
# Usage: make_real013.sh PYTHON3.8 DIRECTORY
# The pins are the newest releases 0.13.1 runs with; its own requirements have no upper bounds.
set -euo pipefail

python=${1:?"name a Python 3.8 interpreter, then the directory to make"}
target=${2:?"name the directory of the environment to make"}

"$python" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 8))' || {
    echo "bentoml 0.13.1 needs Python 3.6-3.8 and the recordings were made with 3.8; $python is another" >&2
    exit 1
}
"$python" -m venv "$target"
pip="$target/bin/python -m pip --disable-pip-version-check"
$pip install --quiet "pip<25" "setuptools<66" wheel
$pip install --quiet \
    "bentoml==0.13.1" "setuptools<66" "werkzeug<2.1" "jinja2<3.1" "markupsafe<2.1" "flask<2.1" \
    "itsdangerous<2.1" "protobuf<3.21" "sqlalchemy<1.4" "pandas<2" "scikit-learn==1.3.2" \
    "imageio<=2.9.0" "pillow<9"
BENTOML_HOME=$(mktemp -d) BENTOML_DO_NOT_TRACK=true "$target/bin/python" -c 'import bentoml; print("bentoml", bentoml.__version__)'
