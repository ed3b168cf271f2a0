"""What the decorators record: frozen data that says how a service was declared."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from bentoml.adapters.base_input import BaseInputAdapter
    from bentoml.adapters.base_output import BaseOutputAdapter

API_SPEC = "_bento_api_spec"
HOOK_KIND = "_bento_hook_kind"

HookKind = Literal["start", "stop"]


@dataclass(frozen=True, slots=True)
class ApiSpec:
    """One `@api`. `route` has no leading slash; `task_argument` is `"task"`, `"tasks"` or None.

    `max_concurrency` counts calls of the function that one worker may have running: items for
    `batch=False`, batches for `batch=True`.
    """

    name: str
    route: str
    doc: str
    input_adapter: BaseInputAdapter
    output_adapter: BaseOutputAdapter
    batch: bool
    mb_max_batch_size: int
    mb_max_latency_ms: int
    is_async: bool
    task_argument: str | None
    max_concurrency: int = 1
    thread_safe: bool = False
    timeout_s: float | None = None
    isolate: bool = True
    idempotent: bool = False
    example: Any = None
    max_batch_rows: int | None = None


@dataclass(frozen=True, slots=True)
class VersionSpec:
    """The prefix of `@ver`: a version becomes `"{major}.{minor}.{version}"`."""

    major: int | str
    minor: int | str

    def apply(self, version: str) -> str:
        return f"{self.major}.{self.minor}.{version}"
