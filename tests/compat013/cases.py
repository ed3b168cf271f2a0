"""The requests and command lines that are sent to the real 0.13.1 and to this library.

A case is data only: `record.py` sends it to 0.13.1 and stores request and answer, the tests send the
stored request here. `compare` says how much of the answer is part of the promise: `body` (JSON as
values, other text as is), `status` (pages and assets), `keys` (JSON: these keys are there).
"""

from __future__ import annotations

from .case import Case, Run
from .cases_cli import cli_cases
from .cases_frames import frame_cases
from .cases_protocol import infra_cases, json_cases, text_cases
from .cases_values import file_cases, model_cases, result_cases

__all__ = ["Case", "Run", "cli_cases", "http_cases"]


def http_cases() -> list[Case]:
    makers = (infra_cases, json_cases, text_cases, result_cases, frame_cases, file_cases, model_cases)
    cases = [case for maker in makers for case in maker()]
    ids = [case.id for case in cases]
    repeated = {i for i in ids if ids.count(i) > 1}
    if repeated:
        raise ValueError(f"case ids must be unique, these are not: {sorted(repeated)}")
    return cases
