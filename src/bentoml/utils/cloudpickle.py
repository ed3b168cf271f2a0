"""The cloudpickle package under the path that pickles written by 0.13 refer to.

0.13 carried its own copy of cloudpickle here. Objects of importable classes, and classes it stored
by value, are found in today's package; what needs byte code of another Python is refused by name,
because running it would crash the interpreter.
"""

from __future__ import annotations

import importlib
from typing import Any

from bentoml.exceptions import ArtifactLoadingException

# Helpers of the 0.13 copy that rebuild functions from the byte code of Python 3.8 and older.
_BYTE_CODE_HELPERS = frozenset({"_fill_function", "_make_skel_func", "_rehydrate_skeleton_class"})


def __getattr__(name: str) -> Any:
    if name in _BYTE_CODE_HELPERS:
        raise ArtifactLoadingException(
            "The pickle contains a function or class by value, as byte code of the Python that wrote it. "
            "Load it with that Python and pack it again, with the class in an importable module"
        )
    if name.startswith("__"):
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
    return getattr(importlib.import_module("cloudpickle.cloudpickle"), name)
