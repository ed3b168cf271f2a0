"""`bentoml yatai-service-start`: the model management server."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from .command import Command, log_settings
from .options import Decorator, add_options

_PORT = click.IntRange(0, 65535)
_FILE = click.Path(exists=True, dir_okay=False)

_storage: Decorator[Any] = add_options(
    click.option(
        "--db-url",
        envvar="BENTOML_DB_URL",
        show_envvar=True,
        help="Database: sqlite:///PATH or postgresql://USER:PASSWORD@HOST/NAME. [default: <home>/storage.db]",
    ),
    click.option(
        "--repo-base-url",
        envvar="BENTOML_REPO_BASE_URL",
        show_envvar=True,
        help="Deprecated: a directory, s3:// or gs:// address; use the options below.",
    ),
    click.option(
        "--repository-type",
        type=click.Choice(["file_system", "s3", "gcs"]),
        envvar="BENTOML_YATAI_REPOSITORY_TYPE",
        show_envvar=True,
        help="Where bundles are kept.  [default: file_system]",
    ),
    click.option(
        "--file-system-directory",
        envvar="BENTOML_YATAI_FILE_SYSTEM_DIRECTORY",
        show_envvar=True,
        help="Directory of the bundles.  [default: <home>/repository]",
    ),
    click.option(
        "--s3-url", envvar="BENTOML_YATAI_S3_URL", show_envvar=True, help="Bundles at s3://bucket/path."
    ),
    click.option(
        "--s3-endpoint-url",
        envvar="BENTOML_S3_ENDPOINT_URL",
        show_envvar=True,
        help="Address of a private store that speaks S3.",
    ),
    click.option(
        "--gcs-url", envvar="BENTOML_YATAI_GCS_URL", show_envvar=True, help="Bundles at gs://bucket/path."
    ),
)

_network: Decorator[Any] = add_options(
    click.option(
        "--host",
        envvar="BENTOML_YATAI_HOST",
        show_envvar=True,
        help="Address to listen on; any but this machine's own needs tokens.  [default: 127.0.0.1]",
    ),
    click.option(
        "--grpc-port",
        type=_PORT,
        envvar="BENTOML_GRPC_PORT",
        show_envvar=True,
        help="gRPC port; 0 takes a free one.  [default: 50051]",
    ),
    click.option(
        "--ui-port",
        type=_PORT,
        envvar="BENTOML_WEB_UI_PORT",
        show_envvar=True,
        help="Port of the web pages; 0 takes a free one.  [default: 3000]",
    ),
    click.option(
        "--ui/--no-ui",
        "ui",
        default=None,
        envvar="BENTOML_ENABLE_WEB_UI",
        show_envvar=True,
        help="Serve the web pages.  [default: ui]",
    ),
    click.option(
        "--web-prefix-path",
        envvar="BENTOML_YATAI_WEB_PREFIX_PATH",
        show_envvar=True,
        help="URL path of the web pages behind a reverse proxy.",
    ),
    click.option(
        "--tls-certificate",
        type=_FILE,
        envvar="BENTOML_YATAI_TLS_CERTIFICATE",
        show_envvar=True,
        help="The server's certificate chain (PEM), for gRPC and the pages.",
    ),
    click.option(
        "--tls-key",
        type=_FILE,
        envvar="BENTOML_YATAI_TLS_KEY",
        show_envvar=True,
        help="The server's private key (PEM).",
    ),
    click.option(
        "--bootstrap-token",
        is_flag=True,
        default=None,
        envvar="BENTOML_YATAI_AUTH_BOOTSTRAP",
        show_envvar=True,
        help="If there is no admin token yet, make one and print it.",
    ),
)


def command(_bundle: Path | None = None) -> click.Command:
    return yatai_service_start


@click.command("yatai-service-start", cls=Command, failed_name="yatai_service_start")
@_storage
@_network
def yatai_service_start(**options: Any) -> None:
    """Start the model management server: gRPC, and a web page about bundles and deployments."""
    from bentoml.settings import load_settings
    from bentoml.yatai.run import serve_yatai

    settings = load_settings(
        yatai__database_url=options["db_url"],
        yatai__repository_base_url=options["repo_base_url"],
        yatai__repository_type=options["repository_type"],
        yatai__repository_directory=options["file_system_directory"],
        yatai__s3_url=options["s3_url"],
        yatai__s3_endpoint_url=options["s3_endpoint_url"],
        yatai__gcs_url=options["gcs_url"],
        yatai__host=options["host"],
        yatai__grpc_port=options["grpc_port"],
        yatai__ui_port=options["ui_port"],
        yatai__ui_enabled=options["ui"],
        yatai__web_prefix_path=options["web_prefix_path"],
        yatai__tls_certificate=options["tls_certificate"],
        yatai__tls_key=options["tls_key"],
        yatai__auth_bootstrap=options["bootstrap_token"],
        **log_settings(),
    )
    serve_yatai(settings, announce=click.echo)
