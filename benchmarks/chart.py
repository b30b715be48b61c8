"""The chart of the results: a panel for each case, a bar for each server, drawn as plain SVG.

Colours follow the reader's light or dark mode. Each panel has a scale of its own: the gateway's general path may cost
a hundred times what a fast server does.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Final

from benchmarks.cases import CASES
from benchmarks.rounds import BASE, Results

_COLUMNS: Final = 3
_WIDTH: Final = 960
_GAP: Final = 24
_TOP: Final = 76
_BAR: Final = 14
_LINE: Final = 21
_NAMES: Final = 88
_NUMBERS: Final = 80
_PANEL: Final = (_WIDTH - _GAP * (_COLUMNS + 1)) / _COLUMNS

_STYLE: Final = """
  text { font: 12px system-ui, sans-serif; fill: #1f2328 }
  .title { font-size: 16px; font-weight: 600 } .case { font-weight: 600 } .small { fill: #59636e; font-size: 11px }
  .own { font-weight: 600 } .server { fill: #0969da } .rest { fill: #e16f24 }
  @media (prefers-color-scheme: dark) {
    text { fill: #f0f6fc } .small { fill: #9198a1 } .server { fill: #4493f8 } .rest { fill: #f0883e }
  }
"""

_SHORT: Final = {
    "gateway": "gateway",
    "general": "general path",
    "fastapi_strawberry": "by hand",
    "postgraphile": "PostGraphile",
    "mercurius": "Mercurius",
    "directus": "Directus",
}


def chart(results: Results, servers: Sequence[str]) -> str:
    """The whole SVG."""
    cases = list(results.readings)
    height_of_panel = _LINE * (len(servers) + 1) + _GAP
    rows = -(-len(cases) // _COLUMNS)
    height = _TOP + rows * height_of_panel
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" role="img">',
        "<title>CPU time of a request by case and server</title>",
        f"<style>{_STYLE}</style>",
        f'<text class="title" x="{_GAP}" y="30">CPU time of a request in µs: less is better</text>',
        *_legend(),
    ]
    for number, case in enumerate(cases):
        x = _GAP + (number % _COLUMNS) * (_PANEL + _GAP)
        y = _TOP + (number // _COLUMNS) * height_of_panel
        parts += [f'<g transform="translate({x:.0f} {y})">', *_panel(results, case, servers), "</g>"]
    return "\n".join([*parts, "</svg>", ""])


def _legend() -> list[str]:
    entries = (("server", "the server"), ("rest", "PostgreSQL and Valkey"))
    parts = []
    for number, (kind, text) in enumerate(entries):
        x = _GAP + number * 110
        parts.append(f'<rect class="{kind}" x="{x}" y="43" width="11" height="11" rx="2"/>')
        parts.append(f'<text class="small" x="{x + 17}" y="53">{text}</text>')
    return parts


def _panel(results: Results, case: str, servers: Sequence[str]) -> list[str]:
    measured = [name for name in servers if name in results.readings[case]]
    longest = max(results.middle(case, name, lambda each: each.total) for name in measured)
    scale = (_PANEL - _NAMES - _NUMBERS) / longest
    parts = [f'<text class="case" y="0">{case}<title>{escape(CASES[case])}</title></text>']
    for line, name in enumerate(measured, start=1):
        parts += _bar(results, case, name, line * _LINE, scale)
    return parts


def _bar(results: Results, case: str, name: str, y: int, scale: float) -> list[str]:
    total = results.middle(case, name, lambda each: each.total)
    server = results.middle(case, name, lambda each: each.spent["server"])
    ratio = results.ratio(case, name)
    compared = "" if ratio is None else f" · {ratio:.1f} times"
    own = ' class="own"' if name == BASE else ""
    first, whole = max(server * scale, 0.5), max(total * scale, 1)
    return [
        f'<text{own} y="{y}">{_SHORT.get(name, name)}</text>',
        f'<rect class="server" x="{_NAMES}" y="{y - 11}" width="{first:.1f}" height="{_BAR}"/>',
        f'<rect class="rest" x="{_NAMES + first:.1f}" y="{y - 11}" width="{whole - first:.1f}" height="{_BAR}"/>',
        f'<text class="small" x="{_NAMES + whole + 5:.1f}" y="{y}">{total:,.0f}{compared}</text>',
    ]
