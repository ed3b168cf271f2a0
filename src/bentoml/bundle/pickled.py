"""Which modules unpickling a packed object will import.

The object is put through a pickler whose output goes nowhere. Every class and function it meets
names its module; arrays and tensors are passed over, so a large model costs little.
"""

from __future__ import annotations

import io
import logging
import pickle
from collections.abc import Iterable
from types import FunctionType, MethodType, ModuleType
from typing import Any

logger = logging.getLogger("bentoml.bundle")

_BULK_MODULES = ("numpy", "torch", "tensorflow", "jax", "scipy.sparse", "pandas")


def _nothing() -> None:
    """Stands in the pickle stream for everything that is noted and not followed."""


_NOTHING = (_nothing, ())


def modules_of_objects(objects: Iterable[Any]) -> set[str]:
    """Dotted names of the modules that the classes and functions inside `objects` come from."""
    finder = _ReferenceFinder()
    pending = list(objects)
    seen: set[int] = set()
    while pending:
        value = pending.pop()
        if id(value) in seen:
            continue
        seen.add(id(value))
        finder.clear_memo()
        try:
            finder.dump(value)
        except Exception as err:  # objects refuse pickling in any way they like; what was met still counts
            logger.debug("Cannot follow a packed %s: %s", type(value).__name__, err)
        pending.extend(finder.drain())
    finder.modules.discard("builtins")
    return finder.modules


class _Sink(io.RawIOBase):
    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        return len(data)


class _ReferenceFinder(pickle.Pickler):
    """Notes modules; functions that are pickled by value are searched for what they refer to."""

    def __init__(self) -> None:
        super().__init__(_Sink(), protocol=5, buffer_callback=lambda _: None)
        self.modules: set[str] = set()
        self._later: list[Any] = []
        self._functions: set[int] = set()

    def drain(self) -> list[Any]:
        found, self._later = self._later, []
        return found

    def reducer_override(self, obj: Any) -> Any:
        if obj is _nothing:
            return NotImplemented
        if isinstance(obj, type):
            self._note_class(obj)
        elif isinstance(obj, FunctionType):
            self._note_function(obj)
        elif isinstance(obj, ModuleType):
            self.modules.add(obj.__name__)
        elif isinstance(obj, MethodType):
            self._later.append(obj.__self__)
        else:
            self._note_class(type(obj))
            if not _is_bulk(obj):
                return NotImplemented
        return _NOTHING

    def _note_class(self, cls: type) -> None:
        for base in cls.__mro__:
            module = base.__module__
            if isinstance(module, str) and module != "builtins":
                self.modules.add(module)

    def _note_function(self, function: FunctionType) -> None:
        if id(function) in self._functions:
            return
        self._functions.add(id(function))
        module = function.__module__ or ""
        if module and module != "__main__" and "<" not in function.__qualname__:
            self.modules.add(module)
            return
        # Pickled by value (a lambda, a closure, code of a script): its global names travel with it.
        names = {name for name in function.__code__.co_names if name in function.__globals__}
        values = [function.__globals__[name] for name in names]
        cells = [cell.cell_contents for cell in function.__closure__ or () if _is_filled(cell)]
        self._later.extend([*values, *cells, *(function.__defaults__ or ())])


def _is_filled(cell: Any) -> bool:
    try:
        return cell.cell_contents is not cell
    except ValueError:
        return False


def _is_bulk(obj: Any) -> bool:
    """Numeric data without references: arrays of numbers and tensors."""
    if not type(obj).__module__.startswith(_BULK_MODULES):
        return False
    dtype = getattr(obj, "dtype", None)
    is_array = dtype is not None and hasattr(obj, "shape") and not hasattr(obj, "columns")
    return is_array and getattr(dtype, "hasobject", False) is not True
