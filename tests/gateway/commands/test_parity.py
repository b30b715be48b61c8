"""`gateway parity` as it is called."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from typer.testing import CliRunner

from gateway.cli import app
from gateway.logging import configure_logging
from gateway.settings import Settings
from tests.support.programs import ROOT

PAGE = ROOT / "docs" / "authorization.md"
FEW = "me,delete_label"


@pytest.fixture(autouse=True)
def logging_of_the_suite(settings: Settings) -> Iterator[None]:
    """The command sets up logging for itself."""
    yield
    configure_logging(settings.LOG_LEVEL, settings.log_format)


def run(*arguments: str) -> tuple[int, str]:
    """Exit code and output of the command."""
    result = CliRunner().invoke(app, ["parity", *arguments])
    return result.exit_code, result.output


@pytest.mark.proof
def test_proof_of_some_operations_prints_and_writes_a_matrix(tmp_path: Path) -> None:
    page = tmp_path / "parity.html"
    code, output = run("--only", FEW, "--against", str(PAGE), "--html", str(page))
    assert code == 0, output
    assert "of 2 operations" in output
    assert "0 differences, 0 deliberate, 0 not refused, 0 not as recorded." in output
    assert "delete_label  editor's row" in output
    text = page.read_text(encoding="utf-8")
    assert "<th>delete_label</th><td>foreign row</td>" in text
    assert '<td class="refused">insufficient_scope</td>' in text
    assert "Nothing differs." in text
    assert "http" not in text.partition("<body>")[0]


@pytest.mark.proof
def test_right_that_is_not_as_recorded_makes_the_exit_code_one(tmp_path: Path, settings: Settings) -> None:
    page, line = tmp_path / "rights.md", "| `me` | — | users:read | 401 |"
    text = PAGE.read_text(encoding="utf-8")
    assert line in text
    page.write_text(text.replace(line, line.replace("401", "yes")), encoding="utf-8")
    code, output = run("--only", "me", "--against", str(page), "--database-url", settings.database_url)
    assert code == 1
    assert "me (—): anonymous is 401, recorded as yes." in output


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--only", "me,fly"], "There is no operation fly."),
        (["--only", "me", "--record", str(PAGE)], "--record needs all operations"),
        (["--mutate"], "--mutate needs --against"),
        (["--against", "nowhere.md"], "nowhere.md: "),
        (["--against", __file__], "The page has not the lines"),
    ],
)
def test_arguments_that_cannot_be_are_refused_in_a_sentence(arguments: list[str], sentence: str) -> None:
    code, output = run(*arguments)
    assert code == 1
    assert sentence in output


def test_redis_database_that_is_in_use_is_not_emptied(settings: Settings, tmp_path: Path) -> None:
    client = redis.Redis.from_url(settings.redis_url)
    client.set("somebody's", "data")
    try:
        code, output = run("--only", "me", "--database-url", settings.database_url, "--redis-url", settings.redis_url)
        assert (code, client.get("somebody's")) == (1, b"data")
    finally:
        client.delete("somebody's")
        client.close()
    assert "is not empty" in output
