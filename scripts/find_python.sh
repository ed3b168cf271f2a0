#!/bin/sh
# Prints the first Python here that is 3.10 or newer and can make a virtual environment.
for name in "${1:-python3}" python3 python3.12 python3.11 python3.13 python3.10 python; do
    if "$name" -c 'import sys, ensurepip, venv; sys.exit(sys.version_info < (3, 10))' 2>/dev/null; then
        command -v "$name"
        exit 0
    fi
done
echo "No Python 3.10 or newer with the venv module was found." >&2
echo "Install one (Debian, Ubuntu: apt-get install python3 python3-venv), or name it: make PYTHON=/path/to/python" >&2
exit 1
