"""The groups of the model server: its processes, its limits, and those of the decoders."""

from __future__ import annotations

from .options import option
from .values import Devices, Group, Level, Prefix, WorkerCount


class ServerSettings(Group):
    """The model server: address, processes, times in seconds, limits in bytes."""

    host: str = option("0.0.0.0", "bento_server.host", "Address to listen on.", "BENTOML_HOST")
    port: int = option(5000, "bento_server.port", "Port; 0 takes a free one.", "BENTOML_PORT", ge=0, le=65535)
    fd: int | None = option(None, "", "Listening socket that a supervisor opened.", "BENTOML_FD", ge=0)
    prefix: Prefix = option(
        "", "bento_server.prefix", "URL path that a reverse proxy puts in front.", "BENTOML_PREFIX"
    )
    workers: WorkerCount = option(
        1,
        "bento_server.workers",
        "Processes that run the model; null means half the CPUs plus one.",
        "BENTOML_GUNICORN_WORKERS",
        "BENTOML_GUNICORN_NUM_OF_WORKERS",
    )
    devices: Devices = option(
        None,
        "bento_server.devices",
        "CUDA devices, such as 0,1; worker i sees the one at i modulo their count. `cpu` hides all.",
        "BENTOML_DEVICES",
    )
    preload: bool = option(
        False,
        "bento_server.preload",
        "Load the service once and fork the workers from there: they share the model's memory (Linux).",
        "BENTOML_PRELOAD",
    )
    warmup: bool = option(
        True,
        "bento_server.warmup",
        "Run each API's example before a worker is ready.",
        "BENTOML_WARMUP",
    )
    debug_page: bool | None = option(
        None,
        "bento_server.debug_page",
        "Serve /debug/batching; null means only to clients on this machine.",
        "BENTOML_DEBUG_PAGE",
    )
    microbatch_workers: WorkerCount = option(
        1,
        "bento_server.microbatch.workers",
        "Accepted for 0.13 files; one front process serves them all.",
        "BENTOML_MICROBATCH_WORKERS",
    )
    microbatch_enabled: bool | None = option(
        None,
        "bento_server.microbatch.enabled",
        "Accepted for 0.13 files; batching follows each API's own `batch=`.",
        "BENTOML_ENABLE_MICROBATCH",
    )
    max_batch_size: int | None = option(
        None,
        "bento_server.microbatch.max_batch_size",
        "Requests per batch, instead of every API's own value.",
        "BENTOML_MB_MAX_BATCH_SIZE",
        gt=0,
    )
    max_batch_rows: int | None = option(
        None,
        "bento_server.microbatch.max_batch_rows",
        "Rows per batch where requests carry several, instead of every API's own value.",
        "BENTOML_MB_MAX_BATCH_ROWS",
        gt=0,
    )
    max_latency_ms: int | None = option(
        None,
        "bento_server.microbatch.max_latency",
        "Latency goal in ms, instead of every API's own value.",
        "BENTOML_MB_MAX_LATENCY",
        gt=0,
    )
    timeout_s: float = option(
        60.0,
        "bento_server.timeout",
        "Seconds until an unanswered prediction gets 504.",
        "BENTOML_TIMEOUT",
        "BENTOML_GUNICORN_TIMEOUT",
        gt=0,
    )
    load_timeout_s: float = option(
        600.0,
        "bento_server.load_timeout",
        "Seconds a worker may take to load the service.",
        "BENTOML_LOAD_TIMEOUT",
        gt=0,
    )
    worker_max_requests: int | None = option(
        None,
        "bento_server.worker.max_requests",
        "Requests after which a worker is replaced by a new one; null means never.",
        "BENTOML_WORKER_MAX_REQUESTS",
        gt=0,
    )
    worker_max_memory_mib: int | None = option(
        None,
        "bento_server.worker.max_memory",
        "MiB of resident memory at which a worker is replaced (Linux); null means never.",
        "BENTOML_WORKER_MAX_MEMORY",
        gt=0,
    )
    worker_niceness: int = option(
        5,
        "bento_server.worker.niceness",
        "How much workers give way to the front where cores are short, 0 (not at all) to 19.",
        "BENTOML_WORKER_NICENESS",
        ge=0,
        le=19,
    )
    keep_memory: bool = option(
        True,
        "bento_server.keep_memory",
        "Front and workers keep freed memory until they are idle for ten seconds (glibc).",
        "BENTOML_KEEP_MEMORY",
    )
    queue_limit: int = option(
        1024,
        "bento_server.queue_limit",
        "Waiting requests per API; one more gets 429.",
        "BENTOML_QUEUE_LIMIT",
        gt=0,
    )
    priority_classes: int = option(
        1,
        "bento_server.priority_classes",
        "Classes that X-Request-Priority may choose from; 0 is served first.",
        "BENTOML_PRIORITY_CLASSES",
        ge=1,
        le=4,
    )
    grace_s: float = option(
        30.0,
        "bento_server.grace",
        "Seconds for running requests to finish after SIGTERM.",
        "BENTOML_GRACE",
        ge=0,
    )
    drain_delay_s: float = option(
        0.0,
        "bento_server.drain_delay",
        "Seconds between not-ready and the end of accepting, for load balancers.",
        "BENTOML_DRAIN_DELAY",
        ge=0,
    )
    keep_alive_s: float = option(
        75.0,
        "bento_server.keep_alive",
        "Seconds an idle connection stays open.",
        "BENTOML_KEEP_ALIVE",
        gt=0,
    )
    backlog: int = option(
        2048,
        "bento_server.backlog",
        "Connections the system queues before accept.",
        "BENTOML_BACKLOG",
        gt=0,
    )
    max_connections: int | None = option(
        None,
        "bento_server.max_connections",
        "Open connections; null means the open-file limit less 128.",
        "BENTOML_MAX_CONNECTIONS",
        gt=0,
    )
    max_request_size: int = option(
        20 * 1024 * 1024,
        "bento_server.max_request_size",
        "Bytes of a body, as received and as decompressed; more gets 413.",
        "BENTOML_MAX_REQUEST_SIZE",
        gt=0,
    )
    header_timeout_s: float = option(
        10.0,
        "bento_server.header_timeout",
        "Seconds to send the header fields.",
        "BENTOML_HEADER_TIMEOUT",
        gt=0,
    )
    body_timeout_s: float = option(
        60.0, "bento_server.body_timeout", "Seconds to send a body.", "BENTOML_BODY_TIMEOUT", gt=0
    )
    max_target_bytes: int = option(
        8192,
        "bento_server.max_target_bytes",
        "Bytes of a request target; more gets 414.",
        "BENTOML_MAX_TARGET_BYTES",
        gt=0,
    )
    max_header_line_bytes: int = option(
        8192,
        "bento_server.max_header_line_bytes",
        "Bytes of one header field; more gets 431.",
        "BENTOML_MAX_HEADER_LINE_BYTES",
        gt=0,
    )
    max_header_bytes: int = option(
        32 * 1024,
        "bento_server.max_header_bytes",
        "Bytes of all header fields; more gets 431.",
        "BENTOML_MAX_HEADER_BYTES",
        gt=0,
    )
    max_headers: int = option(
        100,
        "bento_server.max_headers",
        "Number of header fields; more gets 431.",
        "BENTOML_MAX_HEADERS",
        gt=0,
    )
    max_chunks: int = option(
        65_536,
        "bento_server.max_chunks",
        "Chunks of a chunked body; more gets 413.",
        "BENTOML_MAX_CHUNKS",
        gt=0,
    )
    ngrok_enabled: bool = option(
        False,
        "bento_server.ngrok.enabled",
        "Accepted for 0.13 files; no tunnel is opened.",
        "BENTOML_ENABLE_NGROK",
    )
    log_level: Level = option(
        "INFO",
        "bento_server.logging.level",
        "Lowest level of the server's own messages, if `logging.level` allows it.",
    )


class LimitSettings(Group):
    """What a decoder accepts, checked before memory is spent."""

    json_depth: int = option(
        128, "adapters.limits.json_depth", "Nesting of a JSON body.", "BENTOML_JSON_DEPTH", gt=0
    )
    int_digits: int = option(
        4300, "adapters.limits.int_digits", "Digits of one integer.", "BENTOML_INT_DIGITS", gt=0
    )
    image_pixels: int = option(
        89_478_485, "adapters.limits.image_pixels", "Pixels of an image.", "BENTOML_IMAGE_PIXELS", gt=0
    )
    multipart_parts: int = option(
        128, "adapters.limits.multipart_parts", "Parts of a form.", "BENTOML_MULTIPART_PARTS", gt=0
    )
    part_header_bytes: int = option(
        8192,
        "adapters.limits.part_header_bytes",
        "Bytes of one part's header block.",
        "BENTOML_PART_HEADER_BYTES",
        gt=0,
    )
