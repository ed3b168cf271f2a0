"""What a pickle would import and call, found by following its opcodes without performing them.

The machine keeps the pickle's own stack and memo, with placeholders for objects. That much is needed:
names may be computed on the stack (`STACK_GLOBAL`), and joblib writes the bytes of arrays between the
opcodes, in a length that only the array's description tells. Nothing is imported, nothing is built.

A scan is information for people. What enforces a rule is `pickle_guard`, inside the real unpickler.
"""

from __future__ import annotations

import collections
import contextlib
import io
import pickletools
from collections.abc import Callable, Iterator, MutableMapping
from typing import Any

from .joblib_array import array_bytes, is_joblib_array
from .pickle_facts import Global, Made, NotAPickle, PickleFacts
from .stream import EndOfData, Stream

MAX_OPERATIONS = 20_000_000
_KEPT_TEXT = 1 << 12
_KEPT_BYTES = 64 << 20
_KEPT_ITEMS = 64
_OPCODES = {ord(op.code): op for op in pickletools.opcodes}
_SIZED = {
    "BINSTRING": 4, "SHORT_BINSTRING": 1, "BINBYTES": 4, "SHORT_BINBYTES": 1, "BINBYTES8": 8,
    "BYTEARRAY8": 8, "SHORT_BINUNICODE": 1, "BINUNICODE": 4, "BINUNICODE8": 8,
}  # fmt: skip
_EMBEDDED = (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05", b"PK\x03\x04")
_LOADERS = {
    ("pickle", "loads"), ("_pickle", "loads"), ("cloudpickle", "loads"), ("dill", "loads"),
    ("dill._dill", "loads"), ("cloudpickle.cloudpickle", "loads"), ("torch.storage", "_load_from_bytes"),
}  # fmt: skip

_MARK = object()
_UNKNOWN = object()


_SENSELESS = (NotAPickle, EndOfData, ValueError, IndexError, TypeError, OverflowError)


def scan_pickle(stream: Stream, *, joblib: bool = True) -> PickleFacts:
    """Follow one pickle from the stream's position to its end.

    Args:
        joblib: array descriptions of joblib are followed by the array's bytes.

    Raises:
        NotAPickle: it stops making sense; the facts found until there are in its `facts`.
    """
    machine = _Machine(stream, joblib=joblib)
    try:
        machine.run()
    except _SENSELESS as err:
        why = "it ends too early" if isinstance(err, EndOfData) else "an opcode makes no sense"
        raised = NotAPickle(why)
        raised.facts = machine.facts  # type: ignore[attr-defined]
        raise raised from err
    return machine.facts


class _Machine:
    def __init__(
        self,
        stream: Stream,
        *,
        joblib: bool,
        stack: list[Any] | None = None,
        memo: MutableMapping[int, Any] | None = None,
        budget: int = MAX_OPERATIONS,
    ) -> None:
        self.facts = PickleFacts()
        self._stream = stream
        self._joblib = joblib
        self._stack: list[Any] = stack if stack is not None else []
        self._memo: MutableMapping[int, Any] = memo if memo is not None else {}
        self._budget = budget
        self._kept = 0

    def run(self) -> None:
        read = self._stream.read
        for _ in range(self._budget):
            op = _OPCODES.get(read(1)[0])
            if op is None:
                raise NotAPickle
            if op.name == "STOP":
                self._pop()
                return
            if op.name in _SIZED:
                self._sized(op.name)
                continue
            argument = self._argument(op)
            step = _STEPS.get(op.name)
            if step is not None:
                step(self, argument)
            else:
                self._replace(op, argument)
        self.facts.problems.append(f"it has more than {self._budget} operations")

    def _argument(self, op: Any) -> Any:
        """Names are UTF-8 here, as the unpickler reads them; pickletools expects ASCII."""
        if op.name in ("GLOBAL", "INST"):
            return self._stream.readline()[:-1].decode(), self._stream.readline()[:-1].decode()
        return op.arg.reader(self._stream) if op.arg is not None else None

    def _replace(self, op: Any, argument: Any) -> None:
        """An operation of which only the size of the stack matters."""
        for before in reversed(op.stack_before):
            if before.name == "stackslice":
                self._pop_mark()
            elif before.name != "mark":
                self._pop()
        value = argument if isinstance(argument, (int, float, str)) else _UNKNOWN
        self._stack.extend([value] * len(op.stack_after))

    def _sized(self, name: str) -> None:
        """Text and bytes: short ones are kept, long ones passed over."""
        size = int.from_bytes(self._stream.read(_SIZED[name]), "little")
        if "UNICODE" in name:
            kept: Any = _UNKNOWN
            if size <= _KEPT_TEXT:
                kept = self._stream.read(size).decode("utf-8", "surrogatepass")
            else:
                self._stream.skip(size)
            self._stack.append(kept)
            return
        head = self._stream.peek(4)
        looks_embedded = head.startswith(_EMBEDDED) or head[:2] == b"(l"
        if size > (_KEPT_BYTES if looks_embedded else _KEPT_TEXT):
            self._stream.skip(size)
            if looks_embedded:
                self.facts.problems.append(f"{size} bytes inside it look like another pickle or archive")
            self._stack.append(_UNKNOWN)
            return
        data = self._stream.read(size)
        if data.startswith(_EMBEDDED):
            self._embed(data)
        self._stack.append(data.decode("latin-1") if name.endswith("STRING") else data)

    def _embed(self, data: bytes) -> None:
        self._kept += len(data)
        if self._kept > _KEPT_BYTES:
            self.facts.problems.append("it holds too many other pickles to look into all of them")
        else:
            self.facts.embedded.append(data)

    def _pop(self) -> Any:
        value = self._stack.pop()
        if value is _MARK:
            raise NotAPickle
        return value

    def _pop_mark(self) -> list[Any]:
        items: list[Any] = []
        while (value := self._stack.pop()) is not _MARK:
            items.append(value)
        items.reverse()
        return items

    def _import(self, module: Any, name: Any) -> Global:
        if not isinstance(module, str) or not isinstance(name, str):
            self.facts.problems.append("it computes the name of something it imports")
            module, name = "?", "?"
        found = Global(module, name)
        self.facts.imported.add(found)
        return found

    def _call(self, source: Any, arguments: Any) -> Made:
        if isinstance(source, Global):
            self.facts.called.add(source)
            if (source.module, source.name) in _LOADERS and isinstance(arguments, tuple):
                for one in arguments[:1]:
                    if isinstance(one, bytes) and not one.startswith(_EMBEDDED):
                        self._embed(one)
        return Made(source, arguments)

    # One method for every operation that means more than its effect on the stack's size.

    def _mark(self, _: Any) -> None:
        self._stack.append(_MARK)

    def _discard(self, _: Any) -> None:
        self._stack.pop()

    def _discard_mark(self, _: Any) -> None:
        self._pop_mark()

    def _dup(self, _: Any) -> None:
        self._stack.append(self._stack[-1])

    def _tuple(self, _: Any) -> None:
        items = self._pop_mark()
        self._stack.append(tuple(items) if len(items) <= _KEPT_ITEMS else _UNKNOWN)

    def _short_tuple(self, size: int) -> None:
        items = self._stack[-size:] if size else []
        if len(items) < size or _MARK in items:
            raise NotAPickle
        del self._stack[len(self._stack) - size :]
        self._stack.append(tuple(items))

    def _dict(self, _: Any) -> None:
        items = self._pop_mark()
        target: dict[str, Any] = {}
        self._put_items(target, items)
        self._stack.append(target)

    def _empty_dict(self, _: Any) -> None:
        self._stack.append({})

    def _setitem(self, _: Any) -> None:
        value, key = self._pop(), self._pop()
        self._put_items(self._stack[-1], [key, value])

    def _setitems(self, _: Any) -> None:
        items = self._pop_mark()
        self._put_items(self._stack[-1], items)

    def _put_items(self, target: Any, items: list[Any]) -> None:
        if len(items) % 2:
            raise NotAPickle
        if not isinstance(target, dict):
            return
        for key, value in zip(items[::2], items[1::2], strict=True):
            if isinstance(key, str) and len(target) < 4 * _KEPT_ITEMS:
                target[key] = value
            if key == "_sklearn_version" and isinstance(value, str):
                self.facts.versions["scikit-learn"] = value

    def _put(self, index: Any) -> None:
        self._memo[int(index)] = self._stack[-1]

    def _memoize(self, _: Any) -> None:
        self._memo[len(self._memo)] = self._stack[-1]

    def _get(self, index: Any) -> None:
        try:
            self._stack.append(self._memo[int(index)])
        except KeyError:
            raise NotAPickle from None

    def _global(self, argument: Any) -> None:
        module, name = argument
        self._stack.append(self._import(module, name))

    def _stack_global(self, _: Any) -> None:
        name, module = self._pop(), self._pop()
        self._stack.append(self._import(module, name))

    def _inst(self, argument: Any) -> None:
        module, name = argument
        arguments = tuple(self._pop_mark())
        self._stack.append(self._call(self._import(module, name), arguments))

    def _extension(self, code: Any) -> None:
        self.facts.problems.append(f"it uses entry {code} of the copyreg extension registry")
        self._stack.append(self._import("copyreg", f"extension {code}"))

    def _obj(self, _: Any) -> None:
        items = self._pop_mark()
        self._stack.append(self._call(items[0], tuple(items[1:])))

    def _reduce(self, _: Any) -> None:
        arguments, source = self._pop(), self._pop()
        self._stack.append(self._call(source, arguments))

    def _newobj_ex(self, _: Any) -> None:
        _keywords, arguments, source = self._pop(), self._pop(), self._pop()
        self._stack.append(self._call(source, arguments))

    def _build(self, _: Any) -> None:
        state = self._pop()
        target = self._stack[-1]
        if not isinstance(target, Made):
            return
        target.state = state
        if self._joblib and is_joblib_array(target):
            self._skip_array(state)

    def _try_as_plain_pickle(self) -> None:
        """Note what a loader finds here that is not joblib's, and so takes the array for opcodes.

        A real array soon stops making sense; what makes sense is reported.
        """
        window = Stream(io.BufferedReader(io.BytesIO(self._stream.window())))
        memo: MutableMapping[int, Any] = collections.ChainMap({}, self._memo)
        other = _Machine(window, joblib=False, stack=list(self._stack), memo=memo, budget=100_000)
        with contextlib.suppress(*_SENSELESS):
            other.run()
        plausible = {one for one in other.facts.imported if _is_plausible(one)}
        self.facts.imported |= plausible
        self.facts.called |= other.facts.called & plausible

    def _skip_array(self, state: Any) -> None:
        size = array_bytes(state)
        if size is None:
            raise NotAPickle
        if size < 0:  # an array of objects: joblib puts a pickle of its own here
            self.facts.add(_scan_nested(self._stream))
            return
        self._try_as_plain_pickle()
        if isinstance(state, dict) and state.get("numpy_array_alignment_bytes", _UNKNOWN) is not _UNKNOWN:
            self._stream.skip(self._stream.read(1)[0])
        self._stream.skip(size)


def _scan_nested(stream: Stream) -> PickleFacts:
    machine = _Machine(stream, joblib=False)
    machine.run()
    return machine.facts


def _is_plausible(one: Global) -> bool:
    return all(part.isidentifier() for part in (*one.module.split("."), *one.name.split(".")))


def _steps() -> Iterator[tuple[str, Callable[[_Machine, Any], None]]]:
    m = _Machine
    yield "PROTO", lambda *_: None
    yield "FRAME", lambda *_: None
    yield "MARK", m._mark
    yield "POP", m._discard
    yield "POP_MARK", m._discard_mark
    yield "DUP", m._dup
    yield "TUPLE", m._tuple
    for size, name in enumerate(("EMPTY_TUPLE", "TUPLE1", "TUPLE2", "TUPLE3")):
        yield name, lambda machine, _, size=size: machine._short_tuple(size)  # type: ignore[misc]
    yield "EMPTY_DICT", m._empty_dict
    yield "DICT", m._dict
    yield "SETITEM", m._setitem
    yield "SETITEMS", m._setitems
    yield "MEMOIZE", m._memoize
    for name in ("PUT", "BINPUT", "LONG_BINPUT"):
        yield name, m._put
    for name in ("GET", "BINGET", "LONG_BINGET"):
        yield name, m._get
    yield "GLOBAL", m._global
    yield "STACK_GLOBAL", m._stack_global
    yield "INST", m._inst
    for name in ("EXT1", "EXT2", "EXT4"):
        yield name, m._extension
    yield "OBJ", m._obj
    yield "REDUCE", m._reduce
    yield "NEWOBJ", m._reduce
    yield "NEWOBJ_EX", m._newobj_ex
    yield "BUILD", m._build


_STEPS = dict(_steps())
