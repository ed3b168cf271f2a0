"""`uv pip compile`, run the same way for a lock and for the wheels of another machine."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

from bentoml.exceptions import BentoMLException

from .installers import clean_environment
from .pip_settings import uv_environment


def uv_compile(
    uv: str, requirements: str, options: Sequence[str], output: str, *, directory: Path, timeout_s: float
) -> subprocess.CompletedProcess[str]:
    """Pin `requirements` with digests into `output`; whether it worked is in the exit code.

    Args:
        directory: where uv runs; both file names may be relative to it.

    Raises:
        BentoMLException: uv was not done after `timeout_s` seconds.
    """
    command = [uv, "pip", "compile", requirements, *options, "--generate-hashes", "--no-header"]
    command += ["--no-annotate", "--quiet", "--output-file", output]
    try:
        return subprocess.run(
            command,
            cwd=directory,
            env={"UV_HTTP_TIMEOUT": "30", **uv_environment(clean_environment())},
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )
    except subprocess.TimeoutExpired as err:
        raise BentoMLException(f"uv found no versions within {timeout_s:.0f} seconds") from err
