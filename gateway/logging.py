"""Logging: structlog for the gateway's own events, the standard library's loggers rendered through the same chain.

Every event, whoever wrote it, passes `redact` last, so that no token, password or password hash reaches the output:
neither under a telling key, nor inside a sentence, a traceback or a database URL.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Final, Literal, TextIO

import orjson
import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from services.process import observation

REDACTED: Final = "[redacted]"
MAX_DEPTH: Final = 6

_SECRET_KEY = re.compile(r"passw|token|secret|authorization|cookie|api_?key|private_?key|credential", re.IGNORECASE)
_SECRET_TEXT = re.compile(
    r"eyJ[\w-]{5,}\.[\w-]+(?:\.[\w-]*)*"  # a JWT (RFC 7519): base64url of '{"…' and two more parts
    r"|hgw_[0-9A-Za-z]{8,}"  # an API key
    r"|\$(?:argon2\w*|2[abxy])\$[\w$=,+/.-]+"  # a password hash
    r"|(?i:(?P<scheme>\b(?:bearer|basic))\s+[\w.~+/=-]{4,})"
    r"|(?P<user>://[^\s:/@]*:)[^\s@]*(?=@)"  # the password of a URL
    r"|(?i:(?P<key>[\w-]*(?:passw(?:or)?d|token|secret|api_?key)[\"']?\s*[=:]\s*[\"']?)(?!\[redacted)[^\s\"',;&)}\]]+)"
)

_TRACES: Final = ("eyj", "hgw_", "$argon2", "$2", "://", "bearer", "basic", "passw", "token", "secret", "key")
"""Whatever `_SECRET_TEXT` finds contains one of these, in lower case."""

_PLAIN: Final = frozenset({int, float, bool, type(None)})


class NamedLogger(structlog.WriteLogger):
    """Writes lines to a stream, and knows its name: `structlog.get_logger("gateway.access")`.

    Going past the standard library's records and handlers halves the cost of a line.
    """

    def __init__(self, name: str, stream: TextIO) -> None:
        super().__init__(stream)
        self.name = name


def configure_logging(level: str, format: Literal["console", "json"]) -> None:
    """Set up structlog and the standard library to write to stderr.

    `level` is a name such as `INFO`. Calling it again replaces the set-up. uvicorn must not bring its own
    (`log_config=None`); where it has (`uvicorn gateway.main:app`), its handlers are taken away here.
    """
    number = logging.getLevelNamesMapping()[level.upper()]
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        add_request_id,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,
    ]
    renderer = _renderer(format)
    structlog.configure(
        processors=[*shared, redact, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=lambda name="gateway": NamedLogger(name, sys.stderr),
        cache_logger_on_first_use=False,
    )
    handler = _StandardError()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, redact, renderer],
        )
    )
    _take_over_standard_library(handler, number)


class _StandardError(logging.StreamHandler[Any]):
    """Writes to the standard error of the moment, which programs that call commands within themselves exchange."""

    def __init__(self) -> None:
        logging.Handler.__init__(self)

    @property
    def stream(self) -> Any:
        return sys.stderr


def renderer_in_force() -> Processor | None:
    """The last processor that `configure_logging` has set up, unless there is another chain now.

    `structlog.testing.capture_logs` empties the list of processors and puts itself into it.
    """
    processors: Sequence[Processor] = structlog.get_config()["processors"]
    return processors[-1] if redact in processors else None


def add_request_id(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    """A structlog processor: name the request in progress. Looked up here, a request that logs nothing pays nothing."""
    seen = observation.current()
    if seen is not None:
        event.setdefault("request_id", seen.request_id)
    return event


def redact(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    """A structlog processor: replace secrets anywhere in the event; whatever is no plain value becomes its text."""
    # One look at all texts together clears nearly every event: this is on the way of every request.
    clear = not has_trace("\n".join([value for value in event.values() if type(value) is str]))
    for key, value in event.items():
        if _is_secret(key):
            event[key] = REDACTED
        elif not (type(value) in _PLAIN or (clear and type(value) is str)):
            event[key] = _clean(value, MAX_DEPTH)
    return event


def redact_text(text: str) -> str:
    """The text without tokens, password hashes, URL passwords and `password=…` pairs."""
    return _SECRET_TEXT.sub(_keep_label, text) if has_trace(text) else text


def has_trace(text: str) -> bool:
    """Whether there may be a secret in the text. Quick, and never wrong when it says no."""
    lowered = text.lower()
    for trace in _TRACES:  # noqa: SIM110 - any() with a generator takes twice as long
        if trace in lowered:
            return True
    return False


def _keep_label(match: re.Match[str]) -> str:
    if scheme := match["scheme"]:
        return f"{scheme} {REDACTED}"
    return f"{match['user'] or match['key'] or ''}{REDACTED}"


@lru_cache(maxsize=512)
def _is_secret(key: str) -> bool:
    return _SECRET_KEY.search(key) is not None


def _clean(value: object, depth: int) -> object:
    if isinstance(value, str):
        return redact_text(value)
    if type(value) in _PLAIN:
        return value
    if depth == 0:
        return "…"
    if isinstance(value, Mapping):
        return {
            str(key): REDACTED if _is_secret(str(key)) else _clean(inner, depth - 1) for key, inner in value.items()
        }
    if isinstance(value, Sequence | set | frozenset) and not isinstance(value, bytes | bytearray):
        return [_clean(inner, depth - 1) for inner in value]
    return redact_text(str(value))


def _renderer(format: Literal["console", "json"]) -> Processor:
    if format == "json":
        return structlog.processors.JSONRenderer(serializer=json_text)
    # Tracebacks come as text (format_exc_info), not as rich frames: those print local variables, tokens among them.
    return structlog.dev.ConsoleRenderer(
        colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback, sort_keys=False
    )


def json_text(event: EventDict, **_: Any) -> str:
    """The event as one line of JSON, without its end. Instants in UTC end in `Z`."""
    # An integer beyond 64 bits or a lone surrogate would make orjson refuse the whole line.
    try:
        return orjson.dumps(event, default=str, option=orjson.OPT_UTC_Z).decode()
    except TypeError:  # orjson.JSONEncodeError is one
        return orjson.dumps({key: ascii(value) for key, value in event.items()}).decode()


def _take_over_standard_library(handler: logging.Handler, level: int) -> None:
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for name in ("uvicorn", "uvicorn.error", "sqlalchemy", "alembic"):
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True
    # The gateway writes its own access line; uvicorn's would show the query string, which may carry a token.
    access = logging.getLogger("uvicorn.access")
    access.handlers.clear()
    access.propagate = False
    for chatty in ("sqlalchemy.engine", "httpx", "httpcore", "websockets"):
        logging.getLogger(chatty).setLevel(max(level, logging.WARNING))
