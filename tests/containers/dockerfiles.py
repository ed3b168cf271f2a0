"""A small Dockerfile parser, and the rules of hadolint that apply to ours."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Instruction:
    name: str
    argument: str

    @property
    def words(self) -> list[str]:
        """A JSON array's elements, options left out; else the words."""
        text = re.sub(r"^(?:--\S+\s+)*", "", self.argument)
        return [str(word) for word in json.loads(text)] if text.startswith("[") else text.split()


def parse(text: str) -> list[Instruction]:
    found = []
    for line in re.sub(r"\\\n", "", text).split("\n"):
        if line.strip() and not line.startswith("#"):
            name, _, argument = line.partition(" ")
            found.append(Instruction(name, argument.strip()))
    return found


def broken_rules(text: str) -> Iterator[str]:  # noqa: PLR0912 - one rule after the other
    """Numbers of the rules that a Dockerfile breaks, with the offending argument."""
    instructions = parse(text)
    by_name: dict[str, list[Instruction]] = {}
    for one in instructions:
        by_name.setdefault(one.name, []).append(one)
    base = by_name["FROM"][0]
    arguments = {one.argument.partition("=")[0] for one in by_name.get("ARG", ())}
    image = base.words[-1].partition("@")[0].rpartition("/")[2]
    if "@" not in base.argument and (":" not in image or image.endswith(":latest")):
        yield f"DL3006/DL3007 base image without a fixed tag: {base.argument}"
    if "--platform" in base.argument:
        yield "DL3029 platform fixed in FROM"
    if not by_name.get("USER") or by_name["USER"][-1].argument in ("root", "0"):
        yield "DL3002 the last user is root"
    for one in by_name.get("WORKDIR", ()):
        if not one.argument.startswith(("/", "$")):
            yield f"DL3000 relative WORKDIR: {one.argument}"
    for name, rule in (("CMD", "DL4003"), ("ENTRYPOINT", "DL4004"), ("HEALTHCHECK", "DL3012")):
        if len(by_name.get(name, ())) != 1:
            yield f"{rule} not exactly one {name}"
    for one in (*by_name.get("CMD", ()), *by_name.get("ENTRYPOINT", ())):
        if not one.argument.startswith("["):
            yield f"DL3025 {one.name} is no JSON array, so a shell swallows the signals"
    if "ADD" in by_name:
        yield "DL3020 ADD instead of COPY"
    if "MAINTAINER" in by_name:
        yield "DL4000 MAINTAINER"
    for one in by_name.get("COPY", ()):
        if len(one.words) > 2 and not one.words[-1].endswith("/"):
            yield f"DL3021 COPY of several files to no directory: {one.argument}"
    for one in by_name.get("EXPOSE", ()):
        if not one.argument.isdigit() or not 0 < int(one.argument) < 65536:
            yield f"DL3011 port {one.argument}"
    for one in by_name.get("RUN", ()):
        if re.search(r"\bsudo\b|\bcd /|\bapt \b|curl [^|]*\| *sh", one.argument):
            yield f"DL3003/DL3004/DL3027/DL4006 in RUN {one.argument}"
        if "pip install" in one.argument and "--no-cache-dir" not in one.argument:
            yield "DL3042 pip keeps its cache"
    for one in by_name.get("ENV", ()):
        name, _, value = one.argument.partition("=")
        if re.search(rf"\${name}\b|\${{{name}}}", value) and name not in (*arguments, "PATH"):
            yield f"DL3044 {name} refers to itself"
        if re.search(r"(?i)password|token|secret|api_?key", one.argument):
            yield f"a secret in ENV {name}"
    for one in by_name.get("LABEL", ()):
        for key in re.findall(r"(\S+)=\"", one.argument):
            if not re.fullmatch(r"[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?", key):
                yield f"DL3048 label key {key}"
