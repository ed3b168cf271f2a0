from __future__ import annotations

import re
from typing import Any

import pytest

import bentoml
from bentoml.adapters.base_input import BaseInputAdapter
from bentoml.adapters.default_output import DefaultOutput
from bentoml.adapters.json_input import JsonInput
from bentoml.adapters.json_output import JsonOutput
from bentoml.exceptions import BentoMLConfigException, InvalidArgument, NotFound


class TwoArguments(BaseInputAdapter):
    """A user's adapter that passes two values and says so."""

    ARGUMENT_COUNT = 2


class BatchOnly(BaseInputAdapter):
    SINGLE_MODE_SUPPORTED = False


class SingleOnly(BaseInputAdapter):
    BATCH_MODE_SUPPORTED = False


class KeepsOptions(BaseInputAdapter):
    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(**options)
        self.args = args


class Everything(bentoml.BentoService):
    @bentoml.api(
        input=JsonInput(),
        output=JsonOutput(),
        api_name="classify",
        route="/v1/classify",
        api_doc="Classifies.",
        mb_max_batch_size=1000,
        mb_max_latency=10000,
        batch=True,
        timeout_s=2.5,
        thread_safe=True,
        max_concurrency=3,
        isolate=False,
        idempotent=True,
        example={"a": 1},
        max_batch_rows=500,
    )
    def zeta(self, items: Any, tasks: Any) -> Any:
        return items

    @bentoml.api(input=JsonInput(http_input_example=[1]))
    def alpha(self, item: Any) -> Any:
        """Docstring of alpha."""
        return item

    @bentoml.api(input=JsonInput(), batch=True)
    async def middle(self, items: Any) -> Any:
        return items


def test_every_parameter_reaches_the_api() -> None:
    api = Everything().get_inference_api("classify")
    assert (api.name, api.route, api.doc) == ("classify", "v1/classify", "Classifies.")
    assert (api.mb_max_batch_size, api.mb_max_latency, api.batch) == (1000, 10000, True)
    assert api.max_batch_rows == 500
    assert (api.timeout_s, api.max_concurrency, api.thread_safe) == (2.5, 3, True)
    assert (api.isolate, api.idempotent, api.example) == (False, True, {"a": 1})
    assert api.task_argument == "tasks" and not api.is_async
    assert isinstance(api.input_adapter, JsonInput) and isinstance(api.output_adapter, JsonOutput)
    assert set(api.http_methods) == {"POST", "GET"} and api.request_schema


def test_defaults_are_those_of_0_13() -> None:
    api = Everything().get_inference_api("alpha")
    assert (api.name, api.route, api.doc) == ("alpha", "alpha", "Docstring of alpha.")
    assert (api.mb_max_batch_size, api.mb_max_latency, api.batch) == (4000, 20000, False)
    assert api.max_batch_rows is None
    assert (api.timeout_s, api.max_concurrency, api.thread_safe) == (None, 1, False)
    assert (api.isolate, api.idempotent, api.example) == (True, False, [1])
    assert api.task_argument is None and isinstance(api.output_adapter, DefaultOutput)


def test_generated_doc_names_the_adapters() -> None:
    api = Everything().get_inference_api("middle")
    assert api.doc == "BentoService inference API 'middle', input: 'JsonInput', output: 'DefaultOutput'"
    assert api.is_async and api.max_concurrency > 1


def test_apis_are_in_order_of_their_functions_and_found_by_name() -> None:
    service = Everything()
    assert [api.name for api in service.inference_apis] == ["alpha", "middle", "classify"]
    assert service.get_inference_api(None) is service.get_inference_api("") is service.inference_apis[0]
    with pytest.raises(NotFound, match="Can't find API 'zeta' in service 'Everything'"):
        service.get_inference_api("zeta")


def test_function_stays_callable_and_carries_the_marks_of_0_13() -> None:
    assert Everything().alpha({"x": 1}) == {"x": 1}
    func: Any = Everything.zeta
    assert func._is_api and func._batch and func._api_name == "classify"
    assert (func._mb_max_batch_size, func._mb_max_latency) == (1000, 10000)
    assert isinstance(func._input_adapter, JsonInput) and isinstance(func._output_adapter, JsonOutput)
    assert (func._api_route, func._api_doc) == ("v1/classify", "Classifies.")


def test_inherited_and_overridden_apis() -> None:
    class Child(Everything):
        def zeta(self, items: Any, tasks: Any) -> Any:  # no decorator: not an API any more
            return items

        @bentoml.api(input=JsonInput(), route="other")
        def alpha(self, item: Any) -> Any:
            return [item]

    service = Child()
    assert [(api.name, api.route) for api in service.inference_apis] == [
        ("alpha", "other"),
        ("middle", "middle"),
    ]
    assert service.inference_apis[0].user_func(1) == [1]


def test_legacy_form_builds_the_adapter() -> None:
    class Legacy(bentoml.BentoService):
        @bentoml.api(KeepsOptions, "first", orient="split", http_input_example=[3])
        def predict(self, value: Any) -> Any:
            return value

    adapter: Any = Legacy().inference_apis[0].input_adapter
    assert adapter.args == ("first",) and adapter.config == {"orient": "split"}
    assert Legacy().inference_apis[0].example == [3]
    assert isinstance(Legacy().inference_apis[0].output_adapter, DefaultOutput)


