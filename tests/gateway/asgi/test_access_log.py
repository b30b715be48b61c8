"""The access line as JSON, which is written past structlog's chain, is what the chain would have written."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from typing import Any

import orjson
import pytest
import structlog
from structlog.testing import capture_logs

from gateway.asgi.access_log import write_access_line
from gateway.logging import configure_logging, redact_text
from services.process import observation
from services.process.observation import Observation, ReadPath

JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ1c3JfMSJ9.c2lnbmF0dXJl"


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    before, root = structlog.get_config(), logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    structlog.configure(**before)
    root.handlers[:] = handlers
    root.setLevel(level)


def seen() -> Observation:
    return Observation("rid", operation="list_items", actor="usr_1", statements=1, path="compiled")


def write(path: bytes, of: Observation, method: str = "GET") -> None:
    scope = {"type": "http", "method": method, "path": path.decode(), "raw_path": path, "query_string": b"token=abc"}
    with observation.Observation(of.request_id):
        write_access_line(scope, of, 200, 42, 0.0012345)


def written(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    (line,) = capsys.readouterr().err.splitlines()
    read: dict[str, Any] = orjson.loads(line)
    return read


def test_line_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("INFO", "json")

    write(b"/api/v1/items", seen())

    line = written(capsys)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{6})?Z", line.pop("timestamp"))
    assert line == {
        "event": "request",
        "logger": "gateway.access",
        "level": "info",
        "request_id": "rid",
        "method": "GET",
        "path": "/api/v1/items",
        "status": 200,
        "ms": 1.23,
        "operation": "list_items",
        "actor": "usr_1",
        "statements": 1,
        "read": "compiled",
        "bytes": 42,
    }


def test_line_has_the_keys_that_the_chain_gives_it(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("INFO", "json")
    write(b"/", seen())
    past_the_chain = written(capsys)

    structlog.configure(processors=[*structlog.get_config()["processors"]])
    write(b"/", seen())
    by_the_chain = written(capsys)

    assert past_the_chain | {"timestamp": ""} == by_the_chain | {"timestamp": ""}


@pytest.mark.parametrize("format", ["json", "console"])
@pytest.mark.parametrize("secret", [JWT, "password=hunter2hunter2", "Bearer%20abc;token:hunter2hunter2"])
def test_secrets_are_taken_out_of_every_text(capsys: pytest.CaptureFixture[str], format: Any, secret: str) -> None:
    configure_logging("INFO", format)

    write(f"/{secret}".encode(), Observation("rid", operation=secret, actor=secret), method=secret)

    line = capsys.readouterr().err
    assert "hunter2" not in line
    assert JWT[-10:] not in line
    assert line.count("[redacted]") == 4


def test_a_path_is_cut_before_it_is_remembered(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("INFO", "json")

    write(b"/" + b"x" * 600, seen())

    assert written(capsys)["path"] == "/" + "x" * 499


def test_nothing_is_written_below_the_level(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("WARNING", "json")

    write(b"/", seen())

    assert capsys.readouterr().err == ""


def test_captured_logs_have_the_line(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("INFO", "json")

    with capture_logs() as logs:
        write(b"/", seen())
    write(b"/after", seen())

    assert [(line["event"], line["path"]) for line in logs] == [("request", "/")]
    assert written(capsys)["path"] == "/after"


def test_what_json_cannot_hold_does_not_lose_the_line(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("INFO", "json")

    write(b"/", Observation("rid", operation="odd \ud800"))

    assert written(capsys)["operation"] == "'odd \\ud800'"
    assert redact_text("odd \ud800") == "odd \ud800"


@pytest.mark.parametrize(
    ("noted", "shown"),
    [([], None), (["compiled"], "compiled"), (["general"], "general"),
     (["compiled", "general"], "general"), (["general", "compiled"], "general")],
)  # fmt: skip
def test_a_general_read_is_not_hidden_by_a_compiled_one(noted: list[ReadPath], shown: str | None) -> None:
    with observation.Observation("rid") as mixed:
        for path in noted:
            observation.note_path(path)

    assert mixed.path == shown


def test_a_path_noted_outside_of_a_request_is_nobodys() -> None:
    observation.note_path("general")

    with observation.Observation("rid") as later:
        assert later.path is None
