"""The whole journey in one run: train, save, serve, ask, show the page (`make demo`).

In a terminal the server stays up until Ctrl-C; otherwise it is stopped as soon as it has answered.
"""

import contextlib
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

import client
import train

READY_WITHIN_S = 60
STOP_WITHIN_S = 40


def free_port(wished=5000):
    """`wished` if nobody listens there, else a port that the system picks."""
    for port in (wished, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("0.0.0.0", port))
            except OSError:
                continue
            return probe.getsockname()[1]
    raise SystemExit("The system has no free port.")


def wait_until_ready(address, server):
    deadline = time.monotonic() + READY_WITHIN_S
    while time.monotonic() < deadline:
        if server.poll() is not None:
            raise SystemExit(
                f"The server stopped with exit code {server.returncode}; its last lines are above."
            )
        try:
            with urllib.request.urlopen(f"{address}/readyz", timeout=5):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    raise SystemExit(f"The server was not ready after {READY_WITHIN_S} s.")


def stop(server, asked=False):
    """Ask the server to finish what it has and end; returns its exit code.

    `asked`: the terminal sent Ctrl-C to the server as well, and a second signal would cut it short.
    """
    if asked:
        with contextlib.suppress(subprocess.TimeoutExpired):
            return server.wait(STOP_WITHIN_S)
    if server.poll() is None:
        server.send_signal(signal.SIGTERM if sys.platform != "win32" else signal.CTRL_BREAK_EVENT)
    try:
        return server.wait(STOP_WITHIN_S)
    except subprocess.TimeoutExpired:
        server.kill()
        raise SystemExit(f"The server did not stop within {STOP_WITHIN_S} s and was killed.") from None


def main():
    print("1. Train a classifier on iris, pack it and save the service", flush=True)
    bundle = train.save()

    port = free_port()
    address = f"http://127.0.0.1:{port}"
    print(f"\n2. Serve it: bentoml serve IrisClassifier:latest --port {port}", flush=True)
    server = subprocess.Popen([sys.executable, "-m", "bentoml", "serve", bundle, "--port", str(port)])
    interrupted = False
    try:
        wait_until_ready(address, server)
        print("\n3. Send requests", flush=True)
        client.main(address)
        print(f"\nThe page of this service: {address}/", flush=True)
        if sys.stdin.isatty() and sys.stdout.isatty():
            print("Press Ctrl-C to stop.", flush=True)
            server.wait()
    except KeyboardInterrupt:
        interrupted = True
        print("\nStopping", flush=True)
    finally:
        code = stop(server, asked=interrupted)
    print("The server has stopped cleanly." if code == 0 else f"The server ended with exit code {code}.")
    return code


if __name__ == "__main__":
    sys.exit(main())
