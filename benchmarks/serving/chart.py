"""The table as a picture: one bar per server on a logarithmic scale, as SVG without any library."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from math import ceil, floor, log10

from .report import OURS, Row, rate_text

WIDTH, LABEL, BAR, GAP, HEAD = 900, 340, 18, 6, 34
STYLE = (
    "text{font:13px system-ui,sans-serif;fill:#24292f}.title{font-weight:600}.axis{stroke:#d0d7de}"
    ".peer{fill:#8c959f}.ours{fill:#1a7f37}.tick{fill:#57606a;font-size:11px}"
    "@media (prefers-color-scheme:dark){text{fill:#e6edf3}.axis{stroke:#30363d}.tick{fill:#8b949e}}"
)


def draw(table: Sequence[Row], titles: dict[str, str], caption: str) -> str:
    """An SVG with one panel per workload and number of connections; `caption` names the machine."""
    panels = list(dict.fromkeys((row.workload, row.connections) for row in table))
    parts: list[str] = []
    y = 8
    for workload, connections in panels:
        rows = [row for row in table if (row.workload, row.connections) == (workload, connections)]
        parts.append(_panel(rows, titles, f"{workload.upper()}, {connections} connections", y))
        y += HEAD + len(rows) * (BAR + GAP) + 30
    parts.append(f'<text class="tick" x="8" y="{y + 6}">{escape(caption)}</text>')
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {y + 20}" width="{WIDTH}" role="img">'
        f"<style>{STYLE}</style>{''.join(parts)}</svg>\n"
    )


def _panel(rows: Sequence[Row], titles: dict[str, str], title: str, top: int) -> str:
    """One workload at one number of connections, over the decades that its figures reach."""
    rates = [row.rate for row in rows if row.rate > 0] or [1.0]
    low = floor(log10(min(rates)))
    high = max(low + 1, ceil(log10(max(rates))))
    room = WIDTH - LABEL - 90
    bottom = top + HEAD + len(rows) * (BAR + GAP)
    parts = [f'<text class="title" x="8" y="{top + 16}">{escape(title)} – requests/s</text>']
    for decade in range(low, high + 1):
        x = LABEL + room * (decade - low) / (high - low)
        parts.append(f'<line class="axis" x1="{x:.0f}" y1="{top + HEAD - 6}" x2="{x:.0f}" y2="{bottom}"/>')
        parts.append(
            f'<text class="tick" x="{x:.0f}" y="{bottom + 14}" text-anchor="middle">{10**decade:,}</text>'
        )
    for number, row in enumerate(rows):
        y = top + HEAD + number * (BAR + GAP)
        length = max(2.0, room * (log10(max(row.rate, 10**low)) - low) / (high - low))
        kind = "ours" if row.peer.partition("-")[0] == OURS else "peer"
        name = escape(titles.get(row.peer, row.peer))
        parts.append(f'<text x="{LABEL - 8}" y="{y + 13}" text-anchor="end">{name}</text>')
        parts.append(f'<rect class="{kind}" x="{LABEL}" y="{y}" width="{length:.0f}" height="{BAR}" rx="2"/>')
        parts.append(f'<text x="{LABEL + length + 6:.0f}" y="{y + 13}">{rate_text(row.rate)}</text>')
    return "".join(parts)
