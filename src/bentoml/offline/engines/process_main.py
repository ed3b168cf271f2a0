"""A worker process of an offline run: loads the bundle once, then runs pieces until its channel closes."""

from __future__ import annotations

import json
import logging
import sys
from typing import Any

from bentoml.bundle.load import load_from_dir
from bentoml.exceptions import BentoMLException
from bentoml.offline.runner import BatchRunner, call_hook
from bentoml.workers.channel import BlockingChannel
from bentoml.workers.frames import CONFIG, FAIL, HELLO, kind_of, pack_message, payload_of
from bentoml.workers.main import connect, describe, die_with_parent
from bentoml.workers.process import ignore_stop_signals

from .wire import DONE, WORK, pack_outcome, unpack_batch

ENTRY = "from bentoml.offline.engines.process_main import main; main()"


def main() -> None:
    """Entry point of `python -c`."""
    if sys.path and sys.path[0] == "":
        del sys.path[0]
    die_with_parent()
    ignore_stop_signals()
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s - %(message)s")
    channel = BlockingChannel(connect())
    try:
        frame = channel.receive()
        if kind_of(frame) == CONFIG:
            _serve(channel, json.loads(payload_of(frame)))
    except (EOFError, ConnectionError):
        return


def _serve(channel: BlockingChannel, config: dict[str, Any]) -> None:
    try:
        service = load_from_dir(config["bundle"], verify=False)  # the parent did
        for hook in service.start_hooks:
            call_hook(hook)
        runner = BatchRunner(service.get_inference_api(config["api"]), config["mode"])
    except BaseException as err:  # user code runs here; whatever it raises is its load failure
        channel.send([pack_message(FAIL, describe(err).encode("utf-8", "replace"))])
        return
    channel.send([pack_message(HELLO)])
    try:
        while True:
            frame = channel.receive()
            if kind_of(frame) == WORK:
                channel.send([_answer(runner, payload_of(frame))])
    finally:
        runner.close()
        for hook in service.stop_hooks:
            call_hook(hook)


def _answer(runner: BatchRunner, data: bytes) -> bytes:
    try:
        return pack_message(DONE, pack_outcome(runner.run(unpack_batch(data))))
    except BentoMLException as err:  # what stops the run as a whole
        return pack_message(FAIL, str(err).encode())
