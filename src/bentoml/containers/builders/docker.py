"""Docker: BuildKit where it is the default, buildx for several platforms at once."""

from __future__ import annotations

from bentoml.exceptions import InvalidArgument

from .base import BuildRequest


class DockerBuilder:
    name = "docker"

    def commands(self, request: BuildRequest) -> list[list[str]]:
        common = [*request.options(), "--tag", request.reference, str(request.context)]
        if len(request.platforms) < 2:
            build = ["docker", "build", *common]
            return [build, ["docker", "push", request.reference]] if request.push else [build]
        if not request.push:
            raise InvalidArgument(
                "Docker keeps an image of several platforms in a registry only: add --push, build one "
                "platform, or use --builder podman or buildah"
            )
        return [["docker", "buildx", "build", "--push", *common]]

    def environment(self) -> dict[str, str]:
        return {"BUILDKIT_PROGRESS": "plain"}
