"""Translate calls to REST requests, and REST responses to answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from gateway.parity.calls.answers import CallResult
from rest.routes import METHODS
from services.catalogue import Operation
from services.queries.versions import ANY


@dataclass(frozen=True)
class RestRequest:
    """A request; `path` is below the API's prefix, `headers` lack credentials and content type."""

    method: str
    path: str
    query: Mapping[str, str]
    content: bytes | None
    headers: Mapping[str, str] = field(default_factory=dict)


def rest_request(
    operation: Operation, id: str | None, data: Mapping[str, Any] | None, arguments: Mapping[str, Any],
    expected: str | None = None,
) -> RestRequest:  # fmt: skip
    """Return the request of a call; `arguments` are a list's, `expected` is the row's version, or `*`."""
    headers = {} if expected is None else {"If-Match": expected if expected == ANY else f'"{expected}"'}
    query = {name: _query_value(name, value) for name, value in arguments.items() if value not in (None, [])}
    path = "/" + operation.address.replace("{id}", id or "")
    return RestRequest(METHODS[operation.kind], path, query, None if data is None else orjson.dumps(data), headers)


def search_request(operation: Operation, arguments: Mapping[str, Any]) -> RestRequest:
    members = {name: value for name, value in arguments.items() if value not in (None, [])}
    if "include" in members:
        members["include"] = [members["include"]]
    return RestRequest("POST", f"/{operation.address}/search", {}, orjson.dumps(members))


def rest_answer(status: int, content: bytes) -> CallResult:
    if status >= 400:
        return CallResult.of_problem(orjson.loads(content), len(content))
    return CallResult(orjson.loads(content) if content else None, status=status, size=len(content))


def _query_value(name: str, value: Any) -> str:
    if name == "filter":
        return orjson.dumps(value).decode()
    if name == "sort":
        return ",".join(value)
    return str(value).lower() if isinstance(value, bool) else str(value)
