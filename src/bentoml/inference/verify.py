"""Does a saved bundle still do what it did when it was saved? Checked in a process of its own.

First its files and signature, without executing anything; then a fresh interpreter, or the one of the
bundle's own environment, loads it and replays the examples stored in it: each alone, and together.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bentoml.bundle.layout import BundleLayout
from bentoml.bundle.trust.policy import check_bundle
from bentoml.bundle.verification import clean_import_path

DEFAULT_TIMEOUT_S = 600.0
DEFAULT_TOLERANCE = 1e-5

_START = """\
import json, sys
orders = json.loads(sys.argv[1])
if orders["import_path"]:
    sys.path[:] = orders["import_path"]
    sys.meta_path[:] = [
        finder for finder in sys.meta_path
        if not str(getattr(finder, "__module__", "")).startswith("__editable__")
    ]
    sys.path_importer_cache.clear()
from bentoml.inference.verify_child import run
run(orders)
"""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a bundle may cost at most; None for no limit."""

    latency_s: float | None = None
    memory_bytes: int | None = None


@dataclass(slots=True)
class VerifyReport:
    """The outcome. `reasons` says why the bundle failed; empty if it did not.

    Attributes:
        apis: per API: examples, median latency_s of one request, batch size and batch_s, differences.
        memory_bytes: what loading added to the process; `peak_bytes` is all it ever held.
    """

    tag: str
    python: str
    reasons: list[str] = field(default_factory=list)
    apis: list[dict[str, Any]] = field(default_factory=list)
    load_s: float = 0.0
    memory_bytes: int = 0
    peak_bytes: int = 0

    @property
    def ok(self) -> bool:
        return not self.reasons

    @property
    def examples(self) -> int:
        return sum(int(row["examples"]) for row in self.apis)

    def to_dict(self) -> dict[str, Any]:
        return {
            "bundle": self.tag,
            "ok": self.ok,
            "reasons": self.reasons,
            "examples": self.examples,
            "python": self.python,
            "load_s": round(self.load_s, 4),
            "memory_bytes": self.memory_bytes,
            "peak_bytes": self.peak_bytes,
            "apis": self.apis,
        }


def verify_bundle(
    path: Path,
    *,
    python: Path | None = None,
    tolerance: float = DEFAULT_TOLERANCE,
    limits: Limits | None = None,
    require_examples: bool = False,
    timeout_s: float = DEFAULT_TIMEOUT_S,
) -> VerifyReport:
    """Check a bundle.

    Args:
        python: interpreter of an environment that holds this library; this very one when None.
        tolerance: how far a float may be from the stored one, as a share of the larger of the two.
        limits: what one request and the loaded service may cost.
        require_examples: a bundle without stored examples fails.

    Raises:
        BundleCorrupted, UntrustedBundle: the files are not what was saved or signed; nothing was executed.
    """
    path = path.absolute()
    descriptor = check_bundle(path)
    report = VerifyReport(descriptor.tag, str(python or sys.executable))
    layout = BundleLayout(path, descriptor.name)
    examples = layout.examples if layout.examples.is_file() else None
    _read_outcome(report, _run_child(path, examples, python, tolerance, timeout_s))
    if not report.reasons and examples is None and require_examples:
        report.reasons.append("it stores no examples; save it with service.save(examples={...})")
    _apply(limits or Limits(), report)
    return report


def _run_child(
    path: Path, examples: Path | None, python: Path | None, tolerance: float, timeout_s: float
) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="bentoml-verify-") as work:
        result = Path(work) / "result.json"
        orders = {
            "import_path": clean_import_path() if python is None else [],
            "bundle": str(path),
            "examples": str(examples) if examples else "",
            "tolerance": tolerance,
            "result": str(result),
        }
        command = [str(python or sys.executable), "-I", "-B", "-c", _START, json.dumps(orders)]
        try:
            child = subprocess.run(
                command,
                cwd=work,
                env=dict(os.environ),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=timeout_s,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return {"error": f"it was not done within {timeout_s:g} seconds"}
        if not result.is_file():
            lines = child.stderr.decode("utf-8", "replace").strip().splitlines()
            last = lines[-1][:500] if lines else ""
            return {"error": f"the process ended with exit code {child.returncode}. {last}".strip()}
        outcome: dict[str, Any] = json.loads(result.read_text("utf-8"))
        return outcome


def _read_outcome(report: VerifyReport, outcome: dict[str, Any]) -> None:
    if outcome["error"]:
        report.reasons.append(f"it cannot be loaded or replayed: {outcome['error']}")
        return
    report.apis = outcome["apis"]
    report.load_s, report.memory_bytes = outcome["load_s"], outcome["memory_bytes"]
    report.peak_bytes = outcome["peak_bytes"]
    for row in report.apis:
        report.reasons += [f"API '{row['api']}', {text}" for text in row["differences"]]


def _apply(limits: Limits, report: VerifyReport) -> None:
    if limits.latency_s is not None:
        for row in report.apis:
            if row["latency_s"] > limits.latency_s:
                report.reasons.append(
                    f"API '{row['api']}' takes {row['latency_s'] * 1000:.1f} ms for one request; at most "
                    f"{limits.latency_s * 1000:g} ms are allowed"
                )
    if limits.memory_bytes is not None and report.peak_bytes > limits.memory_bytes:
        report.reasons.append(
            f"it needed {report.peak_bytes / 2**20:.0f} MiB of memory; at most "
            f"{limits.memory_bytes / 2**20:.0f} MiB are allowed"
        )
