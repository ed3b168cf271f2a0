"""Compile protos/yatai.proto into the description that `bentoml.rpc` builds its messages from.

The package ships a serialized FileDescriptorSet instead of generated Python: generated modules only run
with the protobuf release they were made for, the description runs with all of them.

    python scripts/generate_protos.py            # write src/bentoml/rpc/yatai.binpb
    python scripts/generate_protos.py --check    # fail if it is not current
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from importlib.resources import files
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "protos" / "yatai.proto"
TARGET = ROOT / "src" / "bentoml" / "rpc" / "yatai.binpb"


def compile_protos() -> bytes:
    """The FileDescriptorSet of the sources, without the well-known types."""
    from grpc_tools import protoc

    with tempfile.TemporaryDirectory() as directory:
        target = Path(directory) / "set"
        arguments = [
            "protoc",
            f"-I{SOURCE.parent}",
            f"-I{files('grpc_tools') / '_proto'}",
            f"--descriptor_set_out={target}",
            str(SOURCE.name),
        ]
        if protoc.main(arguments) != 0:
            sys.exit("protoc failed")
        return target.read_bytes()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="only compare; exit 1 if it differs")
    check = parser.parse_args().check
    made = compile_protos()
    if not check:
        TARGET.write_bytes(made)
    elif TARGET.read_bytes() != made:
        sys.exit(f"{TARGET.relative_to(ROOT)} is not current: run `make protos`")


if __name__ == "__main__":
    main()
