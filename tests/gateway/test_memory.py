"""The garbage collector while the gateway serves, and after."""

from __future__ import annotations

import gc

import pytest

from gateway.serving.memory import THRESHOLDS, calm_collector
from gateway.settings import Settings
from tests.support.apps import running


def test_collector_is_calm_in_the_block_and_as_before_after_it() -> None:
    before = gc.get_threshold()

    with calm_collector():
        assert gc.get_threshold() == THRESHOLDS
        assert gc.get_freeze_count() > 0
        assert gc.isenabled()

    assert gc.get_threshold() == before
    assert gc.get_freeze_count() == 0


async def test_collector_is_calm_while_an_application_runs(settings: Settings) -> None:
    gc.unfreeze()

    async with running(settings):
        assert (gc.get_threshold(), gc.get_freeze_count() > 0) == (THRESHOLDS, True)

    assert gc.get_freeze_count() == 0


def test_collector_is_as_before_after_a_fault() -> None:
    before = gc.get_threshold()

    with pytest.raises(RuntimeError), calm_collector():
        raise RuntimeError

    assert (gc.get_threshold(), gc.get_freeze_count()) == (before, 0)
