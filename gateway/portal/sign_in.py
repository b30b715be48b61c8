"""The account that the pages offer to sign in to."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import NamedTuple, TypeAlias


class Demo(NamedTuple):
    """An account that everybody may sign in to."""

    username: str
    password: str


FindDemo: TypeAlias = Callable[[], Awaitable[Demo | None]]


async def no_demo() -> None:
    """There is none."""
