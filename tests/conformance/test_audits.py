"""What the judges say: nothing."""

from __future__ import annotations

from collections.abc import Callable

import httpx
import pytest

from tests.conformance.audits import AUDITS, Audit, Target
from tests.support.accounts import sign_in
from tests.support.server import LiveServer


@pytest.fixture
async def target(live: LiveServer) -> Target:
    """A gateway in a process of its own, and a token of its demo user."""
    async with httpx.AsyncClient(base_url=live.url) as client:
        tokens = await sign_in(client, live.username, live.password)
    return Target(live.url, tokens["access_token"])


CASES = [
    pytest.param(each, id=each.name, marks=[pytest.mark.skip(reason=missing)] if (missing := each.missing()) else [])
    for each in AUDITS
]


@pytest.mark.parametrize("audit", CASES)
async def test_audit_finds_nothing(
    audit: Audit, target: Target, record_property: Callable[[str, object], None]
) -> None:
    verdict = await audit.judge(target)
    record_property("checks", verdict.checks)
    assert verdict.checks > 0
    assert list(verdict.faults) == []