def declare(*args: Any, **options: Any) -> Any:
    def predict(self: Any, item: Any) -> Any:
        return item

    return bentoml.api(*args, **options)(predict)


@pytest.mark.parametrize("name", ["not valid", "1st", "a-b", "", "naïve name"])
def test_api_name_must_be_an_identifier(name: str) -> None:
    if name:
        with pytest.raises(InvalidArgument, match="Invalid API name"):
            declare(input=JsonInput(), api_name=name)
    else:
        assert declare(input=JsonInput(), api_name=name)._api_name == "predict"


@pytest.mark.parametrize("name", ["index", "swagger", "docs", "healthz", "metrics", "feedback"])
def test_reserved_names_and_routes(name: str) -> None:
    with pytest.raises(InvalidArgument, match="Reserved API name"):
        declare(input=JsonInput(), api_name=name)
    for route in (name, f"/{name}"):
        with pytest.raises(InvalidArgument, match="Reserved API route"):
            declare(input=JsonInput(), route=route)


@pytest.mark.parametrize("route", ["/", "metadata", "docs.json", "/livez", "readyz", "static_content/app.js"])
def test_routes_the_server_answers_itself_are_refused(route: str) -> None:
    with pytest.raises(InvalidArgument, match="Reserved API route"):
        declare(input=JsonInput(), route=route)


@pytest.mark.parametrize("route", ["a?b", "a#b", "//a", ":a", "a b", "a\nb", "\x00", "a\x7f"])
def test_illegal_routes(route: str) -> None:
    with pytest.raises(InvalidArgument, match="illegal url characters"):
        declare(input=JsonInput(), route=route)


@pytest.mark.parametrize(
    "route", ["v1/predict", "$~!@%^&*()_-+=[]\\|;:,./predict", "metadata/x", "größe", "a//b", "predict/"]
)
def test_any_other_route_is_accepted(route: str) -> None:
    assert declare(input=JsonInput(), route=route)._api_route == route
    assert declare(input=JsonInput(), route="/" + route)._api_route == route


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"input": None}, "has no input adapter"),
        ({"input": JsonInput}, r"write input=JsonInput\(\)"),
        ({"input": "json"}, "instance of a class from bentoml.adapters"),
        ({"input": JsonInput(), "output": JsonOutput}, r"write output=JsonOutput\(\)"),
        ({"input": JsonInput(), "output": 3}, "instance of an output class"),
        (
            {"input": JsonInput(), "mb_max_batch_sise": 3},
            "'mb_max_batch_sise'.* Did you mean 'mb_max_batch_size'",
        ),
        ({"input": JsonInput(), "bach": True}, "Did you mean 'batch'"),
        ({"inptu": JsonInput()}, "Did you mean 'input'"),
        ({"input": JsonInput(), "zzz": True}, "unknown keyword 'zzz'"),
        ({"input": JsonInput(), "mb_max_batch_size": 0}, "mb_max_batch_size is a whole number"),
        ({"input": JsonInput(), "mb_max_batch_size": 2.5}, "mb_max_batch_size is a whole number"),
        ({"input": JsonInput(), "mb_max_latency": True}, "mb_max_latency is a whole number of milliseconds"),
        ({"input": JsonInput(), "mb_max_latency": "1s"}, "mb_max_latency"),
        ({"input": JsonInput(), "timeout_s": 0}, "timeout_s is a number of seconds"),
        ({"input": JsonInput(), "timeout_s": float("inf")}, "timeout_s"),
        ({"input": JsonInput(), "timeout_s": float("nan")}, "timeout_s"),
        ({"input": JsonInput(), "max_concurrency": 4}, "needs an `async def` function, or thread_safe=True"),
    ],
    ids=lambda value: re.sub(r" object at 0x[0-9a-f]+", "", str(value)),
)
def test_mistakes_in_the_options_are_named(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidArgument, match=message):
        declare(**options)


def test_positional_mistakes_are_named() -> None:
    with pytest.raises(InvalidArgument, match="must be an input adapter class"):
        declare(JsonInput())
    with pytest.raises(InvalidArgument, match="must be an input adapter class"):
        declare(dict)
    with pytest.raises(InvalidArgument, match="keyword arguments when input= is given"):
        declare(JsonInput, input=JsonInput())


def test_decorating_something_that_is_no_method() -> None:
    with pytest.raises(InvalidArgument, match="plain method"):
        bentoml.api(input=JsonInput())(staticmethod(lambda item: item))  # type: ignore[type-var]
    with pytest.raises(InvalidArgument, match="plain method"):
        bentoml.api(input=JsonInput())(property(lambda self: 1))  # type: ignore[type-var]


