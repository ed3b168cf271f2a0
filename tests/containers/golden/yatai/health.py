# Exit code 0 if the server answers: its page, or its gRPC port where it has no page or speaks TLS.
import os
import socket
import urllib.request

grpc = int(os.environ.get("BENTOML_GRPC_PORT") or 50051)
web = int(os.environ.get("BENTOML_WEB_UI_PORT") or 3000)
has_page = os.environ.get("BENTOML_ENABLE_WEB_UI", "true").lower() in ("true", "1", "yes", "on")
if has_page and not os.environ.get("BENTOML_YATAI_TLS_CERTIFICATE"):
    urllib.request.urlopen(f"http://127.0.0.1:{web}/readyz", timeout=8)
else:
    socket.create_connection(("127.0.0.1", grpc), timeout=8).close()
