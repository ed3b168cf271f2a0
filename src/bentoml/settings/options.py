"""How one setting is declared, and the tables that follow from the declarations.

A field says its key in the configuration file and its environment variables next to its type and
default. The sources, the error messages and the reference page are all made from that.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, Field
from pydantic.fields import FieldInfo

Path_ = tuple[str, ...]


@dataclass(frozen=True)
class Option:
    """One setting: where it sits in `Settings`, and the names users know it by.

    Attributes:
        path: attribute names from `Settings` down, `("server", "port")`.
        key: dotted key of the configuration file, `"bento_server.port"`; `""` if it has none.
        env: environment variables, the first that is set wins.
        subtree: the value is a mapping of the user's own (`logging.advanced.config`).
        help: one sentence for the reference page.
    """

    path: Path_
    key: str
    env: tuple[str, ...]
    subtree: bool
    help: str
    default: Any


def option(default: Any, key: str, help: str, *env: str, subtree: bool = False, **limits: Any) -> Any:
    """Declare a setting. `limits` are pydantic's (`ge`, `gt`, `le`, …)."""
    extra: dict[str, Any] = {"key": key, "env": list(env), "subtree": subtree}
    return Field(default, description=help, json_schema_extra=extra, **limits)


def iter_options(model: type[BaseModel], prefix: Path_ = ()) -> Iterator[Option]:
    """Every setting of a tree of groups, in the order of declaration."""
    for name, info in model.model_fields.items():
        group = info.annotation
        if isinstance(group, type) and issubclass(group, BaseModel):
            yield from iter_options(group, (*prefix, name))
        else:
            yield _as_option((*prefix, name), info)


def _as_option(path: Path_, info: FieldInfo) -> Option:
    raw = info.json_schema_extra
    extra: dict[str, Any] = dict(raw) if isinstance(raw, dict) else {}
    return Option(
        path=path,
        key=extra.get("key", ""),
        env=tuple(extra.get("env", ())),
        subtree=bool(extra.get("subtree", False)),
        help=info.description or "",
        default=info.default,
    )


def put(tree: dict[str, Any], path: Path_, value: Any) -> None:
    """Set `tree[a][b][c] = value` for the path `(a, b, c)`."""
    for name in path[:-1]:
        tree = tree.setdefault(name, {})
    tree[path[-1]] = value
