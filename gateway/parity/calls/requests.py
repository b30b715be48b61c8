"""An operation's call as a REST request, and what its response says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from gateway.parity.calls.answers import Answer
from rest.routes import METHODS
from services.catalogue import Operation
from services.queries.versions import ANY


@dataclass(frozen=True)
class RestRequest:
    """A request; `path` is below the API's prefix."""

    method: str
    path: str
    query: Mapping[str, str]
    content: bytes | None
    headers: Mapping[str, str] = field(default_factory=dict)
    """Beside those that say who calls, and in what form."""


def rest_request(
    operation: Operation, id: str | None, data: Mapping[str, Any] | None, arguments: Mapping[str, Any],
    expected: str | None = None,
) -> RestRequest:  # fmt: skip
    """The request that calls an operation; `arguments` are those of a list: limit, after, filter, sort, q, count.

    `expected` is the version that the row must have, or `*`.
    """
    headers = {} if expected is None else {"If-Match": expected if expected == ANY else f'"{expected}"'}
    query = {key: _query_value(key, value) for key, value in arguments.items() if value not in (None, [])}
    path = "/" + operation.address.replace("{id}", id or "")
    return RestRequest(METHODS[operation.kind], path, query, None if data is None else orjson.dumps(data), headers)


def search_request(operation: Operation, arguments: Mapping[str, Any]) -> RestRequest:
    """The request that calls a list by its search."""
    members = {key: _member(key, value) for key, value in arguments.items() if value not in (None, [])}
    return RestRequest("POST", f"/{operation.address}/search", {}, orjson.dumps(members))


def rest_answer(status: int, content: bytes) -> Answer:
    """What a response says."""
    if status >= 400:
        return Answer.of_problem(orjson.loads(content), len(content))
    return Answer(orjson.loads(content) if content else None, status=status, size=len(content))


def _member(key: str, value: Any) -> Any:
    return value.split(",") if key in ("include", "fields") else value


def _query_value(key: str, value: Any) -> str:
    if key == "filter":
        return orjson.dumps(value).decode()
    if key == "sort":
        return ",".join(value)
    return {True: "true", False: "false"}.get(value, str(value)) if isinstance(value, bool) else str(value)
