"""A client that is up before the clock starts: imported, connected, and waiting for a line.

python -m benchmarks.yatai.client push ADDRESS DIRECTORY
python -m benchmarks.yatai.client pull ADDRESS NAME:VERSION
"""

from __future__ import annotations

import sys

from bentoml.yatai.client import get_yatai_client


def main() -> None:
    what, address, argument = sys.argv[1:]
    repository = get_yatai_client(address).repository
    repository.list(limit=1)
    if what == "push":
        import bentoml.yatai.remote.upload
    else:
        import bentoml.repository.local  # noqa: F401
    print("ready", flush=True)
    if not sys.stdin.readline():
        return
    if what == "push":
        repository.upload_from_dir(argument)
    else:
        repository.pull(argument)
    print("done", flush=True)


if __name__ == "__main__":
    main()