@pytest.mark.parametrize(
    ("batch", "func", "expected"),
    [
        (False, lambda self, x: x, None),
        (False, lambda self, x, task: x, "task"),
        (False, lambda self, x, task=None: x, "task"),
        (False, lambda self, x, *, task: x, "task"),
        (False, lambda self, x, **rest: x, "task"),
        (False, lambda self, task: task, None),
        (False, lambda self, *args: args, None),
        (False, lambda self, x, other=3: x, None),
        (True, lambda self, xs, tasks: xs, "tasks"),
        (True, lambda self, xs, tasks=None: xs, "tasks"),
        (True, lambda self, tasks: tasks, None),
        (True, lambda self, task: task, None),
        (True, lambda self, *args, **rest: args, "tasks"),
    ],
)
def test_task_argument(batch: bool, func: Any, expected: str | None) -> None:
    func.__name__ = "predict"
    spec: Any = bentoml.api(input=JsonInput(), batch=batch)(func)
    assert spec._bento_api_spec.task_argument == expected


@pytest.mark.parametrize(
    ("batch", "func", "message"),
    [
        (
            True,
            lambda self, xs, task: xs,
            "called with 'tasks'. Rename the parameter to 'tasks' or pass batch=False",
        ),
        (True, lambda self, xs, task=None: xs, "Rename the parameter to 'tasks'"),
        (False, lambda self, x, tasks: x, "Rename the parameter to 'task' or pass batch=True"),
        (False, lambda self, x, threshold: x, "requires a parameter 'threshold' that nothing passes"),
        (False, lambda self, x, *, threshold: x, "requires a parameter 'threshold'"),
        (False, lambda self: 1, "too few arguments"),
        (False, lambda: 1, "too few arguments"),
        (False, lambda x: 1, "too few arguments"),
    ],
)
def test_wrong_signatures_are_errors_at_definition(batch: bool, func: Any, message: str) -> None:
    func.__name__ = "predict"
    with pytest.raises(InvalidArgument, match=message):
        bentoml.api(input=JsonInput(), batch=batch)(func)


def test_async_generators_are_refused() -> None:
    async def predict(self: Any, item: Any) -> Any:
        yield item

    with pytest.raises(InvalidArgument, match="async generator"):
        bentoml.api(input=JsonInput())(predict)


def test_adapters_with_several_arguments() -> None:
    def pair(self: Any, left: Any, right: Any, task: Any) -> Any:
        return left

    def too_few(self: Any, left: Any) -> Any:
        return left

    decorated: Any = bentoml.api(input=TwoArguments())(pair)
    assert decorated._bento_api_spec.task_argument == "task"
    with pytest.raises(InvalidArgument, match="2 value"):
        bentoml.api(input=TwoArguments())(too_few)


def test_adapters_of_users_may_pass_any_number() -> None:
    class Unknown(BaseInputAdapter):
        pass

    def predict(self: Any, one: Any, two: Any, three: Any, tasks: Any) -> Any:
        return one

    decorated: Any = bentoml.api(input=Unknown(), batch=True)(predict)
    assert decorated._bento_api_spec.task_argument == "tasks"


def test_two_apis_with_one_route_or_name() -> None:
    with pytest.raises(InvalidArgument, match="two APIs with the route 'same': 'one' and 'two'"):

        class Routes(bentoml.BentoService):
            @bentoml.api(input=JsonInput(), route="same")
            def one(self, item: Any) -> Any:
                return item

            @bentoml.api(input=JsonInput(), route="/same")
            def two(self, item: Any) -> Any:
                return item

    with pytest.raises(InvalidArgument, match="two APIs with the name 'one'"):

        class Names(bentoml.BentoService):
            @bentoml.api(input=JsonInput())
            def one(self, item: Any) -> Any:
                return item

            @bentoml.api(input=JsonInput(), api_name="one", route="other")
            def two(self, item: Any) -> Any:
                return item


def test_a_method_defined_twice() -> None:
    with pytest.raises(InvalidArgument, match="defines the API function 'predict' twice"):

        class Twice(bentoml.BentoService):
            @bentoml.api(input=JsonInput())
            def predict(self, item: Any) -> Any:
                return item

            @bentoml.api(input=JsonInput(), route="b")
            def predict(self, items: Any) -> Any:  # noqa: F811
                return items


@pytest.mark.parametrize(("adapter", "batch"), [(BatchOnly(), False), (SingleOnly(), True)])
def test_unsupported_mode_is_reported_at_instantiation(adapter: Any, batch: bool) -> None:
    class Wrong(bentoml.BentoService):
        @bentoml.api(input=adapter, batch=batch)
        def predict(self, item: Any) -> Any:
            return item

    with pytest.raises(BentoMLConfigException, match=f"does not support `batch={batch}`"):
        Wrong()


def test_decorators_without_parentheses_say_so() -> None:
    def predict(self: Any, value: Any) -> Any:
        return value

    class Service(bentoml.BentoService):
        pass

    with pytest.raises(
        InvalidArgument, match=r"api on 'predict' has no parentheses; write @bentoml\.api\(in"
    ):
        bentoml.api(predict)
    for decorator in (bentoml.env, bentoml.artifacts, bentoml.web_static_content):
        with pytest.raises(InvalidArgument, match=r"on 'Service' has no parentheses; write @bentoml\.\w+\("):
            decorator(Service)  # type: ignore[arg-type]
