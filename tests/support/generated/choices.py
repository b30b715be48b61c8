"""Small decisions, taken from a string of bytes that Hypothesis makes up, and shrinks when something fails."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, TypeVar

from hypothesis import strategies as st

T = TypeVar("T")

SIZE: Final = 900
"""Bytes of a string; what is decided beyond it is decided in the simplest way."""


class Choices:
    """Decides. What comes first in a sequence, and not doing something, is simpler: shrinking goes there."""

    def __init__(self, source: bytes) -> None:
        self._source, self._place = source, 0

    def below(self, size: int) -> int:
        """From 0 to size - 1."""
        wide = 1 if size <= 100 else 2
        found = int.from_bytes(self._source[self._place : self._place + wide])
        self._place += wide
        return found * size >> 8 * wide

    def chance(self, percent: int) -> bool:
        """True in so many cases of a hundred."""
        return self.below(100) >= 100 - percent

    def of(self, options: Sequence[T]) -> T:
        """One of these."""
        return options[self.below(len(options))]

    def several(self, options: Sequence[T], most: int) -> list[T]:
        """At most so many of these, perhaps one of them twice."""
        return [self.of(options) for _ in range(self.below(most + 1))]


def chosen(make: Callable[[Choices], T]) -> st.SearchStrategy[T]:
    """A strategy of what is made by decisions."""
    return st.binary(min_size=SIZE, max_size=SIZE).map(lambda source: make(Choices(source)))
