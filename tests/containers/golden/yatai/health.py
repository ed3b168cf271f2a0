# Exit code 0 if the server answers: its page, or its gRPC port where it has no page. What it listens on is
# said by the words after the image's name, which process 1 was started with, else by the environment.
import os
import pathlib
import socket
import ssl
import sys
import urllib.request

words = sys.argv[1:] or pathlib.Path("/proc/1/cmdline").read_text("utf-8", "replace").split("\0")


def option(name, variable, default):
    for place, word in enumerate(words):
        if word.startswith(name + "="):
            return word.partition("=")[2]
        if word == name and place + 1 < len(words):
            return words[place + 1]
    return os.environ.get(variable) or default


host = option("--host", "BENTOML_YATAI_HOST", "127.0.0.1")
host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
web = int(option("--ui-port", "BENTOML_WEB_UI_PORT", 3000))
grpc = int(option("--grpc-port", "BENTOML_GRPC_PORT", 50051))
has_page = os.environ.get("BENTOML_ENABLE_WEB_UI", "true").lower() in ("true", "1", "yes", "on")
if "--no-ui" in words or (not has_page and "--ui" not in words):
    socket.create_connection((host, grpc), timeout=8).close()
    sys.exit()
shown = f"[{host}]" if ":" in host else host
anybody = ssl.create_default_context()  # it asks itself: whose certificate it is does not matter
anybody.check_hostname, anybody.verify_mode = False, ssl.CERT_NONE
try:
    urllib.request.urlopen(f"http://{shown}:{web}/readyz", timeout=4)
except urllib.error.HTTPError:
    raise
except (OSError, ValueError):  # refused, or no HTTP: it may speak TLS
    urllib.request.urlopen(f"https://{shown}:{web}/readyz", timeout=4, context=anybody)
