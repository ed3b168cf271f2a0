"""A service that is saved by tests."""

from __future__ import annotations

from bentoml import BentoService, api, env
from bentoml.adapters import JsonInput


@env(infer_pip_packages=False)
class Small(BentoService):
    """Answers what it gets."""

    @api(input=JsonInput(), batch=False)
    def predict(self, value: object) -> object:
        return value
