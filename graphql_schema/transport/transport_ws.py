"""The messages of graphql-transport-ws that a client sends, and the codes that a socket is closed with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from graphql_schema.documents.requests import is_deep
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
"""Characters of an operation's id."""
DEEPEST: Final = 200
"""Lists and objects within each other in a message."""

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
    """The socket has to be closed."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code, self.reason = code, reason


def parse_message(text: str | None, most: int, limits: Limits) -> dict[str, Any]:
    """A message of at most so many bytes. Raises CloseError for what is none; `text` is None for a binary frame."""
    if text is None:
        raise invalid("messages are text")
    data = text.encode(errors="replace")
    if len(data) > most:
        raise CloseError(*TOO_BIG)
    try:
        check_values(data, limits)
        found = read_json(data, "it")
    except Problem as problem:
        raise invalid(problem.detail) from None
    if is_deep(found, DEEPEST):
        raise invalid("nested too deeply")
    if not isinstance(found, dict) or found.get("type") not in TYPES:
        raise invalid("no message of this protocol")
    if not isinstance(found.get("payload"), (dict, type(None))):
        raise invalid("`payload` must be an object")
    return dict(found)


def operation_id(message: dict[str, Any]) -> str:
    """The `id` of a message. Raises CloseError."""
    found = message.get("id")
    if not isinstance(found, str) or not 0 < len(found) <= MAX_ID:
        raise invalid(f"`id` must be a string of at most {MAX_ID} characters")
    return found


def check_not_dry(headers: Mapping[bytes, bytes]) -> None:
    """Raises `bad_request` for a handshake that asks for prices only: whoever does must not have things done."""
    if DRY_RUN in headers:
        raise Problem(BAD_REQUEST, "A WebSocket makes no dry runs: ask by HTTP for the price of an operation.")


def credentials(payload: dict[str, Any]) -> list[tuple[bytes, bytes]]:
    """Those in the payload of `connection_init`, as the header fields that they are named like.

    Raises CloseError for what cannot be one, and for the field that would ask for dry runs.
    """
    found = []
    for name, value in payload.items():
        field = name.lower().encode(errors="replace")
        if field == DRY_RUN and value is not None:
            raise invalid("a WebSocket makes no dry runs")
        if field in CREDENTIALS and value is not None:
            if not isinstance(value, str):
                raise invalid(f"`{field.decode()}` must be a string")
            found.append((field, value.encode(errors="replace")))
    return found


def invalid(why: str) -> CloseError:
    """What a message is answered with that is none of the protocol's."""
    return CloseError(INVALID, f"Invalid message received: {shortened(why)}")


def shortened(text: str) -> str:
    """Cut to what a close frame has room for (RFC 6455, section 5.5)."""
    return text.encode(errors="replace")[:60].decode(errors="ignore")
