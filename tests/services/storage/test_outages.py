"""What PostgreSQL says when it cannot do as it should, and what callers are told of it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from sqlalchemy import text

from gateway.settings import Settings
from services.catalogue import ANONYMOUS, Problem
from services.engine.gateway import Gateway
from services.reader.pool import ReadPool
from services.storage import outages

WRITES = {
    "08000": ("unavailable", 503), "08006": ("unavailable", 503), "08P01": ("unavailable", 503),
    "25006": ("unavailable", 503), "25P03": ("unavailable", 503), "28P01": ("unavailable", 503),
    "3D000": ("unavailable", 503), "3F000": ("unavailable", 503), "40001": ("conflict", 409),
    "40003": ("unavailable", 503), "40P01": ("conflict", 409), "42703": ("unavailable", 503),
    "42P01": ("unavailable", 503), "53100": ("unavailable", 503), "53200": ("unavailable", 503),
    "53300": ("unavailable", 503), "55P03": ("unavailable", 503), "57014": ("unavailable", 503),
    "57P01": ("unavailable", 503), "57P02": ("unavailable", 503), "57P03": ("unavailable", 503),
    "57P04": ("unavailable", 503), "57P05": ("unavailable", 503), "58030": ("unavailable", 503),
}  # fmt: skip
OURS = ["22012", "42601", "42501", "XX000"]


def failing(state: str) -> str:
    return f"do $$ begin raise sqlstate '{state}' using message = 'for the test {state}'; end $$"


@pytest.fixture
async def pool(settings: Settings) -> AsyncIterator[ReadPool]:
    """One connection for reading."""
    found = ReadPool(settings.database_for_reading, size=1, statements=10)
    yield found
    await found.close()


@pytest.mark.parametrize(("state", "expected"), WRITES.items(), ids=WRITES)
async def test_outage_of_a_write_is_a_problem(gateway: Gateway, state: str, expected: tuple[str, int]) -> None:
    with pytest.raises(Problem) as raised:
        async with gateway.unit_of_work(ANONYMOUS) as call:
            await call.session.execute(text(failing(state)))
    problem = raised.value
    assert (problem.type.code, problem.type.status) == expected
    assert problem.retry_after == (1 if problem.type.status == 503 else None)
    assert "for the test" not in str(problem.detail)


@pytest.mark.parametrize("state", [each for each in WRITES if each != "25006"])
async def test_outage_of_a_read_is_unavailable_and_the_next_one_succeeds(pool: ReadPool, state: str) -> None:
    with pytest.raises(Problem) as raised:
        await pool.fetch_row(failing(state), [])
    assert (raised.value.type.code, raised.value.retry_after) == ("unavailable", 1)
    assert await pool.fetch_row("select 42", []) == (42,)


@pytest.mark.parametrize("state", OURS)
async def test_what_is_our_fault_stays_an_internal_error(gateway: Gateway, pool: ReadPool, state: str) -> None:
    with pytest.raises(Exception, match=f"for the test {state}") as raised:
        async with gateway.unit_of_work(ANONYMOUS) as call:
            await call.session.execute(text(failing(state)))
    assert not isinstance(raised.value, Problem)
    with pytest.raises(Exception, match=f"for the test {state}") as raised:
        await pool.fetch_row(failing(state), [])
    assert not isinstance(raised.value, Problem)


async def test_cause_is_logged_once_in_a_while(
    pool: ReadPool, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    outages._told.clear()
    for state in ("53100", "53100", "42P01"):
        with pytest.raises(Problem):
            await pool.fetch_row(failing(state), [])
    said = capsys.readouterr().err
    assert said.count("DiskFullError: for the test 53100") == 1
    assert said.count("UndefinedTableError: for the test 42P01") == 1
    assert "gateway migrate" in said.splitlines()[-1]
