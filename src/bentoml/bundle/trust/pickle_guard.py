"""An allow list for everything that pickles import, enforced inside the unpickler itself.

Python announces every name a pickle asks for before it is looked up (the audit event
`pickle.find_class`), for the C and the Python implementation and for every library on top of them:
cloudpickle, joblib, torch, numpy, pandas, and pickles inside pickles. A hook that refuses there cannot
be gone round by another file format or a nested load. It holds for the whole process from then on.

A name is allowed by a full name, or by a package with `.*`. The latter is for the classes that the
package itself defines, and for the functions with which a few well-known ones rebuild their objects.
Every other function needs its full name: among the functions of a large package there is always one
that runs what it is given. What a module merely imported from elsewhere does not count as its own.
"""

from __future__ import annotations

import _compat_pickle
import importlib
import importlib.util
import sys
from collections.abc import Iterable
from typing import Any

from bentoml.exceptions import BentoMLConfigException, UntrustedBundle

_EVENT = "pickle.find_class"
_CYTHON_REBUILDER = "__pyx_unpickle_"
_REBUILDERS = frozenset(
    {
        "numpy.core.multiarray._reconstruct", "numpy.core.multiarray.scalar",
        "numpy._core.multiarray._reconstruct", "numpy._core.multiarray.scalar",
        "numpy.core.numeric._frombuffer", "numpy._core.numeric._frombuffer",
        "numpy.random._pickle.__randomstate_ctor", "numpy.random._pickle.__generator_ctor",
        "numpy.random._pickle.__bit_generator_ctor", "numpy.ma.core._mareconstruct",
        "torch._utils._rebuild_tensor", "torch._utils._rebuild_tensor_v2", "torch._utils._rebuild_parameter",
        "torch.storage._load_from_bytes",  # a pickle again, under the same list
        "pandas._libs.internals._unpickle_block", "pandas.core.indexes.base._new_Index",
    }
)  # fmt: skip


class AllowList:
    """Which names pickles may ask for.

    Args:
        entries: full names (`collections.OrderedDict`) and packages with `.*` (`sklearn.*`).

    Raises:
        BentoMLConfigException: an entry is neither.
    """

    def __init__(self, entries: Iterable[str]) -> None:
        self._names: set[str] = set()
        self._packages: set[str] = set()
        for entry in entries:
            base = entry.removesuffix(".*")
            if not base or not all(part.isidentifier() for part in base.split(".")):
                raise BentoMLConfigException(
                    f"trust.pickle_allow: '{entry}' is neither a full name such as collections.OrderedDict "
                    "nor a package with .* such as sklearn.*"
                )
            (self._names if base == entry else self._packages).add(base)

    def __bool__(self) -> bool:
        return bool(self._names or self._packages)

    def allows(self, module: Any, name: Any) -> bool:
        """Whether a pickle may have `name` of `module`, whichever protocol it is written in."""
        if not isinstance(module, str) or not isinstance(name, str):
            return False
        return all(self._allows_pair(*pair) for pair in _meanings(module, name))

    def _allows_pair(self, module: str, name: str) -> bool:
        full = f"{module}.{name}"
        if full in self._names and "." not in name:
            return True
        listed = full in self._names
        if not listed and ("." in name or not self._in_package(module)):
            return False
        value = _find(module, name)
        home = _home(value)
        if listed:
            return home == full
        if full in _REBUILDERS or name.startswith(_CYTHON_REBUILDER):
            return True
        return isinstance(value, type) and (home in self._names or self._in_package(_package(home)))

    def _in_package(self, module: str) -> bool:
        parts = module.split(".")
        return any(".".join(parts[: i + 1]) in self._packages for i in range(len(parts)))


def _meanings(module: str, name: str) -> set[tuple[str, str]]:
    """The pairs this one may stand for: protocols below 3 translate names of Python 2."""
    new_module, new_name = _compat_pickle.NAME_MAPPING.get((module, name), (module, name))
    if (new_module, new_name) == (module, name):
        new_module = _compat_pickle.IMPORT_MAPPING.get(module, module)
    found = {(new_module, new_name)}
    if new_module == module or _exists(module):
        found.add((module, name))
    return found


def _exists(module: str) -> bool:
    try:
        return module in sys.modules or importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):
        return True  # a parent that cannot be imported: judge the name as it is written


def _find(module: str, name: str) -> Any:
    """What the unpickler would find; None if it cannot be found."""
    try:
        value: Any = importlib.import_module(module)
        for part in name.split("."):
            value = getattr(value, part)
    except Exception:  # an allowed module may raise anything while it is imported
        return None
    return value


def _home(value: Any) -> str:
    """Where a class or function says it is defined, as a full name; empty for anything else."""
    owner, inner = getattr(value, "__module__", None), getattr(value, "__qualname__", None)
    if not callable(value) or not isinstance(owner, str) or not isinstance(inner, str):
        return ""
    return f"{owner}.{inner}"


def _package(home: str) -> str:
    return home.rpartition(".")[0]


_active: AllowList | None = None
_is_hooked = False


def guard_pickles(allowed: AllowList) -> None:
    """From now on, and in every thread, pickles of this process may ask for `allowed` only."""
    global _active, _is_hooked
    _active = allowed
    if not _is_hooked:
        sys.addaudithook(_hook)
        _is_hooked = True


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    if event != _EVENT or _active is None:
        return
    module, name = arguments
    if not _active.allows(module, name):
        full = f"{module}.{name}"[:200]
        raise UntrustedBundle(
            f"A pickle asks for '{full}', which trust.pickle_allow does not name, so it was not loaded. If "
            f"you trust it, add '{full}'; `bentoml inspect` shows everything that a bundle asks for"
        )
