"""Runs coroutines with more of the interpreter's frame stack taken than the test takes.

CPython keeps frames in pieces of 16 KiB, and gets one and gives it back whenever calls go over an edge. Recursion that
swings about an edge takes several times as long; whether it does depends on how deep it began: on who runs the tests.
"""

from __future__ import annotations

from collections.abc import Coroutine, Generator
from types import coroutine
from typing import Any, TypeVar

T = TypeVar("T")


@coroutine
def below(running: Coroutine[Any, Any, T], frames: int) -> Generator[Any, Any, T]:
    """What a coroutine returns, run `frames` deeper. It must not be cancelled."""
    while True:
        try:
            waited = _resumed(running, frames)
        except StopIteration as ended:
            found: T = ended.value
            return found
        yield waited


def _resumed(running: Coroutine[Any, Any, Any], frames: int) -> Any:
    return _resumed(running, frames - 1) if frames else running.send(None)
