"""What the server prints when it has started, in the form that users of 0.13 know."""

from __future__ import annotations

from bentoml.settings.model import YataiSettings

HELP = "the pages under docs/yatai, or `bentoml yatai-service-start --help`"


def banner(yatai: YataiSettings, grpc_port: int, ui_port: int | None, prefix: str, *, debug: bool) -> str:
    """The text of the start; `ui_port` is None when the pages are off."""
    host = "127.0.0.1" if yatai.host in ("0.0.0.0", "::", "localhost") else yatai.host
    scheme = "https" if yatai.tls_certificate else "http"
    address = f"{host}:{grpc_port}"
    remote = f"grpcs://{address}" if yatai.tls_certificate else address
    web = f"running on {scheme}://{host}:{ui_port}{prefix}" if ui_port is not None else "off"
    metrics = f"running on {scheme}://{host}:{ui_port}/metrics" if ui_port is not None else "off"
    return f"""\
* Starting BentoML YataiService gRPC Server
* Debug mode: {"on" if debug else "off"}
* Web UI: {web}
* Running on {address} (Press CTRL+C to quit)
* Prometheus: {metrics}
* Help and instructions: {HELP}
-----
* Usage in Python:
*  bento_svc.save(yatai_url="{remote}")
*  from bentoml.yatai.client import get_yatai_client
*  get_yatai_client("{remote}").repository.list()
* Usage in CLI:
*  bentoml list --yatai-url={remote}
*  bentoml containerize IrisClassifier:latest --yatai-url={remote}
*  bentoml push IrisClassifier:20200918001645_CD2886 --yatai-url={remote}
*  bentoml pull IrisClassifier:20200918001645_CD2886 --yatai-url={remote}
*  bentoml retrieve IrisClassifier:20200918001645_CD2886 --yatai-url={remote} --target_dir="/tmp/foo/bar"
*  bentoml delete IrisClassifier:20200918001645_CD2886 --yatai-url={remote}
"""
