"""Build the settings of a process: flag > environment variable > file > default."""

from __future__ import annotations

from difflib import get_close_matches
from typing import Any

from pydantic import ValidationError

from bentoml.exceptions import BentoMLConfigException

from .model import Settings
from .options import Option, iter_options, put
from .sources import BAD_SCHEMA, first_set


def load_settings(**overrides: Any) -> Settings:
    """Read all sources and check them.

    Args:
        overrides: values from the command line. A name is a field of the server group (`port`), a
            top-level field (`swagger_enabled`), or `group__field` (`logging__level`). None means
            "not given".

    Raises:
        BentoMLConfigException: naming the key or variable that is wrong, and what would be right.
    """
    tree: dict[str, Any] = {}
    for name, value in overrides.items():
        if value is not None:
            put(tree, _override_path(name), value)
    try:
        return Settings(**tree)
    except ValidationError as err:
        raise BentoMLConfigException(_explain(err, tree)) from err


def _override_path(name: str) -> tuple[str, ...]:
    paths = [spec.path for spec in iter_options(Settings)]
    for path in ((name,), ("server", name), tuple(name.split("__"))):
        if path in paths:
            return path
    names = ["__".join(p[1:] if p[0] == "server" else p) for p in paths]
    close = get_close_matches(name, names, n=1)
    hint = f" Did you mean '{close[0]}'?" if close else ""
    raise BentoMLConfigException(f"There is no setting '{name}'.{hint}")


def _explain(err: ValidationError, flags: dict[str, Any]) -> str:
    lines = []
    for problem in err.errors(include_url=False):
        loc = tuple(str(part) for part in problem["loc"])
        spec = next((s for s in iter_options(Settings) if loc[: len(s.path)] == s.path), None)
        message = problem["msg"].removeprefix("Value error, ")
        if spec is None:
            lines.append(f"{'.'.join(loc)}: {message}" if loc else message)
        else:
            value = str(problem["input"])[:80]
            lines.append(f"{_where(spec, flags)} is '{value}': {message}")
    return f"{BAD_SCHEMA} {'; '.join(lines)}."


def _where(spec: Option, flags: dict[str, Any]) -> str:
    """The name under which the user gave this setting."""
    node: Any = flags
    for part in spec.path:
        node = node.get(part) if isinstance(node, dict) else None
    if node is not None:
        return f"Option --{spec.path[-1].replace('_', '-')}"
    variable = first_set(spec)
    return f"Environment variable {variable}" if variable else f"Key '{spec.key}'"
