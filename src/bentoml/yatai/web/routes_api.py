"""`/api/*` as 0.13's web server had it: the protocol's messages as JSON, for scripts that ask for them.

New programs find more in the `.json` twin of each page.
"""

from __future__ import annotations

import json
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from bentoml.exceptions import BentoMLException, InvalidArgument
from bentoml.rpc import convert
from bentoml.rpc.status import INTERNAL, code_name, shown
from bentoml.yatai.access import READ
from bentoml.yatai.api.bundle_calls import BundleCalls
from bentoml.yatai.api.deployment_calls import DeploymentCalls
from bentoml.yatai.api.handlers import handler_of

from .auth import caller_of
from .state import WebState

READING = ("ListBento", "GetBento", "ListDeployments", "GetDeployment")
CHANGING = {
    "DeleteBento": "DangerouslyDeleteBento",
    "DeleteDeployment": "DeleteDeployment",
    "ApplyDeployment": "ApplyDeployment",
}
MAX_BODY = 1 << 20
_KEPT_STATUSES = (401, 403)
_WORDS = {"true": True, "false": False}


def api_routes(state: WebState) -> list[Route]:
    """One route for each call; the handlers are those of gRPC."""
    groups = (BundleCalls(state.registry), DeploymentCalls(state.registry))

    def call(request: Request, name: str, values: dict[str, Any]) -> Response:
        method = convert.method(name)
        try:
            caller = caller_of(state, request, READ)
            message = convert.from_json(method.request, values)
            answer = convert.as_json(method.response, handler_of(groups, name)(caller, message))
        except BentoMLException as err:
            if err.grpc_code == INTERNAL:
                raise
            status = err.http_status if err.http_status in _KEPT_STATUSES else 400
            return JSONResponse({"error": shown(err), "code": code_name(err.grpc_code)}, status)
        return JSONResponse(answer)

    def read(name: str) -> Route:
        def endpoint(request: Request) -> Response:
            given = {key: _WORDS.get(value, value) for key, value in request.query_params.items()}
            return call(request, name, given)

        return Route(f"/api/{name}", endpoint, methods=["GET"])

    def change(path: str, name: str) -> Route:
        async def endpoint(request: Request) -> Response:
            try:
                values = await _body(request)
            except InvalidArgument as err:
                return JSONResponse({"error": str(err), "code": "INVALID_ARGUMENT"}, 400)
            return await run_in_threadpool(call, request, name, values)

        return Route(f"/api/{path}", endpoint, methods=["POST"])

    return [*(read(name) for name in READING), *(change(path, name) for path, name in CHANGING.items())]


async def _body(request: Request) -> dict[str, Any]:
    """The JSON of a request. Forms of other sites cannot send this content type."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise InvalidArgument("Send the request as JSON, with Content-Type: application/json.")
    data = b""
    async for part in request.stream():
        data += part
        if len(data) > MAX_BODY:
            raise InvalidArgument(f"The request has more than {MAX_BODY} bytes.")
    try:
        values = json.loads(data)
    except (ValueError, RecursionError) as err:
        raise InvalidArgument(f"The request is no JSON: {err}") from err
    if not isinstance(values, dict):
        raise InvalidArgument("The request must be a JSON object.")
    return values
