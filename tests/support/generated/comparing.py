"""Two answers to one request: what must be equal, and how a difference is told."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from tests.support.asgi import Reply

_HEADERS: Final = ("content-type", "www-authenticate", "retry-after", "link", "location")


@dataclass(slots=True)
class Tally:
    """How many requests were compared, and on which way the first application answered them."""

    asked: int = 0
    compiled: int = 0
    answered: int = 0
    """Those with data and without errors."""

    @property
    def share(self) -> float:
        """Of compiled answers."""
        return self.compiled / self.asked


def comparable(reply: Reply) -> dict[str, Any]:
    """What must be equal: `data` with the order of its keys, `errors` in any order, status and headers."""
    body = reply.json()
    errors = body.pop("errors", None)
    texts = None if errors is None else sorted(_text(each) for each in errors)
    data = json.dumps(body, ensure_ascii=False)
    headers = {name: reply.headers.get(name) for name in _HEADERS}
    return {"data": data, "errors": texts, "status": reply.status, "headers": headers}


def _text(error: Mapping[str, Any]) -> str:
    extensions = {name: each for name, each in error.get("extensions", {}).items() if name != "request_id"}
    return json.dumps({**error, "extensions": extensions}, sort_keys=True, ensure_ascii=False)


def difference(asked: str, one: Mapping[str, Any], other: Mapping[str, Any]) -> str:
    """The request, and what it was answered both ways."""
    parts = [f"The two paths differ.\n\n{asked}"]
    unlike = [name for name in one if one[name] != other[name]]
    parts += [f"{name}, compiled:  {one[name]}\n{name}, reference: {other[name]}" for name in unlike]
    return "\n\n".join(parts)
