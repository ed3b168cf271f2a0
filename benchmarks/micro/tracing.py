"""What tracing costs: a request through protocol, dispatcher and answer, and a span on its way out.

    python benchmarks/micro/tracing.py
    valgrind --tool=callgrind --callgrind-out-file=/dev/null python benchmarks/micro/tracing.py off 5000

The first prints microseconds, best of several rounds. The second runs so many requests of one case and
nothing else; the difference of two runs is the number of instructions of a request, on any machine.
No socket and no worker process: heads that were seen before, batches of 64 (BATCH).
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections import deque
from collections.abc import Callable
from typing import Any

import orjson
import uvicorn
from dispatcher import Worker
from timing import block
from uvicorn.server import ServerState

from bentoml.batching.dispatcher import Dispatcher
from bentoml.batching.queue import ApiQueue
from bentoml.observability.tracing.otlp import OtlpExporter
from bentoml.observability.tracing.sender import SpanSender
from bentoml.observability.tracing.spans import Span
from bentoml.observability.tracing.zipkin import ZipkinExporter
from bentoml.server.hub import Hub, Route
from bentoml.server.protocol import PredictionProtocol
from bentoml.server.tracing import BatchTracer, Tracer
from bentoml.settings import ServerSettings
from bentoml.workers.frames import Answers

BATCH = int(os.environ.get("BATCH", "64"))
REQUEST = (
    b"POST /predict HTTP/1.1\r\nHost: localhost:5000\r\nContent-Type: application/json\r\n"
    b"User-Agent: wrk\r\nContent-Length: 17\r\n\r\n[5.1,3.5,1.4,0.2]"
)
HEAD = b"\xc8\x00content-type: application/json\r\n"
CASES = {"off": None, "rate 0": 0.0, "rate 0.001": 0.001, "rate 1": 1.0}


class Wire(asyncio.Transport):
    def write(self, data: Any) -> None:
        pass

    def is_closing(self) -> bool:
        return False

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        pass


class Kept(SpanSender):
    """Takes spans and sends none."""

    def __init__(self) -> None:
        super().__init__(ZipkinExporter("http://localhost:9411/api/v2/spans", "BentoService.S"))
        self.spans: deque[Span] = deque(maxlen=512)

    def put(self, span: Span) -> None:
        self.spans.append(span)


class Front:
    def __init__(self, rate: float | None) -> None:
        self.soon: deque[Callable[[], None]] = deque()
        self.kept = Kept()
        tracer = Tracer(self.kept, rate, "w3c") if rate is not None else None
        hub = Hub(ServerSettings(), tracer=tracer)
        queue = ApiQueue("predict", 0, cap=4000, goal_s=20.0, timeout_s=60.0, limit=100_000)
        queue.cohort.enabled = False
        self.dispatcher = Dispatcher(
            [queue],
            self.soon.append,
            lambda delay, call: None,
            hub.heads.of_worker,
            hub.heads.of_error,
            observer=BatchTracer(tracer, "S:1") if tracer is not None else None,
        )
        self.worker = Worker()
        self.dispatcher.add_link(self.worker)
        hub.set_routes({b"/predict": Route(queue, self.dispatcher, frozenset([b"POST"]), "predict", "S:1")})
        config = uvicorn.Config(self._no_page, lifespan="off", log_config=None, interface="asgi3")
        config.load()
        loop, state = asyncio.new_event_loop(), ServerState()
        self.connections = [PredictionProtocol(hub, config, state, {}, loop) for _ in range(BATCH)]
        for connection in self.connections:
            connection.connection_made(Wire())

    async def _no_page(self, scope: Any, receive: Any, send: Any) -> None:
        raise AssertionError("a prediction was taken for a page")

    def run(self) -> None:
        for connection in self.connections:
            connection.data_received(REQUEST)
        while self.soon:
            self.soon.popleft()()
        batch, count = self.worker.last
        assert count == BATCH
        answers = Answers(0, batch, [b"[0]"] * count, [HEAD], None, (1e-5, 1e-4, 1e-5))
        self.dispatcher.batch_done(self.worker, answers)


def encoding(spans: list[Span]) -> None:
    """The part of sending that needs the interpreter: making bytes of spans."""
    from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans

    otlp = OtlpExporter("http://localhost:4318/v1/traces", "BentoService.S", "1")
    zipkin = ZipkinExporter("http://localhost:9411/api/v2/spans", "BentoService.S")
    cases: dict[str, Callable[[], Any]] = {
        "Zipkin": lambda: orjson.dumps([zipkin._encoded(span) for span in spans]),
        "OTLP": lambda: encode_spans([otlp._readable(span) for span in spans]).SerializeToString(),
    }
    block("encode spans, in the sending thread", len(spans), cases, rounds=200)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        front = Front(CASES[sys.argv[1]])
        for _ in range(int(sys.argv[2]) // BATCH):
            front.run()
    else:
        fronts = {name: Front(rate) for name, rate in CASES.items()}
        block("read, submit, cut, answer", BATCH, {name: f.run for name, f in fronts.items()}, rounds=300)
        encoding(list(fronts["rate 1"].kept.spans)[-BATCH - 1 :])
