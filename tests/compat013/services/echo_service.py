"""JSON and text in, every kind of return value out."""
from typing import List

import bentoml
import numpy as np
from bentoml.adapters import DefaultOutput, JsonInput, JsonOutput, StringInput
from bentoml.types import (
    InferenceError,
    InferenceResult,
    InferenceTask,
    JsonSerializable,
)


class Opaque:
    def __str__(self):
        return 'an opaque thing'


class ShoutInput(StringInput):
    """The documented way to write an adapter: check and change the text of every task."""

    def extract_user_func_args(self, tasks):
        texts = []
        for task in tasks:
            text = task.data or ''
            if len(text) > 20:
                task.discard(http_status=400, err_msg='text is longer than 20')
            else:
                texts.append(text.upper())
        return (texts,)


RETURNS = {
    'none': lambda: None,
    'text': lambda: 'grüße, 世界 🎉',
    'quote': lambda: 'a "quoted" \\ line\n',
    'true': lambda: True,
    'float': lambda: 0.1 + 0.2,
    'tiny': lambda: 1e-7,
    'big': lambda: 1e22,
    'whole_float': lambda: 2.0,
    'huge_int': lambda: 2 ** 70,
    'nan': lambda: float('nan'),
    'inf': lambda: [float('inf'), -float('inf')],
    'np_int': lambda: np.int64(7),
    'np_float32': lambda: np.float32(0.1),
    'np_float64': lambda: np.float64(0.1),
    'np_bool': lambda: np.bool_(True),
    'np_array': lambda: np.arange(6).reshape(2, 3),
    'np_float_array': lambda: np.array([[0.5, 1.5], [2.0, 1e-9]]),
    'np_float32_array': lambda: np.array([0.1, 0.2], dtype='float32'),
    'np_scalar_array': lambda: np.array(3),
    'np_empty': lambda: np.array([]),
    'np_str_array': lambda: np.array(['a', 'b']),
    'np_datetime': lambda: np.datetime64('2021-09-26T17:45:50'),
    'dict': lambda: {'b': 1, 'a': [1, 2, {'c': None}]},
    'int_keys': lambda: {1: 'one', 2: 'two'},
    'nested_numpy': lambda: {'scores': np.array([0.25, 0.75]), 'n': np.int32(2)},
    'tuple': lambda: (1, 2),
    'bytes_text': lambda: b'plain',
    'bytes_raw': lambda: b'\xff\x00\xfe',
    'nested_bytes': lambda: {'raw': b'\xff', 'text': b'ok'},
    'opaque': lambda: Opaque(),
    'set': lambda: {1},
    'tuple_key': lambda: {(1, 2): 3},
}


@bentoml.env(pip_packages=['numpy'])
class EchoService(bentoml.BentoService):
    """Answers with what it was sent."""

    @bentoml.api(input=JsonInput(), batch=False)
    def json_single(self, parsed_json: JsonSerializable):
        return parsed_json

    @bentoml.api(input=JsonInput(), batch=True)
    def json_batch(self, parsed_jsons: List[JsonSerializable]):
        return parsed_jsons

    @bentoml.api(input=StringInput(), batch=False)
    def text_single(self, text):
        return text

    @bentoml.api(input=StringInput(), batch=True)
    def text_batch(self, texts):
        return texts

    @bentoml.api(input=StringInput(), batch=False)
    def returns_single(self, name):
        return RETURNS[name]()

    @bentoml.api(input=StringInput(), batch=True)
    def returns_batch(self, names):
        return [RETURNS[name]() for name in names]

    @bentoml.api(input=JsonInput(), output=JsonOutput(), batch=True)
    def array_batch(self, rows):
        return np.array(rows) * 2

    @bentoml.api(
        input=JsonInput(), output=JsonOutput(ensure_ascii=True), batch=False
    )
    def ascii_json(self, value):
        return value

    @bentoml.api(input=JsonInput(), output=DefaultOutput(), batch=True, route='v1/models/echo')
    def routed(self, values):
        return values

    @bentoml.api(input=JsonInput(), batch=False)
    def fails_single(self, value):
        raise ValueError('no %s today' % value)

    @bentoml.api(input=JsonInput(), batch=True)
    def fails_batch(self, values):
        raise KeyError('missing')

    @bentoml.api(input=JsonInput(), batch=True)
    def too_few(self, values):
        return []

    @bentoml.api(input=JsonInput(), batch=True)
    def too_many(self, values):
        return list(values) + ['extra']

    @bentoml.api(input=JsonInput(), batch=False)
    def result_single(self, value):
        return InferenceResult(
            data=str(value), http_status=203, http_headers={'X-Model': 'echo', 'Content-Type': 'text/x-echo'}
        )

    @bentoml.api(input=JsonInput(), batch=True)
    def result_batch(self, values):
        return [
            InferenceResult(
                data=str(value), http_status=201, http_headers={'Content-Type': 'text/plain'}
            )
            for value in values
        ]

    @bentoml.api(input=JsonInput(), batch=False)
    def result_default(self, value):
        return InferenceResult(data='status left out')

    @bentoml.api(input=JsonInput(), batch=False)
    def error_single(self, value):
        return InferenceError(err_msg='wrong: %s' % value, http_status=422)

    @bentoml.api(input=JsonInput(), batch=True)
    def error_batch(self, values):
        return [InferenceError(err_msg='wrong: %s' % value, http_status=409) for value in values]

    @bentoml.api(input=JsonInput(), batch=False)
    def error_default(self, value):
        return InferenceError(err_msg='status left out')

    @bentoml.api(input=JsonInput(), batch=False)
    def discard_single(self, value, task: InferenceTask = None):
        if not isinstance(value, dict):
            task.discard(http_status=400, err_msg='an object is needed')
            return None
        return value

    @bentoml.api(input=JsonInput(), batch=True)
    def discard_batch(self, values, tasks: List[InferenceTask] = None):
        kept = []
        for task, value in zip(tasks, values):
            if isinstance(value, dict):
                kept.append(value)
            else:
                task.discard(http_status=406, err_msg='an object is needed')
        return kept

    @bentoml.api(input=JsonInput(), batch=False)
    def discard_bare(self, value, task: InferenceTask = None):
        task.discard()

    @bentoml.api(input=JsonInput(), batch=False)
    def headers_single(self, value, task: InferenceTask = None):
        return task.http_headers.get('X-Color', 'none')

    @bentoml.api(input=JsonInput(), batch=True)
    def headers_batch(self, values, tasks: List[InferenceTask] = None):
        return [
            [task.http_headers.get('x-color'), task.http_headers.content_type, task.data]
            for task in tasks
        ]

    @bentoml.api(input=ShoutInput(), batch=True)
    def shout(self, texts):
        return [text + '!' for text in texts]
