"""The garbage collector while the gateway serves, and after."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from gateway import app
from gateway.serving.memory import THRESHOLDS, calm_collector
from gateway.settings import Settings
from tests.support.apps import running


@pytest.fixture(autouse=True)
def awake(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The collector as Python starts it, which the suite has calmed, and applications that calm it themselves."""
    before = gc.get_threshold()
    monkeypatch.setattr(app, "calm_collector", calm_collector)
    gc.set_threshold(700, 10, 10)
    gc.unfreeze()
    yield
    gc.set_threshold(*before)
    gc.freeze()


def test_collector_is_calm_in_the_block_and_as_before_after_it() -> None:
    before = gc.get_threshold()

    with calm_collector():
        assert gc.get_threshold() == THRESHOLDS
        assert gc.get_freeze_count() > 0
        assert gc.isenabled()

    assert gc.get_threshold() == before
    assert gc.get_freeze_count() == 0


async def test_collector_is_calm_while_an_application_runs(settings: Settings) -> None:
    async with running(settings):
        assert (gc.get_threshold(), gc.get_freeze_count() > 0) == (THRESHOLDS, True)

    assert gc.get_freeze_count() == 0


def test_collector_is_as_before_after_a_fault() -> None:
    before = gc.get_threshold()

    with pytest.raises(RuntimeError), calm_collector():
        raise RuntimeError

    assert (gc.get_threshold(), gc.get_freeze_count()) == (before, 0)
