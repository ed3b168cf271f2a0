"""Byte code for an image's packages, so that the first start is as fast as the second.

It is checked by nothing at run time (`unchecked-hash`) and compiled file by file in a fixed order by
fresh processes with a fixed hash seed, so that the same sources give the same bytes.
"""

from __future__ import annotations

import json
import os
import posixpath
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from bentoml.exceptions import BentoMLException

from .image_python import Target
from .tree import Node

_PARTS = 8  # not the number of processors: which files share a process must not depend on the machine
_COMPILE = """\
import json, py_compile, sys, warnings
warnings.simplefilter("ignore")
for source, shown, compiled in json.load(sys.stdin):
    try:
        py_compile.compile(source, compiled, shown, doraise=True,
                           invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH)
    except (py_compile.PyCompileError, UnicodeError, RecursionError):
        pass  # a template, or a test of what does not compile
"""


def compile_nodes(nodes: dict[str, Node], target: Target, work: Path) -> dict[str, Node]:
    """A node of byte code for every module; none if no Python of the image's version is here."""
    interpreter = _interpreter(target.minor)
    if interpreter is None:
        return {}
    work.mkdir()
    tag = f"cpython-{target.minor.replace('.', '')}"
    sources = [path for path in sorted(nodes) if path.endswith(".py") and "/site-packages/" in path]
    jobs: list[list[tuple[str, str, str]]] = [[] for _ in range(_PARTS)]
    compiled: dict[str, Path] = {}
    for number, path in enumerate(sources):
        data = nodes[path].data
        if isinstance(data, Path):
            stem = posixpath.basename(path).removesuffix(".py")
            place = posixpath.join(posixpath.dirname(path), "__pycache__", f"{stem}.{tag}.pyc")
            compiled[place] = work / f"{number}.pyc"
            jobs[number % _PARTS].append((str(data), f"/{path}", str(compiled[place])))
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(lambda job: _run(interpreter, job), jobs))
    return {path: Node(path, data=file) for path, file in compiled.items() if file.is_file()}


def _run(interpreter: str, job: list[tuple[str, str, str]]) -> None:
    done = subprocess.run(
        [interpreter, "-S", "-B", "-X", "utf8", "-c", _COMPILE],
        input=json.dumps(job),
        env={"PYTHONHASHSEED": "0", "PATH": os.defpath},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise BentoMLException(f"Compiling the packages failed: {done.stderr.strip()[-500:]}")


def _interpreter(minor: str) -> str | None:
    if minor == f"{sys.version_info.major}.{sys.version_info.minor}":
        return sys.executable if sys.implementation.name == "cpython" else None
    return shutil.which(f"python{minor}")
