"""Parses the client's messages of graphql-transport-ws, and lists the codes with which a socket is closed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from graphql_schema.documents.requests import exceeds_depth
from services.catalogue import Problem
from services.catalogue.json_input import read_json
from services.catalogue.problems import BAD_REQUEST
from services.engine.payment import DRY_RUN
from services.identity.auth.authentication import API_KEY, AUTHORIZATION
from services.queries.limits import Limits, check_values

PROTOCOL: Final = "graphql-transport-ws"
TYPES: Final = ("connection_init", "ping", "pong", "subscribe", "complete")
CREDENTIALS: Final = (AUTHORIZATION, API_KEY)
MAX_ID: Final = 200
"""The longest id of an operation, in characters."""
DEEPEST: Final = 200
"""The most levels of lists and objects in a message."""

GOING_AWAY: Final = (1001, "Going away")
TOO_BIG: Final = (1009, "Message too big")
TRY_AGAIN_LATER: Final = (1013, "Try again later")
INVALID: Final = 4400
UNAUTHORIZED: Final = (4401, "Unauthorized")
FORBIDDEN: Final = (4403, "Forbidden")
NO_SUBPROTOCOL: Final = (4406, "Subprotocol not acceptable")
INIT_TIMEOUT: Final = (4408, "Connection initialisation timeout")
TOO_MANY_INITS: Final = (4429, "Too many initialisation requests")


class CloseError(Exception):
    """Raised if the socket has to be closed."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code, self.reason = code, reason


def parse_message(text: str | None, max_bytes: int, limits: Limits) -> dict[str, Any]:
    """Return the message of a frame. `text` is None for a binary frame. Raises CloseError for an invalid message."""
    if text is None:
        raise invalid("messages are text")
    data = text.encode(errors="replace")
    if len(data) > max_bytes:
        raise CloseError(*TOO_BIG)
    try:
        check_values(data, limits)
        message = read_json(data, "it")
    except Problem as problem:
        raise invalid(problem.detail) from None
    if exceeds_depth(message, DEEPEST):
        raise invalid("nested too deeply")
    if not isinstance(message, dict) or message.get("type") not in TYPES:
        raise invalid("no message of this protocol")
    if not isinstance(message.get("payload"), (dict, type(None))):
        raise invalid("`payload` must be an object")
    return dict(message)


def operation_id(message: dict[str, Any]) -> str:
    """Return the `id` of a message. Raises CloseError if it is invalid."""
    identifier = message.get("id")
    if not isinstance(identifier, str) or not 0 < len(identifier) <= MAX_ID:
        raise invalid(f"`id` must be a string of at most {MAX_ID} characters")
    return identifier


def check_not_dry(headers: Mapping[bytes, bytes]) -> None:
    """Raise `bad_request` for a handshake that asks for dry runs, because its operations would be run."""
    if DRY_RUN in headers:
        raise Problem(BAD_REQUEST, "A WebSocket makes no dry runs: ask by HTTP for the price of an operation.")


def credentials(payload: dict[str, Any]) -> list[tuple[bytes, bytes]]:
    """Return the credentials in the payload of `connection_init` as header fields.

    Raises CloseError for a credential that is no string, and for the field that asks for dry runs.
    """
    fields = []
    for name, value in payload.items():
        field = name.lower().encode(errors="replace")
        if field == DRY_RUN and value is not None:
            raise invalid("a WebSocket makes no dry runs")
        if field in CREDENTIALS and value is not None:
            if not isinstance(value, str):
                raise invalid(f"`{field.decode()}` must be a string")
            fields.append((field, value.encode(errors="replace")))
    return fields


def invalid(reason: str) -> CloseError:
    """Return the error for a message that the protocol does not allow."""
    return CloseError(INVALID, f"Invalid message received: {shortened(reason)}")


def shortened(text: str) -> str:
    """Truncate a text so that the reason fits into a close frame (RFC 6455, section 5.5)."""
    return text.encode(errors="replace")[:60].decode(errors="ignore")
