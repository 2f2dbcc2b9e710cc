"""Draws requests a second, as parts of plain axum's, as SVG: one panel an endpoint.

Only draws. The colours follow the reader's preference for light or dark, on a ground of their own,
so that they are legible on any page.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from statistics import median

import peers
from figures import rates_of, ratios
from load import WORKLOADS
from records import Record

CONNECTIONS = 64

WIDTH, MARGIN = 760, 24
NAMES, FIGURES = 130, 130
BAR, ROW = 16, 24
HEADING, GAP = 34, 18
# Where the bars begin, and how long that of axum is.
LEFT = MARGIN + NAMES
FULL = WIDTH - 2 * MARGIN - NAMES - FIGURES

_STYLE = """
  text { font: 13px system-ui, sans-serif; fill: #1f2328 }
  .heading { font-weight: 600; font-size: 14px }
  .own { font-weight: 600 }
  .quiet { fill: #59636e; font-size: 12px }
  .ground { fill: #ffffff; stroke: #d1d9e0 }
  .bar { fill: #9aa4af }
  .bar.ceiling { fill: #d1d9e0 }
  .bar.own { fill: #c2410c }
  .spread, .line { stroke: #1f2328; stroke-opacity: .55 }
  .line { stroke-dasharray: 2 3 }
  @media (prefers-color-scheme: dark) {
    text { fill: #f0f6fc }
    .quiet { fill: #9198a1 }
    .ground { fill: #0d1117; stroke: #3d444d }
    .bar { fill: #656c76 }
    .bar.ceiling { fill: #3d444d }
    .bar.own { fill: #f97316 }
    .spread, .line { stroke: #f0f6fc }
  }
"""


@dataclass(frozen=True)
class Bar:
    """One server: its part of axum's requests in the median, least and most of the rounds."""

    name: str
    part: float
    least: float
    most: float
    rate: float


def svg(records: list[Record]) -> str:
    """The whole picture; panels without figures are left out."""
    panels = {
        workload.name: bars
        for workload in WORKLOADS
        if (bars := _bars(records, workload.name)) and len(bars) > 1
    }
    height = 2 * MARGIN + 4
    body: list[str] = []
    for name, bars in panels.items():
        body += _panel(f"{name}, {CONNECTIONS} connections", bars, height - MARGIN - 8)
        height += HEADING + len(bars) * ROW + GAP
    foot = (
        f"requests a second as parts of plain axum's: median, and the range of {_rounds(records)}"
    )
    body.append(_text(MARGIN, height - MARGIN + 2, foot, "quiet"))
    size = f'width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}"'
    ground = f'x=".5" y=".5" width="{WIDTH - 1}" height="{height - 1}" rx="6"'
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img">',
            "<title>Requests a second, relative to plain axum</title>",
            f"<style>{_STYLE}</style>",
            f'<rect class="ground" {ground}/>',
            *body,
            "</svg>\n",
        ]
    )


def _bars(records: list[Record], workload: str) -> list[Bar]:
    rates = rates_of(records, "requests", workload, CONNECTIONS)
    bars = []
    for peer, by_round in rates.items():
        if parts := ratios(by_round, rates.get(peers.CEILING, {})).values():
            rate = median(by_round.values())
            bars.append(Bar(peer, median(parts), min(parts), max(parts), rate))
    return sorted(bars, key=lambda bar: -bar.part)


def _panel(heading: str, bars: Sequence[Bar], top: float) -> Iterator[str]:
    yield _text(MARGIN, top + 14, heading, "heading")
    top += HEADING - 8
    # Some may be faster than axum, by luck or by not checking what it checks.
    unit = FULL / max(1.0, *(bar.most for bar in bars))
    bottom = top + len(bars) * ROW
    yield f'<path class="line" d="M{LEFT + unit:.1f} {top:.0f}V{bottom:.0f}"/>'
    for number, bar in enumerate(bars):
        y = top + number * ROW
        kind = {peers.OWN: " own", peers.BARE: " own", peers.CEILING: " ceiling"}.get(bar.name, "")
        middle, base = y + ROW / 2, y + ROW / 2 + 4.5
        yield _text(MARGIN, base, bar.name, kind.strip() if kind == " own" else "")
        size = f'width="{bar.part * unit:.1f}" height="{BAR}"'
        yield f'<rect class="bar{kind}" x="{LEFT}" y="{middle - BAR / 2:.1f}" {size} rx="2"/>'
        if bar.most > bar.least:
            ends = (LEFT + bar.least * unit, LEFT + bar.most * unit)
            yield f'<path class="spread" d="M{ends[0]:.1f} {middle:.1f}H{ends[1]:.1f}"/>'
        x = LEFT + FULL + 12
        yield _text(x, base, f"{bar.part:.2f}", "own" if kind == " own" else "")
        yield _text(x + 40, base, f"{bar.rate:,.0f}/s", "quiet")


def _text(x: float, y: float, words: str, kind: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" class="{kind}">{escape(words)}</text>'


def _rounds(records: list[Record]) -> str:
    count = max((r["round"] for r in records if r["type"] == "load"), default=0)
    return "1 round" if count == 1 else f"{count} rounds"
