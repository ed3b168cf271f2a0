"""The pictures of docs/yatai: a registry with real bundles and deployments, photographed in Chromium.

    .venv/bin/python scripts/take_screenshots.py            # writes docs/assets/yatai/*.png
    .venv/bin/python scripts/take_screenshots.py --serve    # the same registry, to look at by hand

Takes about four minutes: the plots show real requests.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import math
import os
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
TARGET = ROOT / "docs" / "assets" / "yatai"
LOAD_S = 150.0
NOTE = "Retrained with **C=3**; goes out with the spring release."


def save_bundles() -> list[str]:
    """Three versions of the iris example; their tags, oldest first."""
    sys.path.insert(0, str(ROOT / "examples" / "iris"))
    from service import FEATURES, IrisClassifier  # type: ignore[import-not-found]
    from sklearn.datasets import load_iris
    from sklearn.linear_model import LogisticRegression

    data = load_iris(as_frame=True)
    frame = data.data.set_axis(FEATURES, axis="columns")
    tags = []
    for stage, strength in (("dev", 0.01), ("test", 0.3), ("prod", 3.0)):
        model = LogisticRegression(C=strength, max_iter=1000).fit(frame, data.target)
        service = IrisClassifier()
        metadata = {"accuracy": round(model.score(frame, data.target), 3), "C": strength}
        service.pack("model", model, metadata=metadata)
        service.save(labels={"stage": stage, "team": "flowers"})
        tags.append(f"IrisClassifier:{service.version}")
    return tags


@contextlib.contextmanager
def registry_server() -> Iterator[tuple[Any, str]]:
    """A running server over this home's registry, and its URL."""
    from bentoml.settings import load_settings
    from bentoml.yatai.registry import open_registry
    from bentoml.yatai.server import YataiServer
    from bentoml.yatai.watch import Watch

    settings = load_settings(yatai__ui_port=0, yatai__grpc_port=0)
    registry = open_registry(settings)
    server = YataiServer(registry, settings, auth_required=False)
    watch = Watch(registry, server.history, every_s=2.0)
    thread = threading.Thread(target=server.run_web, daemon=True)
    server.start()
    watch.start()
    thread.start()
    try:
        yield registry, f"http://localhost:{server.ui_port}"
    finally:
        watch.stop()
        registry.operations.suspend_all()
        server.stop(1.0)
        thread.join()


def fill(registry: Any, tags: list[str]) -> list[str]:
    """Aliases, a note, deployments; the endpoints of the deployments."""
    from bentoml.yatai.access import LOCAL
    from bentoml.yatai.db.deployments import Deployment

    versions = [tag.partition(":")[2] for tag in tags]
    registry.aliases.move(LOCAL, "IrisClassifier", "staging", versions[0])
    registry.aliases.move(LOCAL, "IrisClassifier", "prod", versions[0])
    registry.aliases.move(LOCAL, "IrisClassifier", "prod", versions[2])
    registry.bundles.set_note(LOCAL, registry.bundles.find("IrisClassifier", versions[2]), NOTE)
    for rule, keep_last in (("", 20), ("IrisClassifier", 5), ("Reference", None)):
        registry.retention.set_rule(LOCAL, rule, keep_last)
    for name, version, config, labels in (
        ("iris-staging", versions[0], {}, {"stage": "staging"}),
        (
            "iris-prod",
            versions[2],
            {"workers": 2, "grace_s": 20},
            {"team": "flowers"},
        ),
    ):
        spec = {
            "bento_name": "IrisClassifier",
            "bento_version": version,
            "operator": "local",
            "config": config,
        }
        registry.operations.apply(LOCAL, Deployment("dev", name, spec, labels=labels))
    for name in ("iris-staging", "iris-prod"):
        while registry.operations.describe("dev", name).state["state"] != "RUNNING":
            time.sleep(0.2)
    return [
        registry.operations.describe("dev", name).state["info"]["endpoints"][0]
        for name in ("iris-staging", "iris-prod")
    ]


def send_requests(endpoint: str, per_s: float, stop: threading.Event) -> None:
    """Requests at a rate that rises and falls, over one connection."""
    connection = http.client.HTTPConnection(endpoint.removeprefix("http://"), timeout=30)
    body = json.dumps({"sepal_length": 5.1, "sepal_width": 3.5, "petal_length": 1.4, "petal_width": 0.2})
    begun = time.monotonic()
    while not stop.is_set():
        rate = per_s * (1.15 + math.sin((time.monotonic() - begun) / 11) + 0.15 * math.sin(time.monotonic()))
        connection.request("POST", "/classify", body, {"Content-Type": "application/json"})
        connection.getresponse().read()
        stop.wait(1 / rate)


def photograph(url: str, tags: list[str]) -> None:
    from tests.e2e import browser

    prod = f"/repository/{tags[2].replace(':', '/')}"
    shots = [
        ("home", "/", 1280, 900, "light"),
        ("repository", "/repository", 1280, 560, "light"),
        ("bundle", prod, 1280, 1000, "light"),
        ("bundle-dark", prod, 1280, 700, "dark"),
        ("compare", f"/compare?tag={tags[1]}&tag={tags[2]}", 1280, 800, "light"),
        ("deployments", "/deployments", 1280, 480, "light"),
        ("deployment", "/deployments/dev/iris-prod", 1280, 1160, "light"),
        ("deployment-dark", "/deployments/dev/iris-prod", 1280, 1160, "dark"),
        ("deployment-log", "/deployments/dev/iris-prod/log", 1280, 640, "light"),
        ("deploy", f"/deploy?preview=1&namespace=dev&name=iris-prod&bento={tags[1]}", 1280, 640, "light"),
        ("retention", "/retention", 1280, 600, "light"),
        ("phone", "/repository", 390, 760, "light"),
        ("phone-deployment", "/deployments/dev/iris-prod", 390, 1100, "dark"),
    ]
    with browser.page() as page:
        for name, path, width, height, scheme in shots:
            page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
            page.set_viewport_size({"width": width, "height": height})
            page.goto(url + path, wait_until="networkidle" if "deploy" not in path else "load")
            page.wait_for_timeout(1200)
            page.screenshot(path=TARGET / f"{name}.png")
            print(f"{name}.png  {width}x{height}")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--serve", action="store_true", help="go on until Ctrl-C instead of taking pictures")
    options = parser.parse_args()
    sys.path.insert(0, str(ROOT))
    with tempfile.TemporaryDirectory() as home:
        os.environ["BENTOML_HOME"] = f"{home}/bentoml"
        tags = save_bundles()
        with registry_server() as (registry, url):
            endpoints = fill(registry, tags)
            stop = threading.Event()
            senders = [
                threading.Thread(target=send_requests, args=(endpoint, per_s, stop))
                for endpoint, per_s in zip(endpoints, (4.0, 40.0), strict=True)
            ]
            for sender in senders:
                sender.start()
            try:
                if options.serve:
                    print(url, *tags, flush=True)
                    threading.Event().wait()
                time.sleep(LOAD_S)
                TARGET.mkdir(parents=True, exist_ok=True)
                photograph(url, tags)
            finally:
                stop.set()
                for sender in senders:
                    sender.join()


if __name__ == "__main__":
    main()
