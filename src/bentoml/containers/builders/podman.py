"""Podman and Buildah: no daemon. The docker format keeps the HEALTHCHECK, which OCI's has no place for."""

from __future__ import annotations

from .base import BuildRequest


class PodmanBuilder:
    name = "podman"

    def commands(self, request: BuildRequest) -> list[list[str]]:
        several = len(request.platforms) > 1
        place = ["--manifest" if several else "--tag", request.reference]
        build = [self.name, "build", "--format", "docker", *request.options(), *place]
        push = [self.name, *(["manifest", "push", "--all"] if several else ["push"]), request.reference]
        commands = [[*build, str(request.context)]]
        if request.push:
            commands.append([*push, f"docker://{request.reference}"])
        return commands

    def environment(self) -> dict[str, str]:
        return {}
