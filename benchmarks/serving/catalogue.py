"""Servers of any make for the workloads of JSON rows and tables, each as its own documentation starts it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from typing import Any

from .peer import IRIS, TABLES, Command, Peer, Start, run_app

OLD_PINS = (
    "setuptools<66",
    "werkzeug<2.1",
    "jinja2<3.1",
    "flask<2.1",
    "itsdangerous<2.1",
    "protobuf<3.21",
    "sqlalchemy<1.4",
    "pandas<2",
)
SERVICES = {
    **dict.fromkeys(TABLES, "table_service.py"),
    "cnn": "image_service.py",
    "bin": "echo_service.py",
    "gpt": "gpt_service.py",
}


def _nginx_settings(start: Start) -> None:
    (start.directory / "nginx.conf").write_text(
        "worker_processes auto; pid nginx.pid; error_log stderr crit;\n"
        "events { worker_connections 4096; }\n"
        "http { access_log off; keepalive_requests 1000000000; client_body_temp_path body;\n"
        "proxy_temp_path proxy; fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi; scgi_temp_path scgi;\n"
        f"server {{ listen 127.0.0.1:{start.port} backlog=4096;\n"
        '  location / { default_type application/json; return 200 "0"; } } }\n'
    )


def nginx_command(start: Start) -> list[str]:
    nginx = shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/usr/bin:/opt/homebrew/bin") or "nginx"
    return [nginx, "-p", str(start.directory), "-c", "nginx.conf", "-g", "daemon off;"]


def make_bundle(start: Start) -> list[str]:
    (start.directory / "bundle").mkdir(exist_ok=True)
    return [
        str(start.python),
        start.app(SERVICES.get(start.workload, "bentoml_service.py")),
        start.workload,
        str(start.directory / "bundle"),
    ]


def _mosec(window_ms: int, batch: Callable[[Start], int]) -> Command:
    return lambda start: [
        str(start.python),
        start.app("mosec_app.py"),
        start.workload,
        str(start.port),
        str(window_ms),
        str(batch(start)),
    ]


def _v2(body: bytes) -> bytes:
    """The V2 inference protocol: one tensor of one row."""
    row = json.loads(body)
    tensor = {
        "name": "rows",
        "shape": [1, len(row)],
        "datatype": "FP64",
        "data": row,
        "parameters": {"content_type": "np"},
    }
    return json.dumps({"inputs": [tensor]}).encode()


def _mlserver_settings(start: Start) -> None:
    server = {
        "host": "127.0.0.1",
        "http_port": start.port,
        "grpc_port": start.port + 10000 if start.port < 50000 else start.port - 10000,
        "metrics_port": start.port + 11000 if start.port < 50000 else start.port - 11000,
        "parallel_workers": 1,
        "logging_settings": None,
        "debug": False,
    }
    model = {
        "name": "iris",
        "implementation": "mlserver_runtime.Iris",
        "max_batch_size": 256,
        "max_batch_time": 0.001,
        "parameters": {"extra": {"workload": start.workload}},
    }
    (start.directory / "settings.json").write_text(json.dumps(server))
    (start.directory / "model-settings.json").write_text(json.dumps(model))


def serve(*options: str) -> Command:
    """Our own server on the bundle that `make_bundle` wrote."""
    return lambda start: [
        str(start.python),
        "-m",
        "bentoml",
        "serve",
        str(start.directory / "bundle"),
        "--host",
        "127.0.0.1",
        "--port",
        str(start.port),
        *options,
    ]


def _first_tensor(answer: Any) -> Any:
    return answer["outputs"][0]["data"][0]


SERVERS = (
    Peer(
        name="flask",
        title="Flask development server",
        requirements=("flask", "scikit-learn"),
        command=run_app("flask_app.py"),
        version_of="flask",
    ),
    Peer(
        name="gunicorn",
        title="gunicorn + Flask, 2 sync workers",
        requirements=("flask", "gunicorn", "scikit-learn"),
        command=lambda s: [
            s.script("gunicorn"),
            "--workers=2",
            f"--bind=127.0.0.1:{s.port}",
            "--backlog=4096",
            "--log-level=warning",
            f"flask_app:make_app('{s.workload}')",
        ],
        version_of="gunicorn",
    ),
    Peer(
        name="fastapi",
        title="FastAPI + uvicorn, 2 workers",
        requirements=("fastapi", "uvicorn[standard]", "scikit-learn"),
        extras=dict.fromkeys(TABLES, ("pandas",)),
        workloads=(*IRIS, *TABLES),
        command=run_app(
            {**dict.fromkeys(IRIS, "fastapi_app.py"), **dict.fromkeys(TABLES, "fastapi_tables.py")}
        ),
        version_of="fastapi",
    ),
    Peer(
        name="mosec",
        title="mosec, 5 ms window, batch 1000",
        requirements=("mosec", "scikit-learn"),
        command=_mosec(5, lambda start: 1000),
        path="/inference",
        version_of="mosec",
    ),
    Peer(
        name="mosec-tuned",
        title="mosec, 1 ms window, batch c/2",
        requirements=("mosec", "scikit-learn"),
        command=_mosec(1, lambda start: max(1, start.connections // 2)),
        path="/inference",
        per_connections=True,
        version_of="mosec",
    ),
    Peer(
        name="bentoml-0.13",
        title="BentoML 0.13.1, micro-batching, 2 workers",
        requirements=("bentoml==0.13.1", "scikit-learn", *OLD_PINS),
        workloads=(*IRIS, *TABLES),
        old_python=True,
        prepare=make_bundle,
        command=lambda s: [
            s.script("bentoml"),
            "serve-gunicorn",
            str(s.directory / "bundle"),
            "--port",
            str(s.port),
            "--workers",
            "2",
        ],
        environment=lambda s: {
            "BENTOML_DO_NOT_TRACK": "true",
            "BENTOML_HOME": str(s.directory / "home"),
            "PATH": f"{s.python.parent}:/usr/bin:/bin",
        },
        version_of="bentoml",
    ),
    Peer(
        name="bentoml-1.4",
        title="BentoML 1.4, batchable, 2 workers",
        requirements=("bentoml>=1.4,<1.5", "scikit-learn"),
        command=lambda s: [
            s.script("bentoml"),
            "serve",
            "bentoml_1_app:Iris",
            "--port",
            str(s.port),
            "--host",
            "127.0.0.1",
        ],
        environment=lambda s: {
            "PEER_WORKLOAD": s.workload,
            "BENTOML_DO_NOT_TRACK": "true",
            "BENTOML_HOME": str(s.directory / "home"),
            "PATH": f"{s.python.parent}:/usr/bin:/bin",
        },
        body=lambda body: b'{"rows": [' + body + b"]}",
        version_of="bentoml",
    ),
    Peer(
        name="litserve",
        title="LitServe, batching, 5 ms window",
        requirements=("litserve", "scikit-learn"),
        command=run_app("litserve_app.py", "5"),
        version_of="litserve",
    ),
    Peer(
        name="mlserver",
        title="MLServer, adaptive batching, 1 ms",
        requirements=("mlserver", "uvloop<0.22", "scikit-learn"),  # its workers need the older loop
        settings=_mlserver_settings,
        command=lambda s: [s.script("mlserver"), "start", str(s.directory)],
        body=_v2,
        value=_first_tensor,
        fragment=b'"data":[0]',
        path="/v2/models/iris/infer",
        version_of="mlserver",
    ),
    Peer(
        name="ray",
        title="Ray Serve, @serve.batch, 5 ms",
        requirements=("ray[serve]", "scikit-learn"),
        command=run_app("ray_app.py"),
        version_of="ray",
    ),
    Peer(
        name="nginx",
        title="nginx returning a constant (this machine's limit)",
        settings=_nginx_settings,
        command=nginx_command,
        answers=False,
        needs="nginx",
    ),
)
