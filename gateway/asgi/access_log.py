"""The access line: one event a request, in the logger `gateway.access`. Never the query string: it may carry tokens.

It is written at every request, so it goes past structlog's chain where it can: with JSON lines configured, the line is
made here, with the same keys, and handed to orjson and the stream. Its texts are redacted by the chain's rules, and
remembered: the same few paths, operations and actors come again and again.
"""

from __future__ import annotations

import logging
import sys
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final
from urllib.parse import quote

import structlog
from starlette.types import Scope

from gateway.logging import json_text, redact_text, renderer_in_force
from services.process.observation import Observation

MAX_LOGGED_PATH: Final = 500
LOGGER: Final = "gateway.access"
EVENT: Final = "request"

_log = structlog.get_logger(LOGGER)
_standard = logging.getLogger(LOGGER)
"""Knows the level that is configured."""


def write_access_line(scope: Scope, seen: Observation, status: int | None, sent: int, seconds: float) -> None:
    """Say what was asked for, by whom, and what it took.

    `status` is None where nothing was answered; `sent` are the bytes of the body, `seconds` the time until the end. The
    id of the request must hold no secret: `RequestFrame` sees to that.
    """
    renderer = renderer_in_force()
    if renderer is not None and not _standard.isEnabledFor(logging.INFO):
        return
    line: dict[str, Any] = {
        "method": _redacted(scope["method"]),
        "path": logged_path(scope),
        "status": status,
        "ms": round(seconds * 1000, 2),
        "operation": seen.operation and _redacted(seen.operation),
        "actor": seen.actor and _redacted(seen.actor),
        "statements": seen.statements,
        "read": seen.path,
        "bytes": sent,
    }
    if seen.deprecated:
        line["deprecated"] = ",".join(member for _, member in seen.deprecated)
    if not isinstance(renderer, structlog.processors.JSONRenderer):
        _log.info(EVENT, **line)
        return
    line |= {"event": EVENT, "request_id": seen.request_id, "logger": LOGGER, "level": "info"}
    line["timestamp"] = datetime.now(UTC)
    # The stream of the moment, as for structlog's loggers here: whoever redirects stderr gets these lines too.
    stream = sys.stderr
    stream.write(json_text(line) + "\n")
    stream.flush()


def logged_path(scope: Scope) -> str:
    """The path as it came, still percent-encoded (what is decoded could forge lines of a log), without secrets."""
    raw: bytes = scope.get("raw_path") or quote(scope["path"]).encode()
    return _redacted(raw[:MAX_LOGGED_PATH].decode("latin-1"))


_redacted = lru_cache(maxsize=4096)(redact_text)
