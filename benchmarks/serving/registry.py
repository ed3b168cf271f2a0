"""Every server that can be compared, by name."""

from __future__ import annotations

from .catalogue import SERVERS
from .catalogue_models import MODEL_SERVERS, OURS
from .peer import PEERS_DIR, Peer, Start
from .workloads import Workload

__all__ = ["DEFAULT_PEERS", "PEERS", "PEERS_DIR", "Peer", "Start", "peers_for"]

PEERS: dict[str, Peer] = {peer.name: peer for peer in (*OURS, *SERVERS, *MODEL_SERVERS)}
DEFAULT_PEERS = ("ours", "flask", "gunicorn", "fastapi", "mosec", "mosec-tuned", "bentoml-0.13", "nginx")


def peers_for(workload: Workload, wanted: list[str] | None) -> list[Peer]:
    """The peers of `wanted` (None: the workload's own) that can do this workload, in that order."""
    names = wanted or workload.peers or DEFAULT_PEERS
    return [PEERS[name] for name in names if workload.name in PEERS[name].workloads]
