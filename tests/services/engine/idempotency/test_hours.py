"""How long answers are kept is a setting: the same on both faces, and from one gateway to the next."""

from __future__ import annotations

import pytest

from gateway.settings import Settings
from tests.support.accounts import sign_up
from tests.support.apps import running
from tests.support.keyed import age, code, is_replay, send, titles


@pytest.mark.parametrize("name", ["rest", "graphql"])
async def test_answers_are_kept_as_long_as_is_set(settings: Settings, name: str) -> None:
    async with running(settings.model_copy(update={"IDEMPOTENCY_HOURS": 2})) as two, running(settings) as day:
        brief, long = two.face(name), day.face(name)
        ada, wheel = await sign_up(two.client), {"title": "Wheel"}
        await send(brief, "create_item", ada, wheel, key="k")
        await age(two.gateway, 1.9)
        assert is_replay(await send(brief, "create_item", ada, wheel, key="k"))
        await age(two.gateway, 0.2)
        # It is the gateway that is asked who says whether an answer is too old.
        assert is_replay(await send(long, "create_item", ada, wheel, key="k"))
        again = await send(brief, "create_item", ada, wheel, key="k")
        assert (code(brief, again), is_replay(again)) == (None, False)
        assert is_replay(await send(brief, "create_item", ada, wheel, key="k"))
        assert await titles(brief, ada) == ["Wheel", "Wheel"]
