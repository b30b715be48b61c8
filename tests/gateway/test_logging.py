import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from gateway.logging import configure_logging, redact_text
from services.process import observation

JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ1c3JfMSJ9.c2lnbmF0dXJl"
LOGGERS = (
    "",
    "uvicorn",
    "uvicorn.error",
    "uvicorn.access",
    "sqlalchemy",
    "sqlalchemy.engine",
    "alembic",
    "httpx",
    "httpcore",
    "websockets",
)


@pytest.fixture(autouse=True)
def loggers_as_before() -> Iterator[None]:
    before = structlog.get_config()
    loggers = [logging.getLogger(name) for name in LOGGERS]
    state = [(logger, logger.handlers[:], logger.level, logger.propagate) for logger in loggers]
    yield
    structlog.configure(**before)
    for logger, handlers, level, propagate in state:
        logger.handlers[:] = handlers
        logger.setLevel(level)
        logger.propagate = propagate


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"got {JWT}.", "got [redacted]"),
        ("Authorization: Bearer abc.def-123", "Authorization: Bearer [redacted]"),
        ("Basic dXNlcjpwYXNz failed", "Basic [redacted] failed"),
        ("postgresql+asyncpg://gw:p/w:1@db:5432/app is down", "postgresql+asyncpg://gw:[redacted]@db:5432/app is down"),
        ("redis://:s3cret@cache:6379/0", "redis://:[redacted]@cache:6379/0"),
        ("GET /graphql?access_token=abc&x=1", "GET /graphql?access_token=[redacted]&x=1"),
        ('{"password": "hunter2", "name": "a"}', '{"password": "[redacted]", "name": "a"}'),
        ("('$argon2id$v=19$m=65536,t=3,p=4$c2FsdA$aGFzaA', 1)", "('[redacted]', 1)"),
        ("http://127.0.0.1:8000/docs and me@example.org", "http://127.0.0.1:8000/docs and me@example.org"),
        ("the password is wrong, the token expired", "the password is wrong, the token expired"),
        ("request", "request"),
    ],
)
def test_redact_text(text: str, expected: str) -> None:
    assert redact_text(text) == expected


def test_json_lines_hold_the_event_its_logger_and_no_secret(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("INFO", "json")

    structlog.get_logger("gateway.test").info(
        "sign-in",
        user="usr_1",
        password="hunter2",
        refresh_token=None,
        headers={"Authorization": "Basic x", "accept": "*/*", "nested": [{"Set-Cookie": "a=b"}]},
        error=ValueError(f"bad {JWT}"),
        statements=3,
    )

    (line,) = lines(capsys)
    del line["timestamp"]
    assert line == {
        "event": "sign-in",
        "logger": "gateway.test",
        "level": "info",
        "user": "usr_1",
        "password": "[redacted]",
        "refresh_token": "[redacted]",
        "headers": {"Authorization": "[redacted]", "accept": "*/*", "nested": [{"Set-Cookie": "[redacted]"}]},
        "error": "bad [redacted]",
        "statements": 3,
    }


def test_the_standard_librarys_loggers_come_out_alike(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("INFO", "json")

    logging.getLogger("uvicorn.error").info("token=%s", "abc", extra={"color_message": "…"})

    (line,) = lines(capsys)
    del line["timestamp"]
    assert line == {"event": "token=[redacted]", "logger": "uvicorn.error", "level": "info"}


@pytest.mark.parametrize("format", ["json", "console"])
@pytest.mark.parametrize("own", [True, False], ids=["structlog", "stdlib"])
def test_tracebacks_are_redacted(capsys: pytest.CaptureFixture[str], format: Any, own: bool) -> None:
    configure_logging("INFO", format)

    log = structlog.get_logger("gateway.test") if own else logging.getLogger("alembic")
    log.error("cannot connect", exc_info=ConnectionError("postgresql://gw:pa55word@db/app: Bearer abcdefgh"))

    written = capsys.readouterr().err
    assert "ConnectionError: postgresql://gw:[redacted]@db/app: Bearer [redacted]" in written.replace("\\n", "\n")
    assert "pa55word" not in written
    assert "abcdefgh" not in written


def test_events_of_a_request_name_it(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("INFO", "json")
    own, foreign = structlog.get_logger("gateway.test"), logging.getLogger("alembic")

    with observation.Observation("rid"):
        own.info("own")
        foreign.info("foreign")
        own.info("of another", request_id="other")
    own.info("after")

    named = [(line["event"], line.get("request_id")) for line in lines(capsys)]
    assert named == [("own", "rid"), ("foreign", "rid"), ("of another", "other"), ("after", None)]


def test_the_level_holds_for_both(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("WARNING", "json")

    structlog.get_logger("gateway.test").info("quiet")
    logging.getLogger("uvicorn.error").info("quiet")
    structlog.get_logger("gateway.test").warning("loud")

    assert [line["event"] for line in lines(capsys)] == ["loud"]


def test_uvicorns_access_lines_are_off(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("INFO", "json")

    logging.getLogger("uvicorn.access").info('"GET /graphql?token=abc HTTP/1.1" 200')

    assert not logging.getLogger("uvicorn.access").hasHandlers()
    assert capsys.readouterr().err == ""


def test_an_unknown_level_is_refused() -> None:
    with pytest.raises(KeyError):
        configure_logging("LOUD", "json")


def test_what_json_cannot_hold_does_not_lose_the_line(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("INFO", "json")

    structlog.get_logger("gateway.test").info("odd", surrogate="\ud800", huge=10**30)

    (line,) = lines(capsys)
    assert line["event"] == "'odd'"
    assert line["surrogate"] == "'\\ud800'"
