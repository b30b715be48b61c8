"""`Link` (RFC 8288) from a page of a list to its neighbours, as references relative to the origin."""

from __future__ import annotations

from typing import Final
from urllib.parse import quote_plus, urlencode

from starlette.requests import Request

from rest.query import decode_value, raw_pairs
from rest.representation import Representation
from services.queries.lists import ListArguments

_PLACES: Final = ("after", "before", "skip")
"""Parameters that say which page of a list is asked for; the others say which list."""


def page_links(request: Request, arguments: ListArguments, shown: Representation) -> dict[str, str]:
    """The header of a list's answer; `arguments` are the list's.

    `next` and `prev` go on from the page's last and first row. `first` is the list's beginning, unless that was asked
    for. Within a window, of `after` and `before`, `next` stays before its end; `prev` leads out of it.
    """
    previous, following = shown.previous, shown.next
    at_first = arguments.after is None and arguments.before is None and not arguments.skip
    if previous is None and following is None and at_first:
        return {}
    given = raw_pairs(request.scope["query_string"])
    path, rest = request.url.path, "&".join(_written(*each) for each in given if each[0] not in _PLACES)
    links = []
    if following is not None:
        is_window = arguments.after is not None and arguments.before is not None
        end = urlencode({"before": arguments.before}) if is_window else ""
        links.append(_link(path, "next", rest, end, f"after={following}"))
    if previous is not None:
        links.append(_link(path, "prev", rest, f"before={previous}"))
    if not at_first:
        links.append(_link(path, "first", rest))
    return {"Link": ", ".join(links)} if links else {}


def _written(name: str, raw: str) -> str:
    """A parameter as it came: commas that separate stay apart from those that are part of a value."""
    return f"{quote_plus(name)}={','.join(quote_plus(decode_value(each)) for each in raw.split(','))}"


def _link(path: str, relation: str, *query: str) -> str:
    given = "&".join(part for part in query if part)
    return f'<{path}{"?" if given else ""}{given}>; rel="{relation}"'
