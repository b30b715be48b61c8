"""REST's answers as they are kept for an idempotency key: status, header fields and body."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

from rest.http.negotiation import Preference
from services.engine.idempotency.keys import REPLAYED, key_of_headers
from services.engine.idempotency.once import IdempotentWrite, StoredOrNewAnswer


def idempotency_of(
    request: Request, shaped: Callable[[Any], Response], preference: Preference | None
) -> IdempotentWrite | None:
    """The key of a request, for an answer that `shaped` makes of the result. Raises `bad_request` naming the header."""
    key = key_of_headers(request.scope["headers"])
    if key is None:
        return None
    asked = f"rest {preference.value if preference is not None else ''} ".encode() + request.scope["query_string"]

    def kept(result: Any) -> bytes:
        response = shaped(result)
        headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in response.raw_headers]
        return orjson.dumps([response.status_code, headers]) + b"\n" + bytes(response.body)

    return IdempotentWrite(key, asked, kept)


def answer_again(answered: StoredOrNewAnswer) -> Response:
    """The response that was kept; a header field tells whether it was given before."""
    head, _, body = answered.content.partition(b"\n")
    status, headers = orjson.loads(head)
    response = Response(body, status)
    response.raw_headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers]
    if answered.replayed:
        response.headers[REPLAYED] = "true"
    return response
