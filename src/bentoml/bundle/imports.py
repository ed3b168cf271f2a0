"""Which modules a piece of source imports, read from its syntax tree and never by running it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

_IMPORT_ERRORS = frozenset({"ImportError", "ModuleNotFoundError", "Exception", "BaseException"})
_IMPORT_FUNCTIONS = frozenset({"import_module", "__import__"})


@dataclass(frozen=True, slots=True)
class Import:
    """One import: an absolute dotted module and the names taken from it (each may be a submodule).

    `guarded` is True inside a `try` that handles a failing import.
    """

    module: str
    names: tuple[str, ...] = ()
    guarded: bool = False


def imports_of(source: bytes, module: str, is_package: bool, filename: str = "<source>") -> list[Import]:
    """All imports of a module, those inside functions too; `if TYPE_CHECKING:` blocks are left out.

    `import_module("name")` and `__import__("name")` count when the name is written out.

    Raises:
        SyntaxError: the source is not Python for this interpreter.
    """
    package = module if is_package else module.rpartition(".")[0]
    return list(_walk(ast.parse(source, filename), package, False))


def _walk(node: ast.AST, package: str, guarded: bool) -> Iterator[Import]:
    if isinstance(node, ast.Import):
        yield from (Import(alias.name, (), guarded) for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        base = _absolute(node.module or "", node.level, package)
        if base is not None:
            names = tuple(alias.name for alias in node.names if alias.name != "*")
            yield Import(base, names, guarded)
    elif isinstance(node, ast.Call):
        yield from _written_out(node, package, guarded)
        yield from _children(node, package, guarded)
    elif isinstance(node, ast.Try):
        inner = guarded or any(_handles_import_error(handler) for handler in node.handlers)
        for child in node.body:
            yield from _walk(child, package, inner)
        for part in (*node.handlers, *node.orelse, *node.finalbody):
            yield from _walk(part, package, guarded or inner)
    elif isinstance(node, ast.If) and _is_type_checking(node.test):
        for child in node.orelse:
            yield from _walk(child, package, guarded)
    else:
        yield from _children(node, package, guarded)


def _children(node: ast.AST, package: str, guarded: bool) -> Iterator[Import]:
    for child in ast.iter_child_nodes(node):
        yield from _walk(child, package, guarded)


def _absolute(module: str, level: int, package: str) -> str | None:
    """The dotted name a relative import means, None when it reaches above the top package."""
    if level == 0:
        return module
    parts = package.split(".") if package else []
    if level > len(parts):
        return None
    base = parts[: len(parts) - level + 1]
    return ".".join([*base, module] if module else base)


def _written_out(call: ast.Call, package: str, guarded: bool) -> Iterator[Import]:
    function = call.func
    name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
    if name not in _IMPORT_FUNCTIONS or not call.args:
        return
    argument = call.args[0]
    if isinstance(argument, ast.Constant) and isinstance(argument.value, str) and argument.value:
        text = argument.value
        level = len(text) - len(text.lstrip("."))
        module = _absolute(text.lstrip("."), level, package)
        if module and all(part.isidentifier() for part in module.split(".")):
            yield Import(module, (), guarded)


def _handles_import_error(handler: ast.ExceptHandler) -> bool:
    kind = handler.type
    if kind is None:
        return True
    kinds = kind.elts if isinstance(kind, ast.Tuple) else [kind]
    return any(getattr(k, "id", getattr(k, "attr", "")) in _IMPORT_ERRORS for k in kinds)


def _is_type_checking(test: ast.expr) -> bool:
    return getattr(test, "id", getattr(test, "attr", "")) == "TYPE_CHECKING"
