"""The settings themselves: frozen groups with types, defaults, file keys and variables."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from .options import option
from .paths import home
from .server_groups import LimitSettings, ServerSettings
from .trust import TrustSettings
from .values import Group, Level, LocalPath, Ports, Words

DEFAULT_IMAGE_EXTENSIONS = (".jpg", ".png", ".jpeg", ".tiff", ".webp", ".bmp")


class AdapterSettings(Group):
    """Defaults of input adapters."""

    image_extensions: Words = option(
        DEFAULT_IMAGE_EXTENSIONS,
        "adapters.image_input.default_extensions",
        "Image file extensions; a file's list is added to the built-in one, as in 0.13.",
    )


class MetricsSettings(Group):
    """`/metrics`."""

    enabled: bool = option(True, "bento_server.metrics.enabled", "Serve /metrics.", "BENTOML_ENABLE_METRICS")
    namespace: str = option(
        "BENTOML",
        "bento_server.metrics.namespace",
        "First part of every metric's name.",
        "BENTOML_METRICS_NAMESPACE",
        pattern=r"^[a-zA-Z_:][a-zA-Z0-9_:]*$",
    )


class FeedbackSettings(Group):
    """`/feedback`."""

    enabled: bool = option(
        True, "bento_server.feedback.enabled", "Serve /feedback.", "BENTOML_ENABLE_FEEDBACK"
    )


class CorsSettings(Group):
    """Answers to browsers of other origins. `allow_origin` is required when it is enabled."""

    enabled: bool = option(
        False, "bento_server.cors.enabled", "Answer cross-origin requests.", "BENTOML_ENABLE_CORS"
    )
    allow_origin: Words | None = option(
        None,
        "bento_server.cors.access_control_allow_origin",
        "Origins, or `*`.",
        "BENTOML_CORS_ALLOW_ORIGIN",
    )
    allow_credentials: bool | None = option(
        None, "bento_server.cors.access_control_allow_credentials", "Allow cookies and authorization."
    )
    allow_methods: Words | None = option(
        None, "bento_server.cors.access_control_allow_methods", "Methods for preflight answers."
    )
    allow_headers: Words | None = option(
        None, "bento_server.cors.access_control_allow_headers", "Header fields for preflight answers."
    )
    max_age: int | None = option(
        None, "bento_server.cors.access_control_max_age", "Seconds to remember a preflight answer.", ge=0
    )
    expose_headers: Words | None = option(
        None, "bento_server.cors.access_control_expose_headers", "Header fields a script may read."
    )

    @model_validator(mode="after")
    def _origin_when_enabled(self) -> CorsSettings:
        if self.enabled and not self.allow_origin:
            raise ValueError("bento_server.cors.access_control_allow_origin is required when CORS is enabled")
        if self.allow_credentials and self.allow_origin and "*" in self.allow_origin:
            raise ValueError("credentials cannot be allowed for every origin; name the origins")
        return self


class LoggingSettings(Group):
    """Where log lines go. `directory` None means `<home>/logs`."""

    level: Level = option("INFO", "logging.level", "Lowest level that is logged.", "BENTOML_LOG_LEVEL")
    console_enabled: bool = option(True, "logging.console.enabled", "Log to stdout.", "BENTOML_LOG_CONSOLE")
    file_enabled: bool = option(True, "logging.file.enabled", "Log to rotating files.", "BENTOML_LOG_FILE")
    file_directory: LocalPath | None = option(
        None, "logging.file.directory", "Directory of the log files.", "BENTOML_LOG_DIRECTORY"
    )
    prediction_enabled: bool = option(
        True, "logging.prediction.enabled", "Write prediction.log.", "BENTOML_PREDICTION_LOG"
    )
    prediction_data: bool = option(
        True,
        "logging.prediction.data",
        "Keep request and response bodies in prediction.log.",
        "BENTOML_PREDICTION_LOG_DATA",
    )
    advanced_enabled: bool = option(
        False, "logging.advanced.enabled", "Replace all logging by `logging.advanced.config`."
    )
    advanced_config: dict[str, Any] | None = option(
        None, "logging.advanced.config", "A dictConfig of the logging module.", subtree=True
    )

    @property
    def directory(self) -> Path:
        """The directory of `active.log`, `prediction.log` and `feedback.log`."""
        return self.file_directory or home() / "logs"


class TracingSettings(Group):
    """Span export; nothing is sent while no address is set."""

    type: Literal["zipkin", "jaeger", "otlp"] | None = option(
        "zipkin", "tracing.type", "Kind of collector: zipkin, jaeger or otlp.", "BENTOML_TRACING_TYPE"
    )
    sample_rate: float = option(
        0.001,
        "tracing.sample_rate",
        "Share of the requests that are traced when their client has not decided.",
        "BENTOML_TRACING_SAMPLE_RATE",
        ge=0,
        le=1,
    )
    otlp_url: str | None = option(
        None,
        "tracing.otlp.url",
        "URL of a collector that takes OTLP over HTTP, such as http://localhost:4318.",
        "BENTOML_TRACING_OTLP_URL",
    )
    zipkin_url: str | None = option(
        None,
        "tracing.zipkin.url",
        "Full URL of the Zipkin collector, such as http://localhost:9411/api/v2/spans.",
        "BENTOML_TRACING_ZIPKIN_URL",
    )
    jaeger_address: str | None = option(
        None, "tracing.jaeger.address", "Host of Jaeger.", "BENTOML_TRACING_JAEGER_ADDRESS"
    )
    jaeger_port: int | None = option(
        None,
        "tracing.jaeger.port",
        "Port on which Jaeger takes OTLP over HTTP; null means 4318.",
        "BENTOML_TRACING_JAEGER_PORT",
        gt=0,
        le=65535,
    )


class BundleSettings(Group):
    """What saving writes into a bundle."""

    deployment_version: str | None = option(
        None,
        "bento_bundle.deployment_version",
        "Accepted for 0.13 files; a bundle carries the library that saved it.",
    )
    default_docker_base_image: str | None = option(
        None, "bento_bundle.default_docker_base_image", "Base image when @env names none."
    )


class YataiSettings(Group):
    """The management server, and the remote one that a client talks to."""

    remote_url: str | None = option(None, "yatai.remote.url", "Address of a remote server.")
    access_token: str | None = option(
        None, "yatai.remote.access_token", "Token sent to it.", "BENTOML_YATAI_ACCESS_TOKEN"
    )
    access_token_header: str = option(
        "access_token", "yatai.remote.access_token_header", "Metadata key of the token."
    )
    direct_transfers: bool = option(
        True,
        "yatai.remote.direct_transfers",
        "Send the bytes of bundles to the web port of a server without TLS, which takes less time than gRPC.",
        "BENTOML_YATAI_DIRECT_TRANSFERS",
    )
    tls_root_ca_cert: str | None = option(None, "yatai.remote.tls.root_ca_cert", "CA file.")
    tls_client_key: str | None = option(None, "yatai.remote.tls.client_key", "Client key file.")
    tls_client_cert: str | None = option(None, "yatai.remote.tls.client_cert", "Client certificate file.")
    tls_client_certificate_file: str | None = option(
        None, "yatai.remote.tls.client_certificate_file", "Old name of root_ca_cert."
    )
    repository_type: Literal["file_system", "s3", "gcs"] = option(
        "file_system", "yatai.repository.type", "Where bundles are kept.", "BENTOML_YATAI_REPOSITORY_TYPE"
    )
    repository_directory: str | None = option(
        None,
        "yatai.repository.file_system.directory",
        "Directory of bundles; null means `<home>/repository`.",
        "BENTOML_YATAI_FILE_SYSTEM_DIRECTORY",
    )
    repository_base_url: str | None = option(
        None, "", "Old way to name a directory, s3:// or gs:// address.", "BENTOML_REPO_BASE_URL"
    )
    s3_url: str | None = option(None, "yatai.repository.s3.url", "s3://bucket/path.", "BENTOML_YATAI_S3_URL")
    s3_endpoint_url: str | None = option(
        None, "yatai.repository.s3.endpoint_url", "Endpoint of a private store.", "BENTOML_S3_ENDPOINT_URL"
    )
    s3_signature_version: str = option("s3v4", "yatai.repository.s3.signature_version", "Signature version.")
    s3_expiration_s: int = option(
        3000, "yatai.repository.s3.expiration", "Seconds a signed URL is good.", gt=0
    )
    gcs_url: str | None = option(
        None, "yatai.repository.gcs.url", "gs://bucket/path.", "BENTOML_YATAI_GCS_URL"
    )
    gcs_expiration_s: int = option(
        3000, "yatai.repository.gcs.expiration", "Seconds a signed URL is good.", gt=0
    )
    database_url: str | None = option(
        None, "yatai.database.url", "Database; null means `<home>/storage.db`.", "BENTOML_DB_URL"
    )
    container_builder: Literal["docker", "podman", "buildah"] | None = option(
        None,
        "yatai.container_builder",
        "Engine that builds images on the server; null means the first that is installed.",
        "BENTOML_YATAI_CONTAINER_BUILDER",
    )
    namespace: str = option("dev", "yatai.namespace", "Default namespace of deployments.")
    deployment_ports: Ports = option(
        (5100, 5999),
        "yatai.deployment_ports",
        "First and last port for deployed services that name none, such as 5100-5999.",
        "BENTOML_YATAI_DEPLOYMENT_PORTS",
    )
    deployments_end_with_server: bool = option(
        False,
        "yatai.deployments_end_with_server",
        "Drain and end the services on this machine when the server stops, and start them again with it.",
        "BENTOML_YATAI_DEPLOYMENTS_END_WITH_SERVER",
    )
    log_path: str | None = option(
        None, "yatai.logging.path", "Accepted for 0.13 files; the web pages log with the server."
    )
    host: str = option(
        "127.0.0.1",
        "yatai.host",
        "Address the server listens on; another than this machine's own needs tokens.",
        "BENTOML_YATAI_HOST",
    )
    auth_required: bool | None = option(
        None,
        "yatai.auth.required",
        "Ask every caller for a token; null means unless the server listens on this machine only.",
        "BENTOML_YATAI_AUTH",
    )
    auth_bootstrap: bool = option(
        False,
        "yatai.auth.bootstrap",
        "If there is no admin token yet, make one at the start and print it.",
        "BENTOML_YATAI_AUTH_BOOTSTRAP",
    )
    tls_certificate: LocalPath | None = option(
        None,
        "yatai.tls.certificate",
        "The server's certificate chain (PEM).",
        "BENTOML_YATAI_TLS_CERTIFICATE",
    )
    tls_key: LocalPath | None = option(
        None, "yatai.tls.key", "The server's private key (PEM).", "BENTOML_YATAI_TLS_KEY"
    )
    tls_client_ca: LocalPath | None = option(
        None,
        "yatai.tls.client_ca",
        "Clients must show a certificate of this authority (PEM).",
        "BENTOML_YATAI_TLS_CLIENT_CA",
    )
    restore_days: float = option(
        7.0,
        "yatai.restore_days",
        "Days for which a deleted bundle can be restored.",
        "BENTOML_YATAI_RESTORE_DAYS",
        ge=0,
    )
    max_calls: int = option(
        64,
        "yatai.max_calls",
        "gRPC calls at a time; one more gets RESOURCE_EXHAUSTED.",
        "BENTOML_YATAI_MAX_CALLS",
        gt=0,
    )
    stalled_s: float = option(
        60.0,
        "yatai.stalled",
        "Seconds in which nothing moves until an upload or a download is ended.",
        "BENTOML_YATAI_STALLED",
        gt=0,
    )
    allowed_hosts: Words = option(
        (),
        "yatai.allowed_hosts",
        "Further host names under which the web pages may be asked for.",
        "BENTOML_YATAI_ALLOWED_HOSTS",
    )
    grpc_port: int = option(50051, "", "gRPC port.", "BENTOML_GRPC_PORT", ge=0, le=65535)
    ui_port: int = option(3000, "", "Web page port.", "BENTOML_WEB_UI_PORT", ge=0, le=65535)
    ui_enabled: bool = option(True, "", "Serve the web pages.", "BENTOML_ENABLE_WEB_UI")
    web_prefix_path: str = option(".", "", "URL path of the web pages.", "BENTOML_YATAI_WEB_PREFIX_PATH")


class Settings(BaseSettings):
    """Everything that can be set, in groups. Made by `load_settings`; never changes afterwards."""

    model_config = SettingsConfigDict(frozen=True, extra="forbid", validate_default=True)

    debug: bool = option(False, "", "Debug logging; temporary directories are kept.", "BENTOML_DEBUG")
    do_not_track: bool = option(True, "", "Accepted; nothing is ever tracked.", "BENTOML_DO_NOT_TRACK")
    swagger_enabled: bool = option(
        True, "bento_server.swagger.enabled", "Serve the pages / and /docs.", "BENTOML_ENABLE_SWAGGER"
    )
    server: ServerSettings = ServerSettings()
    limits: LimitSettings = LimitSettings()
    metrics: MetricsSettings = MetricsSettings()
    feedback: FeedbackSettings = FeedbackSettings()
    cors: CorsSettings = CorsSettings()
    logging: LoggingSettings = LoggingSettings()
    tracing: TracingSettings = TracingSettings()
    adapters: AdapterSettings = AdapterSettings()
    bundle: BundleSettings = BundleSettings()
    trust: TrustSettings = TrustSettings()
    yatai: YataiSettings = YataiSettings()

    @property
    def log_level(self) -> str:
        """The level in force: DEBUG when `debug` is on, else `logging.level`."""
        return "DEBUG" if self.debug else self.logging.level

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Flags first, then the named environment variables, then the configuration file."""
        from .sources import EnvironmentSource, FileSource  # noqa: PLC0415 - they need this class's options

        return init_settings, EnvironmentSource(settings_cls), FileSource(settings_cls)
